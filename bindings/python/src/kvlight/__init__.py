"""kvlight: a loading cache that fetches each key once, in batches, however many callers ask for it.

    import asyncio, kvlight

    async def fetch_rows(ids):                        # called with the ids that the cache lacks
        return {i: f"row {i}" for i in ids}           # what is left out is known to be absent: None

    async def main():
        async with kvlight.Tasks(provider=fetch_rows, cache_ttl_ms=60_000) as rows:
            print(await rows.fetch(7))
            print(await rows.fetch_all([1, 2, 1]))    # one call of fetch_rows, with [1, 2]

    asyncio.run(main())

Without an event loop: `with kvlight.Tasks(provider=...) as rows: rows.fetch_wait(7)`, the decorator `kvlight.cached`, and a cache
without a provider, `kvlight.Cache`.
"""

from ._answer import Answer, NotModified, Result, Stale
from ._cache import Cache
from ._cached import cached
from ._errors import (
    Cancelled,
    Closed,
    Damaged,
    Error,
    FileFailed,
    Forked,
    Gone,
    Miss,
    Permanent,
    ProviderFailed,
    QueueFull,
    RetryAfter,
    Timeout,
    Unanswered,
    Unavailable,
    Wrong,
)
from ._api import Source, Status
from ._native import VERSION as __version__
from ._native import Clock
from ._tasks import Tasks
from ._tier import Entry, Hit, Leased, SecondTier, Vacant

__all__ = ["Answer", "Cache", "Cancelled", "Clock", "Closed", "Damaged", "Entry", "Error", "FileFailed", "Forked", "Gone", "Hit", "Leased", "Miss",
           "NotModified", "Permanent", "ProviderFailed", "QueueFull", "Result", "RetryAfter", "SecondTier", "Source", "Stale", "Status", "Tasks",
           "Timeout", "Unanswered", "Unavailable", "Vacant", "Wrong", "cached"]
