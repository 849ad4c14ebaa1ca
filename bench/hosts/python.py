"""Compares kvlight for Python with cachetools, aiodataloader and async_lru: prints work, library and CPU nanoseconds for each key."""

from __future__ import annotations

import asyncio
import os
import random
import statistics
import time
from collections.abc import Awaitable, Callable
from typing import Any

import aiodataloader
import async_lru
import cachetools
import kvlight

KEYS, ROUNDS, ABSENT = int(os.environ.get("KVL_BENCH_KEYS", 100_000)), 5, 1_000
NAMES = [f"key {i}" for i in range(KEYS)]
ORDER = NAMES.copy()
random.Random(1).shuffle(ORDER)
HOT = ORDER[:1000]


async def provider(keys: list[str]) -> list[str]:
    return [f"row of {key}" for key in keys]


async def main() -> None:
    cache: kvlight.Cache[str, str] = kvlight.Cache(capacity=2 * KEYS, ttl_ms=3_600_000)
    ttl: Any = cachetools.TTLCache(2 * KEYS, 3600)
    for name in NAMES:
        cache[name] = ttl[name] = name

    @async_lru.alru_cache(maxsize=2 * KEYS)
    async def loaded(key: str) -> str:
        return key

    figures: dict[tuple[str, str], list[float]] = {}

    async def measured(work: str, library: str, keys: int, call: Callable[[], Awaitable[object]]) -> None:
        begun = time.process_time_ns()
        await call()
        figures.setdefault((work, library), []).append((time.process_time_ns() - begun) / keys)

    async def gets(of: Any) -> None:
        get = of.get
        for name in ORDER:
            get(name)

    async def hot_gets(of: Any) -> None:
        get = of.get
        for _ in range(KEYS // len(HOT)):
            for name in HOT:
                get(name)

    async def hot_awaits(of: Callable[[str], Awaitable[Any]]) -> None:
        for _ in range(KEYS // len(HOT)):
            for name in HOT:
                await of(name)

    async def awaits(of: Callable[[str], Awaitable[Any]]) -> None:
        for name in ORDER:
            await of(name)

    async with kvlight.Tasks[str, str](provider=provider, cache_capacity=2 * KEYS, batch_max_keys=64, tasks_max_running=16) as tasks:
        resident: Any = aiodataloader.DataLoader(provider, max_batch_size=64, cache_map=cachetools.LRUCache(2 * KEYS))
        for start in range(0, KEYS, 1000):
            await tasks.fetch_all(NAMES[start:start + 1000])
            await resident.load_many(NAMES[start:start + 1000])
        await awaits(loaded)
        for turn in range(ROUNDS):
            await measured("resident get", "kvlight", KEYS, lambda: gets(cache))
            await measured("resident get", "cachetools TTLCache", KEYS, lambda: gets(ttl))
            await measured("get, of 1,000 keys", "kvlight", KEYS, lambda: hot_gets(cache))
            await measured("get, of 1,000 keys", "cachetools TTLCache", KEYS, lambda: hot_gets(ttl))
            await measured("fetch, of 1,000 keys", "kvlight", KEYS, lambda: hot_awaits(tasks.fetch))
            await measured("fetch, of 1,000 keys", "async_lru", KEYS, lambda: hot_awaits(loaded))
            await measured("resident fetch", "kvlight", KEYS, lambda: awaits(tasks.fetch))
            await measured("resident fetch", "aiodataloader + cachetools", KEYS, lambda: awaits(resident.load))
            await measured("resident fetch", "async_lru", KEYS, lambda: awaits(loaded))
            absent = [[f"absent {turn} {batch} {i}" for i in range(ABSENT)] for batch in range(20)]
            fresh: Any = aiodataloader.DataLoader(provider, max_batch_size=64, cache_map=cachetools.LRUCache(2 * KEYS))

            async def loads(many: Callable[[list[str]], Awaitable[Any]]) -> None:
                for keys in absent:
                    await many(keys)

            await measured("1,000 absent keys, 64 a request", "kvlight", 20 * ABSENT, lambda: loads(tasks.fetch_all))
            await measured("1,000 absent keys, 64 a request", "aiodataloader + cachetools", 20 * ABSENT, lambda: loads(fresh.load_many))
    for (work, library), costs in figures.items():
        print(f"{work}\t{library}\t{statistics.median(costs):.0f}")


asyncio.run(main())
