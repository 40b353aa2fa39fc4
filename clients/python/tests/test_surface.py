# SPDX-License-Identifier: MIT
"""The surface of aio-fairshare: the same names do the same."""

import asyncio
import dataclasses
import os
from unittest import mock

import fairshare
from fairshare import FairShareSemaphore, get_tenant_id, set_tenant_id, tenant_context

from .support import WithServer, wait_until


class Surface(WithServer):
    def setUp(self):
        super().setUp()
        self.semaphore = FairShareSemaphore(max_slots=4, url=self.server.url)

    async def test_a_slot_is_held_within_the_block(self):
        async with self.semaphore.tenant("alice"):
            async with self.semaphore.acquire() as lease:
                (there,) = self.server.leases()
                self.assertEqual((there["id"], there["slot_ids"], there["fencing_token"]), (lease.id, lease.slot_ids, lease.fencing_token))
                self.assertEqual(there["label"], f"{os.uname().nodename}:{os.getpid()}")
            self.assertEqual(self.server.leases(), [])
            self.assertEqual(self.server.tenants()[0]["instances"], [f"{os.uname().nodename}:{os.getpid()}"])
        self.assertEqual(self.server.tenants(), [])

    async def test_stats_have_the_fields_of_aio_fairshare(self):
        async with self.semaphore.tenant("alice"), self.semaphore.tenant("bob"), self.semaphore.acquire("alice"):
            stats = await self.semaphore.stats()
        self.assertEqual(
            dataclasses.asdict(stats),
            {
                "max_slots": 4,
                "active_tenants": 2,
                "demanding_tenants": 1,
                "total_active_slots": 1,
                "available_slots": 3,
                "tenants": {
                    "alice": {"tenant_id": "alice", "active_slots": 1, "share": 4, "waiting": 0},
                    "bob": {"tenant_id": "bob", "active_slots": 0, "share": 4, "waiting": 0},
                },
            },
        )

    async def test_the_share_limits_a_tenant(self):
        most = {"alice": 0, "bob": 0}
        holding = {"alice": 0, "bob": 0}
        waiting = {"alice": 15, "bob": 15}
        both = asyncio.Event()

        async def work(tenant):
            async with self.semaphore.acquire(tenant):
                waiting[tenant] -= 1
                holding[tenant] += 1
                if both.is_set() and all(waiting.values()):  # whoever is the last may have all the slots
                    most[tenant] = max(most[tenant], holding[tenant])
                await asyncio.sleep(0.02)
                holding[tenant] -= 1

        async with self.semaphore.tenant("alice"), self.semaphore.tenant("bob"):
            tasks = [asyncio.create_task(work(tenant)) for tenant in tuple(waiting) * 15]
            await asyncio.to_thread(wait_until, lambda: self.server.stats()["demanding_tenants"] == 2, "both want slots")
            await asyncio.sleep(0.1)
            both.set()
            await asyncio.gather(*tasks)
        self.assertEqual(most, {"alice": 2, "bob": 2})
        self.assert_nothing_left()

    async def test_acquire_without_a_tenant_is_refused(self):
        with mock.patch.dict(os.environ):
            os.environ.pop("FAIRSHARE_TENANT", None)
            with self.assertRaisesRegex(fairshare.TenantNotRegisteredError, "No tenant is named"):
                async with self.semaphore.acquire():
                    pass

    async def test_acquire_of_a_tenant_that_nobody_registered_is_refused(self):
        with self.assertRaises(fairshare.TenantNotRegisteredError) as caught:
            async with self.semaphore.acquire("nobody"):
                pass
        self.assertEqual((caught.exception.code, caught.exception.status), ("tenant-not-registered", 409))
        self.assertIsInstance(caught.exception, RuntimeError)

    async def test_the_tenant_is_the_argument_or_of_the_context_or_of_the_environment(self):
        with mock.patch.dict(os.environ, FAIRSHARE_TENANT="carol"):
            for name in ("alice", "bob", "carol"):
                await self.semaphore.register_tenant(name)
            async with self.semaphore.acquire() as lease:
                self.assertEqual(lease.tenant_id, "carol")
            async with tenant_context("bob"):
                async with self.semaphore.acquire() as lease:
                    self.assertEqual(lease.tenant_id, "bob")
                async with self.semaphore.acquire("alice") as lease:
                    self.assertEqual(lease.tenant_id, "alice")
        await self.semaphore.aclose()
        self.assert_nothing_left()

    async def test_contexts_put_back_the_tenant_before(self):
        async with self.semaphore.tenant("outer"):
            async with self.semaphore.tenant("inner") as inner:
                self.assertEqual(get_tenant_id(), "inner")
                with tenant_context("third"):
                    self.assertEqual(get_tenant_id(), "third")
                    async with inner.acquire() as lease:
                        self.assertEqual(lease.tenant_id, "inner")
                self.assertEqual(get_tenant_id(), "inner")
            self.assertEqual(get_tenant_id(), "outer")
            set_tenant_id("other")
        self.assertIsNone(get_tenant_id())

    async def test_two_contexts_of_one_tenant(self):
        """Leaving the inner one does not close the tenant of the outer one."""
        async with self.semaphore.tenant("alice"):
            async with self.semaphore.tenant("alice"), self.semaphore.acquire():
                pass
            async with self.semaphore.acquire() as lease:
                self.assertEqual(lease.tenant_id, "alice")
        self.assert_nothing_left()

    async def test_a_context_leaves_what_was_registered_by_itself(self):
        await self.semaphore.register_tenant("alice")
        async with self.semaphore.tenant("alice"):
            await self.semaphore.unregister_tenant("alice")
            self.assertEqual(len(self.server.tenants()), 1)
        self.assert_nothing_left()

    async def test_unregistering_takes_only_our_own(self):
        self.server.send("POST", "/tenants", {"tenant_id": "alice", "instance": "elsewhere:1"})
        async with self.semaphore.tenant("alice"):
            pass
        self.assertEqual(self.server.tenants()[0]["instances"], ["elsewhere:1"])

    async def test_unregistering_an_unknown_tenant_is_no_error(self):
        await self.semaphore.unregister_tenant("nobody")
        await self.semaphore.unregister_tenant("nobody", force=True)

    async def test_unregistering_waits_for_the_slots_in_use(self):
        await self.semaphore.register_tenant("alice")
        async with self.semaphore.acquire("alice"):
            await self.semaphore.unregister_tenant("alice")
            self.assertEqual(self.server.tenants()[0]["state"], "closing")
            with self.assertRaises(fairshare.TenantNotRegisteredError) as caught:
                async with self.semaphore.acquire("alice"):
                    pass
            self.assertEqual(caught.exception.code, "tenant-closing")
        self.assert_nothing_left()

    async def test_unregistering_refuses_those_that_wait(self):
        await self.semaphore.register_tenant("alice")
        for _ in range(4):
            await self.semaphore.acquire("alice").__aenter__()
        waiting = asyncio.create_task(self.semaphore.acquire("alice").__aenter__())
        await asyncio.to_thread(wait_until, lambda: self.server.stats()["waiting"] == 1, "one waits")
        await self.semaphore.unregister_tenant("alice")
        with self.assertRaises(fairshare.TenantNotRegisteredError):
            await waiting
        await self.semaphore.aclose()
        self.assert_nothing_left()

    async def test_force_revokes_the_leases(self):
        await self.semaphore.register_tenant("alice")
        with self.assertRaises(fairshare.LeaseLostError) as caught:
            async with FairShareSemaphore(url=self.server.url, ttl=1).acquire("alice"):
                await self.semaphore.unregister_tenant("alice", force=True)
                self.assertEqual(self.server.stats()["total_active_slots"], 0)
                await asyncio.sleep(30)
        self.assertEqual(caught.exception.reason, "revoked")
        self.assert_nothing_left()

    async def test_a_time_out_ends_the_wait(self):
        await self.semaphore.register_tenant("alice")
        for _ in range(4):
            await self.semaphore.acquire("alice").__aenter__()
        for timeout in (0, 0.2):
            with self.assertRaises(TimeoutError) as caught:
                async with self.semaphore.acquire("alice", timeout=timeout):
                    pass
            self.assertEqual((caught.exception.reason, caught.exception.position), ("at-share", 1))
            self.assertIsNone(caught.exception.estimated_wait_seconds)  # nothing was held before
        with self.assertRaisesRegex(ValueError, "timeout is -1"):
            async with self.semaphore.acquire("alice", timeout=-1):
                pass
        await self.semaphore.aclose()
        self.assert_nothing_left()

    async def test_close_ends_the_wait(self):
        semaphore = FairShareSemaphore(url=self.server.url)
        await semaphore.register_tenant("alice")
        async with FairShareSemaphore(url=self.server.url) as other, other.tenant("alice"):
            for _ in range(4):
                await other.acquire().__aenter__()
            waiting = asyncio.create_task(semaphore.acquire("alice").__aenter__())
            await asyncio.to_thread(wait_until, lambda: self.server.stats()["waiting"] == 1, "one waits")
            await semaphore.aclose()
            with self.assertRaisesRegex(fairshare.FairShareError, "closed while this waited"):
                await waiting
            self.assertEqual(self.server.stats()["total_active_slots"], 4)
        self.assert_nothing_left()

    async def test_names_that_the_server_refuses(self):
        with self.assertRaises(fairshare.FairShareError) as caught:
            await self.semaphore.register_tenant("a b/ü")
        self.assertEqual(caught.exception.code, "invalid-value")
        await self.semaphore.unregister_tenant("a b/ü")

    async def test_slots_and_priorities_that_the_server_refuses(self):
        await self.semaphore.register_tenant("alice")
        for wanted, sentence in (
            ({"slots": 0}, "slots"),
            ({"slots": 1.5}, "slots"),
            ({"slots": "two"}, "slots"),
            ({"slots": 5}, "ask for fewer"),
            ({"priority": 11}, "priority"),
            ({"priority": "high"}, "priority"),
            ({"max_lease": 0}, "max_lease_seconds"),
        ):
            with self.subTest(**wanted), self.assertRaisesRegex(fairshare.FairShareError, sentence) as caught:
                async with self.semaphore.acquire("alice", **wanted):
                    pass
            self.assertIn((caught.exception.code, caught.exception.status), [("invalid-value", 422), ("too-many-slots", 409)])
        await self.semaphore.aclose()
        self.assert_nothing_left()

    async def test_a_context_takes_all_that_the_semaphore_takes(self):
        async with self.semaphore.tenant("alice") as alice:
            async with alice.acquire(timeout=5, label="two", slots=2, priority=-3, max_lease=60) as lease:
                (there,) = self.server.leases()
        self.assertEqual((lease.slots, lease.label, lease.priority), (2, "two", -3))
        self.assertEqual({name: there[name] for name in ("slots", "label", "priority")}, {"slots": 2, "label": "two", "priority": -3})
        self.assertEqual(lease.slot_ids, there["slot_ids"])

    async def test_a_lease_that_is_asked_back(self):
        """It is told in the event loop, once, and the lease says so until nobody waits any more."""
        told = []
        async with FairShareSemaphore(url=self.server.url, ttl=3) as semaphore:
            await semaphore.register_tenant("alice")
            await semaphore.register_tenant("bob")

            def on_reclaim(by_seconds):
                told.append((by_seconds, asyncio.get_running_loop()))

            async with semaphore.acquire("alice", slots=3), semaphore.acquire("alice", on_reclaim=on_reclaim) as lease:
                self.assertIsNone(lease.reclaim)
                waiting = asyncio.create_task(semaphore.acquire("bob").__aenter__())
                await asyncio.to_thread(wait_until, lambda: lease.reclaim, "it is asked back")
                by = lease.reclaim.by_seconds
                await asyncio.to_thread(wait_until, lambda: lease.reclaim.by_seconds < by, "another heartbeat is told")
                waiting.cancel()
                await asyncio.to_thread(wait_until, lambda: lease.reclaim is None, "it is asked back no more")
        ((first, loop),) = told
        self.assertTrue(0 < first <= 3, first)
        self.assertIs(loop, asyncio.get_running_loop())
        self.assert_nothing_left()

    async def test_an_acquisition_is_for_one_block(self):
        async with self.semaphore.tenant("alice"):
            acquisition = self.semaphore.acquire()
            async with acquisition:
                with self.assertRaisesRegex(RuntimeError, "one slot for one block"):
                    async with acquisition:
                        pass
        self.assert_nothing_left()
