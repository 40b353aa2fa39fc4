#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Tests of the command `fairshare` against the real server: what the scenarios of play cannot see, such as exit statuses,
signals, processes and terminals. `cli_test.py --server FAIRSHARED --cli FAIRSHARE [unittest's arguments]`"""

import argparse
import contextlib
import fcntl
import http.client
import json
import os
import pty
import re
import select
import shlex
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time
import unittest

from proxy import Proxy, answer, delay_before
from stage import REPORT, Failure, Server, clean_environment, until

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.path.join(HERE, "..", "..", "clients", "cli")
VERBS = ["run", "acquire", "renew", "release", "leases", "tenants", "register", "unregister", "stats", "pools", "resize", "drain", "cordon",
         "revoke", "clear", "top"]
VARIABLES = ["LEASE_ID", "TENANT", "POOL", "SLOT_IDS", "FENCING_TOKEN", "URL"]
options = None


def plain(text):
    """What a terminal got, without colours, and with a space for whatever moves the cursor."""
    return re.sub(r"\033(\[[0-9;?]*[a-zA-Z]|\(B)", "", re.sub(r"\033\[[0-9;]*[Hd]", " ", text))


def read_line(stream):
    """Reads one line, and nothing beyond it, as communicate() knows nothing of what a stream has buffered."""
    line = b""
    while not line.endswith(b"\n") and (byte := os.read(stream.fileno(), 1)):
        line += byte
    return line.decode()


class Terminal:
    """A command in a terminal of its own, which it controls."""

    def __init__(self, command, environment, rows=24, columns=80):
        self.output = b""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
            os.execve(command[0], command, {"TERM": "xterm-256color", **environment})

    def read(self):
        """Takes what there is; False when the terminal's other end is closed."""
        while select.select([self.fd], [], [], 0)[0]:
            try:
                data = os.read(self.fd, 65536)
            except OSError:
                return False
            if not data:
                return False
            self.output += data
        return True

    def until(self, text, within=10):
        """Waits until the output since the last call contains text, and takes it."""
        def there():
            self.read()
            return text.encode() in self.output
        try:
            until(there, f"{text!r} on the terminal", within)
        except Failure as failure:
            raise Failure(f"{failure}; there is {self.output[-2000:]!r}") from failure
        taken, self.output = self.output, b""
        return taken.decode(errors="replace")

    def resize(self, rows, columns):
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, text):
        os.write(self.fd, text.encode())

    def end(self, within=10):
        """Waits for the end and answers the exit status, -N for a signal."""
        def ended():
            self.read()
            return os.waitpid(self.pid, os.WNOHANG)
        pid, status = until(lambda: (lambda result: result if result[0] else None)(ended()), "the end of the command", within)
        self.pid = None
        self.read()
        return os.waitstatus_to_exitcode(status)

    def close(self):
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self.fd)


class Case(unittest.TestCase):
    flags = ()

    def setUp(self):
        self.folder = self.enterContext(tempfile.TemporaryDirectory(prefix="cli-"))
        self.proxy = Proxy(self.folder)
        self.addCleanup(self.proxy.close)
        self.server = Server(self.folder, self.proxy)
        self.server.configure(options.server, "memory", ("--max-slots", "1", *self.flags))
        self.addCleanup(self.server.close)
        self.server.start()
        self.server.register("alice")
        self.environment = clean_environment(FAIRSHARE_URL=f"http://127.0.0.1:{self.proxy.port}", FAIRSHARE_TENANT="alice",
                                             LC_ALL="C.UTF-8")

    def enterContext(self, context):    # unittest has it from Python 3.11 on
        value = context.__enter__()
        self.addCleanup(context.__exit__, None, None, None)
        return value

    def start(self, *arguments, **popen):
        """Starts `fairshare ARGUMENTS`, without a terminal."""
        popen = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True,
                 "start_new_session": True, "env": self.environment, **popen}
        process = subprocess.Popen([options.cli, *arguments], **popen)
        self.addCleanup(self.stop, process)
        return process

    @staticmethod
    def stop(process):
        if process.poll() is None:
            process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream:
                stream.close()

    def finish(self, process, code, within=15):
        """Waits for the end, checks the exit status, and answers what was written."""
        out, err = process.communicate(timeout=within)
        self.assertEqual(process.returncode, code, err)
        self.assertIsNone(REPORT.search(err or ""), err)
        return out, err

    def fairshare(self, *arguments, code=0, **popen):
        return self.finish(self.start(*arguments, **popen), code)

    def terminal(self, *arguments, command=None, **size):
        terminal = Terminal(command or [options.cli, *arguments], self.environment, **size)
        self.addCleanup(terminal.close)
        return terminal

    def json(self, *arguments):
        return json.loads(self.fairshare(*arguments)[0])

    def waits(self, number=1):
        until(lambda: self.server.stats()["waiting"] == number, f"{number} in line")

    def nothing_left(self):
        self.assertEqual((self.server.active(), self.server.in_line()), (0, 0), "slots held, places in line")

    def sh(self, script, *arguments, **popen):
        """Starts `fairshare run ARGUMENTS -- sh -c SCRIPT` and waits until the script says ready."""
        process = self.start("run", *arguments, "--", "sh", "-c", script, **popen)
        self.assertEqual(read_line(process.stdout), "ready\n")
        return process


