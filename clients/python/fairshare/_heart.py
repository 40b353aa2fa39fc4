# SPDX-License-Identifier: MIT
"""The leases that a process holds, and their heartbeats: one batch for all that are due at a server."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable
from typing import Any

from ._http import Answer, Server, Unreachable
from ._model import Lease, Reclaim

logger = logging.getLogger("fairshare")

BATCH_MAX = 1000  # lease_ids of POST /heartbeats
LOOK = 1.0  # seconds between looks at the clock, at most: timers of asyncio stand still while the machine sleeps

if hasattr(time, "CLOCK_BOOTTIME"):

    def clock() -> float:
        """Seconds, also those that the machine slept."""
        return time.clock_gettime(time.CLOCK_BOOTTIME)

else:
    clock = time.monotonic


class Holding:
    """A lease in use. It is lost when the server says so, or `deadline` passes without a beat that put it off.

    One that ends before its first beat would be due, by its longest life or as its answer came late, beats at once.
    """

    def __init__(
        self,
        server: Server,
        lease: Lease,
        owner: object,
        on_lost: Callable[[str], None],
        on_reclaim: Callable[[float], None],
    ) -> None:
        now = clock()
        self.server = server
        self.lease = lease
        self.owner = owner
        self.on_lost = on_lost
        self.on_reclaim = on_reclaim
        self.deadline = now + lease.expires_in_seconds
        self.every = lease.heartbeat_seconds
        self.beat_at = now if lease.expires_in_seconds < self.every else now + self.every
        self.over = False  # its longest life ends before another beat is due, said the last one
        self.missed = 0
        self.beating = False

    def wish(self, reclaim: Reclaim | None) -> None:
        """Notes what a heartbeat was told, and tells of a wish that is new."""
        is_new = reclaim is not None and self.lease.reclaim is None
        self.lease.reclaim = reclaim
        if reclaim is not None and is_new:
            logger.info("Lease %s is asked back within %g s: others wait", self.lease.id, reclaim.by_seconds)
            self.on_reclaim(reclaim.by_seconds)


class Heart:
    """Beats for all holdings. Lives on the engine's thread."""

    def __init__(self) -> None:
        self._holdings: dict[str, Holding] = {}
        self._changed = asyncio.Event()
        self._beats: set[asyncio.Task[None]] = set()

    def all(self) -> list[Holding]:
        return list(self._holdings.values())

    def add(self, holding: Holding) -> None:
        self._holdings[holding.lease.id] = holding
        self._changed.set()

    def remove(self, holding: Holding) -> bool:
        """Ends the beats of a lease; False where they had ended before."""
        return self._holdings.pop(holding.lease.id, None) is not None

    async def beat(self) -> None:
        """Beats when it is time, for ever."""
        while True:
            self._changed.clear()
            now = clock()
            for holding in self.all():
                if now >= holding.deadline:
                    self._lose(holding, "max-lease" if holding.over else "no-heartbeat")
            idle = [one for one in self._holdings.values() if not one.beating]
            for server in {one.server for one in idle if one.beat_at <= now}:
                self._send(server, [one for one in idle if one.server is server and one.beat_at <= now + one.every / 2])
            times = [one.deadline if one.beating else min(one.deadline, one.beat_at) for one in self._holdings.values()]
            pause = max(0.0, min(LOOK, min(times) - clock())) if times else None
            try:
                await asyncio.wait_for(self._changed.wait(), pause)
            except asyncio.TimeoutError:
                pass

    def _send(self, server: Server, due: list[Holding]) -> None:
        for first in range(0, len(due), BATCH_MAX):
            batch = due[first : first + BATCH_MAX]
            for holding in batch:
                holding.beating = True
            task = asyncio.get_running_loop().create_task(self._send_batch(server, batch))
            self._beats.add(task)
            task.add_done_callback(self._beats.discard)

    async def _send_batch(self, server: Server, batch: list[Holding]) -> None:
        began = clock()
        within = min(one.every for one in batch)
        body = {"lease_ids": [one.lease.id for one in batch]}
        trouble: Answer | Unreachable
        try:
            trouble = await server.request("POST", "/heartbeats", body=body, within=within)
        except Unreachable as error:
            trouble = error
        if isinstance(trouble, Answer) and trouble.status == 200:
            try:
                self._renew(began, trouble.body)
            except (KeyError, TypeError):
                pass  # a page of something in between: those that it does not name are missed
        for holding in batch:
            if holding.beat_at <= began + holding.every / 2:
                self._miss(holding, trouble)
            holding.beating = False
        self._changed.set()

    def _renew(self, began: float, body: Any) -> None:
        for renewed in body["renewed"]:
            holding = self._holdings.get(renewed["id"])
            if holding is not None:
                holding.deadline = began + renewed["expires_in_seconds"]
                holding.every = renewed["heartbeat_seconds"]
                holding.beat_at = began + holding.every
                holding.over = renewed["expires_in_seconds"] < holding.every
                holding.missed = 0
                holding.wish(Reclaim(renewed["reclaim"]["by_seconds"]) if "reclaim" in renewed else None)
        for lost in body["lost"]:
            holding = self._holdings.get(lost["id"])
            if holding is not None:
                self._lose(holding, lost["reason"])

    def _miss(self, holding: Holding, trouble: Answer | Unreachable) -> None:
        """The next try comes soon: the lease does not wait."""
        if holding.missed == 0 and holding.lease.id in self._holdings:
            detail = trouble.detail if isinstance(trouble, Answer) else str(trouble)
            logger.warning("A heartbeat of lease %s was missed: %s; trying again", holding.lease.id, detail)
        drawn = random.uniform(0, min(5.0, 0.1 * 2**holding.missed))
        after = trouble.retry_after if isinstance(trouble, Answer) else 0.0
        holding.missed += 1
        holding.beat_at = clock() + max(min(drawn, holding.every), after)

    def _lose(self, holding: Holding, reason: str) -> None:
        if not self.remove(holding):
            return
        holding.lease.lost = reason
        logger.error("Lease %s of tenant %s was lost: %s", holding.lease.id, holding.lease.tenant_id, reason)
        holding.on_lost(reason)
