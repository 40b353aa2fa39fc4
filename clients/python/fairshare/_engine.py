# SPDX-License-Identifier: MIT
"""The one thread of a process that speaks to servers, for asyncio programs and others alike.

All that must outlive a cancelled task, a blocked or closed event loop, or an exception at any moment runs here: acquires and
their giving up, heartbeats, releases, registrations. Callers hand work over and wait for its future; whether they still
wait when it is done is decided on this thread, so that nothing is granted to nobody.
"""

from __future__ import annotations

import asyncio
import atexit
import concurrent.futures
import logging
import os
import random
import re
import secrets
import socket
import threading
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

from ._errors import FairShareError, NoSlotError, TenantNotRegisteredError, UnavailableError
from ._heart import Heart, Holding, clock
from ._http import Answer, Server, Unreachable
from ._model import Lease

logger = logging.getLogger("fairshare")

POLL = 30.0  # seconds a request waits in line
CLOSE = 2.0  # seconds that giving back may hold its caller up
ANSWER = 10.0  # seconds for an answer that does not wait in line
UNREGISTER = 60.0  # seconds that taking back a registration is tried
RELEASES_MAX = 16  # at a time

_T = TypeVar("_T")


def instance() -> str:
    """host:pid, by the letters that the server allows in names."""
    pid = str(os.getpid())
    return re.sub(r"[^A-Za-z0-9._@-]", "-", socket.gethostname())[: 127 - len(pid)] + ":" + pid


def refused(answer: Answer) -> FairShareError:
    """The exception for an answer that no repetition will mend."""
    kind = TenantNotRegisteredError if answer.code in ("tenant-not-registered", "tenant-closing") else FairShareError
    return kind(answer.detail, code=answer.code, status=answer.status)


def passes(answer: Answer) -> bool:
    """Whether asking again may help. A 404 that is no problem of the server comes from something in between."""
    return answer.status in (429, 500, 502, 503, 504) or (answer.status == 404 and answer.code is None)


