# SPDX-License-Identifier: MIT
"""The semaphore for asyncio, with the surface of aio-fairshare."""

from __future__ import annotations

import asyncio
import concurrent.futures
import sys
from collections.abc import Callable
from types import TracebackType
from typing import TypeVar
from urllib.parse import urlencode

from ._context import get_tenant_id, set_tenant_id
from ._engine import CLOSE, Acquire, Engine, Wanted, engine
from ._errors import FairShareError, LeaseLostError, NoSlotError, UnavailableError
from ._heart import Holding
from ._model import Lease, SemaphoreStats
from ._pool import Settings, deadline_of, until

_T = TypeVar("_T")


async def _within(future: concurrent.futures.Future[_T], seconds: float) -> _T | None:
    """Waits for what the engine gives back, but holds nobody up for longer; it goes on without us."""
    wrapped = asyncio.wrap_future(future)
    done, _ = await asyncio.wait({wrapped}, timeout=seconds)
    return wrapped.result() if done else None


class FairShareSemaphore(Settings):
    """Slots of a pool, shared fairly by all that use it.

    max_slots, min_share and share_calculator say what the program expects of the pool; the server's setting is what counts,
    and a difference is a PoolMismatchWarning. With create=True the pool is made with them where it is not there.
    url, pool: FAIRSHARE_URL and FAIRSHARE_POOL where they are not given; ttl: seconds that a lease outlives its process.
    """

    def tenant(self, tenant_id: str) -> TenantContext:
        """Registers a tenant for an `async with` block, and makes it the tenant of what runs in there."""
        return TenantContext(self, tenant_id)

    def acquire(
        self,
        tenant_id: str | None = None,
        *,
        timeout: float | None = None,
        label: str | None = None,
        slots: int = 1,
        priority: int = 0,
        max_lease: float | None = None,
        on_reclaim: Callable[[float], None] | None = None,
    ) -> Acquisition:
        """A slot for an `async with` block, or several at once, which yields the lease.

        The tenant is tenant_id, else that of the context, else FAIRSHARE_TENANT. Waits for as long as it takes, or raises
        NoSlotError after `timeout` seconds; 0 tries once. When the lease is lost the block is cancelled, and LeaseLostError
        raised in place of the cancellation. `label` is shown by the server, host:pid if none is given.

        `priority`, -10 to 10, is among the tenant's own that wait. The lease ends `max_lease` seconds after its grant,
        whatever its heartbeats. While others wait and the tenant has more than its share the server may wish the lease
        back: then on_reclaim(by_seconds) is called in the event loop, and `lease.reclaim` is there.
        """
        return Acquisition(self, tenant_id, timeout, Wanted(label, slots, priority, max_lease), on_reclaim)

    async def register_tenant(self, tenant_id: str) -> None:
        """Registers a tenant, until unregister_tenant, close, or the end of the process."""
        await self._register(tenant_id, self)

    async def unregister_tenant(self, tenant_id: str, force: bool = False) -> None:
        """Takes the registration back. The tenant closes when no other process, and no context here, has it registered:
        its waiters are refused, and it is gone when its last lease ends. One that is unknown is no error.

        With force all registrations go, whosever they are, and all its leases are revoked.
        """
        at = engine()
        work = at.start(lambda: at.unregister(at.place(self._target, tenant_id), self, force=force), gives=True)
        await asyncio.wrap_future(work)

    async def stats(self) -> SemaphoreStats:
        """How the pool goes, at most 10 000 tenants of it: those with most slots and waiters."""
        await self._ready()
        at = engine()
        url, token, pool = self._target
        path = "/stats?" + urlencode({"pool": pool, "limit": 10000})
        body = await asyncio.wrap_future(at.start_look(lambda: at.get(at.server(url, token), path)))
        return SemaphoreStats.from_json(body)

    async def aclose(self) -> None:
        """Gives back what is held, waited for and registered through this semaphore, within 2 seconds."""
        at = engine()
        await asyncio.wrap_future(at.start(lambda: at.close(self)))

    async def __aenter__(self) -> FairShareSemaphore:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def _ready(self, deadline: float | None = None) -> None:
        if self._to_check:
            at = engine()
            self._compare(await asyncio.wrap_future(at.start_look(lambda: self._check(at, until(deadline)))))

    async def _register(self, tenant_id: str, token: object) -> None:
        await self._ready()
        at = engine()
        try:
            await asyncio.wrap_future(at.start(lambda: at.register(at.place(self._target, tenant_id), token, self)))
        except FairShareError:
            raise  # refused: there is nothing to take back
        except BaseException:
            self._take_back(at, tenant_id, token)
            raise

    def _take_back(self, at: Engine, tenant_id: str, token: object) -> concurrent.futures.Future[None]:
        return at.start(lambda: at.unregister(at.place(self._target, tenant_id), token), gives=True)


