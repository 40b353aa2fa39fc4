#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What the Python client costs: acquire and release per second, and memory of a process with 1 000 leases.

clients_python.py path/to/fairshared
"""

import asyncio
import os
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../clients/python"))

import fairshare  # noqa: E402
import fairshare.sync  # noqa: E402

SECONDS = 3.0
LEASES = 1000


def start_server():
    flags = ["--listen", "127.0.0.1:0", "--store", "memory", "--max-slots", str(2 * LEASES), "--auto-register"]
    server = subprocess.Popen([sys.argv[1], *flags, "--log-format", "text"], stderr=subprocess.PIPE, text=True)
    for line in server.stderr:
        if line.startswith("listening on "):
            return server, line.split()[-1]
    sys.exit("the server did not start")


def memory_kib():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS:"))


def show(what, value):
    print(f"{what:55} {value}")


async def rate_of_tasks(semaphore, tasks):
    """acquire + release per second of so many tasks at a time."""
    count = 0
    end = time.monotonic() + SECONDS

    async def work():
        nonlocal count
        while time.monotonic() < end:
            async with semaphore.acquire("alice"):
                count += 1

    await asyncio.gather(*(work() for _ in range(tasks)))
    return count / SECONDS


def rate_of_threads(semaphore, number):
    counts = [0] * number
    end = time.monotonic() + SECONDS

    def work(index):
        while time.monotonic() < end:
            with semaphore.acquire("alice"):
                counts[index] += 1

    threads = [threading.Thread(target=work, args=(index,)) for index in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts) / SECONDS


async def hold(semaphore):
    """Memory before and with the leases, the processor's part that their heartbeats take, and the time to give them back."""
    before = memory_kib()
    gate = asyncio.Semaphore(32)

    async def take():
        async with gate:
            await semaphore.acquire("alice").__aenter__()

    await asyncio.gather(*(take() for _ in range(LEASES)))
    with_leases = memory_kib()
    busy, began = time.process_time(), time.monotonic()
    await asyncio.sleep(SECONDS)
    part = (time.process_time() - busy) / (time.monotonic() - began)
    began = time.monotonic()
    await semaphore.aclose()
    return before, with_leases, part, time.monotonic() - began


async def main(url):
    semaphore = fairshare.FairShareSemaphore(url=url)
    for tasks in (1, 16):
        show(f"python, asyncio, acquire + release /s, {tasks} task(s)", f"{await rate_of_tasks(semaphore, tasks):.0f}")
    for number in (1, 16):
        rate = await asyncio.to_thread(rate_of_threads, fairshare.sync.FairShareSemaphore(url=url), number)
        show(f"python, sync, acquire + release /s, {number} thread(s)", f"{rate:.0f}")
    before, with_leases, part, seconds = await hold(fairshare.FairShareSemaphore(url=url, ttl=3))
    show(f"python, resident KiB with {LEASES} leases", f"{with_leases}, {with_leases - before} more than without")
    show(f"python, part of a processor with {LEASES} leases, a beat each s", f"{part:.3f}")
    show(f"python, seconds to give {LEASES} leases back by close", f"{seconds:.2f}")


if __name__ == "__main__":
    process, address = start_server()
    try:
        asyncio.run(main(address))
    finally:
        process.kill()
