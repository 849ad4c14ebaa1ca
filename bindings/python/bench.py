"""Compares kvlight with aiodataloader and cachetools on the same work: `bench.py [FOLDER]` prints a table, and writes it to
python.md and python.json in FOLDER.

Three kinds of work. Their keys are drawn from 100,000 by Zipf's law with the exponent 0.99; the provider takes a millisecond for each call, and
requests have at most 100 keys:
  resident   one key at a time, everything in memory
  tenth      100 coroutines, one key at a time each, a capacity of a tenth of the keys, LRU eviction
  pages      20 coroutines, 50 keys at a time each, a capacity of a tenth of the keys
By default, both libraries collect keys until the turn of the loop ends. With batch_linger_us=0 kvlight calls its provider at once if a slot is free, and
with 1000 a key waits for others for a millisecond. Rounds are interleaved, and each figure is the median of its rounds.
"""

from __future__ import annotations

import asyncio
import bisect
import functools
import itertools
import json
import os
import platform
import random
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aiodataloader
import cachetools
import kvlight

KEYS = FETCHES = int(os.environ.get("KVL_BENCH_KEYS", 100_000))
ROUNDS = 5


def zipf(n: int, seed: int) -> list[int]:
    draw = random.Random(seed)
    sums = list(itertools.accumulate(1 / rank**0.99 for rank in range(1, KEYS + 1)))
    by_rank = list(range(KEYS))
    draw.shuffle(by_rank)
    return [by_rank[bisect.bisect(sums, draw.random() * sums[-1])] for _ in range(n)]


class Provider:
    def __init__(self) -> None:
        self.calls = self.keys = 0

    async def __call__(self, keys: list[int]) -> list[str]:
        self.calls += 1
        self.keys += len(keys)
        await asyncio.sleep(0.001)
        return [f"row {key}" for key in keys]


One = Callable[[int], Awaitable[Any]]
Many = Callable[[list[int]], Awaitable[list[Any]]]
Work = Callable[[One, Many], Awaitable[None]]


async def with_kvlight(work: Work, warm: bool, capacity: int, **settings: Any) -> tuple[float, float, Provider]:
    provider = Provider()
    async with kvlight.Tasks[int, str](provider=provider, cache_capacity=capacity, batch_max_keys=100, **settings) as tasks:
        return await timed(work, tasks.fetch, tasks.fetch_all, warm, provider)


async def with_aiodataloader(work: Work, warm: bool, capacity: int) -> tuple[float, float, Provider]:
    provider = Provider()
    loader: Any = aiodataloader.DataLoader(provider.__call__, max_batch_size=100, cache_map=cachetools.LRUCache(capacity))
    return await timed(work, loader.load, loader.load_many, warm, provider)


async def timed(work: Work, one: One, many: Many, warm: bool, provider: Provider) -> tuple[float, float, Provider]:
    """Returns the seconds and the CPU seconds that the work takes, and its provider. With `warm`, all keys are loaded before the work begins."""
    if warm:
        for start in range(0, KEYS, 1000):
            await many(list(range(start, start + 1000)))
        provider.calls = provider.keys = 0
    begun, begun_cpu = time.perf_counter(), time.process_time()
    await work(one, many)
    return time.perf_counter() - begun, time.process_time() - begun_cpu, provider


def resident(asked: list[int]) -> Work:
    async def work(one: One, many: Many) -> None:
        for key in asked:
            await one(key)

    return work


def tenth(asked: list[int]) -> Work:
    async def work(one: One, many: Many) -> None:
        async def client(mine: list[int]) -> None:
            for key in mine:
                assert await one(key) == f"row {key}"

        await asyncio.gather(*(client(asked[i::100]) for i in range(100)))

    return work


def pages(asked: list[int]) -> Work:
    async def work(one: One, many: Many) -> None:
        async def client(mine: list[int]) -> None:
            for start in range(0, len(mine), 50):
                rows = await many(mine[start:start + 50])
                assert rows[0] == f"row {mine[start]}"

        await asyncio.gather(*(client(asked[i::20]) for i in range(20)))

    return work


def main() -> None:
    asked = zipf(FETCHES, 1)
    kinds = [("resident", resident(asked), True, 2 * KEYS), ("tenth", tenth(asked), False, KEYS // 10), ("pages", pages(asked), False, KEYS // 10)]
    runners = [("kvlight", with_kvlight), ("kvlight, batch_linger_us=0", functools.partial(with_kvlight, batch_linger_us=0)),
               ("kvlight, batch_linger_us=1000", functools.partial(with_kvlight, batch_linger_us=1000)),
               ("aiodataloader + cachetools", with_aiodataloader)]
    lines = [f"Python {platform.python_version()}, {platform.machine()}, {os.cpu_count()} cores; median of {ROUNDS} rounds of {FETCHES:,} keys", "",
             "| work | with | keys/s | CPU µs a key | provider calls | keys loaded |", "|---|---|---|---|---|---|"]
    figures = []
    for name, work, warm, capacity in kinds:
        seconds: dict[str, list[float]] = {subject: [] for subject, _ in runners}
        cpu: dict[str, list[float]] = {subject: [] for subject, _ in runners}
        loads: dict[str, Provider] = {}
        for _ in range(ROUNDS):
            for subject, run in runners:
                took, used, loads[subject] = asyncio.run(run(work, warm, capacity))
                seconds[subject].append(took)
                cpu[subject].append(used)
        for subject, _ in runners:
            took, used = statistics.median(seconds[subject]), statistics.median(cpu[subject]) / FETCHES * 1e6
            figures.append({"work": name, "with": subject, "keys_per_s": FETCHES / took, "cpu_us_a_key": used,
                            "provider_calls": loads[subject].calls, "keys_loaded": loads[subject].keys})
            lines.append(f"| {name} | {subject} | {FETCHES / took:,.0f} | {used:.2f} | {loads[subject].calls:,} | {loads[subject].keys:,} |")
    print("\n".join(lines))
    if len(sys.argv) > 1:
        folder = Path(sys.argv[1])
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "python.md").write_text("\n".join(lines) + "\n")
        (folder / "python.json").write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
