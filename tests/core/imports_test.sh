#!/bin/sh
# SPDX-License-Identifier: MIT
# imports_test.sh LIBFAIRSHARE [CC [NM]]: the architecture's rules that a compiler does not hold us to.
set -eu

library=$(realpath "$1")
cc=${2:-cc}
nm=${3:-nm}
root=$(cd "$(dirname "$0")/../.." && pwd)
cd "$root"
failed=0
scratch=$(mktemp)
trap 'rm -f "$scratch"' EXIT

fail()
{
	echo "architecture: $1"
	failed=1
}

# The core imports memory and strings of libc, nothing else: no clock, no I/O, no threads, no randomness.
allowed='malloc free memcpy memmove memset memcmp strlen strcmp strncmp strnlen memchr abort __assert_fail __stack_chk_fail
	__memcpy_chk __memset_chk __memmove_chk _GLOBAL_OFFSET_TABLE_'
defined=$("$nm" --defined-only "$library" 2>/dev/null | awk 'NF == 3 && $2 ~ /[TDBRV]/ {print $3}')
imports=$("$nm" -u "$library" 2>/dev/null | awk '$1 == "U" {print $2}' | sort -u)
[ -n "$imports" ] || fail "nm tells no imports of $library"
for symbol in $imports; do
	case $symbol in
	__asan_* | __ubsan_* | __tsan_* | __sanitizer_* | __sancov_* | __gcov_*) continue ;;
	esac
	for known in $allowed $defined; do
		[ "$symbol" = "$known" ] && continue 2
	done
	fail "core imports $symbol"
done

# Every header compiles alone.
for header in core/*.h api/*.h server/*.h; do
	[ -e "$header" ] || continue
	include="-I core -I api -I server"
	# shellcheck disable=SC2046,SC2086
	if ! echo "#include \"$root/$header\"" | "$cc" -std=gnu11 -D_GNU_SOURCE -Wall -Wextra -Wno-unused-function $include \
		$(pkg-config --cflags libmicrohttpd jansson sqlite3 lua5.4 gnutls 2>/dev/null || true) \
		-fsyntax-only -x c - 2>"$scratch"; then
		fail "$header does not compile alone"
		head -n 5 "$scratch"
	fi
done

# Arrows go one way: server -> api -> core.
if grep -lE '#include [<"](microhttpd|jansson|sqlite3|lua|curl|pthread|time|stdio|unistd)' core/*.c core/*.h; then
	fail "the core includes what is not the core's"
fi
if grep -lE '#include [<"](microhttpd|sqlite3|lua|curl|pthread)' api/*.c api/*.h; then
	fail "the api includes what is not the api's"
fi

# Exactly one file includes microhttpd.h.
count=$(grep -lE '#include <microhttpd\.h>' core/*.[ch] api/*.[ch] server/*.[ch] 2>/dev/null | wc -l)
if [ "$count" -gt 1 ] || { [ -e server/main.c ] && [ "$count" -ne 1 ]; }; then
	fail "$count files include microhttpd.h"
fi

# Exactly one file includes libsystemd's headers.
others=$(grep -lE '#include <systemd/' core/*.[ch] api/*.[ch] server/*.[ch] | grep -vx 'server/systemd\.c' || true)
[ -z "$others" ] || fail "libsystemd is included by $others"

# Exactly one header includes sqlite3.h, and only the files of the SQLite store include that.
others=$(grep -lE '#include <sqlite3\.h>' core/*.[ch] api/*.[ch] server/*.[ch] | grep -vx 'server/sqlite\.h' || true)
others="$others$(grep -lE '#include "sqlite\.h"' api/*.[ch] server/*.[ch] | grep -vxE 'server/(sqlite_[a-z]+|store_sqlite)\.c' || true)"
[ -z "$others" ] || fail "SQLite is included by $others"

# banned PATTERN REASON EXCEPTION...: calls in product code, comments left out.
banned()
{
	pattern=$1
	reason=$2
	shift 2
	for file in $files; do
		[ -e "$file" ] || continue
		case $file in *_test.c) continue ;; esac
		for exception in "$@"; do
			[ "$file" = "$exception" ] && continue 2
		done
		if sed -e 's|//.*||' -e 's|/\*.*\*/||' -e '/^[[:space:]]*\*/d' -e 's/"[^"]*"//g' "$file" | grep -nE "(^|[^A-Za-z0-9_.>])($pattern)[[:space:]]*\\(" >"$scratch"; then
			fail "$file: $reason"
			cat "$scratch"
		fi
	done
}

# A client is a process of its own, with its own arguments, time and ends.
files=$(ls core/*.[ch] api/*.[ch] server/*.[ch] clients/c/*.[ch] clients/c/src/*.[ch] clients/cli/*.[ch])
banned 'strcpy|strcat|sprintf|vsprintf|strtok|gets|atoi|atol|atof' 'banned call'
banned 'rand|srand|random|drand48' 'weak randomness'
files=$(ls core/*.[ch] api/*.[ch] server/*.[ch])
banned 'strtol|strtoul|strtoll|strtoull|strtod|sscanf' 'numbers are parsed in one place' api/parse.c server/parse.c server/value.c server/config.c
banned 'time|clock_gettime|gettimeofday|clock' 'the clock is read in server/clock.c' server/clock.c
banned 'exit|_exit' 'only main ends the process' server/main.c
# shellcheck disable=SC2046
banned 'malloc|calloc|realloc|free|printf|fprintf|puts' 'the core has no I/O and takes memory through its hooks' \
	$(ls api/*.[ch] server/*.[ch]) core/fair.c

[ "$failed" -eq 0 ] && echo "architecture: ok"
exit "$failed"