class ExitStatus(Case):
    def test_code_of_the_command(self):
        for code in (0, 7, 255):
            self.fairshare("run", "--", "sh", "-c", f"exit {code}", code=code)
            self.nothing_left()

    def test_signal_of_the_command(self):
        for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGABRT):
            self.fairshare("run", "sh", "-c", f"kill -{number:d} $$", code=128 + number)
        self.nothing_left()

    def test_command_that_cannot_be_run(self):
        _, err = self.fairshare("run", "--", "no-such-command", code=127)
        self.assertEqual(err, "fairshare: 'no-such-command' cannot be run: No such file or directory\n")
        _, err = self.fairshare("run", "--", "/etc/passwd", code=126)
        self.assertIn("'/etc/passwd' cannot be run: Permission denied", err)
        self.fairshare("run", "--", "/", code=126)
        self.nothing_left()

    def test_no_slot(self):
        self.server.take()
        self.fairshare("run", "-n", "true", code=124)
        self.fairshare("run", "-n", "-E", "75", "true", code=75)
        begin = time.monotonic()
        _, err = self.fairshare("run", "-w", "700ms", "true", code=124)
        self.assertGreater(time.monotonic() - begin, 0.7)
        self.assertLess(time.monotonic() - begin, 4)
        self.assertIn("(no-slot)", err)
        self.fairshare("acquire", "--wait=0.1", "--no-slot-code=3", code=3)
        self.assertEqual(self.server.in_line(), 0)

    def test_trouble_is_told_once(self):
        _, err = self.fairshare("run", "--url", "http://127.0.0.1:1", "-w", "1s", "true", code=124)
        self.assertEqual(err.count("no answer from http://127.0.0.1:1"), 2, err)     # when it comes, and at the end
        self.assertEqual(err.count("trying again"), 1, err)

    def test_own_failure(self):
        for arguments, message in {
                ("run", "-t", "nobody", "true"): "(tenant-not-registered)",
                ("run", "--url", "ftp://x", "true"): "unix:/PATH",
                ("run", "--url", "http://127.0.0.1:99999", "true"): "the url is 'http://127.0.0.1:99999'",
                ("run", "--url", "http://", "true"): "the url is 'http://'",
                ("run", "--url", "http://localhost/?x=1", "true"): "the url is 'http://localhost/?x=1'",
                ("run", "--url", "http://127.0.0.1:1", "-n", "true"): "no answer from http://127.0.0.1:1",
                ("run", "-n", "-w", "1", "true"): "exclude each other",
                ("run", "-w", "1x", "true"): "--wait is '1x': give a duration",
                ("run", "-w", "-1", "true"): "--wait is '-1'",
                ("run", "-w", "1e3", "true"): "--wait is '1e3'",
                ("run", "-w", "1m30", "true"): "--wait is '1m30'",
                ("run", "-w", "1.2.3s", "true"): "--wait is '1.2.3s'",
                ("run", "-w", "", "true"): "--wait is ''",
                ("run", "-E", "256", "true"): "a whole number from 0 to 255",
                ("run", "--ttl", "0", "true"): "give more than 0",
                ("run", "--max-lease", "0", "true"): "give more than 0",
                ("run", "--max-lease", "3000h", "true"): "(invalid-value)",
                ("run", "--on-lost", "stop", "true"): "give term, kill or ignore",
                ("run", "--on-reclaim", "kill", "true"): "give ignore, term or usr1",
                ("run",): "Give the command",
                ("acquire", "more"): "Too many arguments",
                ("acquire", "--register"): "use `fairshare register` before",
                ("renew",): "Give its id",
                ("leases", "--state", "held"): "give active or pending",
                ("resize", "default"): "to how many slots",
                ("drain",): "which pool",
                ("cordon", "default"): "which slots",
                ("cordon", "default", "x"): "a slot is 'x'",
                ("revoke",): "Give its id",
                ("clear",): "Give --pool, --tenant or --label",
                ("clear", "-p", "default", "--state", "held"): "give active or pending",
                ("run", "--priority", "11", "true"): "a whole number from -10 to 10",
                ("nothing",): "there is no 'nothing'",
                (): "Usage"}.items():
            with self.subTest(arguments=arguments):
                out, err = self.fairshare(*arguments, code=125)
                self.assertIn(message, err)
                self.assertEqual(out, "")
        self.nothing_left()

    def test_several_slots(self):
        self.fairshare("resize", "default", "3")
        out, _ = self.fairshare("run", "--slots", "2", "--", "sh", "-c", "echo $FAIRSHARE_SLOT_IDS")
        self.assertEqual(out, "0 1\n")
        _, err = self.fairshare("run", "--slots", "4", "true", code=125)
        self.assertIn("(too-many-slots)", err)

    def test_output_that_cannot_be_written(self):
        with open("/dev/full", "w", encoding="utf-8") as full:
            self.fairshare("stats", code=125, stdout=full)
            self.fairshare("acquire", "--ttl", "1h", code=125, stdout=full)
        self.nothing_left()

    def test_reader_that_is_gone(self):
        read, write = os.pipe()
        os.close(read)
        with open(write, "w", encoding="utf-8") as pipe:
            self.fairshare("acquire", "--ttl", "1h", code=125, stdout=pipe)
        self.nothing_left()


