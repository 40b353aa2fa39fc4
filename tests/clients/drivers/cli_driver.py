#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Plays the scenarios with the command `fairshare`, as tests/clients/README.md says: `cli_driver.py FAIRSHARE`.

Each acquire is a `fairshare run` of its own, whose command tells of its environment and then waits for the end of its input.
"""

import ctypes
import json
import re
import signal
import subprocess
import sys
import threading
import time

COMMAND = ["sh", "-c", "env | grep ^FAIRSHARE_; echo; exec cat"]
REFUSAL = re.compile(r"fairshare: (.*) \(([a-z-]+)\)$", re.DOTALL)
RECLAIM = re.compile(r"fairshare: the lease \S+ is asked back within ([0-9.]+)s, as others wait$")
LOSS = re.compile(r"fairshare: the lease \S+ is lost: (\S+)$")
OUT_OF_TIME = re.compile(r"\((no-slot|unreachable)\)$")     # told at once; the command then leaves the line before it ends
PR_SET_PDEATHSIG = 1
libc = ctypes.CDLL(None)
emitting = threading.Lock()


def emit(event, **members):
    with emitting:
        print(json.dumps({"event": event, **members}), flush=True)


def die_with_parent():
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Acquire:
    """One `fairshare run`, from the waiting to the end."""

    def __init__(self, fairshare, options, name, timeout=None, **wanted):
        self.name = name
        self.lock = threading.Lock()
        self.granted = self.cancelled = self.released = self.out_of_time = False
        self.timeout = timeout
        self.complaints = []
        wait = [] if timeout is None else ["-n"] if timeout == 0 else ["-w", str(timeout)]
        wanted = [word for option, value in wanted.items() for word in ("--" + option.replace("_", "-"), str(value))]
        self.fairshare = fairshare
        self.url = options["url"]
        self.process = subprocess.Popen(
            [fairshare, "run", "--on-lost", "ignore", *options["arguments"], *wait, *wanted, "--", *COMMAND],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=die_with_parent)
        self.threads = [threading.Thread(target=self.read_output), threading.Thread(target=self.read_complaints)]
        for thread in reversed(self.threads):    # the first waits for the other
            thread.start()

    def read_output(self):
        variables = {}
        for line in self.process.stdout:
            if line == "\n":
                self.tell_granted(variables)
            else:
                name, _, value = line.rstrip("\n").partition("=")
                variables[name] = value
        self.threads[1].join()
        self.tell_end(self.process.wait())

    def read_complaints(self):
        for line in self.process.stderr:
            sys.stderr.write(line)
            self.complaints.append(line.rstrip("\n"))
            if loss := LOSS.match(self.complaints[-1]):
                emit("lost", name=self.name, reason=loss[1])
            if reclaim := RECLAIM.match(self.complaints[-1]):
                emit("reclaim", name=self.name, by_seconds=float(reclaim[1]))
            if OUT_OF_TIME.search(self.complaints[-1]) and self.timeout is not None and not (self.cancelled or self.granted):
                self.out_of_time = True
                emit("no-slot", name=self.name)

    def tell_granted(self, variables):
        lease_id = variables["FAIRSHARE_LEASE_ID"]
        shown = subprocess.run([self.fairshare, "leases", *self.url, "--json", lease_id], capture_output=True, text=True)
        lease = json.loads(shown.stdout) if shown.returncode == 0 else {}
        lease.update(id=lease_id, tenant_id=variables["FAIRSHARE_TENANT"], pool=variables["FAIRSHARE_POOL"],
                     slot_ids=[int(slot) for slot in variables["FAIRSHARE_SLOT_IDS"].split()],
                     slot_urls=variables.get("FAIRSHARE_SLOT_URLS", "").split(),
                     fencing_token=int(variables["FAIRSHARE_FENCING_TOKEN"]))
        with self.lock:
            self.granted = not self.cancelled
        if self.granted:
            emit("granted", name=self.name, lease=lease)

    def tell_end(self, code):
        """How the command ended says what became of the acquire."""
        if self.granted:
            if self.released:
                emit("released", name=self.name)
        elif self.cancelled:
            emit("cancelled", name=self.name)
        elif self.out_of_time and code == 124:
            pass
        else:
            refusal = REFUSAL.search("\n".join(self.complaints))
            emit("error", name=self.name, code=refusal[2] if refusal else f"exit-{code}",
                 message=refusal[1] if refusal else "\n".join(self.complaints))

    def cancel(self):
        with self.lock:
            if self.granted:
                return
            self.cancelled = True
        self.process.send_signal(signal.SIGTERM)

    def release(self):
        self.released = True
        self.process.stdin.close()

    def end(self):
        """Has it end, however far it is."""
        self.cancel()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)

    def join(self):
        for thread in self.threads:
            thread.join()


class Driver:
    def __init__(self, fairshare):
        self.fairshare = fairshare
        self.options = None
        self.acquires = {}

    def open(self, command):
        flags = {"tenant": "-t", "pool": "-p", "label": "-l", "ttl": "--ttl"}
        url = ["--url", command["url"]] if "url" in command else []
        arguments = [word for name, flag in flags.items() if name in command for word in (flag, str(command[name]))]
        self.options = {"url": url, "arguments": url + arguments}
        emit("opened")

    def close(self):
        for acquire in self.acquires.values():
            acquire.end()
        for acquire in self.acquires.values():
            acquire.join()
        self.acquires.clear()

    def obey(self, command):
        name = command.get("name")
        match command.pop("cmd"):
            case "open":
                self.open(command)
            case "acquire":
                self.acquires[name] = Acquire(self.fairshare, self.options, **command)
            case "cancel":
                self.acquires[name].cancel()
            case "release":
                self.acquires[name].release()
            case "block":
                time.sleep(command["seconds"])
                emit("unblocked")
            case "close":
                self.close()
                emit("closed")


def main():
    driver = Driver(sys.argv[1])
    for line in sys.stdin:
        driver.obey(json.loads(line))
    driver.close()


if __name__ == "__main__":
    main()
