# SPDX-License-Identifier: MIT
"""Beginnings and ends of processes. What the programs say to standard error, warnings too, fails a test."""

import re
import time

from .support import PACKAGE, WithServer, wait_until


class Process(WithServer):
    async def test_the_starts_of_the_readme(self):
        starts = re.findall(r"```python\n(.*?)```", (PACKAGE / "README.md").read_text(), re.S)[:2]
        for start in starts:
            self.assertIn("slot 0", self.run_script(start.replace("http://127.0.0.1:8080", self.server.url)))
        self.assert_nothing_left()

    async def test_the_end_of_a_process_gives_back(self):
        self.run_script(
            """
import asyncio, fairshare
semaphore = fairshare.FairShareSemaphore(ttl=300)
async def main():
    await semaphore.register_tenant("alice")
    for _ in range(4):
        await semaphore.acquire("alice").__aenter__()
    asyncio.create_task(semaphore.acquire("alice").__aenter__())
    await asyncio.sleep(0.1)
asyncio.run(main())
"""
        )
        self.assertEqual((self.server.leases(), self.server.tenants()), ([], []))

    async def test_an_exception_that_ends_the_process_gives_back(self):
        self.run_script(
            """
import os
from fairshare.sync import FairShareSemaphore
semaphore = FairShareSemaphore(ttl=300, url=os.environ["FAIRSHARE_URL"].replace("127.0.0.1", "localhost"))
semaphore.register_tenant("alice")
semaphore.acquire("alice").__enter__()
raise SystemExit(3)
""",
            code=3,
        )
        self.assertEqual((self.server.leases(), self.server.tenants()), ([], []))

    async def test_a_server_that_hangs_does_not_hold_up_the_end(self):
        began = time.monotonic()
        self.run_script(
            """
import logging, os, signal
from fairshare.sync import FairShareSemaphore
semaphore = FairShareSemaphore(ttl=300)
semaphore.register_tenant("alice")
semaphore.acquire("alice").__enter__()
logging.disable()
os.kill(%d, signal.SIGSTOP)
"""
            % self.server.process.pid
        )
        self.assertLess(time.monotonic() - began, 6)

    async def test_a_server_that_hangs_does_not_hold_up_a_block(self):
        out = self.run_script(
            """
import logging, os, signal, time
from fairshare.sync import FairShareSemaphore
semaphore = FairShareSemaphore(ttl=300)
logging.disable()
with semaphore.tenant("alice"):
    with semaphore.acquire():
        os.kill(%d, signal.SIGSTOP)
        began = time.monotonic()
    print(time.monotonic() - began)
    os.kill(%d, signal.SIGCONT)
"""
            % (self.server.process.pid, self.server.process.pid)
        )
        self.assertTrue(1.9 < float(out) < 3, out)
        self.assert_nothing_left()

    async def test_a_forked_child_has_leases_of_its_own_only(self):
        out = self.run_script(
            """
import os, warnings
from fairshare.sync import FairShareSemaphore
warnings.simplefilter("ignore", DeprecationWarning)  # of fork with threads, from Python 3.12 on
semaphore = FairShareSemaphore(ttl=300)
with semaphore.tenant("alice"):
    with semaphore.acquire():
        child = os.fork()
        if child == 0:
            with semaphore.tenant("bob"), semaphore.acquire(label="child"):
                print(sorted((one.tenant_id, one.active_slots) for one in semaphore.stats().tenants.values()), flush=True)
        else:
            assert os.waitpid(child, 0)[1] == 0
            print(semaphore.stats().tenants["alice"].active_slots, flush=True)
"""
        )
        self.assertEqual(out.splitlines(), ["[('alice', 1), ('bob', 1)]", "1"])
        self.assert_nothing_left()

    async def test_ctrl_c_while_waiting_leaves_the_line(self):
        self.server.send("POST", "/tenants", {"tenant_id": "alice"})
        for _ in range(4):
            self.server.send("POST", "/leases", {"tenant_id": "alice", "ttl_seconds": 300})
        self.run_script(
            """
import os, signal, threading
from fairshare.sync import FairShareSemaphore
semaphore = FairShareSemaphore()
threading.Timer(0.5, os.kill, [os.getpid(), signal.SIGINT]).start()
try:
    semaphore.acquire("alice").__enter__()
except KeyboardInterrupt:
    pass
"""
        )
        wait_until(lambda: len(self.server.leases()) == 4, "nobody is in line")
