# SPDX-License-Identifier: MIT
"""A lease that is lost ends the block, and only the block."""

import asyncio
import logging
import sys
import time
import unittest
from unittest import mock

import fairshare
from fairshare import FairShareSemaphore, LeaseLostError, _aio

from .support import WithServer, wait_until


class WithSemaphore(WithServer):
    def setUp(self):
        super().setUp()
        logging.disable(logging.ERROR)
        self.addCleanup(logging.disable, logging.NOTSET)
        self.semaphore = FairShareSemaphore(url=self.server.url, ttl=1)

    async def asyncSetUp(self):
        await self.semaphore.register_tenant("alice")

    async def asyncTearDown(self):
        await self.semaphore.aclose()

    def revoke(self):
        self.server.send("DELETE", "/tenants/alice?force=true")


class Loss(WithSemaphore):
    async def test_the_block_is_cancelled(self):
        with self.assertRaises(LeaseLostError) as caught:
            async with self.semaphore.acquire("alice") as lease:
                self.revoke()
                await asyncio.sleep(30)
        self.assertEqual((caught.exception.lease_id, caught.exception.reason, lease.lost), (lease.id, "revoked", "revoked"))
        self.assertIsInstance(caught.exception.__cause__, asyncio.CancelledError)
        await asyncio.sleep(0)  # the cancellation is over

    async def test_the_task_goes_on(self):
        async def work():
            with self.assertRaises(LeaseLostError):
                async with self.semaphore.acquire("alice"):
                    self.revoke()
                    await asyncio.sleep(30)
            await asyncio.sleep(0.01)
            return "went on"

        self.assertEqual(await asyncio.create_task(work()), "went on")

    async def test_cancellation_by_others_stays_one(self):
        async def work():
            async with self.semaphore.acquire("alice"):
                entered.set()
                await asyncio.sleep(30)

        entered = asyncio.Event()
        task = asyncio.create_task(work())
        await entered.wait()
        task.cancel()
        with self.assertRaises(asyncio.CancelledError):
            await task
        self.assertTrue(task.cancelled())

    async def test_cancellation_by_others_at_the_same_time_wins(self):
        async def work():
            acquisition = self.semaphore.acquire("alice")
            async with acquisition as lease:
                asyncio.get_running_loop().call_soon(asyncio.current_task().cancel)
                lease.lost = "revoked"
                asyncio.get_running_loop().call_soon(acquisition._cancel)
                await asyncio.sleep(30)

        task = asyncio.create_task(work())
        with self.assertRaises(asyncio.CancelledError):
            await task

    async def test_blocks_within_each_other_that_are_both_lost(self):
        with self.assertRaises(LeaseLostError) as caught:
            async with self.semaphore.acquire("alice") as outer:
                async with self.semaphore.acquire("alice") as inner:
                    self.revoke()
                    await asyncio.sleep(30)
        self.assertIn(caught.exception.lease_id, (outer.id, inner.id))
        await asyncio.sleep(0)

    async def test_the_inner_block_alone(self):
        async with self.semaphore.acquire("alice") as outer:
            with self.assertRaises(LeaseLostError) as caught:
                async with self.semaphore.acquire("alice") as inner:
                    self.lose(inner)
                    await asyncio.sleep(30)
            self.assertEqual(caught.exception.lease_id, inner.id)
            await asyncio.sleep(0.01)
            self.assertIsNone(outer.lost)

    async def test_the_outer_block_alone(self):
        after = False
        with self.assertRaises(LeaseLostError) as caught:
            async with self.semaphore.acquire("alice") as outer:
                async with self.semaphore.acquire("alice") as inner:
                    self.lose(outer)
                    await asyncio.sleep(30)
                after = True
        self.assertEqual((caught.exception.lease_id, inner.lost, after), (outer.id, None, False))
        wait_until(lambda: self.server.leases() == [], "the inner slot is given back")

    def lose(self, lease):
        """One lease alone: given back behind the client's back."""
        self.server.send("DELETE", f"/leases/{lease.id}")

    async def test_a_block_that_swallows_the_cancellation(self):
        with self.assertRaises(LeaseLostError):
            async with self.semaphore.acquire("alice"):
                self.revoke()
                try:
                    await asyncio.sleep(30)
                except asyncio.CancelledError:
                    pass

    async def test_an_error_of_the_block_stays_that(self):
        with self.assertRaisesRegex(KeyError, "mine"):
            async with self.semaphore.acquire("alice"):
                self.revoke()
                try:
                    await asyncio.sleep(30)
                except asyncio.CancelledError:
                    raise KeyError("mine") from None

    async def test_a_loss_that_is_found_by_giving_back(self):
        """Before a beat could tell."""
        with self.assertRaises(LeaseLostError) as caught:
            async with FairShareSemaphore(url=self.server.url).acquire("alice"):
                self.revoke()
        self.assertEqual(caught.exception.reason, "revoked")

    async def test_a_loss_while_the_loop_was_blocked(self):
        with self.assertRaises(LeaseLostError):
            async with self.semaphore.acquire("alice") as lease:
                self.revoke()
                wait_until(lambda: lease.lost, "the beat told of the loss")

    async def test_a_blocked_loop_keeps_its_lease(self):
        async with self.semaphore.acquire("alice") as lease:
            time.sleep(2.5)
            self.assertEqual([one["id"] for one in self.server.leases()], [lease.id])

    async def test_a_server_that_is_gone(self):
        began = time.monotonic()
        with self.assertRaises(LeaseLostError) as caught:
            async with self.semaphore.acquire("alice"):
                await self.semaphore.unregister_tenant("alice")
                self.server.process.kill()
                await asyncio.sleep(30)
        self.assertEqual(caught.exception.reason, "no-heartbeat")
        self.assertLess(abs(time.monotonic() - began - 1.1), 0.5)


@unittest.skipUnless(sys.version_info >= (3, 11), "there are neither task groups nor asyncio.timeout")
class LossAmongTaskGroups(WithSemaphore):
    async def test_task_groups_within_and_without(self):
        async def worker():
            try:
                await asyncio.sleep(30)
            except asyncio.CancelledError:
                ended.append(True)
                raise

        async def holder():
            async with self.semaphore.acquire("alice"):
                async with asyncio.TaskGroup() as inner:
                    inner.create_task(worker())
                    inner.create_task(worker())
                    await asyncio.sleep(0.01)
                    self.revoke()

        ended = []
        with self.assertRaises(BaseExceptionGroup) as caught:
            async with asyncio.TaskGroup() as outer:
                outer.create_task(holder())
                outer.create_task(worker())
        (error,) = caught.exception.exceptions
        self.assertIsInstance(error, LeaseLostError)
        self.assertEqual(len(ended), 3)

    async def test_time_outs_around_stay_time_outs(self):
        with self.assertRaises(TimeoutError) as caught:
            async with asyncio.timeout(0.1):
                async with self.semaphore.acquire("alice"):
                    await asyncio.sleep(30)
        self.assertNotIsInstance(caught.exception, fairshare.FairShareError)


class LossByMarks(Loss):
    """The same as Python 3.10 has to do it."""

    def setUp(self):
        super().setUp()
        patch = mock.patch.object(_aio, "_Others", _aio._MarkedOthers)
        patch.start()
        self.addCleanup(patch.stop)