class TenantContext:
    """A registered tenant, for an `async with` block. Blocks of one tenant may stand in each other."""

    def __init__(self, semaphore: FairShareSemaphore, tenant_id: str) -> None:
        self._semaphore = semaphore
        self._tenant_id = tenant_id
        self._entered: list[tuple[object, str | None, Engine]] = []

    async def __aenter__(self) -> TenantContext:
        token = object()
        await self._semaphore._register(self._tenant_id, token)
        self._entered.append((token, get_tenant_id(), engine()))
        set_tenant_id(self._tenant_id)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        token, before, at = self._entered.pop()
        set_tenant_id(before)
        if at.here:
            await _within(self._semaphore._take_back(at, self._tenant_id, token), CLOSE)

    def acquire(
        self,
        *,
        timeout: float | None = None,
        label: str | None = None,
        slots: int = 1,
        priority: int = 0,
        max_lease: float | None = None,
        on_reclaim: Callable[[float], None] | None = None,
    ) -> Acquisition:
        """A slot of this tenant; see FairShareSemaphore.acquire."""
        return Acquisition(
            self._semaphore, self._tenant_id, timeout, Wanted(label, slots, priority, max_lease), on_reclaim
        )


class Acquisition:
    """A lease for one `async with` block."""

    def __init__(
        self,
        semaphore: FairShareSemaphore,
        tenant_id: str | None,
        timeout: float | None,
        wanted: Wanted,
        tell_reclaim: Callable[[float], None] | None,
    ) -> None:
        self._semaphore = semaphore
        self._tenant_id = tenant_id
        self._timeout = timeout
        self._wanted = wanted
        self._tell_reclaim = tell_reclaim
        self._holding: Holding | None = None
        self._inside = False  # the block: a loss cancels it
        self._left = False
        self._cancelled = False  # by us

    async def __aenter__(self) -> Lease:
        if self._holding is not None:
            raise RuntimeError("One acquire() is one slot for one block: call acquire() again for another.")
        semaphore = self._semaphore
        tenant = semaphore._tenant_of(self._tenant_id)
        deadline = deadline_of(self._timeout)
        try:
            await semaphore._ready(deadline)
        except UnavailableError as error:
            raise NoSlotError(f"No slot in time: {error}") from error
        task = asyncio.current_task()
        assert task is not None, "a slot is acquired in a task"
        self._loop = asyncio.get_running_loop()
        self._engine = engine()
        acquire = Acquire(
            self._engine, semaphore._target, tenant,
            ttl=semaphore._ttl, wanted=self._wanted, deadline=deadline, owner=semaphore,
            on_lost=self._on_lost, on_reclaim=self._on_reclaim,
        )  # fmt: skip
        try:
            holding = await asyncio.wrap_future(acquire.granted)
        except BaseException:
            acquire.start_abandon()
            raise
        self._holding, lease = holding, holding.lease
        if lease.lost:
            raise LeaseLostError(lease.id, lease.lost)
        self._inside = True
        self._others = _Others(task)
        return lease

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._holding is not None
        self._inside = False
        self._left = True
        lease, holding, at = self._holding.lease, self._holding, self._engine
        cancelled_by_others = self._cancelled and self._others.cancelled(error)
        reason = lease.lost
        if reason is None and at.here:
            reason = await _within(at.start(lambda: at.release(holding), gives=True), CLOSE)
        if reason is None or cancelled_by_others:
            return
        ours = self._cancelled and isinstance(error, asyncio.CancelledError)
        if error is None or ours:
            raise LeaseLostError(lease.id, reason) from error

    def _on_lost(self, reason: str) -> None:
        self._in_loop(self._cancel)

    def _on_reclaim(self, by_seconds: float) -> None:
        self._in_loop(self._reclaim, by_seconds)

    def _in_loop(self, function: Callable[..., None], *arguments: object) -> None:
        try:
            self._loop.call_soon_threadsafe(function, *arguments)
        except RuntimeError:
            pass  # the loop is closed, and the block with it

    def _reclaim(self, by_seconds: float) -> None:
        if not self._left and self._tell_reclaim is not None:
            self._tell_reclaim(by_seconds)

    def _cancel(self) -> None:
        if self._inside and not self._cancelled:
            self._cancelled = True
            self._others.cancel()


class _MarkedOthers:
    """Cancels a task, and tells whether it was others whose cancellation arrived: by a mark in ours. For Python 3.10."""

    def __init__(self, task: asyncio.Task[object]) -> None:
        self._task = task
        self._mark = f"fairshare: lease lost ({id(self):x})"

    def cancel(self) -> None:
        self._task.cancel(self._mark)

    def cancelled(self, error: BaseException | None) -> bool:
        return isinstance(error, asyncio.CancelledError) and self._mark not in error.args


if sys.version_info >= (3, 11):

    class _CountedOthers:
        """Cancels a task, and tells whether others did, too: by the count that Python keeps since 3.11."""

        def __init__(self, task: asyncio.Task[object]) -> None:
            self._task = task
            self._before = task.cancelling()

        def cancel(self) -> None:
            self._task.cancel()

        def cancelled(self, error: BaseException | None) -> bool:
            return self._task.uncancel() > self._before

    _Others = _CountedOthers
else:
    _Others = _MarkedOthers
