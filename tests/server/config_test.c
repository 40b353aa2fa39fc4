/* SPDX-License-Identifier: MIT */
/* Wrong configuration is refused at the start: status 1, and where and why on standard error. */
#include "harness.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

TestSuite(config, .fini = harness_fini, .timeout = MORE_TIME);

struct row {
	const char *text; /* of the file */
	const char *line; /* ":2:", where it must point */
	const char *says; /* what the reason must name */
};

static void check_file(const char *dir, const struct row *row)
{
	const char *path = temp_file(dir, "fairshared.conf", row->text), *words;
	const char *const arguments[] = {"--config", path, "--listen", "127.0.0.1:0", NULL};
	const char *const checks[] = {"--check-config", "--config", path, NULL};
	uint64_t began = now_ms();

	cr_assert(run_once(arguments, NULL, &words) == 1, "was taken: %s\n%s", row->text, words);
	cr_assert(now_ms() - began < 10000, "took its time: %s", row->text);
	cr_assert(strstr(words, text_format("%s%s", path, row->line)), "%s\nnames no file and line %s: %s", row->text,
			  row->line, words);
	cr_assert(strstr(words, row->says), "%s\ndoes not say '%s': %s", row->text, row->says, words);
	cr_assert(!strstr(words, "listening"), "%s\nlistened all the same: %s", row->text, words);
	cr_assert(run_once(checks, NULL, &words) == 1, "--check-config takes: %s", row->text);
}

Test(config, files_that_are_wrong)
{
	const struct row rows[] = {
		{"max_slotz = 5\n", ":1:", "unknown key 'max_slotz': did you mean max_slots?"},
		{"max-slots = 5\n", ":1:", "did you mean max_slots?"},
		{"config = other\n", ":1:", "unknown key 'config'"},
		{"# a comment\n\nmax_slots = 5\nfoo = 1\n", ":4:", "foo"},
		{"max_slots = ten\n", ":1:", "ten"},
		{"max_slots =\n", ":1:", "max_slots"},
		{"max_slots = 0\n", ":1:", "1"},
		{"max_slots = -1\n", ":1:", "-1"},
		{"max_slots = 1.5\n", ":1:", "1.5"},
		{"max_slots = 1e3\n", ":1:", "1e3"},
		{"max_slots = 1000001\n", ":1:", "1000000"},
		{"max_slots = 99999999999999999999\n", ":1:", "99999999999999999999"},
		{"max_slots = 10 slots\n", ":1:", "10 slots"},
		{"max_slots = 4\nmin_share = 5\n", ":2:", "min_share"},
		{"ttl = soon\n", ":1:", "soon"},
		{"ttl = 5x\n", ":1:", "5x"},
		{"ttl = -5s\n", ":1:", "-5s"},
		{"ttl = .5\n", ":1:", ".5"},
		{"ttl = 1.\n", ":1:", "1."},
		{"ttl = 1,5\n", ":1:", "1,5"},
		{"ttl = 1e1\n", ":1:", "1e1"},
		{"ttl = 1.5.5\n", ":1:", "1.5.5"},
		{"ttl = 1m30\n", ":1:", "1m30"},
		{"ttl = 30s1m\n", ":1:", "30s1m"},
		{"ttl = 0.05\n", ":1:", "100ms"},
		{"min_ttl = 10ms\n", ":1:", "100ms"},
		{"min_ttl = 1m\nmax_ttl = 30s\n", ":", "max_ttl"},
		{"auto_register = perhaps\n", ":1:", "perhaps"},
		{"listen = here\n", ":1:", "here"},
		{"listen = 127.0.0.1:99999\n", ":1:", "99999"},
		{"policy = random\n", ":1:", "random"},
		{"store = cloud\n", ":1:", "cloud"},
		{"http_daemons = 0\n", ":1:", "0"},
		{"log_level = loud\n", ":1:", "loud"},
		{"max_slots 5\n", ":1:", ""},
		{"[pool\nmax_slots = 5\n", ":1:", ""},
		{"[pond a]\nmax_slots = 5\n", ":1:", "[pool NAME]"},
		{"[pool a b]\nmax_slots = 5\n", ":1:", "pool"},
		{"[pool a]\nlisten = 127.0.0.1:0\n", ":2:", "listen"},
		{"[pool a]\nmax_slots = 5\nmin_share = 6\n", ":3:", "min_share"},
		{"policy = max_min\n", ":1:", "policy is 'max_min', but must be equal or max-min"},
		{"max_lease = 50ms\n", ":1:", "100ms or more, or 0 for none"},
		{"slot_rest = 25h\n", ":1:", "24h"},
		{"slot_urls = a:0 b:1\n", ":1:", "max_slots 10"},
		{"slot_urls = nowhere\n", ":1:", "no address"},
		{"[tenant]\nweight = 2\n", ":1:", "[tenant NAME]"},
		{"[tenant a b c]\n", ":1:", "[tenant NAME]"},
		{"[tenant a/b]\n", ":1:", "A-Z a-z 0-9"},
		{"[tenant a]\ntll = 5s\n", ":2:", "'tll' is not a key of a tenant"},
		{"[tenant a]\nmin_share = 5\n", ":2:", "'min_share' is not a key of a tenant"},
		{"[tenant a]\nmax_slots = 5\nmax_slots = 6\n", ":3:", "was set before at"},
		{"policy = max-min\n[tenant a]\nweight = 0\n", ":3:", "from 0.001 to 1000"},
		{"policy = max-min\n[tenant a]\nweight = 1.0005\n", ":3:", "thousandths"},
		{"policy = max-min\n[tenant a]\nweight = 1001\n", ":3:", "1001"},
		{"policy = max-min\n[tenant a]\nweight = .5\n", ":3:", ".5"},
		{"max_slots = 5\n[tenant a]\nweight = 2\n", ":2:", "policy equal of pool 'default'"},
		{"max_slots = 5\n[tenant a]\nreserved_slots = 2\n", ":2:", "use policy max-min"},
		{"max_slots = 5\n[tenant a far]\nmax_slots = 2\n", ":2:", "pool 'far' of tenant 'a' is not there"},
		{"policy = max-min\n[tenant a]\nreserved_slots = 3\nmax_slots = 2\n", ":2:", "more than its max_slots 2"},
		{"policy = max-min\n[tenant a]\nreserved_slots = 6\n[tenant b]\nreserved_slots = 5\n", ":",
		 "reserved_slots of the tenants of pool 'default' are 11, more than its max_slots 10"},
	};
	const char *dir = temp_dir();

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		check_file(dir, &rows[i]);
}

