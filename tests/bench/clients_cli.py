#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What the command fairshare costs: slots taken and given back per second, and memory of the processes that hold them.

clients_cli.py path/to/fairshared path/to/fairshare
"""

import os
import subprocess
import sys
import time

SECONDS = 3.0
HOLDERS = 100      # each holds one lease, so that memory is counted by process


def start_server():
    flags = ["--listen", "127.0.0.1:0", "--store", "memory", "--max-slots", "1000", "--auto-register"]
    server = subprocess.Popen([sys.argv[1], *flags, "--log-format", "text"], stderr=subprocess.PIPE, text=True)
    for line in server.stderr:
        if line.startswith("listening on "):
            os.environ.update(FAIRSHARE_URL=line.split()[-1], FAIRSHARE_TENANT="alice")
            return server
    sys.exit("the server did not start")


def rate(command, at_a_time):
    """How often a second the command ran and ended well, so many of it at a time."""
    count, running = 0, []
    end = time.monotonic() + SECONDS
    while time.monotonic() < end or running:
        while time.monotonic() < end and len(running) < at_a_time:
            running.append(subprocess.Popen(command))
        if running.pop(0).wait() != 0:
            sys.exit(f"{command} failed")
        count += 1
    return count / SECONDS


def proportional_kib(pid):
    with open(f"/proc/{pid}/smaps_rollup") as rollup:
        return next(int(line.split()[1]) for line in rollup if line.startswith("Pss:"))


def hold():
    """KiB of a process that holds a lease, memory that they share divided among them."""
    processes = [subprocess.Popen([sys.argv[2], "run", "sh", "-c", "echo ready; exec sleep 100"], stdout=subprocess.PIPE)
                 for _ in range(HOLDERS)]
    for process in processes:
        process.stdout.readline()
    kib = sum(proportional_kib(process.pid) for process in processes) / HOLDERS
    for process in processes:
        process.terminate()
    for process in processes:
        process.wait()
    return kib


def show(what, value):
    print(f"{what:55} {value}")


if __name__ == "__main__":
    process = start_server()
    try:
        for at_a_time in (1, 4):
            show(f"cli, true /s, {at_a_time} at a time", f"{rate(['true'], at_a_time):.0f}")
            show(f"cli, fairshare run true /s, {at_a_time} at a time", f"{rate([sys.argv[2], 'run', 'true'], at_a_time):.0f}")
        show(f"cli, KiB of a process with a lease, {HOLDERS} of them", f"{hold():.0f}")
    finally:
        process.kill()
