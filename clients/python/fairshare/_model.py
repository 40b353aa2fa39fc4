# SPDX-License-Identifier: MIT
"""What the server tells: leases and statistics, with the names of openapi.yaml."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any


@dataclass
class TenantStats:
    """How one tenant goes."""

    tenant_id: str
    active_slots: int
    share: int
    waiting: int


@dataclass
class SemaphoreStats:
    """How a pool goes."""

    max_slots: int
    active_tenants: int
    demanding_tenants: int
    total_active_slots: int
    available_slots: int
    tenants: dict[str, TenantStats] = field(default_factory=dict)

    @classmethod
    def from_json(cls, stats: dict[str, Any]) -> SemaphoreStats:
        """Makes them of the body of GET /stats."""
        tenants = {
            name: TenantStats(name, tenant["active_slots"], tenant["share"], tenant["waiting"])
            for name, tenant in stats["tenants"].items()
        }
        return cls(
            stats["max_slots"],
            stats["active_tenants"],
            stats["demanding_tenants"],
            stats["total_active_slots"],
            stats["available_slots"],
            tenants,
        )


@dataclass(frozen=True)
class Reclaim:
    """The server's wish to have a lease back within so many seconds; nothing is taken by force."""

    by_seconds: float


@dataclass(eq=False)
class Lease:
    """Slots that are held, one unless more were asked for. `slot_ids` says which, `slot_urls` where they are if the pool has
    addresses; `fencing_token` grows with every grant of the server.
    """

    id: str
    tenant_id: str
    pool: str
    slot_ids: list[int]
    fencing_token: int
    slots: int
    ttl_seconds: float
    heartbeat_seconds: float
    expires_in_seconds: float
    acquired_at: str
    expires_at: str
    waited_seconds: float
    label: str
    priority: int = 0
    slot_urls: list[str] | None = None
    lost: str | None = field(default=None, init=False)  # why it was lost, None while it is held
    reclaim: Reclaim | None = field(default=None, init=False)  # as the last heartbeat was told, None: it is not asked back

    @classmethod
    def from_json(cls, lease: Any) -> Lease | None:
        """Makes it of an active lease, without the members that a newer server adds; None of what is no lease."""
        try:
            return cls(**{one.name: lease[one.name] for one in fields(cls) if one.init and one.name in lease})
        except TypeError:
            return None
