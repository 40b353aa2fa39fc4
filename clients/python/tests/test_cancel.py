# SPDX-License-Identifier: MIT
"""Cancelling a task, at any await and at any moment, leaves nothing at the server."""

import asyncio
import random

from fairshare import FairShareSemaphore

from .support import WithServer


class Stepped:
    """Runs a coroutine and cancels its task at its step `at`, `delay` seconds after it began to wait there."""

    def __init__(self, work, at, delay):
        self.work, self.left, self.delay = work, at, delay
        self.task = None

    def __await__(self):
        steps = self.work.__await__()
        value, error = None, None
        while True:
            try:
                waited_for = steps.send(value) if error is None else steps.throw(error)
            except StopIteration as stop:
                return stop.value
            if self.left == 0:
                if self.delay is None:
                    self.task.cancel()
                else:
                    asyncio.get_running_loop().call_later(self.delay, self.task.cancel)
            self.left -= 1
            value, error = None, None
            try:
                value = yield waited_for
            except BaseException as thrown:
                error = thrown


async def run_stepped(work, at, delay):
    """True if it was cancelled before it ended."""
    stepped = Stepped(work, at, delay)

    async def run():
        await stepped

    stepped.task = asyncio.create_task(run())
    await asyncio.wait({stepped.task})
    if not stepped.task.cancelled():
        stepped.task.result()
    return stepped.task.cancelled()


class Cancel(WithServer):
    flags = ("--max-slots", "2", "--queue-grace", "300", "--claim", "300")

    async def one_work(self, tenant):
        async with self.semaphore.tenant(tenant):
            async with self.semaphore.acquire():
                await asyncio.sleep(0.001)
            async with self.semaphore.acquire(timeout=5):
                await asyncio.sleep(0)

    async def test_at_every_step(self):
        """Hundreds of times; the server would keep what is left for 300 s, so that it is seen."""
        self.semaphore = FairShareSemaphore(url=self.server.url, ttl=300)
        seed = random.randrange(10**6)
        drawn = random.Random(seed)
        cancelled = 0
        with self.subTest(seed=seed):
            for round_ in range(40):
                works = []
                for number in range(12):
                    delay = drawn.choice([None, 0, drawn.uniform(0, 0.002), drawn.uniform(0, 0.02)])
                    works.append(run_stepped(self.one_work(f"t{number % 5}"), drawn.randrange(8), delay))
                cancelled += sum(await asyncio.wait_for(asyncio.gather(*works), 30))
            self.assertGreater(cancelled, 200)
            self.assert_nothing_left()

    async def test_each_step_alone(self):
        """Until the work ends before the step comes."""
        self.semaphore = FairShareSemaphore(url=self.server.url, ttl=300)
        at = 0
        while await run_stepped(self.one_work("alice"), at, None):
            at += 1
        self.assertGreaterEqual(at, 6)
        self.assert_nothing_left()

    async def test_while_it_waits_in_line(self):
        semaphore = FairShareSemaphore(url=self.server.url)
        async with semaphore.tenant("alice"), semaphore.acquire(), semaphore.acquire():
            tasks = [asyncio.create_task(semaphore.acquire().__aenter__()) for _ in range(20)]
            while self.server.stats()["waiting"] < 20:
                await asyncio.sleep(0.01)
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            self.assertTrue(all(task.cancelled() for task in tasks))
            while self.server.stats()["waiting"] + self.server.stats()["absent"] > 0:
                await asyncio.sleep(0.01)
        self.assert_nothing_left()

    async def test_wait_for_cancels(self):
        semaphore = FairShareSemaphore(url=self.server.url)
        async with semaphore.tenant("alice"), semaphore.acquire(), semaphore.acquire():
            with self.assertRaises(asyncio.TimeoutError):
                await asyncio.wait_for(semaphore.acquire().__aenter__(), 0.2)
        self.assert_nothing_left()

    async def test_a_loop_that_was_dropped(self):
        """Its tasks were not even cancelled."""
        semaphore = FairShareSemaphore(url=self.server.url)
        await semaphore.register_tenant("alice")

        def run():
            loop = asyncio.new_event_loop()
            task = loop.create_task(semaphore.acquire("alice").__aenter__())
            loop.run_until_complete(asyncio.sleep(0))
            loop.close()
            task._log_destroy_pending = False

        await asyncio.to_thread(run)
        await semaphore.aclose()
        self.assert_nothing_left()
