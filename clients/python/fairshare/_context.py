# SPDX-License-Identifier: MIT
"""The tenant of the current context."""

from __future__ import annotations

from contextvars import ContextVar
from types import TracebackType

_tenant_id: ContextVar[str | None] = ContextVar("fairshare_tenant_id", default=None)


def set_tenant_id(tenant_id: str | None) -> None:
    """Set the tenant for what runs in this context from now on."""
    _tenant_id.set(tenant_id)


def get_tenant_id() -> str | None:
    """The tenant of this context, or None."""
    return _tenant_id.get()


class tenant_context:
    """Sets the tenant for a block, with `async with` or `with`, and puts back the one before."""

    def __init__(self, tenant_id: str) -> None:
        self._tenant_id = tenant_id
        self._before: list[str | None] = []

    def __enter__(self) -> None:
        self._before.append(get_tenant_id())
        set_tenant_id(self._tenant_id)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        set_tenant_id(self._before.pop())

    async def __aenter__(self) -> None:
        self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, trace)
