/* SPDX-License-Identifier: MIT */
/* fairshared --healthcheck: asks the server that listens as configured, and tells by its exit status. */
#include "harness.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

TestSuite(health, .fini = harness_fini, .timeout = MORE_TIME);

static int check(const char *listen, const char **ret_words)
{
	return run_once((const char *[]){"--healthcheck", "--listen", listen, NULL}, NULL, ret_words);
}

Test(health, a_server_that_is_alive)
{
	struct server *server = server_start("--max-slots", "1", NULL);
	const char *listen = text_format("127.0.0.1:%u", server_port(server));
	const char *variable = text_format("FAIRSHARED_LISTEN=%s", listen), *words;

	cr_assert(check(listen, &words) == 0, "%s", words);
	cr_assert(run_once((const char *[]){"--healthcheck", NULL}, (const char *[]){variable, NULL}, &words) == 0, "%s",
			  words);
	server_stop(server);
}

/* A container that listens on all its addresses is asked on its loopback. */
Test(health, an_unspecified_address_means_this_machine)
{
	struct server *server = server_start("--max-slots", "1", NULL);
	const char *words;

	cr_assert(check(text_format("0.0.0.0:%u", server_port(server)), &words) == 0, "%s", words);
	server_stop(server);
}

Test(health, a_local_socket)
{
	const char *listen = text_format("unix:%s/s", temp_dir()), *words;
	struct server *server = server_start("--listen", listen, NULL);

	cr_assert(check(listen, &words) == 0, "%s", words);
	server_stop(server);
	cr_assert(check(listen, &words) == 1);
}

/* Alive is not ready: a restart would not help a server that drains. */
Test(health, a_server_that_drains_is_alive)
{
	struct server *server = server_start("--drain-timeout", "1h", NULL);
	const char *held = must_acquire(server, "alice", "", NULL), *words;

	server_signal(server, SIGTERM);
	server_says(server, "drain");
	cr_assert(check(text_format("127.0.0.1:%u", server_port(server)), &words) == 0, "%s", words);
	must_release(server, held);
	cr_assert(server_leaves(server) == 0);
}

Test(health, nobody_listens)
{
	const char *words;

	cr_assert(check(text_format("127.0.0.1:%u", free_port()), &words) == 1);
	cr_assert(strstr(words, "does not answer: Connection refused"), "%s", words);
}

Test(health, a_port_must_be_named)
{
	const char *words;

	cr_assert(check("127.0.0.1:0", &words) == 1);
	cr_assert(strstr(words, "--listen: listen is '127.0.0.1:0': say which port to ask"), "%s", words);
}

/* A server whose loop hangs still has its socket: the kernel accepts, and nobody answers. */
Test(health, a_server_that_hangs)
{
	struct server *server = server_start("--max-slots", "1", NULL);
	uint64_t began;
	const char *words;

	server_signal(server, SIGSTOP);
	began = now_ms();
	cr_assert(check(text_format("127.0.0.1:%u", server_port(server)), &words) == 1);
	cr_assert(strstr(words, "does not answer: Connection timed out"), "%s", words);
	cr_assert(now_ms() - began >= 3900, "it did not wait: %u ms", (unsigned)(now_ms() - began));
	server_kill(server);
}

/* Something else on the port, or a server that says no. */
Test(health, an_answer_that_is_not_200)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t size = sizeof(address);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	static const char answer[] = "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\n\r\n";
	const char *words;
	pid_t child;

	cr_assert(bind(listener, (struct sockaddr *)&address, size) == 0 && listen(listener, 1) == 0);
	cr_assert(getsockname(listener, (struct sockaddr *)&address, &size) == 0);
	child = fork();
	cr_assert(child >= 0);
	if (child == 0) {
		char request[512];
		int fd;

		alarm(MORE_TIME);
		fd = accept(listener, NULL, NULL);
		_exit(recv(fd, request, sizeof(request), 0) > 0 && send(fd, answer, strlen(answer), 0) > 0 &&
					  shutdown(fd, SHUT_WR) == 0
				  ? 0
				  : 1);
	}
	cr_assert(check(text_format("127.0.0.1:%u", ntohs(address.sin_port)), &words) == 1);
	cr_assert(strstr(words, "is not healthy: it answers 'HTTP/1.1 503 Service Unavailable'"), "%s", words);
	close(listener);
}
