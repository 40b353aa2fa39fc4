# SPDX-License-Identifier: MIT
"""What goes wrong, as exceptions."""

from __future__ import annotations


class FairShareError(RuntimeError):
    """The base of all errors of this package.

    `code` is the problem's code of openapi.yaml where the server said one, `status` its HTTP status.
    """

    def __init__(self, message: str, *, code: str | None = None, status: int | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.status = status


class TenantNotRegisteredError(FairShareError):
    """No tenant was named, or the server does not know it, or it is closing."""


class TenantHasActiveSlotsError(FairShareError):
    """Never raised, as in aio-fairshare: a tenant that holds slots closes when its last lease ends."""


class NoSlotError(FairShareError, TimeoutError):
    """The caller's own time ran out before a slot was free; `reason`, `position` in the tenant's line, and how long it might
    still have taken, as the server told them last.
    """

    def __init__(
        self,
        message: str,
        *,
        reason: str | None = None,
        position: int | None = None,
        estimated_wait_seconds: float | None = None,
    ) -> None:
        super().__init__(message, code="no-slot", status=429)
        self.reason = reason
        self.position = position
        self.estimated_wait_seconds = estimated_wait_seconds


class LeaseLostError(FairShareError):
    """The lease ended while it was in use: its slot may belong to somebody else now."""

    def __init__(self, lease_id: str, reason: str) -> None:
        super().__init__(
            f"Lease {lease_id} was lost ({reason}): its slot may be in use by somebody else, start the work anew.",
            code="lease-lost",
        )
        self.lease_id = lease_id
        self.reason = reason


class UnavailableError(FairShareError):
    """The server was not reached, or could not answer now."""


class PoolMismatchWarning(UserWarning):
    """The pool is set otherwise than this program says; the pool's setting is what counts."""
