"""The scenarios in Python: `scenarios.py asyncio` or `scenarios.py uvloop`. Prints TAP."""

from __future__ import annotations

import asyncio
import gc
import sys
import weakref
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import kvlight


class Provider:
    """A provider whose answer depends on the beginning of a key: "slow", "null", "bad" or "flaky"."""

    def __init__(self) -> None:
        self.requests: list[list[str]] = []
        self.attempts: dict[str, int] = {}
        self.open = asyncio.Event()  # lets the slow loads finish
        self.called = asyncio.Event()
        self.cancelled = 0
        self.failure = KeyError("no such record")

    async def __call__(self, keys: list[str]) -> dict[str, Any]:
        self.requests.append(keys)
        self.called.set()
        if any(key.startswith("slow") for key in keys):
            try:
                await self.open.wait()
            except asyncio.CancelledError:
                self.cancelled += 1
                raise
        return {key: self.one(key) for key in keys if not key.startswith("null")}

    def one(self, key: str) -> Any:
        self.attempts[key] = self.attempts.get(key, 0) + 1
        if key.startswith("bad") or key.startswith("flaky") and self.attempts[key] < 3:
            return self.failure
        return "value of " + key


async def hit(provider: Provider) -> None:
    async with kvlight.Tasks(provider=provider) as tasks:
        assert await tasks.fetch("a") == "value of a"
        assert tasks.get("a") == "value of a" and "a" in tasks
        assert await tasks.fetch("a") == "value of a"
        assert provider.requests == [["a"]] and tasks.stats()["lookups"]["hits"] == 2


async def null_hit(provider: Provider) -> None:
    async with kvlight.Tasks(provider=provider) as tasks:
        assert await tasks.fetch("null") is None
        assert await tasks.fetch("null") is None and tasks.get("null", "miss") is None
        assert len(provider.requests) == 1 and tasks.stats()["lookups"]["null_hits"] == 2


async def miss(provider: Provider) -> None:
    async with kvlight.Tasks(provider=provider) as tasks:
        assert tasks.get("a", "miss") == "miss" and "a" not in tasks
        try:
            await tasks.fetch("a", read="cache_only")
            raise AssertionError("a miss raised nothing")
        except kvlight.Miss:
            assert provider.requests == []
        assert await tasks.fetch("a") == "value of a" and provider.requests == [["a"]]


async def batch_with_duplicates(provider: Provider) -> None:
    async with kvlight.Tasks(provider=provider) as tasks:
        steps: list[tuple[int, int, int]] = []
        rows = await tasks.fetch_all(["a", "b", "a", "c", "b"], progress=lambda *step: steps.append(step))
        assert rows == ["value of a", "value of b", "value of a", "value of c", "value of b"]
        assert provider.requests == [["a", "b", "c"]] and steps[-1] == (5, 0, 5)
        assert await tasks.fetch_map(["b", "null"]) == {"b": "value of b", "null": None}
        assert await tasks.fetch_all([]) == []


async def one_failing_key(provider: Provider) -> None:
    async with kvlight.Tasks(provider=provider) as tasks:
        rows = await tasks.fetch_all(["a", "bad", "c"], return_exceptions=True)
        assert rows[0] == "value of a" and rows[1] is provider.failure and rows[2] == "value of c"
        for fetch in (tasks.fetch_all(["a", "bad"]), tasks.fetch("bad")):
            try:
                await fetch
                raise AssertionError("a failed key raised nothing")
            except KeyError as error:
                assert error is provider.failure
        each = {key: row async for key, row in tasks.fetch_each(["a", "bad"])}
        assert each == {"a": "value of a", "bad": provider.failure}


async def retry_then_success(provider: Provider) -> None:
    async with kvlight.Tasks(provider=provider, retry_count=3, retry_fixed_ms=0) as tasks:
        assert await tasks.fetch("flaky") == "value of flaky"
        assert provider.attempts["flaky"] == 3 and tasks.stats()["loads"]["retried"] == 2


async def timeout(provider: Provider) -> None:
    clock = kvlight.Clock()
    async with kvlight.Tasks(provider=provider, clock=clock) as tasks:
        fetch = asyncio.create_task(tasks.fetch("slow", timeout_ms=1000))
        await provider.called.wait()
        clock.advance(999)
        await asyncio.sleep(0)
        assert not fetch.done()
        clock.advance(1)
        try:
            await fetch
            raise AssertionError("no timeout")
        except TimeoutError as error:
            assert isinstance(error, kvlight.Timeout) and error.name == "KVL_ERR_TIMEOUT"
    assert provider.cancelled == 1  # by the close: the timeout let the load continue
    async with kvlight.Tasks(provider=provider, retry_count=1, retry_fixed_ms=60_000) as tasks:
        try:
            # Time enough for the first attempt, also on a busy machine.
            await tasks.fetch("bad", timeout_ms=1000)
            raise AssertionError("no timeout")
        except kvlight.Timeout as error:
            assert error.__cause__ is provider.failure  # the exception of the failed attempt