Test(config, share_calculators_that_are_wrong)
{
	const struct row rows[] = {
		{"max_slots = 5\nshare_calculator = max_slots //\n", ":2:", "share_calculator"},
		{"share_calculator = max_slots // num_demanding_tenants)\n", ":1:", "share_calculator"},
		{"share_calculator = (function() while true do end end)()\n", ":1:", "instructions"},
		{"share_calculator = nil\n", ":1:", "nil"},
		{"share_calculator = 'ten'\n", ":1:", "string"},
		{"share_calculator = true\n", ":1:", "boolean"},
		{"share_calculator = 0/0\n", ":1:", "nan"},
		{"share_calculator = 1/0\n", ":1:", "infinite"},
		{"share_calculator = -1/0\n", ":1:", "infinite"},
		{"share_calculator = 1 // 0.0\n", ":1:", "infinite"},
		{"share_calculator = max_slots / (num_demanding_tenants - 2)\n",
		 ":1:", "2 demanding tenants: its value is infinite"},
		{"share_calculator = unknown + 1\n", ":1:", "unknown"},
		{"share_calculator = os.exit(0)\n", ":1:", "os"},
		{"share_calculator = max_slots // (num_demanding_tenants - 3)\n", ":1:", "3 demanding"},
		{"share_calculator = (function() local t = {} for i = 1, 9999 do t = {t} end return 1 end)()\n",
		 ":1:", "memory"},
		{"share_calculator = ('x'):rep(1e9):len()\n", ":1:", "share_calculator"},
		{"share_calculator = (function() local s = 'x' for i = 1, 40 do s = s .. s end return 1 end)()\n",
		 ":1:", "memory"},
		{"share_calculator = (function() local function f() return f() + 1 end return f() end)()\n",
		 ":1:", "share_calculator"},
		{"share_calculator = num_demanding_tenants < 7 and 1 or nil\n", ":1:", "7 demanding"},
		{"[pool other]\nshare_calculator = nil\n", ":2:", "'other'"},
	};
	const char *dir = temp_dir();

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		check_file(dir, &rows[i]);
}

