# SPDX-License-Identifier: MIT
"""What both semaphores have in common: how they are set, and how that is held against the server's pool."""

from __future__ import annotations

import ast
import inspect
import os
import textwrap
import warnings
import weakref
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, urlsplit

from ._context import get_tenant_id
from ._engine import Engine, Target, engine
from ._errors import FairShareError, PoolMismatchWarning, TenantNotRegisteredError
from ._heart import clock

ShareCalculator = Callable[[int, int], int]

_semaphores: weakref.WeakSet[Settings] = weakref.WeakSet()


class Settings:
    """A pool of a server, and what the program says about it."""

    def __init__(
        self,
        max_slots: int | None = None,
        *,
        min_share: int = 1,
        share_calculator: str | ShareCalculator | None = None,
        url: str | None = None,
        pool: str | None = None,
        ttl: float = 30,
        create: bool = False,
    ) -> None:
        if max_slots is not None and max_slots < 1:
            raise ValueError(f"max_slots is {max_slots}: it must be at least 1.")
        if min_share < 1:
            raise ValueError(f"min_share is {min_share}: it must be at least 1.")
        if create and max_slots is None:
            raise ValueError("create=True makes the pool with max_slots: name that, too.")
        if share_calculator is not None and not isinstance(share_calculator, str):
            raise TypeError(
                "A Python function cannot travel to the server that shares the slots. Give the rule as a Lua expression of"
                " max_slots and num_demanding_tenants: to the server (--share-calculator, or share_calculator in the pool's"
                f" section of its configuration), or as a str here with create=True{_suggestion(share_calculator)}."
            )
        url = _checked_url(url or os.environ.get("FAIRSHARE_URL") or "http://127.0.0.1:8080")
        pool = pool or os.environ.get("FAIRSHARE_POOL") or "default"
        self._target: Target = (url, os.environ.get("FAIRSHARE_TOKEN") or None, pool)
        self._named_max_slots = max_slots
        self._min_share = min_share
        self._share_calculator = share_calculator
        self._ttl = ttl
        self._create = create
        self._pool_max_slots: int | None = None  # as the server says
        self._compare_with_others()
        _semaphores.add(self)

    @property
    def max_slots(self) -> int:
        """The slots of the pool: what the server said, until then what the constructor was told.

        Where it was told nothing, the first look asks the server and waits for its answer.
        """
        known = self._pool_max_slots or self._named_max_slots
        if known is None:
            at = engine()
            known = self._pool_max_slots = int(at.start_look(lambda: self._get_pool(at)).result()["max_slots"])
        return known

    def _compare_with_others(self) -> None:
        for other in _semaphores:
            slots = other._named_max_slots
            if other._target == self._target and None not in (slots, self._named_max_slots) and slots != self._named_max_slots:
                raise ValueError(
                    f"This process has a semaphore on pool {self._target[2]} of {self._target[0]} with max_slots {slots}, and"
                    f" this one says {self._named_max_slots}. Semaphores that share nothing need a pool each: pool=NAME."
                )

    def _tenant_of(self, tenant_id: str | None) -> str:
        tenant = tenant_id or get_tenant_id() or os.environ.get("FAIRSHARE_TENANT")
        if not tenant:
            raise TenantNotRegisteredError(
                "No tenant is named: pass tenant_id, use semaphore.tenant(id) or tenant_context(id), or set FAIRSHARE_TENANT."
            )
        return tenant

    @property
    def _path(self) -> str:
        return f"/pools/{quote(self._target[2], safe='')}"

    @property
    def _to_check(self) -> bool:
        """Whether something was said about the pool and not yet compared."""
        said = self._named_max_slots is not None or self._min_share != 1 or self._share_calculator is not None
        return said and self._pool_max_slots is None

    async def _get_pool(self, at: Engine) -> dict[str, Any]:
        url, token, _ = self._target
        return await at.get(at.server(url, token), self._path)

    async def _check(self, at: Engine, until: float = float("inf")) -> dict[str, Any]:
        """The pool, made where it is not there and that was asked for. Runs on the engine's thread."""
        url, token, _ = self._target
        server = at.server(url, token)
        answer = await at.ask(server, "GET", self._path, until=until)
        if answer.code == "pool-not-found" and self._create:
            body: dict[str, Any] = {"max_slots": self._named_max_slots, "min_share": self._min_share}
            if self._share_calculator is not None:
                body["share_calculator"] = self._share_calculator
            answer = await at.ask(server, "PUT", self._path, body=body, until=until)
            if answer.status not in (200, 201):
                raise FairShareError(
                    f"The server does not make pool {self._target[2]}: {answer.detail}", code=answer.code, status=answer.status
                )
        return at.body_of(server, answer)

    def _compare(self, pool: dict[str, Any]) -> None:
        """Warns where the pool is set otherwise than the program says."""
        self._pool_max_slots = int(pool["max_slots"])
        said: list[tuple[str, object]] = []
        if self._named_max_slots is not None:
            said.append(("max_slots", self._named_max_slots))
        if self._min_share != 1:
            said.append(("min_share", self._min_share))
        if self._share_calculator is not None:
            said.append(("share_calculator", self._share_calculator))
        for name, value in said:
            if pool.get(name) != value:
                warnings.warn(
                    f"{name} of pool {self._target[2]} is {pool.get(name)!r} and not {value!r}: the server's setting counts."
                    " Change it there, or what this program says.",
                    PoolMismatchWarning,
                    stacklevel=4,
                )


def until(deadline: float | None) -> float:
    """A deadline as the engine has it."""
    return float("inf") if deadline is None else deadline


def deadline_of(timeout: float | None) -> float | None:
    """The moment at which a time-out has passed."""
    if timeout is not None and timeout < 0:
        raise ValueError(f"timeout is {timeout}: it must be 0 or more, or None to wait for ever.")
    return None if timeout is None else clock() + timeout


def _checked_url(url: str) -> str:
    if url.startswith("unix:") and len(url) > len("unix:"):
        return url
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        good = False
    if not good or parts.username is not None or parts.query or parts.fragment:
        raise ValueError(
            f"{url!r} is no URL of a server: write http://HOST:PORT, https://HOST:PORT or unix:/PATH, and a token in FAIRSHARE_TOKEN."
        )
    return url.rstrip("/")


_SAME_IN_LUA = (
    ast.Expression, ast.BinOp, ast.UnaryOp, ast.Name, ast.Load, ast.Constant, ast.Call,
    ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.USub,
)  # fmt: skip


def _suggestion(function: ShareCalculator) -> str:
    """The text of a lambda that means the same in Lua, to be shown; nothing for any other function."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)).strip().rstrip(","))
    except (OSError, TypeError, SyntaxError):
        return ""
    found = [node for node in ast.walk(tree) if isinstance(node, ast.Lambda)]
    if len(found) != 1 or len(found[0].args.args) != 2:
        return ""
    names = {found[0].args.args[0].arg: "max_slots", found[0].args.args[1].arg: "num_demanding_tenants"}
    names |= {name: name for name in ("max", "min", "abs")}
    for node in ast.walk(found[0].body):
        if not isinstance(node, _SAME_IN_LUA) or (isinstance(node, ast.Constant) and type(node.value) not in (int, float)):
            return ""
        if isinstance(node, ast.Name):
            if node.id not in names:
                return ""
            node.id = names[node.id]
    return f", for instance {ast.unparse(found[0].body)!r}"
