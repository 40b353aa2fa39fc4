# SPDX-License-Identifier: MIT
"""The twin for programs without asyncio."""

import concurrent.futures
import logging
import threading
import time

import fairshare
from fairshare.sync import FairShareSemaphore, LeaseLostError, NoSlotError, get_tenant_id

from .support import WithServer, wait_until


class Sync(WithServer):
    def setUp(self):
        super().setUp()
        self.semaphore = FairShareSemaphore(max_slots=4, url=self.server.url, ttl=1)
        self.addCleanup(logging.disable, logging.NOTSET)

    def test_a_slot_is_held_within_the_block(self):
        with self.semaphore.tenant("alice") as alice:
            self.assertEqual(get_tenant_id(), "alice")
            with self.semaphore.acquire() as lease, alice.acquire(label="second") as second:
                self.assertEqual([(one["id"], one["label"]) for one in self.server.leases()][1], (second.id, "second"))
                self.assertEqual(self.semaphore.stats().tenants["alice"].active_slots, 2)
                self.assertEqual(lease.slot_ids + second.slot_ids, [0, 1])
        self.assertIsNone(get_tenant_id())
        self.assert_nothing_left()

    def test_both_kinds_share_a_process_and_its_registrations(self):
        self.semaphore.register_tenant("alice")
        with self.assertRaises(ValueError):
            fairshare.FairShareSemaphore(max_slots=5, url=self.server.url)
        with FairShareSemaphore(url=self.server.url) as other:
            other.register_tenant("alice")
        self.assertEqual(len(self.server.tenants()), 1)
        self.semaphore.unregister_tenant("alice")
        self.semaphore.unregister_tenant("alice")
        self.assert_nothing_left()

    def test_threads_wait_in_line(self):
        most = []
        holding = []

        def work(number):
            with self.semaphore.acquire("alice"):
                holding.append(number)
                most.append(len(holding))
                time.sleep(0.005)
                holding.remove(number)

        with self.semaphore.tenant("alice"), concurrent.futures.ThreadPoolExecutor(20) as pool:
            list(pool.map(work, range(60)))
        self.assertLessEqual(max(most), 4)
        self.assertEqual(len(most), 60)
        self.assert_nothing_left()

    def test_a_time_out_ends_the_wait(self):
        with self.semaphore.tenant("alice"):
            held = [self.semaphore.acquire() for _ in range(4)]
            for one in held:
                one.__enter__()
            with self.assertRaises(NoSlotError):
                self.semaphore.acquire(timeout=0.1).__enter__()
            for one in held:
                one.__exit__(None, None, None)
        self.assert_nothing_left()

    def test_a_thread_that_blocks_keeps_its_lease(self):
        with self.semaphore.tenant("alice"), self.semaphore.acquire() as lease:
            time.sleep(2.5)
            self.assertEqual([one["id"] for one in self.server.leases()], [lease.id])

    def test_a_loss_is_told(self):
        logging.disable(logging.ERROR)
        told = threading.Event()
        reasons = []

        def on_lost(reason):
            reasons.append(reason)
            told.set()

        self.semaphore.register_tenant("alice")
        with self.assertRaises(LeaseLostError):
            with self.semaphore.acquire("alice", on_lost=on_lost) as lease:
                self.semaphore.unregister_tenant("alice", force=True)
                self.assertTrue(told.wait(5))
                self.assertEqual((lease.lost, reasons), ("revoked", ["revoked"]))
        self.assert_nothing_left()

    def test_what_a_lease_is_asked_for_and_asked_back(self):
        """As with asyncio, but that it is told in a thread of its own."""
        told = threading.Event()
        with self.semaphore.tenant("bob"), self.semaphore.tenant("alice") as alice:
            with alice.acquire(slots=2), alice.acquire(slots=2, priority=2, max_lease=60, on_reclaim=lambda by: told.set()) as lease:
                self.assertEqual((lease.slot_ids, lease.priority), ([2, 3], 2))
                with concurrent.futures.ThreadPoolExecutor(1) as pool:
                    waiting = pool.submit(self.semaphore.acquire("bob", timeout=20).__enter__)
                    self.assertTrue(told.wait(10))
                    self.assertLessEqual(lease.reclaim.by_seconds, 1)
                    self.semaphore.close()
                    self.assertIsInstance(waiting.exception(), fairshare.FairShareError)

    def test_close_gives_back_what_is_held_and_ends_the_wait(self):
        self.semaphore.register_tenant("alice")
        for _ in range(4):
            self.semaphore.acquire("alice").__enter__()
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(self.semaphore.acquire("alice").__enter__)
            wait_until(lambda: self.server.stats()["waiting"] == 1, "one waits")
            self.semaphore.close()
            self.assertEqual((self.server.leases(), self.server.tenants()), ([], []))
            with self.assertRaisesRegex(fairshare.FairShareError, "closed while this waited"):
                waiting.result()