static void check_words(const char *const *arguments, const char *const *environment, const char *says)
{
	const char *words;
	int status = run_once(arguments, environment, &words);

	cr_assert(status == 1, "%s was taken, or left with %d: %s", says, status, words);
	cr_assert(strstr(words, says), "does not say '%s': %s", says, words);
}

#define LISTEN "--listen", "127.0.0.1:0"

Test(config, flags_and_environment_that_are_wrong)
{
	struct server *server = server_start(NULL, NULL);
	const char *taken = text_format("127.0.0.1:%u", server_port(server));

	check_words((const char *[]){LISTEN, "--max-slots", "ten", NULL}, NULL, "ten");
	check_words((const char *[]){LISTEN, "--max-slots=0", NULL}, NULL, "max");
	check_words((const char *[]){LISTEN, "--share-calculator", "nil", NULL}, NULL, "nil");
	check_words((const char *[]){LISTEN, "--share-calculator", "1 +", NULL}, NULL, "share");
	check_words((const char *[]){LISTEN, "--store", "test:speed=1", NULL}, NULL, "speed");
	check_words((const char *[]){LISTEN, "--config", "/nowhere/at.all", NULL}, NULL, "/nowhere/at.all");
	check_words((const char *[]){LISTEN, "--max-slotz", "5", NULL}, NULL, "max-slotz");
	check_words((const char *[]){LISTEN, "surplus", NULL}, NULL, "surplus");
	check_words((const char *[]){"--listen", taken, NULL}, NULL, taken);
	check_words((const char *[]){LISTEN, NULL}, (const char *[]){"FAIRSHARED_MAX_SLOTZ=5", NULL},
				"FAIRSHARED_MAX_SLOTZ: did you mean FAIRSHARED_MAX_SLOTS?");
	check_words((const char *[]){LISTEN, NULL}, (const char *[]){"FAIRSHARED_max_slots=5", NULL},
				"did you mean FAIRSHARED_MAX_SLOTS?");
	check_words((const char *[]){LISTEN, NULL}, (const char *[]){"FAIRSHARED_MAX_SLOTS=ten", NULL},
				"FAIRSHARED_MAX_SLOTS");
	check_words((const char *[]){LISTEN, NULL}, (const char *[]){"FAIRSHARED_SHARE_CALCULATOR=nil", NULL},
				"FAIRSHARED_SHARE_CALCULATOR");
	server_stop(server);
}

Test(config, flag_over_environment_over_file)
{
	const char *dir = temp_dir(), *words;
	const char *path = temp_file(dir, "f.conf",
								 "; a comment\nmax_slots = 5\nmin_share = 2\nttl = 1m30s\n"
								 "share_calculator = max_slots // num_demanding_tenants + 2\n"
								 "[pool other]\nmax_slots = 3\n");
	const char *const environment[] = {"FAIRSHARED_MAX_SLOTS=6", "FAIRSHARED_MIN_SHARE=3", NULL};
	const char *const arguments[] = {"--print-config", "--config", path, "--max-slots", "7", NULL};
	const char *const checks[] = {"--check-config", "--config", path, NULL};

	cr_assert(run_once(arguments, environment, &words) == 0, "%s", words);
	cr_assert(strstr(words, "\nmax_slots = 7\n") && strstr(words, "\nmin_share = 3\n"), "%s", words);
	cr_assert(strstr(words, "\nttl = 1m30s\n") && strstr(words, "[pool other]\nmax_slots = 3\n"), "%s", words);
	cr_assert(strstr(words, "max_slots // num_demanding_tenants + 2"), "%s", words);
	cr_assert(run_once(checks, NULL, &words) == 0, "%s", words);
	/* What is printed is itself a configuration, and the same one. */
	cr_assert(run_once(arguments, environment, &words) == 0);
	path = temp_file(dir, "again.conf", words);
	cr_assert(run_once((const char *[]){"--print-config", "--config", path, NULL}, NULL, &words) == 0, "%s", words);
	cr_assert(strstr(words, "\nmax_slots = 7\n") && strstr(words, "[pool other]\nmax_slots = 3\n"), "%s", words);
}

