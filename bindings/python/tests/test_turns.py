"""The keys that one turn of the event loop asks for share requests, unless batch_linger_us says otherwise."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Coroutine
from typing import Any

import kvlight
import pytest


def on_a_loop(test: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    @functools.wraps(test)
    def run_it() -> None:
        asyncio.run(asyncio.wait_for(test(), 120))

    return run_it


class Provider:
    """Records the keys of each call, and answers them once its gate is open."""

    def __init__(self) -> None:
        self.calls: list[list[int]] = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def __call__(self, keys: list[int]) -> dict[int, str]:
        self.calls.append(keys)
        await self.gate.wait()
        return {key: f"row {key}" for key in keys}


@on_a_loop
async def f14a_all_kinds_of_fetches_of_one_turn_share_a_request() -> None:
    provider = Provider()
    async with kvlight.Tasks[int, str](provider=provider, batch_max_keys=100) as tasks:

        async def each() -> list[Any]:
            return [row async for row in tasks.fetch_each([5, 1])]

        kinds: list[Any] = [tasks.fetch(1), tasks.fetch(2, timeout_ms=60_000), tasks.fetch_all([3, 1]), tasks.results([4]), each()]
        rows = await asyncio.gather(*kinds)
        assert rows[:3] == ["row 1", "row 2", ["row 3", "row 1"]] and rows[3][0].value == "row 4"
        assert sorted(rows[4]) == [(1, "row 1"), (5, "row 5")]
        assert [sorted(keys) for keys in provider.calls] == [[1, 2, 3, 4, 5]]
        await tasks.fetch(6)
        await tasks.fetch_all([1, 2])
        more: list[Any] = [tasks.fetch_all([1, 7]), tasks.fetch(8)]
        assert await asyncio.gather(*more) == [["row 1", "row 7"], "row 8"]
        assert provider.calls[1:] == [[6], [7, 8]]


@on_a_loop
async def f14a_a_full_request_does_not_wait_for_the_end_of_the_turn() -> None:
    provider = Provider()
    async with kvlight.Tasks[int, str](provider=provider, batch_max_keys=2, tasks_max_running=8) as tasks:
        await asyncio.gather(*map(tasks.fetch, range(5)))
        assert provider.calls == [[0, 1], [2, 3], [4]]


@on_a_loop
async def f14_with_a_linger_of_zero_the_provider_is_called_at_once() -> None:
    provider = Provider()
    async with kvlight.Tasks[int, str](provider=provider, batch_max_keys=100, batch_linger_us=0, tasks_max_running=2) as tasks:
        await asyncio.gather(*map(tasks.fetch, range(5)))
        assert provider.calls == [[0], [1], [2, 3, 4]]


@on_a_loop
async def f14a_keys_that_waited_for_a_slot_are_asked_for_when_it_is_free() -> None:
    provider = Provider()
    provider.gate.clear()
    async with kvlight.Tasks[int, str](provider=provider, tasks_max_running=1) as tasks:
        first = asyncio.create_task(tasks.fetch(1))
        while not provider.calls:
            await asyncio.sleep(0)
        rest = [asyncio.create_task(tasks.fetch(key)) for key in (2, 3)]
        await asyncio.sleep(0)
        provider.gate.set()
        assert await asyncio.gather(first, *rest) == ["row 1", "row 2", "row 3"]
        assert provider.calls == [[1], [2, 3]]


@on_a_loop
async def f09_a_fetch_that_is_cancelled_in_its_turn_is_not_asked_for() -> None:
    provider = Provider()
    async with kvlight.Tasks[int, str](provider=provider) as tasks:
        fetch = tasks.fetch(1)
        fetch.send(None)
        with pytest.raises(asyncio.CancelledError):
            fetch.throw(asyncio.CancelledError())
        assert await tasks.fetch(2) == "row 2"
        assert provider.calls == [[2]]


@on_a_loop
async def l05a_a_close_in_the_same_turn_drains_or_ends_the_fetches() -> None:
    for drain_ms, outcome in ((-1, "row 1"), (None, kvlight.Closed)):
        provider = Provider()
        tasks = await kvlight.Tasks[int, str](provider=provider).__aenter__()
        fetch = asyncio.create_task(tasks.fetch(1))
        close = asyncio.create_task(tasks.close(drain_ms=drain_ms))
        await asyncio.wait([fetch, close])
        assert fetch.exception() is None if isinstance(outcome, str) else isinstance(fetch.exception(), outcome)
        assert fetch.exception() or fetch.result() == outcome
        with pytest.raises(kvlight.Closed):
            await tasks.fetch(2)


@on_a_loop
async def f21_very_many_fetches_of_one_turn_are_all_answered() -> None:
    provider = Provider()
    async with kvlight.Tasks[int, str](provider=provider, batch_max_keys=1000, cache_capacity=10) as tasks:
        keys = [i % 1500 for i in range(3000)]
        assert await asyncio.gather(*map(tasks.fetch, keys)) == [f"row {key}" for key in keys]
        assert [len(keys) for keys in provider.calls] == [1000, 500]


@pytest.mark.parametrize("many", [False, True])
def l05a_a_close_ends_although_the_last_outcome_was_interrupted(many: bool) -> None:
    loop: Any = asyncio.new_event_loop()
    tasks: kvlight.Tasks[int, str] = loop.run_until_complete(kvlight.Tasks[int, str](provider=Provider()).__aenter__())
    fetch = loop.create_task(tasks.fetch_all([1]) if many else tasks.fetch(1))
    close = loop.create_task(tasks.close(drain_ms=-1))
    call_soon = loop.call_soon

    def interrupt_fetch(callback: Any, *arguments: Any, **options: Any) -> Any:
        if fetch_waits and getattr(callback, "__self__", None) is fetch:
            loop.call_soon = call_soon
            raise KeyboardInterrupt
        return call_soon(callback, *arguments, **options)

    fetch_waits = False
    loop.run_until_complete(asyncio.sleep(0))
    fetch_waits = True
    loop.call_soon = interrupt_fetch
    with pytest.raises(KeyboardInterrupt):
        loop.run_until_complete(close)
    assert loop.call_soon is call_soon
    loop.run_until_complete(asyncio.wait_for(close, 60))
    loop.close()  # nothing wakes the interrupted task any more