class Backoff:
    """Pauses between tries: full jitter, from 0.1 s up to 5 s, and never less than Retry-After. Tells of the first trouble."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._limit = 0.1
        self._told = False

    def pause(self, trouble: Answer | Unreachable) -> float:
        answer = trouble if isinstance(trouble, Answer) else None
        if not self._told:
            self._told = True
            logger.warning("%s: %s; trying again", self._what, answer.detail if answer else trouble)
        drawn = random.uniform(0, self._limit)
        self._limit = min(5.0, 2 * self._limit)
        return max(drawn, answer.retry_after if answer else 0.0)


class Registration:
    """A tenant as this process has it registered: who wants it to be, and the order of requests about it."""

    def __init__(self) -> None:
        self.wanted: dict[object, object] = {}  # each with the semaphore it belongs to
        self.lock = asyncio.Lock()
        self.users = 0  # requests that wait for the lock or have it


Target = tuple[str, "str | None", str]  # URL, token, pool: what a semaphore is set to
Place = tuple[Server, str, str]  # server, pool, tenant


class Engine:
    """See the head of this file. Methods named `start_` are for callers' threads, all others for its own."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self.loop = asyncio.new_event_loop()
        self._servers: dict[tuple[str, str | None], Server] = {}
        self._registrations: dict[Place, Registration] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self.acquires: set[Acquire] = set()
        self.giving: set[asyncio.Task[Any]] = set()  # those of the tasks that give something back
        self._thread = threading.Thread(target=self._run, name="fairshare", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.heart = Heart()
        self._releasing = asyncio.Semaphore(RELEASES_MAX)
        self.spawn(self.heart.beat())
        self.loop.run_forever()
        for task in self._tasks:
            task.cancel()
        self.loop.run_until_complete(asyncio.gather(*self._tasks, return_exceptions=True))
        for server in self._servers.values():
            server.close()
        self.loop.run_until_complete(asyncio.sleep(0))  # sockets close in the loop's next turn
        self.loop.close()

    @property
    def here(self) -> bool:
        """Whether this is the process that has the thread and the leases: no child has, after a fork."""
        return self.pid == os.getpid()

    def start(self, work: Callable[[], Coroutine[Any, Any, _T]], gives: bool = False) -> concurrent.futures.Future[_T]:
        """Begins work that goes on whether or not its caller waits for it; `gives` says that it gives something back."""
        future: concurrent.futures.Future[_T] = concurrent.futures.Future()
        future.set_running_or_notify_cancel()  # from here on a caller that is cancelled does not cancel it

        async def run() -> None:
            try:
                result = await work()
            except BaseException as error:
                future.set_exception(error)
            else:
                future.set_result(result)

        self.call(lambda: self.give(run()) if gives else self.spawn(run()))
        return future

    def start_look(self, work: Callable[[], Coroutine[Any, Any, _T]]) -> concurrent.futures.Future[_T]:
        """Begins work that leaves nothing behind: it ends when its caller no longer waits."""
        return asyncio.run_coroutine_threadsafe(work(), self.loop)

    def call(self, function: Callable[[], object]) -> None:
        """Runs a function on the engine's thread, soon; after its end, never."""
        if self.here and not self.loop.is_closed():
            self.loop.call_soon_threadsafe(function)

    def spawn(self, work: Coroutine[Any, Any, _T]) -> asyncio.Task[_T]:
        task = self.loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def give(self, work: Coroutine[Any, Any, _T]) -> asyncio.Task[_T]:
        task = self.spawn(work)
        self.gives(task)
        return task

    def gives(self, task: asyncio.Task[Any]) -> None:
        self.giving.add(task)
        task.add_done_callback(self.giving.discard)

    def server(self, url: str, token: str | None) -> Server:
        """The server of this URL, the same for all that name it."""
        if (url, token) not in self._servers:
            self._servers[url, token] = Server(url, token)
        return self._servers[url, token]

    def place(self, target: Target, tenant: str) -> Place:
        """Where a tenant stands."""
        url, token, pool = target
        return self.server(url, token), pool, tenant

    # Requests that are repeated

    async def ask(
        self,
        server: Server,
        method: str,
        path: str,
        *,
        body: dict[str, Any] | None = None,
        key: str | None = None,
        until: float = float("inf"),
        wanted: Callable[[], bool] = lambda: True,
    ) -> Answer:
        """Asks until there is an answer that stands, nobody wants it any more, or it is too late: then UnavailableError."""
        backoff = Backoff(f"{method} {path.partition('?')[0]}")
        while True:
            trouble: Answer | Unreachable
            try:
                answer = await server.request(
                    method, path, body=body, key=key, within=max(0.1, min(ANSWER, until - clock()))
                )
                if not passes(answer):
                    return answer
                trouble = answer
            except Unreachable as error:
                trouble = error
            pause = backoff.pause(trouble)
            if not wanted() or clock() + pause >= until:
                detail = trouble.detail if isinstance(trouble, Answer) else str(trouble)
                raise UnavailableError(f"{detail}; the server is out of reach, try again later.")
            await asyncio.sleep(pause)

    async def get(self, server: Server, path: str) -> dict[str, Any]:
        """The body of something that is only looked at, within the time a caller will wait for that."""
        answer = await self.ask(server, "GET", path, until=clock() + 2 * CLOSE)
        return self.body_of(server, answer)

    @staticmethod
    def body_of(server: Server, answer: Answer) -> dict[str, Any]:
        """The object that the server shows, or the exception for what it is instead."""
        if answer.status not in (200, 201):
            raise refused(answer)
        if not isinstance(answer.body, dict):
            raise UnavailableError(f"{server.url} answered no JSON object: is it a fairshared?")
        return answer.body

    # Tenants

    def is_registered(self, place: Place) -> bool:
        """Whether this process wants the tenant registered."""
        registration = self._registrations.get(place)
        return registration is not None and bool(registration.wanted)

    async def post_tenant(self, place: Place, wanted: Callable[[], bool]) -> None:
        server, pool, tenant = place
        body = {"tenant_id": tenant, "pool": pool, "instance": instance()}
        answer = await self.ask(server, "POST", "/tenants", body=body, wanted=wanted)
        if answer.status not in (200, 201):
            raise refused(answer)

    async def register(self, place: Place, token: object, owner: object) -> None:
        """Registers for a token. Taking the token back ends the tries, too."""
        registration = self._registrations.setdefault(place, Registration())
        registration.wanted[token] = owner
        registration.users += 1
        try:
            async with registration.lock:
                if token in registration.wanted:
                    await self.post_tenant(place, lambda: token in registration.wanted)
        except BaseException:
            registration.wanted.pop(token, None)
            raise
        finally:
            self._leave(place, registration)

    async def unregister(self, place: Place, token: object, *, force: bool = False) -> None:
        """Takes a token back, and the registration of this process with the last one; with force, whosever it is."""
        server, pool, tenant = place
        registration = self._registrations.setdefault(place, Registration())
        if force:
            registration.wanted.clear()
        registration.wanted.pop(token, None)
        registration.users += 1
        try:
            async with registration.lock:
                if registration.wanted:
                    return
                query = {"pool": pool, **({"force": "true"} if force else {"instance": instance()})}
                path = f"/tenants/{quote(tenant, safe='')}?{urlencode(query)}"
                answer = await self.ask(server, "DELETE", path, until=clock() + UNREGISTER)
                if answer.status >= 300 and answer.code != "tenant-not-found":
                    raise refused(answer)
        finally:
            self._leave(place, registration)

    def _leave(self, place: Place, registration: Registration) -> None:
        registration.users -= 1
        if registration.users == 0 and not registration.wanted:
            self._registrations.pop(place, None)

    # Leases

    async def release(self, holding: Holding) -> str | None:
        """Gives a slot back; tells why there was nothing to give back, None where there was."""
        if not self.heart.remove(holding):
            return holding.lease.lost
        path = f"/leases/{holding.lease.id}"
        async with self._releasing:
            try:
                answer = await self.ask(holding.server, "DELETE", path, until=max(holding.deadline, clock() + CLOSE))
            except UnavailableError as error:
                logger.warning("Lease %s could not be given back and runs out by itself: %s", holding.lease.id, error)
                return None
        if answer.code == "lease-not-found":
            return "not-found"
        if answer.code == "lease-ended":
            return str(answer.body.get("reason"))
        if answer.status >= 300:
            logger.warning("Lease %s could not be given back and runs out by itself: %s", holding.lease.id, answer.detail)
        return None

    # The end

    async def close(self, owner: object | None) -> None:
        """Gives back what belongs to a semaphore, or all."""
        for acquire in [one for one in self.acquires if owner in (None, one.owner)]:
            acquire.abandon(FairShareError("The semaphore was closed while this waited for a slot.", code="closed"))
        for holding in self.heart.all():
            if owner in (None, holding.owner):
                self.give(self.release(holding))
        for place, registration in self._registrations.items():
            for token, its_owner in registration.wanted.items():
                if owner in (None, its_owner):
                    self.give(self.unregister(place, token))
        if self.giving:
            await asyncio.wait(set(self.giving), timeout=CLOSE)

    def stop(self) -> None:
        """Gives all back and ends the thread, in little more than CLOSE seconds; for the end of the process."""
        if not self.here:
            return
        try:
            self.start(lambda: self.close(None)).result(CLOSE + 0.1)
        except concurrent.futures.TimeoutError:
            logger.warning("The end of the process does not wait for what is to be given back; it runs out by itself.")
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(0.5)


@dataclass(frozen=True)
class Wanted:
    """What is asked for. The server judges it."""

    label: str | None
    slots: int
    priority: int
    max_lease: float | None


class Acquire:
    """One acquire, from its key to its lease. `granted` is the future that its caller waits for."""

    def __init__(
        self,
        engine: Engine,
        target: Target,
        tenant: str,
        *,
        ttl: float,
        wanted: Wanted,
        deadline: float | None,
        owner: object,
        on_lost: Callable[[str], None],
        on_reclaim: Callable[[float], None],
    ) -> None:
        self.owner = owner
        self.granted: concurrent.futures.Future[Holding] = concurrent.futures.Future()
        self.granted.set_running_or_notify_cancel()
        self._engine = engine
        self._target = target
        self._tenant = tenant
        self._ttl = ttl
        self._asked = wanted
        self._deadline = deadline
        self._on_lost = on_lost
        self._on_reclaim = on_reclaim
        self._backoff = Backoff("Waiting for a slot")
        self._last: Answer | Unreachable | None = None
        engine.call(self._begin)

    def start_abandon(self) -> None:
        """Tells, from the caller's thread, that nobody waits for it: whatever it stands for is given up."""
        self._engine.call(self.abandon)

    def abandon(self, error: BaseException | None = None) -> None:
        if not self._abandoned.done():
            self._abandoned.set_result(None)
        if not self.granted.done():
            self.granted.set_exception(error or asyncio.CancelledError())
        elif self.granted.exception() is None:
            self._engine.give(self._engine.release(self.granted.result()))
        self._engine.gives(self._task)

    def _begin(self) -> None:
        self._place = self._engine.place(self._target, self._tenant)
        self._server, self._pool, _ = self._place
        self._abandoned: asyncio.Future[None] = self._engine.loop.create_future()
        self._engine.acquires.add(self)
        self._task = self._engine.spawn(self._run())

    async def _run(self) -> None:
        try:
            await self._wait_in_line()
        except Exception as error:
            if not self.granted.done():
                self.granted.set_exception(error)
        finally:
            self._engine.acquires.discard(self)

    async def _wait_in_line(self) -> None:
        """Asks again and again until there is a lease, a refusal that stands, or nobody who wants it."""
        self._key = secrets.token_urlsafe(16)
        register_again = True
        while True:
            began = clock()
            wait = max(0.0, min(POLL, self._left()))
            post = self._engine.spawn(self._post(wait))
            await self._pause(post, self._left() + CLOSE)
            if not post.done() or self._abandoned.done():
                return await self._give_up(post)
            self._last = answer = post.result()
            if isinstance(answer, Answer):
                lease = Lease.from_json(answer.body) if answer.status == 201 else None
                if lease is not None:
                    return self._grant(lease)
                if answer.code == "tenant-not-registered" and register_again and self._engine.is_registered(self._place):
                    register_again = False
                    await self._engine.post_tenant(self._place, self._wanted)
                    continue
                if answer.code == "lease-ended":
                    # It was granted and ran out before its answer got through: the key is used up.
                    self._key = secrets.token_urlsafe(16)
                elif answer.status != 201 and not passes(answer) and answer.code != "superseded":
                    raise refused(answer)
                if answer.code == "no-slot" and clock() - began >= wait - 0.05:
                    register_again = True
                    if self._left() > 0.01:
                        continue
            pause = self._backoff.pause(answer)
            await self._pause(self._abandoned, min(pause, self._left()))
            if not self._wanted():
                return await self._give_up(post)

    def _left(self) -> float:
        """Seconds until the caller's deadline."""
        return float("inf") if self._deadline is None else self._deadline - clock()

    def _wanted(self) -> bool:
        return not self._abandoned.done() and self._left() > 0.01

    async def _pause(self, what: asyncio.Future[Any], seconds: float) -> None:
        """Waits until something is done, at most so long; ends early when nobody wants the lease any more."""
        timeout = None if seconds == float("inf") else max(0.0, seconds)
        await asyncio.wait({what, self._abandoned}, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)

    async def _post(self, wait: float) -> Answer | Unreachable:
        body = {
            "tenant_id": self._tenant,
            "pool": self._pool,
            "ttl_seconds": self._ttl,
            "wait_seconds": round(wait, 3),
            "label": self._asked.label or instance(),
            "slots": self._asked.slots,
            "priority": self._asked.priority,
            "max_lease_seconds": self._asked.max_lease,
        }
        try:
            return await self._server.request("POST", "/leases", body=body, key=self._key, within=wait + ANSWER)
        except Unreachable as error:
            return error

    def _grant(self, lease: Lease) -> None:
        holding = Holding(self._server, lease, self.owner, self._on_lost, self._on_reclaim)
        self._engine.heart.add(holding)
        self.granted.set_result(holding)

    async def _give_up(self, post: asyncio.Task[Answer | Unreachable]) -> None:
        """Deletes what the key stands for, until nothing of this acquire can be left at the server.

        A DELETE may overtake a POST that is under way. The POST stays attached until it is answered; if that was not by
        the DELETE, another one follows.
        """
        if not self.granted.done():
            self.granted.set_exception(self._no_slot())
        path = "/leases?" + urlencode({"tenant_id": self._tenant, "pool": self._pool})
        until = clock() + max(self._ttl, POLL)
        for _ in range(4):
            answered = post.done()
            await self._engine.ask(self._server, "DELETE", path, key=self._key, until=until)
            if answered:
                return
            await asyncio.wait({post}, timeout=1.0)
            result = post.result() if post.done() else None
            if isinstance(result, Answer) and result.status in (409, 410):
                return
        post.cancel()

    def _no_slot(self) -> NoSlotError:
        last = self._last
        if last is None:
            return NoSlotError(f"No slot in time: {self._server.url} did not answer.")
        if isinstance(last, Unreachable):
            return NoSlotError(f"No slot in time: {last}.")
        body = last.body if isinstance(last.body, dict) else {}
        told = {name: body.get(name) for name in ("reason", "position", "estimated_wait_seconds")}
        return NoSlotError(f"No slot in time: {last.detail}", **told)


_engine: Engine | None = None
_lock = threading.Lock()


def engine() -> Engine:
    """The engine of this process; it starts with the first call."""
    global _engine
    with _lock:
        if _engine is None:
            _engine = Engine()
            atexit.register(_engine.stop)
        return _engine


def _after_fork() -> None:
    """A child has neither the thread nor the leases of its parent."""
    global _engine, _lock
    _engine, _lock = None, threading.Lock()


os.register_at_fork(after_in_child=_after_fork)