async def cancel(provider: Provider) -> None:
    async with kvlight.Tasks(provider=provider) as tasks:
        cancelled, other = asyncio.create_task(tasks.fetch("slow")), asyncio.create_task(tasks.fetch("slow"))
        await provider.called.wait()
        cancelled.cancel()
        assert isinstance((await asyncio.gather(cancelled, return_exceptions=True))[0], asyncio.CancelledError)
        provider.open.set()
        assert await other == "value of slow" and provider.cancelled == 0
        provider.open.clear()
        provider.called.clear()
        alone = asyncio.create_task(tasks.fetch("slow too"))
        await provider.called.wait()
        alone.cancel()
        await asyncio.gather(alone, return_exceptions=True)
    assert provider.cancelled == 1 and len(provider.requests) == 2


async def close_while_loading(provider: Provider) -> None:
    async with kvlight.Tasks(provider=provider) as tasks:
        fetch, batch = asyncio.create_task(tasks.fetch("slow")), asyncio.create_task(tasks.fetch_all(["slow", "b"], return_exceptions=True))
        await provider.called.wait()
    assert isinstance((await asyncio.gather(fetch, return_exceptions=True))[0], kvlight.Closed)
    assert isinstance((await batch)[0], kvlight.Closed) and provider.cancelled >= 1
    try:
        await tasks.fetch("a")
        raise AssertionError("a closed engine raised nothing")
    except kvlight.Closed as error:
        assert "closed" in str(error)


async def ten_thousand_keys(provider: Provider) -> None:
    async with kvlight.Tasks(provider=provider, cache_capacity=20_000, batch_max_keys=100) as tasks:
        keys = [f"k{i}" for i in range(10_000)]
        assert await tasks.fetch_all(keys) == ["value of " + key for key in keys]
        assert sorted(sum(provider.requests, [])) == sorted(keys) and len(tasks) == 10_000
        before = len(provider.requests)
        assert await asyncio.gather(*map(tasks.fetch, keys)) == ["value of " + key for key in keys] and len(provider.requests) == before


async def callback_that_fetches(provider: Provider) -> None:
    """A provider and the callbacks of futures can fetch."""

    async def summing(keys: list[str]) -> dict[str, Any]:
        if keys == ["sum"]:
            return {"sum": await tasks.fetch_all(["a", "b"])}
        return await provider(keys)

    async with kvlight.Tasks[str, Any](provider=summing) as tasks:
        assert await tasks.fetch("sum") == ["value of a", "value of b"]
        later: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        first = asyncio.create_task(tasks.fetch("c"))
        first.add_done_callback(lambda _: asyncio.create_task(tasks.fetch("d")).add_done_callback(lambda task: later.set_result(task.result())))
        assert await later == "value of d" and first.result() == "value of c"


async def object_value(_: Provider) -> None:
    class Row:
        pass

    ended: list[str] = []

    async def provider(keys: list[str]) -> list[Row]:
        rows = [Row() for _ in keys]
        for key, row in zip(keys, rows):
            weakref.finalize(row, ended.append, key)
        return rows

    async with kvlight.Tasks(provider=provider) as tasks:
        one, same = await tasks.fetch_all(["one", "one"])
        assert one is same and await tasks.fetch("one") is one
        del same
        await tasks.fetch("two")
        assert tasks.remove("one") and not tasks.remove("one")
        await tasks.fetch("three")  # lets the loop run, so that the library drops its reference
        gc.collect()
        assert ended == []  # the program still holds it
        del one
        gc.collect()
        assert ended == ["one"]
    gc.collect()
    assert sorted(ended) == ["one", "three", "two"]


SCENARIOS: list[tuple[str, Callable[[Provider], Awaitable[None]]]] = [
    ("hit", hit),
    ("null hit", null_hit),
    ("miss", miss),
    ("batch with duplicates", batch_with_duplicates),
    ("one failing key in a batch", one_failing_key),
    ("retry then success", retry_then_success),
    ("timeout", timeout),
    ("cancel", cancel),
    ("close while loading", close_while_loading),
    ("10,000 keys", ten_thousand_keys),
    ("callback that fetches", callback_that_fetches),
    ("object value whose destructor is counted", object_value),
]


def main() -> int:
    new_loop: Callable[[], asyncio.AbstractEventLoop] = asyncio.new_event_loop
    if sys.argv[1:] == ["uvloop"]:
        import uvloop

        new_loop = uvloop.new_event_loop
    failed = 0
    print(f"1..{len(SCENARIOS)}", flush=True)
    for number, (name, scenario) in enumerate(SCENARIOS, 1):
        try:
            with asyncio.Runner(loop_factory=new_loop) as runner:

                async def run() -> None:
                    await asyncio.wait_for(scenario(Provider()), 60)

                runner.run(run())
            print(f"ok {number} - {name}", flush=True)
        except BaseException as error:
            failed += 1
            print(f"not ok {number} - {name}", flush=True)
            place = error.__traceback__
            while place is not None and place.tb_next is not None:
                place = place.tb_next
            print(f"# {type(error).__name__}: {error}, line {place.tb_lineno if place else 0}", flush=True)
    return failed


if __name__ == "__main__":
    sys.exit(main() != 0)
