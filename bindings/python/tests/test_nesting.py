"""Providers that wait for other keys: such a wait ends, or is refused if it never could."""

from __future__ import annotations

import asyncio
import functools
import threading
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import kvlight
import pytest
from own_process import in_own_process

NEVER = "could never end"


def on_a_loop(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(asyncio.wait_for(main(), 60))


def in_threads(calls: list[Callable[[], Any]]) -> list[Any]:
    """What the calls return or raise, each on a thread of its own."""
    outcomes: list[Any] = [None] * len(calls)

    def run(i: int) -> None:
        try:
            outcomes[i] = calls[i]()
        except Exception as error:
            outcomes[i] = error

    threads = [threading.Thread(target=run, args=(i,), daemon=True) for i in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    return outcomes


@in_own_process
def f21_waits_of_coroutines_that_could_never_end_are_refused() -> None:
    tasks: kvlight.Tasks[int, Any] = kvlight.Tasks(provider=lambda keys: keys)
    tasks.close_wait()

    async def own(keys: list[int]) -> dict[int, Any]:
        return {key: await tasks.fetch(key) for key in keys}

    async def own_of_all(keys: list[int]) -> Any:
        return await tasks.fetch_all(keys)

    async def own_of_each(keys: list[int]) -> list[Any]:
        return [value async for _, value in tasks.fetch_each(keys)]

    async def own_in_a_task(keys: list[int]) -> list[Any]:
        return list(await asyncio.gather(*(asyncio.to_thread(tasks.fetch_wait, key) for key in keys)))

    async def chain(keys: list[int]) -> dict[int, Any]:
        return {key: 1 + (await tasks.fetch(key - 1) or 0) if key else 0 for key in keys}

    async def main() -> None:
        nonlocal tasks
        provider: Any
        for provider in (own, own_of_all, own_of_each, own_in_a_task):
            async with kvlight.Tasks[int, Any](provider=provider) as tasks:
                with pytest.raises(RuntimeError, match="loading itself"):
                    await tasks.fetch(1)
        async with kvlight.Tasks[int, Any](provider=chain) as tasks:
            assert await tasks.fetch(3) == 3
            with pytest.raises(RuntimeError, match="all 4 of the engine's provider calls"):
                await tasks.fetch(8)
            assert await tasks.fetch(6) == 6  # those above a stored key

    on_a_loop(main)


@in_own_process
def f21_a_refused_wait_of_a_decorated_coroutine_leaves_room_for_all_others() -> None:
    boss = {1: 11, 2: 12, 3: 13, 4: 14}

    @kvlight.cached
    async def user(i: int) -> Any:
        await asyncio.sleep(0.01)
        return i, await user(boss[i]) if i in boss else None

    @kvlight.cached
    async def fib(n: int) -> int:
        return n if n < 2 else await fib(n - 1) + await fib(n - 2)

    async def main() -> None:
        for _ in range(10):
            outcomes = await asyncio.gather(*map(user, boss), return_exceptions=True)
            refused = [outcome for outcome in outcomes if isinstance(outcome, RuntimeError)]
            assert len(refused) <= 1 and all(NEVER in str(error) for error in refused)
            assert await user(99) == (99, None) and [outcome for outcome in outcomes if outcome not in refused] == [
                (i, (boss[i], None)) for i, outcome in zip(boss, outcomes) if outcome not in refused]
            user.cache_clear()  # type: ignore[attr-defined]
        with pytest.raises(RuntimeError, match=NEVER):
            await fib(10)
        assert await fib(3) == 2

    on_a_loop(main)


@in_own_process
def f21_waits_for_each_other_of_two_engines_are_refused() -> None:
    @kvlight.cached
    def even(n: int) -> bool:
        return True if n == 0 else odd(n - 1)

    @kvlight.cached
    def odd(n: int) -> bool:
        return False if n == 0 else even(n - 1)

    assert in_threads([lambda: even(7)]) == [False]  # the eighth call is the fourth of its function
    even.cache_clear(), odd.cache_clear()  # type: ignore[attr-defined]
    for n in (8, 20):
        assert NEVER in str(in_threads([functools.partial(even, n)])[0])
    assert in_threads([lambda: even(4)]) == [True]
    # Two calls that wait for each other's key, with slots to spare.
    together = threading.Barrier(2)

    def provider(keys: list[int]) -> list[Any]:
        together.wait()
        return [tasks.fetch_wait(-key) for key in keys]

    with kvlight.Tasks[int, Any](provider=provider, batch_max_keys=1) as tasks:
        outcomes = in_threads([lambda: tasks.fetch_wait(1), lambda: tasks.fetch_wait(-1)])
        assert all("waits for this one" in str(outcome) for outcome in outcomes)
    # One thread for the providers of two engines.
    with ThreadPoolExecutor(1) as executor:
        with kvlight.Tasks[int, int](provider=lambda keys: keys, executor=executor) as inner:
            with kvlight.Tasks[int, Any](provider=lambda keys: [inner.fetch_wait(key) for key in keys], executor=executor) as outer:
                assert NEVER in str(in_threads([lambda: outer.fetch_wait(1)])[0])


@in_own_process
def f21_a_wait_is_not_refused_because_others_are_about_to_end() -> None:
    def provider(keys: list[int]) -> list[Any]:
        key = keys[0]
        if key % 2:
            answer.wait()
        return [key if key % 2 else tasks.fetch_wait(key + 1)]

    with kvlight.Tasks[int, Any](provider=provider, batch_max_keys=1, tasks_max_running=2) as tasks:
        for key in range(0, 1200, 4):
            answer = threading.Event()
            outcomes: list[Any] = []
            calls = [threading.Thread(target=lambda k=k: outcomes.extend(tasks.fetch_all_wait([k], return_exceptions=True))) for k in (key, key + 2)]
            calls[0].start()
            while tasks.stats()["now"]["running"] < 2:
                time.sleep(0.0005)
            calls[1].start()
            while not tasks.stats()["now"]["queued"]:
                time.sleep(0.0005)
            # The second call begins as soon as the answer has been given, for which the first one may still seem to wait.
            answer.set()
            for call in calls:
                call.join()
            assert sorted(map(str, outcomes)) == sorted([str(key + 1), str(key + 3)]), outcomes


@in_own_process
def f21_a_drain_inside_the_provider_is_refused() -> None:
    tasks: kvlight.Tasks[int, Any] = kvlight.Tasks(provider=lambda keys: keys)
    tasks.close_wait()

    def plain(keys: list[int]) -> list[Any]:
        tasks.close_wait(drain_ms=-1)
        return keys

    async def coroutine(keys: list[int]) -> list[Any]:
        await tasks.close(drain_ms=-1)
        return keys

    async def main() -> None:
        nonlocal tasks
        provider: Any
        for provider in (plain, coroutine):
            async with kvlight.Tasks[int, Any](provider=provider) as tasks:
                with pytest.raises(RuntimeError, match="with drain_ms=-1 it waits for the provider"):
                    await tasks.fetch(1)
                assert not tasks.is_closed

    with kvlight.Tasks[int, Any](provider=plain) as tasks:
        assert "with drain_ms=-1 it waits for the provider" in str(in_threads([lambda: tasks.fetch_wait(1)])[0])
    on_a_loop(main)


def f21_the_room_of_an_adaptive_limit_is_its_current_one() -> None:
    def chain(keys: list[int]) -> list[int]:
        return [tasks.fetch_wait(key - 1) or 0 if key else 0 for key in keys]

    with kvlight.Tasks[int, int](provider=chain, tasks_limit="adaptive", tasks_min_running=1) as tasks:
        assert NEVER in str(in_threads([lambda: tasks.fetch_wait(2)])[0])
