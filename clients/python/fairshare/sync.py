# SPDX-License-Identifier: MIT
"""The twin of fairshare for programs without asyncio: the same names, `with` in place of `async with`."""

from __future__ import annotations

import concurrent.futures
import threading
from collections.abc import Callable
from types import TracebackType
from typing import TypeVar
from urllib.parse import urlencode

from ._context import get_tenant_id, set_tenant_id, tenant_context
from ._engine import CLOSE, Acquire, Engine, Wanted, engine
from ._errors import (
    FairShareError,
    LeaseLostError,
    NoSlotError,
    PoolMismatchWarning,
    TenantHasActiveSlotsError,
    TenantNotRegisteredError,
    UnavailableError,
)
from ._heart import Holding
from ._model import Lease, Reclaim, SemaphoreStats, TenantStats
from ._pool import Settings, deadline_of, until

__all__ = [
    "Acquisition",
    "FairShareError",
    "FairShareSemaphore",
    "Lease",
    "LeaseLostError",
    "NoSlotError",
    "PoolMismatchWarning",
    "Reclaim",
    "SemaphoreStats",
    "TenantContext",
    "TenantHasActiveSlotsError",
    "TenantNotRegisteredError",
    "TenantStats",
    "UnavailableError",
    "get_tenant_id",
    "set_tenant_id",
    "tenant_context",
]

_T = TypeVar("_T")


def _within(future: concurrent.futures.Future[_T], seconds: float) -> _T | None:
    """Waits for what the engine gives back, but holds nobody up for longer; it goes on without us."""
    done, _ = concurrent.futures.wait([future], seconds)
    return future.result() if done else None


class FairShareSemaphore(Settings):
    """Slots of a pool, shared fairly by all that use it; for threads. The arguments are those of fairshare's."""

    def tenant(self, tenant_id: str) -> TenantContext:
        """Registers a tenant for a `with` block, and makes it the tenant of what this thread runs in there."""
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
        on_lost: Callable[[str], None] | None = None,
        on_reclaim: Callable[[float], None] | None = None,
    ) -> Acquisition:
        """A slot for a `with` block, or several at once, which yields the lease; as fairshare's, but that nothing can end
        the block.

        When the lease is lost `lease.lost` says why, on_lost(reason) is called, and leaving the block raises
        LeaseLostError. on_lost and on_reclaim are called in a thread of their own.
        """
        return Acquisition(self, tenant_id, timeout, Wanted(label, slots, priority, max_lease), on_lost, on_reclaim)

    def register_tenant(self, tenant_id: str) -> None:
        """Registers a tenant, until unregister_tenant, close, or the end of the process."""
        self._register(tenant_id, self)

    def unregister_tenant(self, tenant_id: str, force: bool = False) -> None:
        """Takes the registration back; as fairshare's."""
        at = engine()
        at.start(lambda: at.unregister(at.place(self._target, tenant_id), self, force=force), gives=True).result()

    def stats(self) -> SemaphoreStats:
        """How the pool goes, at most 10 000 tenants of it: those with most slots and waiters."""
        self._ready()
        at = engine()
        url, token, pool = self._target
        path = "/stats?" + urlencode({"pool": pool, "limit": 10000})
        return SemaphoreStats.from_json(at.start_look(lambda: at.get(at.server(url, token), path)).result())

    def close(self) -> None:
        """Gives back what is held, waited for and registered through this semaphore, within 2 seconds."""
        at = engine()
        at.start(lambda: at.close(self)).result()

    def __enter__(self) -> FairShareSemaphore:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _ready(self, deadline: float | None = None) -> None:
        if self._to_check:
            at = engine()
            future = at.start_look(lambda: self._check(at, until(deadline)))
            try:
                self._compare(future.result())
            except BaseException:
                future.cancel()
                raise

    def _register(self, tenant_id: str, token: object) -> None:
        self._ready()
        at = engine()
        try:
            at.start(lambda: at.register(at.place(self._target, tenant_id), token, self)).result()
        except FairShareError:
            raise  # refused: there is nothing to take back
        except BaseException:
            self._take_back(at, tenant_id, token)
            raise

    def _take_back(self, at: Engine, tenant_id: str, token: object) -> concurrent.futures.Future[None]:
        return at.start(lambda: at.unregister(at.place(self._target, tenant_id), token), gives=True)


class TenantContext:
    """A registered tenant, for a `with` block. Blocks of one tenant may stand in each other."""

    def __init__(self, semaphore: FairShareSemaphore, tenant_id: str) -> None:
        self._semaphore = semaphore
        self._tenant_id = tenant_id
        self._entered: list[tuple[object, str | None, Engine]] = []

    def __enter__(self) -> TenantContext:
        token = object()
        self._semaphore._register(self._tenant_id, token)
        self._entered.append((token, get_tenant_id(), engine()))
        set_tenant_id(self._tenant_id)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        token, before, at = self._entered.pop()
        set_tenant_id(before)
        if at.here:
            _within(self._semaphore._take_back(at, self._tenant_id, token), CLOSE)

    def acquire(
        self,
        *,
        timeout: float | None = None,
        label: str | None = None,
        slots: int = 1,
        priority: int = 0,
        max_lease: float | None = None,
        on_lost: Callable[[str], None] | None = None,
        on_reclaim: Callable[[float], None] | None = None,
    ) -> Acquisition:
        """A slot of this tenant; see FairShareSemaphore.acquire."""
        wanted = Wanted(label, slots, priority, max_lease)
        return Acquisition(self._semaphore, self._tenant_id, timeout, wanted, on_lost, on_reclaim)


class Acquisition:
    """A lease for one `with` block."""

    def __init__(
        self,
        semaphore: FairShareSemaphore,
        tenant_id: str | None,
        timeout: float | None,
        wanted: Wanted,
        on_lost: Callable[[str], None] | None,
        on_reclaim: Callable[[float], None] | None,
    ) -> None:
        self._semaphore = semaphore
        self._tenant_id = tenant_id
        self._timeout = timeout
        self._wanted = wanted
        self._on_lost = on_lost
        self._on_reclaim = on_reclaim
        self._holding: Holding | None = None

    def __enter__(self) -> Lease:
        if self._holding is not None:
            raise RuntimeError("One acquire() is one slot for one block: call acquire() again for another.")
        semaphore = self._semaphore
        tenant = semaphore._tenant_of(self._tenant_id)
        deadline = deadline_of(self._timeout)
        try:
            semaphore._ready(deadline)
        except UnavailableError as error:
            raise NoSlotError(f"No slot in time: {error}") from error
        self._engine = engine()
        acquire = Acquire(
            self._engine, semaphore._target, tenant,
            ttl=semaphore._ttl, wanted=self._wanted, deadline=deadline, owner=semaphore,
            on_lost=lambda reason: _tell(self._on_lost, reason), on_reclaim=lambda by: _tell(self._on_reclaim, by),
        )  # fmt: skip
        try:
            self._holding = acquire.granted.result()
        except BaseException:
            acquire.start_abandon()
            raise
        return self._holding.lease

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        assert self._holding is not None
        lease, holding, at = self._holding.lease, self._holding, self._engine
        reason = lease.lost
        if reason is None and at.here:
            reason = _within(at.start(lambda: at.release(holding), gives=True), CLOSE)
        if reason is not None and error is None:
            raise LeaseLostError(lease.id, reason)


def _tell(function: Callable[[_T], None] | None, what: _T) -> None:
    """Calls a function of the program's, which may block, in a thread of its own."""
    if function is not None:
        threading.Thread(target=function, args=(what,), name="fairshare tells", daemon=True).start()