class Command(Case):
    def test_environment(self):
        self.environment.update(FAIRSHARE_SLOT_URLS="stale", FAIRSHARE_LEASE_ID="stale", FAIRSHARE_TOKEN="s3cret", OTHER="kept")
        process = self.sh("echo ready; env; exec cat", stdin=subprocess.PIPE)
        lease = self.server.leases()[0]
        out, _ = process.communicate("", timeout=10)
        variables = dict(line.split("=", 1) for line in out.splitlines() if "=" in line)
        self.assertEqual([variables["FAIRSHARE_" + name] for name in VARIABLES],
                         [lease["id"], "alice", "default", "0", str(lease["fencing_token"]), self.environment["FAIRSHARE_URL"]])
        self.assertNotIn("FAIRSHARE_SLOT_URLS", variables)
        self.assertEqual((variables["FAIRSHARE_TOKEN"], variables["OTHER"]), ("s3cret", "kept"))

    def test_slot_urls(self):
        """A pool may have an address for each slot; they are joined by spaces."""
        def add(exchange):
            reply = exchange.forward()
            lease = json.loads(reply.body)
            lease["slot_ids"], lease["slot_urls"] = [3, 5], ["ws://farm:9222/3", "ws://farm:9222/5"]
            reply.body = json.dumps(lease).encode()
            exchange.answer(reply)
        self.proxy.always("POST /leases", add)
        out, _ = self.fairshare("run", "--", "sh", "-c", "echo $FAIRSHARE_SLOT_IDS; echo $FAIRSHARE_SLOT_URLS")
        self.assertEqual(out, "3 5\nws://farm:9222/3 ws://farm:9222/5\n")

    def test_streams_are_inherited(self):
        text = "".join(f"line {number}\n" for number in range(20000))
        process = self.start("run", "--", "sh", "-c", "cat; echo complaint >&2", stdin=subprocess.PIPE)
        out, err = process.communicate(text, timeout=10)
        self.assertEqual((out, err), (text, "complaint\n"))

    def test_no_shell_and_no_options_after_the_command(self):
        out, _ = self.fairshare("run", "printf", "%s|", "$HOME *", "-n", "--", "--help", "")
        self.assertEqual(out, "$HOME *|-n|--|--help||")

    def test_descriptors(self):
        """The command gets those that fairshare got, and none of its own."""
        read, write = os.pipe()
        with open(read, "rb"), open(write, "wb"):
            out, _ = self.fairshare("run", "--", sys.executable, "-c", "import os; print(os.listdir('/proc/self/fd'))",
                                    pass_fds=[write])
        self.assertEqual(sorted(map(int, re.findall(r"\d+", out))), [0, 1, 2, 3, write])    # 3 is that of listdir

    def test_dispositions_are_inherited(self):
        """What the caller ignores or blocks the command ignores or blocks too, and nothing else."""
        def masks(text):
            return [re.search(rf"{name}:\s*(\w+)", text)[1] for name in ("SigBlk", "SigIgn")]

        def prepare():
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
            signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2])
        command = ["cat", "/proc/self/status"]
        plain = subprocess.run(command, capture_output=True, text=True, preexec_fn=prepare, check=True).stdout
        out, _ = self.fairshare("run", "--", *command, preexec_fn=prepare)
        self.assertEqual(masks(out), masks(plain))

    def test_heartbeats_hold_the_lease(self):
        process = self.sh("echo ready; exec cat", "--ttl", "1500ms", stdin=subprocess.PIPE)
        lease = self.server.leases()[0]["id"]
        until(lambda: len(self.proxy.seen("POST /heartbeats")) > 6, "heartbeats for two ttl")
        self.assertEqual([held["id"] for held in self.server.leases()], [lease])
        process.communicate("", timeout=10)
        self.assertEqual(process.returncode, 0)
        self.nothing_left()

    def test_register(self):
        """The registration lasts as long as the command, and is one of many."""
        self.fairshare("run", "-t", "bob", "--register", "--", options.cli, "tenants", "--json")
        process = self.sh("echo ready; exec cat", "-t", "bob", "--register", stdin=subprocess.PIPE)
        self.assertRegex(self.server.get("/tenants/bob")["instances"][0], f":{process.pid}$")
        process.communicate("", timeout=10)
        self.assertEqual(process.returncode, 0)
        self.assertEqual(self.server.call("GET", "/tenants/bob")[0], 404)

    def test_a_command_in_a_command(self):
        """What runs in it knows server, tenant and pool from its environment."""
        out, _ = self.fairshare("run", "-p", "other", "-t", "carol", "--register", "--", "sh", "-c",
                                f"exec {shlex.quote(options.cli)} leases --json \"$FAIRSHARE_LEASE_ID\"")
        lease = json.loads(out)
        self.assertEqual((lease["tenant_id"], lease["pool"], lease["state"]), ("carol", "other", "active"))