static void check_print(const char *const *arguments, const char *const *environment, const char *pools)
{
	const char *words, *at;

	cr_assert(run_once(arguments, environment, &words) == 0, "%s", words);
	at = strstr(words, "\n[pool ");
	cr_assert(at && !strcmp(at, pools), "%s", words);
}

/* The top of the file, variables and flags are the defaults of sections; a section's own value wins over all of them.
 */
Test(config, what_a_section_does_not_name_is_as_at_the_top)
{
	const char *dir = temp_dir(), *words;
	const char *path = temp_file(dir, "f.conf",
								 "max_slots = 50\nmin_share = 2\nshare_calculator = max_slots\n"
								 "[pool a]\n"
								 "[pool b]\nmax_slots = 4\nmin_share = 1\nshare_calculator =\nmax_waiting = 7\n");
	const char *const file[] = {"--print-config", "--config", path, NULL};
	const char *const flags[] = {"--print-config", "--config", path, "--max-slots", "60", NULL};
	const char *const environment[] = {"FAIRSHARED_MAX_SLOTS=55", "FAIRSHARED_TENANT_MAX_WAITING=9", NULL};
	const char *again;

#define POOL(name, slots, share, calculator, waiting, tenant)                                                          \
	"\n[pool " name "]\nmax_slots = " slots "\nmin_share = " share "\npolicy = equal\nshare_calculator =" calculator   \
	"\nslot_urls =\nmax_lease = 0s\nslot_rest = 0s\npass_over = 5s\npriority_step = 30s\nmax_waiting = " waiting       \
	"\ntenant_max_waiting = " tenant "\n"
	check_print(file, NULL, POOL("a", "50", "2", " max_slots", "10000", "1000") POOL("b", "4", "1", "", "7", "1000"));
	check_print(file, environment, POOL("a", "55", "2", " max_slots", "10000", "9") POOL("b", "4", "1", "", "7", "9"));
	check_print(flags, environment, POOL("a", "60", "2", " max_slots", "10000", "9") POOL("b", "4", "1", "", "7", "9"));
	/* What is printed stands by itself: as a file it gives the same pools. */
	cr_assert(run_once(flags, environment, &words) == 0);
	again = temp_file(dir, "again.conf", words);
	check_print((const char *[]){"--print-config", "--config", again, NULL}, NULL,
				POOL("a", "60", "2", " max_slots", "10000", "9") POOL("b", "4", "1", "", "7", "9"));
#undef POOL
}

Test(config, a_printed_configuration_that_does_not_arrive_is_an_error)
{
	int status = system(FAIRSHARED " --print-config >/dev/full 2>/dev/null");

	cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 1, "%d", status);
}

Test(config, a_reason_names_where_a_section_has_its_value_from)
{
	const char *path = temp_file(temp_dir(), "f.conf", "min_share = 3\n[pool a]\nmax_slots = 2\n");
	const char *other = temp_file(temp_dir(), "g.conf", "[pool a]\nmin_share = 8\n");
	const char *small = temp_file(temp_dir(), "h.conf", "[pool a]\nmax_slots = 2\n");

	check_words((const char *[]){"--check-config", "--config", path, NULL}, NULL,
				text_format("%s:1: min_share 3 of pool 'a' is more than its max_slots 2 (%s:3)", path, path));
	check_words((const char *[]){"--check-config", "--config", other, "--max-slots", "5", NULL}, NULL,
				text_format("%s:2: min_share 8 of pool 'a' is more than its max_slots 5 (--max-slots)", other));
	check_words((const char *[]){"--check-config", "--config", small, NULL},
				(const char *[]){"FAIRSHARED_SHARE_CALCULATOR=max_slots > 5 and 5 or nil", NULL},
				"FAIRSHARED_SHARE_CALCULATOR: share_calculator of pool 'a': for 1 demanding");
}

/* Whole lines count: nothing that the library cuts off goes unnoticed. */
Test(config, a_line_may_have_4094_bytes)
{
	const size_t begun = strlen("min_share = "), most = 4094;
	const char *dir = temp_dir(), *words, *path;

	path = temp_file(dir, "f.conf", text_format("min_share = %s2\n", text_repeat('0', most - begun - 1)));
	cr_assert(run_once((const char *[]){"--print-config", "--config", path, NULL}, NULL, &words) == 0, "%s", words);
	cr_assert(strstr(words, "\nmin_share = 2\n"), "%s", words);
	path = temp_file(dir, "f.conf", text_format("# one\n# two%s\nmax_slots = 5\n", text_repeat(' ', most - 4)));
	check_words((const char *[]){"--check-config", "--config", path, NULL}, NULL,
				text_format("%s:2: the line is longer than 4094 bytes", path));
}

