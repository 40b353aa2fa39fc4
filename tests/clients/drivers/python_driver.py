#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The driver of the Python client: commands in, events out, one JSON object a line. See ../README.md."""

import asyncio
import dataclasses
import json
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../clients/python"))

import fairshare  # noqa: E402


def tell(event, **members):
    print(json.dumps({"event": event, **members}), flush=True)


def tell_error(error, **members):
    tell("error", code=getattr(error, "code", None), message=str(error), **members)


class Driver:
    def __init__(self):
        self.semaphore = None
        self.tenant = None
        self.label = None
        self.tasks = {}
        self.releases = {}

    async def open(self, url=None, tenant=None, pool=None, ttl=30, label=None, register=False):
        self.tenant, self.label = tenant, label
        try:
            self.semaphore = fairshare.FairShareSemaphore(url=url, pool=pool, ttl=ttl)
            if register:
                await self.semaphore.register_tenant(tenant or os.environ["FAIRSHARE_TENANT"])
        except Exception as error:
            tell_error(error)
        else:
            tell("opened")

    async def acquire(self, name, **options):
        self.releases.pop(name, None)
        task = self.tasks[name] = asyncio.create_task(self.hold(name, options))
        # Not in the task itself: it may be cancelled before its first step.
        task.add_done_callback(lambda ended: tell("cancelled", name=name) if ended.cancelled() else None)

    async def hold(self, name, options):
        def on_reclaim(by_seconds):
            tell("reclaim", name=name, by_seconds=by_seconds)

        try:
            async with self.semaphore.acquire(self.tenant, label=self.label, on_reclaim=on_reclaim, **options) as lease:
                release = self.releases[name] = asyncio.Event()
                tell("granted", name=name, lease=dataclasses.asdict(lease))
                await release.wait()
        except fairshare.LeaseLostError as error:
            tell("lost", name=name, reason=error.reason)
        except fairshare.NoSlotError:
            tell("no-slot", name=name)
        except Exception as error:
            tell_error(error, name=name)
        else:
            tell("released", name=name)

    async def cancel(self, name):
        if name not in self.releases:
            self.tasks[name].cancel()

    async def release(self, name):
        self.releases[name].set()
        if self.tasks[name].done():
            tell("released", name=name)     # it was lost before

    async def block(self, seconds):
        time.sleep(seconds)
        tell("unblocked")

    async def close(self):
        await self.semaphore.aclose()
        tell("closed")


async def main():
    driver = Driver()
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    while line := await lines.readline():
        command = json.loads(line)
        await getattr(driver, command.pop("cmd"))(**command)


if __name__ == "__main__":
    asyncio.run(main())