class Signals(Case):
    def test_leaves_the_line(self):
        held = self.server.take()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
            for verb in (["run", "true"], ["acquire"]):
                with self.subTest(signal=number, verb=verb):
                    process = self.start(*verb)
                    self.waits()
                    process.send_signal(number)
                    out, _ = self.finish(process, 128 + number)
                    self.assertEqual(out, "")
                    self.assertEqual(self.server.in_line(), 0)
        self.server.give_back(held)

    def test_signal_before_the_acquire(self):
        """A signal that comes while the tenant is registered ends the command as well."""
        self.server.take()
        self.proxy.plan("POST /tenants", delay_before(0.5))
        process = self.start("run", "--register", "true")
        until(lambda: self.proxy.seen("POST /tenants"), "it registers")
        process.terminate()
        self.finish(process, 143)
        self.assertEqual(self.server.in_line(), 0)

    def test_ignored_signals_stay_ignored(self):
        held = self.server.take()
        process = self.start("run", "echo", "done", preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
        self.waits()
        process.send_signal(signal.SIGHUP)
        self.server.give_back(held)
        self.assertEqual(self.finish(process, 0)[0], "done\n")

    def test_forwarded(self):
        for name in ("HUP", "INT", "QUIT", "TERM", "USR1", "USR2", "ALRM", "WINCH"):
            with self.subTest(signal=name):
                process = self.sh(f"trap 'echo got; exit 3' {name}; echo ready; while :; do sleep 0.02; done")
                process.send_signal(getattr(signal, "SIG" + name))
                self.assertEqual(self.finish(process, 3)[0], "got\n")
                self.nothing_left()

    def test_stopped_and_continued(self):
        """TSTP and CONT are the command's; its lease is kept meanwhile."""
        process = self.sh("echo ready; echo $$; exec sleep 100", "--ttl", "600ms")
        pid = int(read_line(process.stdout))

        def state():
            with open(f"/proc/{pid}/stat", encoding="utf-8") as stat:
                return stat.read().rpartition(")")[2].split()[0]
        process.send_signal(signal.SIGTSTP)
        until(lambda: state() == "T", "it is stopped")
        begin = len(self.proxy.seen("POST /heartbeats"))
        until(lambda: len(self.proxy.seen("POST /heartbeats")) > begin + 4, "heartbeats for more than a ttl")
        self.assertEqual(self.server.active(), 1)
        process.send_signal(signal.SIGCONT)
        until(lambda: state() == "S", "it goes on")
        process.terminate()
        self.finish(process, 143)

    def test_end_by_a_forwarded_signal(self):
        process = self.sh("echo ready; exec sleep 100")
        process.send_signal(signal.SIGINT)
        self.finish(process, 130)
        self.nothing_left()

    def test_reach_the_whole_group(self):
        """Without a terminal the command leads a process group, which gets the signals."""
        process = self.sh("sleep 100 & echo ready; wait")
        process.send_signal(signal.SIGTERM)
        self.finish(process, 143)     # communicate() waits for the end of the output, which sleep holds too

    def test_command_ends_with_fairshare(self):
        """A fairshare that is killed takes the command with it: nobody would keep the lease."""
        process = self.sh("trap 'echo TERM; exit' TERM; echo ready; while :; do sleep 0.02; done")
        process.kill()
        out, _ = process.communicate(timeout=10)
        self.assertEqual(out, "TERM\n")

    def test_moment_of_the_grant(self):
        """A signal that comes when the slot is granted never leaves one taken."""
        for _ in range(10):
            held = self.server.take()
            process = self.start("run", "sleep", "100")
            self.waits()
            self.server.give_back(held)
            process.send_signal(signal.SIGTERM)
            self.finish(process, 143)
            self.nothing_left()


STUBBORN = "trap 'echo TERM' TERM; echo ready; while :; do sleep 0.02; done"


class Loss(Case):
    def good_beats(self):
        return [beat for beat in self.proxy.seen("POST /heartbeats") if beat.status == 200]

    def last_good_beat(self):
        return self.good_beats()[-1].at

    def revoke(self):
        self.server.call("DELETE", "/tenants/alice?force=true")

    def test_term(self):
        process = self.sh("trap 'echo TERM; exit 0' TERM; echo ready; while :; do sleep 0.02; done", "--ttl", "4",
                          "-k", "1")      # so that a beat may be late by 1.7 s before it is given up
        self.revoke()
        out, err = self.finish(process, 123)
        self.assertEqual(out, "TERM\n")
        self.assertRegex(err, r"the lease ls_\w+ is lost: revoked\n")

    def test_kill_after_term(self):
        process = self.sh(STUBBORN, "--ttl", "3", "-k", "400ms")
        self.revoke()
        self.assertEqual(read_line(process.stdout), "TERM\n")
        begin = time.monotonic()
        self.finish(process, 123)
        self.assertGreater(time.monotonic() - begin, 0.3)
        self.assertLess(time.monotonic() - begin, 3)

    def test_kill(self):
        process = self.sh(STUBBORN, "--ttl", "3", "--on-lost", "kill")
        self.revoke()
        self.assertEqual(self.finish(process, 123)[0], "")

    def test_ignore(self):
        process = self.sh("trap 'echo TERM' TERM; echo ready; read line; exit 5", "--ttl", "3", "--on-lost", "ignore",
                          stdin=subprocess.PIPE)
        self.revoke()
        self.assertIn("is lost: revoked", read_line(process.stderr))
        out, err = process.communicate("\n", timeout=10)
        self.assertEqual((process.returncode, out, err), (5, "", ""))

    def test_command_that_is_stopped(self):
        process = self.sh("trap 'echo TERM; exit' TERM; echo ready; kill -STOP $$; while :; do sleep 0.02; done", "--ttl", "3")
        self.revoke()
        self.assertEqual(self.finish(process, 123)[0], "TERM\n")

    def test_whole_group(self):
        """What the command left behind gets its KILL too."""
        process = self.sh("(trap '' TERM; echo ready; while :; do sleep 0.02; done) & wait", "--ttl", "3", "-k", "300ms")
        self.revoke()
        self.finish(process, 123)

    def test_lost_before_anybody_noticed(self):
        """A command that was done while its lease had ended already did not have its slot all the time."""
        process = self.sh("echo ready; exec cat", "--ttl", "60", stdin=subprocess.PIPE)
        self.revoke()
        _, err = process.communicate("", timeout=10)
        self.assertEqual(process.returncode, 123, err)
        self.assertIn("(revoked)", err)

    def silence(self, *arguments, code):
        """Has the server be silent after a good heartbeat; answers when, after that beat, TERM and the command's end came."""
        before = len(self.good_beats())
        process = self.sh("echo ready; echo $$; " + STUBBORN.replace("echo ready; ", ""), "--ttl", "3", *arguments)
        pid = int(read_line(process.stdout))
        until(lambda: len(self.good_beats()) > before, "a good heartbeat")
        self.server.pause()
        since = self.last_good_beat()
        until(lambda: not os.path.exists(f"/proc/{pid}"), "the end of the command", 10)
        end = time.monotonic() - since
        out, err = self.finish(process, code)
        self.server.resume()
        return out, end, err

    def on_time(self, earliest, latest, *arguments):
        """The first of three rounds whose end came in time: a machine that stalls may be late, a wrong plan always is."""
        for _ in range(3):
            out, end, err = self.silence(*arguments, code=123)
            if earliest < end < latest:
                break
        self.assertTrue(earliest < end < latest, f"KILL came {end:.2f} s after the last good heartbeat")
        return out, err

    def test_killed_before_the_deadline(self):
        """TERM comes so early that KILL, 1 s later, falls before the end of the ttl of 3 s."""
        out, err = self.on_time(2.5, 3, "-k", "1")
        self.assertEqual(out, "TERM\n")
        self.assertIn("no heartbeat prolongs it", err)

    def test_kill_before_the_deadline(self):
        out, _ = self.on_time(2.5, 3, "--on-lost", "kill")
        self.assertEqual(out, "")

    def test_ttl_too_short_for_the_grace(self):
        """Where the ttl does not allow for the grace, heartbeats have their chance still."""
        out, _ = self.on_time(3.9, 5, "-k", "2.5")      # 1.5 s and 2.5 s
        self.assertEqual(out, "TERM\n")

    def test_longest_life(self):
        """TERM comes at half of a life that is shorter than the time the command has after it, and not at its begin."""
        begin = time.monotonic()
        process = self.sh("trap 'echo TERM; exit' TERM; echo ready; while :; do sleep 0.02; done", "--max-lease", "3")
        out, err = self.finish(process, 123)
        self.assertEqual(out, "TERM\n")
        self.assertGreater(time.monotonic() - begin, 1.3)
        self.assertIn("runs out soon, and no heartbeat prolongs it", err)

    def asked_back(self, *arguments):
        """A command that says what it gets when its lease is asked back."""
        self.fairshare("resize", "default", "2")
        self.server.take("alice")
        process = self.sh("trap 'echo TERM; exit 5' TERM; trap 'echo USR1' USR1; echo ready; while :; do sleep 0.02; done",
                          "--ttl", "3", *arguments)
        self.server.register("bob")
        self.start("run", "-t", "bob", "true")
        self.assertRegex(read_line(process.stderr), r"the lease ls_\w+ is asked back within \d\.\ds, as others wait\n")
        return process

    def test_asked_back(self):
        process = self.asked_back("--on-reclaim", "term")
        self.assertEqual(self.finish(process, 5)[0], "TERM\n")

    def test_asked_back_gently(self):
        process = self.asked_back("--on-reclaim", "usr1")
        self.assertEqual(read_line(process.stdout), "USR1\n")
        process.terminate()
        self.assertEqual(self.finish(process, 5)[0], "TERM\n")

    def test_asked_back_in_vain(self):
        process = self.asked_back()
        process.terminate()
        self.assertEqual(self.finish(process, 5)[0], "TERM\n")

    def test_a_beat_that_is_missed_is_no_loss(self):
        process = self.sh("echo ready; exec cat", "--ttl", "1500ms", "-k", "300ms", stdin=subprocess.PIPE)
        self.proxy.plan("POST /heartbeats", *[answer(502)] * 2)
        until(lambda: [beat.status for beat in self.proxy.seen("POST /heartbeats")][-3:].count(200) == 3, "three good beats")
        _, err = process.communicate("", timeout=10)
        self.assertEqual((process.returncode, err), (0, ""))

    def test_beats_that_are_stretched(self):
        """Heartbeats that the server wants seldom are no sign of loss."""
        def stretch(exchange):
            reply = exchange.forward()
            value = json.loads(reply.body)
            for renewed in value["renewed"]:
                renewed["heartbeat_seconds"] = 1.2
            reply.body = json.dumps(value).encode()
            exchange.answer(reply)
        self.proxy.always("POST /heartbeats", stretch)
        process = self.sh("echo ready; exec cat", "--ttl", "1500ms", stdin=subprocess.PIPE)
        until(lambda: len(self.proxy.seen("POST /heartbeats")) >= 3, "three beats", 10)
        _, err = process.communicate("", timeout=10)
        self.assertEqual((process.returncode, err), (0, ""))

    def test_end_while_the_server_is_silent(self):
        """The exit does not wait for the server for more than 2 s."""
        process = self.sh("echo ready; exec cat", stdin=subprocess.PIPE)
        self.server.pause()
        begin = time.monotonic()
        process.communicate("", timeout=10)
        self.assertLess(time.monotonic() - begin, 3.5)
        self.assertEqual(process.returncode, 0)
        self.server.resume()


class Scripts(Case):
    flags = ("--max-slots", "3")

    def test_acquire_lasts_its_ttl(self):
        lease = self.json("acquire", "--ttl", "500ms")
        self.assertEqual((lease["tenant_id"], lease["ttl_seconds"], lease["state"]), ("alice", 0.5, "active"))
        until(lambda: self.server.active() == 0, "the lease has ended")
        self.assertEqual(self.server.stats()["expired_total"], 1)

    def test_renew_and_release(self):
        first, second = self.json("acquire")["id"], self.json("acquire")["id"]
        self.assertEqual(self.json("renew", first, "--ttl", "1m30s")["ttl_seconds"], 90)
        self.assertEqual(self.json("renew", first)["ttl_seconds"], 90)
        self.fairshare("release", first, second)
        self.nothing_left()
        self.fairshare("release", first)
        _, err = self.fairshare("renew", first, "ls_nothing", code=125)
        self.assertEqual(err.count("(lease-ended)") + err.count("(lease-not-found)"), 2, err)

    def test_variables_for_sh(self):
        """sh reads all of them as they are, whatever is in them."""
        odd = os.path.join(self.folder, "it's $HOME `x` \"q\" \\ #")
        os.symlink(self.proxy.unix_path, odd)
        self.environment["FAIRSHARE_URL"] = "unix:" + odd
        script = (f"lease=$({shlex.quote(options.cli)} acquire --format sh) || exit; eval \"$lease\"\n"
                  "env -0 | grep -z ^FAIRSHARE_\n"
                  f"exec {shlex.quote(options.cli)} release \"$FAIRSHARE_LEASE_ID\"")
        out = subprocess.run(["sh", "-c", script], env=self.environment, capture_output=True, text=True, check=True, timeout=10).stdout
        variables = dict(line.split("=", 1) for line in out.split("\0") if line)
        self.assertEqual(variables["FAIRSHARE_URL"], "unix:" + odd)
        self.assertEqual((variables["FAIRSHARE_SLOT_IDS"], variables["FAIRSHARE_SLOT_URLS"]), ("0", ""))
        self.nothing_left()

    def test_odd_labels(self):
        for label in ("it's \"odd\" $HOME `x` \\", "Zürich 東京", "-n", "%s%n"):
            lease = self.json("acquire", "--label=" + label)
            self.assertEqual(lease["label"], label)
            self.assertIn(label, self.fairshare("leases", "--label=" + label)[0])
            self.fairshare("release", lease["id"])
        _, err = self.fairshare("acquire", "-l", "line\nbreak", code=125)
        self.assertIn("/label", err)

    def test_leases(self):
        lease = self.json("acquire", "--ttl", "1m", "-l", "worker")
        self.json("acquire")
        self.json("acquire")
        waiting = self.start("run", "-l", "in line", "true")
        self.waits()
        rows = [line.split() for line in self.fairshare("leases")[0].splitlines()]
        self.assertEqual(rows[0][:5], ["LEASE", "POOL", "TENANT", "STATE", "SLOTS"])
        self.assertEqual(rows[1][:5], [lease["id"], "default", "alice", "active", "0"])
        self.assertEqual(len(rows), 5)
        self.assertEqual(len(self.json("leases", "--json", "-t", "alice", "-p", "default")["items"]), 4)
        self.server.register("bob")
        self.assertEqual(self.json("leases", "--json", "-t", "bob")["items"], [])
        self.assertEqual([item["label"] for item in self.json("leases", "--json", "--state", "pending")["items"]], ["in line"])
        pending = self.fairshare("leases", "--state", "pending")[0].splitlines()
        self.assertRegex(pending[0], r"POSITION +AHEAD +REASON +WAITED +LABEL$")
        self.assertRegex(pending[1], r" 1 +0 +at-share +[0-9.]+s +in line$")
        self.assertEqual(self.json("leases", "--json", lease["id"])["label"], "worker")
        self.assertEqual(self.fairshare("leases", "-p", "other"), ("", ""))
        _, err = self.fairshare("leases", "-p", "nowhere", code=125)
        self.assertIn("(pool-not-found)", err)
        waiting.terminate()
        self.finish(waiting, 143)

    def test_tenants(self):
        self.assertEqual(self.json("register", "bob", "-i", "p1")["instances"], ["p1"])
        rows = [line.split() for line in self.fairshare("tenants")[0].splitlines()]
        self.assertEqual(rows, [["POOL", "TENANT", "STATE", "ACTIVE", "SHARE", "WAITING", "ABSENT", "INSTANCES"],
                                ["default", "alice", "active", "0", "3", "0", "0"],
                                ["default", "bob", "active", "0", "3", "0", "0", "p1"]])
        self.assertEqual([tenant["tenant_id"] for tenant in self.json("tenants", "--json")["items"]], ["alice", "bob"])
        self.assertEqual(self.fairshare("unregister", "bob", "--instance", "p1"), ("", ""))
        self.json("acquire")
        self.assertEqual(self.json("unregister", "alice")["state"], "closing")
        self.assertEqual(self.fairshare("unregister", "alice", "--force"), ("", ""))
        self.nothing_left()
        _, err = self.fairshare("unregister", "alice", code=125)
        self.assertIn("(tenant-not-found)", err)

    def test_more_tenants_than_a_page(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port)
        with contextlib.closing(connection):
            for number in range(1001):
                connection.request("POST", "/tenants", json.dumps({"tenant_id": f"t{number}", "pool": "other"}))
                connection.getresponse().read()
        items = self.json("tenants", "--json", "-p", "other")["items"]
        self.assertEqual([item["tenant_id"] for item in items], [f"t{number}" for number in range(1001)])

    def test_stats(self):
        self.json("acquire")
        self.assertEqual(self.json("stats", "--json")["total_active_slots"], 1)
        out, _ = self.fairshare("stats")
        self.assertIn("slots     1 of 3 active\n", out)
        self.assertRegex(out, r"\nTENANT +ACTIVE +SHARE +WAITING +ABSENT\nalice +1 +3 +0 +0\n$")
        self.assertEqual(self.json("stats", "--json", "-p", "other")["pool"], "other")

    def test_pools(self):
        self.assertEqual([pool["pool"] for pool in self.json("pools", "--json")["items"]], ["default", "other"])
        self.assertRegex(self.fairshare("pools")[0], r"\ndefault +equal +0 +3 +0 +1 +30s +10000\n")

    def test_resize(self):
        self.assertEqual(self.json("resize", "default", "5")["max_slots"], 5)
        self.assertEqual(self.json("stats", "--json")["max_slots"], 5)
        self.assertEqual([request.json for request in self.proxy.seen("PATCH /pools/default")], [{"max_slots": 5}])
        self.fairshare("resize", "default", "0", code=125)

    def test_drain(self):
        self.assertIs(self.json("drain", "default")["draining"], True)
        self.fairshare("acquire", "-n", code=124)
        self.assertIs(self.json("drain", "default", "--end")["draining"], False)
        self.json("acquire")
        _, err = self.fairshare("drain", "nowhere", code=125)
        self.assertIn("(pool-not-found)", err)

    def test_cordon(self):
        self.assertEqual(self.json("cordon", "default", "0", "2")["cordoned"], [0, 2])
        self.assertEqual(self.json("acquire")["slot_ids"], [1])
        self.assertEqual(self.json("cordon", "default", "2", "1")["cordoned"], [0, 2, 1])
        self.assertEqual(self.json("cordon", "--end", "default", "2", "1")["cordoned"], [0])
        _, err = self.fairshare("cordon", "default", "7", code=125)
        self.assertIn("/cordoned/1", err)
        _, err = self.fairshare("cordon", "nowhere", "1", code=125)
        self.assertIn("(pool-not-found)", err)

    def test_revoke(self):
        first, second = self.json("acquire"), self.json("acquire")
        self.assertEqual(self.fairshare("revoke", first["id"], second["id"]), ("", ""))
        for lease in first, second:
            _, err = self.fairshare("renew", lease["id"], code=125)
            self.assertIn("(revoked)", err)
        _, err = self.fairshare("revoke", "ls_00000000000000000000000000", code=125)
        self.assertIn("(lease-not-found)", err)

    def test_clear(self):
        """Only what is named: the environment's tenant and pool do not count."""
        kept = self.json("acquire", "-l", "kept")
        self.json("acquire", "-l", "x")
        self.json("acquire", "-l", "x")
        self.assertEqual(self.json("clear", "-l", "x", "--state", "pending"), {"ended": 0})
        self.assertEqual(self.json("clear", "-l", "x"), {"ended": 2})
        self.fairshare("renew", kept["id"])
        self.assertEqual(self.json("clear", "-t", "alice", "-p", "default"), {"ended": 1})
        self.nothing_left()
        _, err = self.fairshare("clear", "-p", "nowhere", code=125)
        self.assertIn("(pool-not-found)", err)

    def test_priority(self):
        self.json("acquire", "--priority", "-3")
        self.assertEqual([lease["priority"] for lease in self.server.leases()], [-3])

    def test_colours(self):
        """A heading is bold on a terminal, and nowhere else."""
        self.assertNotIn("\033", self.fairshare("tenants")[0])
        terminal = self.terminal("tenants")
        self.assertIn("\033[1m", terminal.until("alice"))
        self.environment["NO_COLOR"] = "1"
        terminal = self.terminal("tenants")
        self.assertNotIn("\033", terminal.until("alice"))


COUNTS_INT = """import os, signal
read, write = os.pipe()
os.set_blocking(write, False)
signal.set_wakeup_fd(write)     # gets a byte for each signal, also for those that Python takes together
signal.signal(signal.SIGINT, lambda *_: None)
signal.signal(signal.SIGTERM, lambda *_: None)
print("ready", flush=True)
signals = b""
while signal.SIGTERM not in signals:
    signals += os.read(read, 100)
    print("signals", len(signals), flush=True)
raise SystemExit(4)
"""


class Terminals(Case):
    def test_place_in_line(self):
        held = self.server.take()
        terminal = self.terminal("run", "--", "echo", "done", columns=60)
        terminal.until("\rfairshare: waiting for")
        shown = terminal.until("\rfairshare: waiting for")
        self.assertIn("1 in the tenant's line, 0 a", shown)
        self.assertNotIn("\n", shown)
        self.assertTrue(all(len(line) < 60 for line in re.split(r"\r|\033\[K", shown)), shown)
        self.server.give_back(held)
        self.assertIn("\r\033[K", terminal.until("done\r\n"))
        self.assertEqual(terminal.end(), 0)

    def test_estimate(self):
        """From how long slots were held before."""
        self.fairshare("run", "sleep", "0.5")
        self.server.take()
        self.terminal("run", "true", columns=120).until("more: 1 in the tenant's line, 0 ahead in the pool")

    def test_nothing_is_shown_elsewhere(self):
        held = self.server.take()
        process = self.start("run", "true")
        self.waits()
        self.server.give_back(held)
        self.assertEqual(self.finish(process, 0), ("", ""))

    def test_ctrl_c(self):
        """The command gets one INT each, from the terminal, and not another one from fairshare."""
        terminal = self.terminal("run", "--", sys.executable, "-c", COUNTS_INT)
        terminal.until("ready")
        for number in range(10):
            terminal.type("\x03")
            terminal.until(f"signals {number + 1}\r\n")
            time.sleep(0.05)      # for what must not come
        os.kill(terminal.pid, signal.SIGTERM)
        terminal.until("signals 11\r\n")
        self.assertEqual(terminal.end(), 4)

    def test_jobs_of_a_shell(self):
        """Ctrl-Z gives the shell its prompt back, fg goes on, a pipeline's other end has the terminal too."""
        self.environment["PS1"] = "$ "
        terminal = self.terminal(command=["/bin/bash", "--norc", "--noprofile", "-i"])
        terminal.until("$ ")
        terminal.type(f"{shlex.quote(options.cli)} run -- sleep 100 | cat\n")
        until(lambda: self.server.active() == 1, "it runs")
        terminal.type("\x1a")
        terminal.until("Stopped")
        terminal.type("fg\n")
        terminal.until("sleep 100")
        until(lambda: os.tcgetpgrp(terminal.fd) != terminal.pid, "the job has the terminal again")
        terminal.type("\x03")
        until(lambda: self.server.active() == 0, "the slot is given back")
        terminal.type("exit\n")
        terminal.end()

    def test_ctrl_c_while_waiting(self):
        self.server.take()
        terminal = self.terminal("run", "true")
        self.waits()
        terminal.type("\x03")
        self.assertEqual(terminal.end(), 130)
        self.assertEqual(self.server.in_line(), 0)

    def test_command_reads_the_terminal(self):
        terminal = self.terminal("run", "--", "sh", "-c", "read line; echo \"got $line\"")
        until(lambda: self.server.active() == 1, "it runs")
        terminal.type("hello\n")
        terminal.until("got hello")
        self.assertEqual(terminal.end(), 0)


class Top(Case):
    flags = ("--max-slots", "10")

    def test_top(self):
        self.server.take("alice", label="first")
        self.server.take("bob")
        for _ in range(4):
            self.server.take("alice")
        waiting = self.start("run", "-l", "the one in line", "true")
        self.waits()
        terminal = self.terminal("top")
        shown = plain(terminal.until("the one in line"))
        self.assertIn("slots 6 of 10   share 5   demanding 2 of 2 tenants   waiting 1   absent 0", shown)
        self.assertRegex(shown, r"alice +5/5 +1")
        self.assertIn("at-share", shown)
        terminal.type("x")
        terminal.type("q")
        self.assertEqual(terminal.end(), 0)
        waiting.terminate()
        self.finish(waiting, 143)

    def test_bars_and_colours(self):
        self.server.take("bob")
        self.environment["NO_COLOR"] = "1"
        terminal = self.terminal("top")
        shown = terminal.until("nobody waits")
        self.assertIn("#.........|", plain(shown))
        self.assertNotRegex(shown, r"\033\[[0-9;]*3[0-7]m")
        terminal.type("q")
        terminal.end()
        del self.environment["NO_COLOR"]
        terminal = self.terminal("top")
        self.assertRegex(terminal.until("nobody waits"), r"\033\[[0-9;]*3[0-7]m")
        terminal.type("q")
        self.assertEqual(terminal.end(), 0)

    def test_refreshes_each_second(self):
        terminal = self.terminal("top")
        terminal.until("nobody waits")
        self.server.take("carol")
        terminal.until("carol", 4)
        terminal.type("q")
        self.assertEqual(terminal.end(), 0)

    def test_resize(self):
        self.server.take("bob")
        terminal = self.terminal("top")
        terminal.until("q quits")
        for rows, columns in ((40, 120), (5, 20), (1, 1), (2, 300), (24, 80)):
            terminal.resize(rows, columns)
            if columns > 80:
                terminal.until("q quits")
        terminal.until("bob")
        terminal.type("q")
        self.assertEqual(terminal.end(), 0)

    def test_connection_lost_and_back(self):
        terminal = self.terminal("top")
        terminal.until("q quits")
        self.server.pause()
        terminal.until("connection lost")
        self.server.resume()
        terminal.until("connected again")
        terminal.type("q")
        self.assertEqual(terminal.end(), 0)

    def test_quits_while_the_server_is_silent(self):
        self.server.pause()
        terminal = self.terminal("top")
        terminal.until("q quits")
        terminal.type("q")
        self.assertEqual(terminal.end(4), 0)

    def test_no_terminal(self):
        _, err = self.fairshare("top", code=125)
        self.assertIn("top needs a terminal", err)


class Papers(unittest.TestCase):
    """What is written about the command is what it takes."""

    @staticmethod
    def options_of(verb):
        out = subprocess.run([options.cli, verb, "--help"], capture_output=True, text=True, check=True).stdout
        return set(re.findall(r"(?<=\s)--([a-z-]+)", out.split("Mandatory")[0])) - {"usage"}

    def test_manual(self):
        with open(os.path.join(SOURCE, "fairshare.1"), encoding="utf-8") as manual:
            text = manual.read().replace("\\-", "-")
        for verb in VERBS:
            self.assertIn(f".Nm fairshare {verb}", text.replace(f".Nm Cm {verb}", f".Nm fairshare {verb}"))
            for option in self.options_of(verb):
                self.assertIn(f"Fl -{option}", text, f"{verb} --{option}")

    def test_completion(self):
        def complete(*words):
            script = (f"source {shlex.quote(os.path.join(SOURCE, 'completion', 'fairshare'))}\n"
                      f"COMP_WORDS=({shlex.join(words)}); COMP_CWORD={len(words) - 1}; COMPREPLY=()\n"
                      f"_fairshare fairshare {shlex.quote(words[-1])} {shlex.quote(words[-2])}; printf '%s\\n' \"${{COMPREPLY[@]}}\"")
            return set(subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True).stdout.split())
        self.assertEqual(complete("fairshare", ""), set(VERBS))
        self.assertEqual(complete("fairshare", "re"), {"renew", "release", "register", "resize", "revoke"})
        for verb in VERBS:
            self.assertEqual(complete("fairshare", verb, "--"), {"--" + option for option in self.options_of(verb)}, verb)
        self.assertEqual(complete("fairshare", "run", "--on-lost", ""), {"term", "kill", "ignore"})
        self.assertEqual(complete("fairshare", "acquire", "--format", "s"), {"sh"})
        self.assertIn("printf", complete("fairshare", "run", "-n", "print"))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--server", default=os.environ.get("FAIRSHARED", "fairshared"))
    parser.add_argument("--cli", default="fairshare")
    options, rest = parser.parse_known_args()
    options.cli = os.path.abspath(options.cli)
    unittest.main(argv=[sys.argv[0], *rest])