/* A semicolon after a space begins a comment wherever it stands; one without, or a #, is part of the value. */
Test(config, comments_in_lines)
{
	const char *dir = temp_dir(), *words;
	const char *path = temp_file(dir, "f.conf",
								 "max_slots = 5 ; not 6\n"
								 "share_calculator = max_slots + 0 ; + 1\n[pool a] ; of a\n");

	cr_assert(run_once((const char *[]){"--print-config", "--config", path, NULL}, NULL, &words) == 0, "%s", words);
	cr_assert(strstr(words, "\nmax_slots = 5\n") && strstr(words, "share_calculator = max_slots + 0\n"), "%s", words);
	path = temp_file(dir, "f.conf", "share_calculator = (function() local x = 4; return x end)()\n");
	cr_assert(run_once((const char *[]){"--check-config", "--config", path, NULL}, NULL, &words) == 0, "%s", words);
	path = temp_file(dir, "f.conf", "max_slots = 5 # not 6\n");
	check_words((const char *[]){"--check-config", "--config", path, NULL}, NULL, "max_slots is '5 # not 6'");
}

/* As `kubectl exec POD -- env` shows them beside a Service `fairshared` with a named port, and others named after it.
 */
Test(config, variables_that_kubernetes_makes_of_services_are_not_ours)
{
	const char *const environment[] = {
		"FAIRSHARED_SERVICE_HOST=10.96.0.7",
		"FAIRSHARED_SERVICE_PORT=8080",
		"FAIRSHARED_SERVICE_PORT_HTTP=8080",
		"FAIRSHARED_SERVICE_PORT_WEB_UI=8081",
		"FAIRSHARED_PORT=tcp://10.96.0.7:8080",
		"FAIRSHARED_PORT_8080_TCP=tcp://10.96.0.7:8080",
		"FAIRSHARED_PORT_8080_TCP_ADDR=10.96.0.7",
		"FAIRSHARED_PORT_8080_TCP_PORT=8080",
		"FAIRSHARED_PORT_8080_TCP_PROTO=tcp",
		"FAIRSHARED_PORT_53_UDP=udp://10.96.0.7:53",
		"FAIRSHARED_PORT_53_UDP_PROTO=udp",
		"FAIRSHARED_PORT_9_SCTP=sctp://10.96.0.7:9",
		"FAIRSHARED_PORT_9_SCTP_ADDR=10.96.0.7",
		"FAIRSHARED_WEB_SERVICE_HOST=10.96.0.8",
		"FAIRSHARED_WEB_PORT=tcp://10.96.0.8:80",
		"FAIRSHARED_WEB_PORT_80_TCP_ADDR=10.96.0.8",
		"FAIRSHARED_MAX_SLOTS=6",
		NULL,
	};
	const char *words;

	cr_assert(run_once((const char *[]){"--print-config", NULL}, environment, &words) == 0, "%s", words);
	cr_assert(strstr(words, "\nmax_slots = 6\n"), "%s", words);
}

Test(config, variables_that_only_look_like_those_of_services_are_refused)
{
	static const char *const variables[] = {
		"FAIRSHARED_PORT=8080",
		"FAIRSHARED_HTTP_PORT=8080",
		"FAIRSHARED_PORT_8080_TCP=8080",
		"FAIRSHARED_PORT_X_TCP_ADDR=1",
		"FAIRSHARED_PORT_8080_ICMP_ADDR=1",
		"FAIRSHARED_SERVICE=1",
		"FAIRSHARED_SERVICE_HOST_X=1",
		"FAIRSHARED_HOST=10.96.0.7",
		"FAIRSHARED_=1",
		"FAIRSHARED_PORT_80_TCP_ADDRESS=1",
		"FAIRSHARED_SERVICE_PORT_http=1",
	};

	for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++) {
		const char *name =
			text_format("unknown environment variable %.*s:", (int)strcspn(variables[i], "="), variables[i]);

		check_words((const char *[]){"--check-config", NULL}, (const char *[]){variables[i], NULL}, name);
	}
}

