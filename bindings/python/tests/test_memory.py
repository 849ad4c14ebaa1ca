"""Repeating any operation does not increase memory."""

from __future__ import annotations

import asyncio
import gc
import os
import pickle
import tempfile
from collections.abc import Awaitable, Callable
from typing import Any

import kvlight
import pytest
from own_process import echo, in_own_process, memory

# How often an operation is repeated; tests/package.sh sets a million.
CALLS = int(os.environ.get("KVL_CALLS", "200000"))
ALLOWED = 2 << 20  # growth in bytes that an allocator may cause by itself


async def _check_flat(what: str, work: Callable[[int], Awaitable[None]]) -> None:
    await work(min(CALLS, 200_000))  # fills everything that is bounded
    growth = ALLOWED + 1
    for _ in range(4):  # a leak takes memory in every round, an allocator only in some
        if growth <= ALLOWED:
            break
        gc.collect()
        before = memory()
        await work(CALLS)
        gc.collect()
        growth = memory() - before
    assert growth <= ALLOWED, f"{what}: {growth / CALLS:.1f} bytes a call"


async def _fail(keys: list[int]) -> list[int]:
    raise ValueError("x" * 100)


@in_own_process
def l08_memory_is_flat_over_gets_loads_options_and_failures() -> None:
    async def main() -> None:
        async with kvlight.Tasks[int, Any](provider=echo, cache_capacity=1000) as tasks, kvlight.Tasks[int, int](provider=_fail) as failing:

            async def gets(n: int) -> None:
                for i in range(n):
                    tasks.get(i % 2000)

            async def puts(n: int) -> None:
                for i in range(n):
                    tasks.put(i % 2000, [i])
                    if i % 100 == 0:
                        await asyncio.sleep(0)  # lets the loop release dropped values

            async def options(n: int) -> None:  # options with different deadlines must not be kept
                await tasks.fetch(1)
                for i in range(n):
                    await tasks.fetch(1, timeout_ms=1000 + i)

            async def batches(n: int) -> None:
                for i in range(0, n, 100):
                    await tasks.fetch_all(range(i, i + 100))

            async def loads(n: int) -> None:
                for i in range(0, n, 100):
                    await asyncio.gather(*map(tasks.fetch, range(i, i + 100)))

            async def failures(n: int) -> None:
                for i in range(0, n, 100):
                    await asyncio.gather(*map(failing.fetch, range(i, i + 100)), return_exceptions=True)

            async def cancels(n: int) -> None:
                for i in range(0, n, 100):
                    fetches = [asyncio.create_task(failing.fetch(j)) for j in range(100)]
                    await asyncio.sleep(0)
                    for fetch in fetches:
                        fetch.cancel()
                    await asyncio.gather(*fetches, return_exceptions=True)

            for work in (gets, puts, options, batches, loads, failures, cancels):
                await _check_flat(work.__name__, work)

    asyncio.run(main())


@in_own_process
def l08_memory_is_flat_over_writes_results_breakers_and_entries() -> None:
    async def main() -> None:
        async with kvlight.Tasks[int, Any](provider=echo, cache_capacity=1000) as tasks, kvlight.Tasks[int, int](provider=_fail) as failing:

            async def writes(n: int) -> None:
                for i in range(n // 4):
                    tasks.put(i % 100, i)
                    tasks.put(i % 100, i, only_if="present", stale_ttl_ms=5)
                    tasks.touch(i % 100)
                    tasks.expire(i % 100)
                    if i % 100 == 0:
                        await asyncio.sleep(0)

            async def results(n: int) -> None:
                for i in range(0, n, 100):
                    await tasks.results(range(i, i + 100))
                    await failing.results(range(i, i + 100))

            async def breakers(n: int) -> None:
                for _ in range(n // 10):
                    failing.force_breaker("open")
                    assert failing.breaker == "open"
                failing.force_breaker(None)

            async def entries(n: int) -> None:
                for _ in range(0, n, 1000):
                    for _ in tasks.items():
                        pass
                    next(iter(tasks))  # an iterator that is not exhausted

            for work in (writes, results, breakers, entries):
                await _check_flat(work.__name__, work)

    asyncio.run(main())


@in_own_process
def l08_memory_is_flat_over_engines_and_waits_without_a_loop() -> None:
    # `with` gives each engine a thread of its own; the loop here only runs _check_flat.
    async def main() -> None:
        async def engines(n: int) -> None:
            for _ in range(n // 100):
                with kvlight.Tasks[int, int](provider=lambda keys: keys) as tasks:
                    tasks.fetch_wait(1)

        async def waits(n: int) -> None:
            with kvlight.Tasks[int, int](provider=lambda keys: keys, cache_capacity=100) as tasks:
                for i in range(n // 10):
                    tasks.fetch_wait(i)

        async def caches(n: int) -> None:
            for _ in range(n // 10):
                cache: kvlight.Cache[int, Any] = kvlight.Cache(capacity=10)
                cache.put(1, object())

        async def files(n: int) -> None:
            with tempfile.TemporaryDirectory() as folder:
                cache: kvlight.Cache[int, Any] = kvlight.Cache(capacity=1000)
                for i in range(1000):
                    cache[i] = [i]
                for _ in range(0, n, 2000):
                    cache.save(f"{folder}/cache", dump=pickle.dumps)
                    other: kvlight.Cache[int, Any] = kvlight.Cache(capacity=1000)
                    assert other.load(f"{folder}/cache", load=pickle.loads) == 1000
                    with pytest.raises(kvlight.FileFailed):
                        cache.load(f"{folder}/missing")

        for work in (engines, waits, caches, files):
            await _check_flat(work.__name__, work)

    asyncio.run(main())
