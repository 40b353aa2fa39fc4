# SPDX-License-Identifier: MIT
"""What a program says about its pool, held against the server's."""

import gc
import os
import warnings
from unittest import mock

import fairshare
from fairshare import FairShareSemaphore, PoolMismatchWarning

from .support import WithServer


class Pool(WithServer):
    def semaphore(self, *args, **kwargs):
        return FairShareSemaphore(*args, url=self.server.url, **kwargs)

    async def test_another_number_of_slots_warns_once(self):
        semaphore = self.semaphore(10, min_share=2, share_calculator="max_slots")
        self.assertEqual(semaphore.max_slots, 10)
        with self.assertWarns(PoolMismatchWarning) as caught:
            async with semaphore.tenant("alice"):
                pass
        texts = [str(one.message) for one in caught.warnings]
        self.assertEqual(len(texts), 3)
        self.assertIn("max_slots of pool default is 4 and not 10", texts[0])
        self.assertIn("min_share of pool default is 1 and not 2", texts[1])
        self.assertIn("share_calculator of pool default is None and not 'max_slots'", texts[2])
        self.assertEqual(semaphore.max_slots, 4)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            async with semaphore.tenant("alice"), semaphore.acquire():
                pass

    async def test_the_pools_number_of_slots_is_no_warning(self):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            self.assertEqual((await self.semaphore(4).stats()).max_slots, 4)

    async def test_the_number_of_slots_is_asked_for_where_none_is_named(self):
        self.assertEqual(self.semaphore().max_slots, 4)

    async def test_two_semaphores_that_mean_different_things(self):
        first = self.semaphore(4)
        self.semaphore(4)
        self.semaphore()
        self.semaphore(7, pool="other")
        with self.assertRaisesRegex(ValueError, "max_slots 4, and this one says 7.*pool=NAME"):
            self.semaphore(7)
        del first
        gc.collect()
        self.semaphore(7)

    async def test_a_pool_that_is_not_there(self):
        for semaphore in (self.semaphore(pool="nowhere"), self.semaphore(3, pool="nowhere")):
            with self.assertRaises(fairshare.FairShareError) as caught:
                await semaphore.register_tenant("alice")
            self.assertEqual(caught.exception.code, "pool-not-found")

    async def test_create_makes_the_pool_or_says_why_not(self):
        semaphore = self.semaphore(3, min_share=2, share_calculator="max_slots - 1", pool="made", create=True)
        if "put" not in await self.methods_of_pools():
            with self.assertRaisesRegex(fairshare.FairShareError, "does not make pool made: ") as caught:
                await semaphore.stats()
            self.assertEqual(caught.exception.status, 405)
            return
        self.assertEqual((await semaphore.stats()).max_slots, 3)
        pool = self.server.get("/pools/made")
        self.assertEqual((pool["max_slots"], pool["min_share"], pool["share_calculator"]), (3, 2, "max_slots - 1"))

    async def methods_of_pools(self):
        import urllib.request

        with urllib.request.urlopen(self.server.url + "/openapi.yaml", timeout=10) as reply:
            text = reply.read().decode().partition("\n  /pools/{pool}:\n")[2].partition("\n  /")[0]
        return {line.strip(" :") for line in text.splitlines() if line.startswith("    ") and line[4] != " "}

    async def test_create_leaves_a_pool_that_is_there_as_it_is(self):
        with self.assertWarnsRegex(PoolMismatchWarning, "max_slots of pool default is 4 and not 3"):
            await self.semaphore(3, create=True).stats()
        self.assertEqual(self.server.get("/pools/default")["max_slots"], 4)

    def test_a_function_cannot_travel(self):
        with self.assertRaisesRegex(TypeError, "--share-calculator") as caught:
            self.semaphore(10, share_calculator=lambda slots, tenants: max(slots // tenants, 2) + 1)
        self.assertIn("for instance 'max(max_slots // num_demanding_tenants, 2) + 1'", str(caught.exception))

    def test_a_function_that_is_no_simple_expression_is_not_translated(self):
        def rule(slots, tenants):
            return slots

        for function in (rule, max, lambda slots, tenants: slots if tenants else 1, lambda slots, tenants: slots**tenants):
            with self.assertRaises(TypeError) as caught:
                self.semaphore(10, share_calculator=function)
            self.assertNotIn("for instance", str(caught.exception))

    def test_arguments_that_are_wrong(self):
        for arguments in ({"max_slots": 0}, {"min_share": 0}, {"create": True}):
            with self.assertRaises(ValueError):
                self.semaphore(**arguments)
        for url in ("localhost:8080", "ftp://a", "http://", "http://a:b", "unix:", "http://u:p@a", "http://a?b"):
            with self.assertRaisesRegex(ValueError, "is no URL of a server"):
                FairShareSemaphore(url=url)

    async def test_environment(self):
        names = {"FAIRSHARE_URL": self.server.url + "/", "FAIRSHARE_POOL": "nowhere"}
        with mock.patch.dict(os.environ, names):
            with self.assertRaisesRegex(fairshare.FairShareError, "nowhere"):
                await FairShareSemaphore().register_tenant("alice")
            await FairShareSemaphore(pool="default").stats()