Test(config, durations_have_units_or_are_seconds_with_fractions)
{
	const struct {
		const char *text, *printed;
	} rows[] = {
		{"30", "30s"},			{"0.5", "500ms"},			{"1.25", "1s250ms"},
		{"90.001", "1m30s1ms"}, {"250ms", "250ms"},			{"1m30s", "1m30s"},
		{"2h", "2h"},			{"1.5h", "1h30m"},			{"0.25s", "250ms"},
		{"3600.5", "1h500ms"},	{"0.2505", "250.500000ms"}, {"250.500000ms", "250.500000ms"},
	};
	const char *dir = temp_dir(), *words;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *path = temp_file(dir, "f.conf", text_format("queue_grace = %s\n", rows[i].text));
		const char *variable = text_format("FAIRSHARED_CLAIM=%s", rows[i].text);
		const char *const arguments[] = {"--print-config", "--config", path, "--max-wait", rows[i].text, NULL};

		cr_assert(run_once(arguments, (const char *[]){variable, NULL}, &words) == 0, "%s: %s", rows[i].text, words);
		cr_assert(strstr(words, text_format("\nqueue_grace = %s\n", rows[i].printed)), "%s: %s", rows[i].text, words);
		cr_assert(strstr(words, text_format("\nclaim = %s\n", rows[i].printed)), "%s: %s", rows[i].text, words);
		cr_assert(strstr(words, text_format("\nmax_wait = %s\n", rows[i].printed)), "%s: %s", rows[i].text, words);
	}
}

Test(config, a_share_calculator_and_pools_from_a_file_serve)
{
	const char *path = temp_file(temp_dir(), "f.conf",
								 "max_slots = 10\n"
								 "share_calculator = max_slots // num_demanding_tenants + 2\n"
								 "[pool other]\nmax_slots = 1\n");
	struct server *server = server_start("--config", path, NULL);
	struct reply *reply;

	for (int i = 0; i < 3; i++)
		must_acquire(server, "alice", "", NULL);
	must_acquire(server, "bob", "", NULL);
	cr_assert(stat_of(server, "share") == 7, "%g", stat_of(server, "share"));
	must_acquire(server, "alice", ",\"pool\":\"other\"", NULL);
	refused(acquire(server, "bob", ",\"pool\":\"other\",\"wait_seconds\":0", NULL), 429, "no-slot");
	reply = call(server, "GET", "/pools/other", NULL, NULL);
	cr_assert(reply->status == 200 && number_of(reply, "total_active_slots") == 1, "%s", reply->body);
	server_stop(server);
}

Test(config, tenants_are_printed_as_they_can_be_read)
{
	const char *dir = temp_dir(), *words, *again;
	const char *path =
		temp_file(dir, "f.conf",
				  "policy = max-min\nslot_urls = ws://farm/{slot}\n[tenant alice]\nweight = 0.5\nmax_waiting = 7\n"
				  "[pool farm]\nmax_slots = 4\nmax_lease = 1h30m\n[tenant alice farm]\nreserved_slots = 2\n"
				  "[tenant alice default]\nmax_slots = 3\n");
	static const char wanted[] =
		"\n[tenant alice default]\nweight = 0.500\nreserved_slots = 0\nmax_slots = 3\nmax_waiting = 7\n"
		"\n[tenant alice farm]\nweight = 1.000\nreserved_slots = 2\nmax_slots = 0\nmax_waiting = 0\n";

	cr_assert(run_once((const char *[]){"--print-config", "--config", path, NULL}, NULL, &words) == 0, "%s", words);
	cr_assert(strstr(words, wanted), "%s", words);
	cr_assert(strstr(words, "\nslot_urls = ws://farm/{slot}\n") && strstr(words, "\nmax_lease = 1h30m\n"), "%s", words);
	cr_assert(strstr(words, "[pool farm]\nmax_slots = 4\nmin_share = 1\npolicy = max-min\n"), "%s", words);
	again = temp_file(dir, "again.conf", words);
	cr_assert(run_once((const char *[]){"--print-config", "--config", again, NULL}, NULL, &words) == 0, "%s", words);
	cr_assert(strstr(words, wanted), "%s", words);
}
