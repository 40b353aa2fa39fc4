# SPDX-License-Identifier: MIT
"""Slots shared fairly among tenants, by a fairshared server: the surface of aio-fairshare, for many processes.

    semaphore = FairShareSemaphore(url="http://127.0.0.1:8080")
    async with semaphore.tenant("alice"):
        async with semaphore.acquire() as lease:
            ...

fairshare.sync is the twin for programs without asyncio.
"""

from ._aio import Acquisition, FairShareSemaphore, TenantContext
from ._context import get_tenant_id, set_tenant_id, tenant_context
from ._errors import (
    FairShareError,
    LeaseLostError,
    NoSlotError,
    PoolMismatchWarning,
    TenantHasActiveSlotsError,
    TenantNotRegisteredError,
    UnavailableError,
)
from ._model import Lease, Reclaim, SemaphoreStats, TenantStats
from ._version import __version__

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
    "__version__",
    "get_tenant_id",
    "set_tenant_id",
    "tenant_context",
]
