"""Faults of the program: functions that raise, cancel or close affect nothing but their own fetches. Also fetches under load."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from collections.abc import Mapping
from typing import Any

import kvlight
import pytest
from own_process import echo, in_own_process


class Hurt(Exception):
    pass


def f20_every_waiter_gets_the_same_exception() -> None:
    lost = LookupError("no such shelf")

    async def provider(keys: list[int]) -> list[int]:
        raise lost

    async def main() -> None:
        async with kvlight.Tasks[int, int](provider=provider, cache_error_ttl_ms=60_000) as tasks:
            for _ in range(50):
                got = await asyncio.gather(*(tasks.fetch(1) for _ in range(3)), tasks.fetch_all([1]), return_exceptions=True)
                assert all(error is lost for error in got)

    asyncio.run(main())
    depth, place = 0, lost.__traceback__
    while place is not None:
        depth, place = depth + 1, place.tb_next
    assert depth < 20, f"the traceback grew to {depth} frames"


def f01_a_progress_function_that_raises_affects_no_fetch() -> None:
    reported: list[dict[str, Any]] = []

    def progress(*_: int) -> None:
        raise Hurt

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context))
        async with kvlight.Tasks[int, int](provider=echo, batch_max_keys=10) as tasks:
            batches = [tasks.fetch_all(range(i, i + 100), progress=progress) for i in range(0, 1000, 100)]
            assert await asyncio.gather(*batches) == [list(range(i, i + 100)) for i in range(0, 1000, 100)]
            assert await tasks.fetch(5000) == 5000

    asyncio.run(main())
    assert reported and all(isinstance(context["exception"], Hurt) for context in reported)


def f15_an_invalid_answer_fails_its_key_alone() -> None:
    def cost(value: int) -> int:
        if value == 3:
            raise Hurt
        return -1 if value == 4 else 10

    async def provider(keys: list[int]) -> list[Any]:
        return [kvlight.Answer(key, ttl_ms=-7) if key == 5 else kvlight.Answer(key, ttl_ms="x") if key == 6 else key for key in keys]  # type: ignore[arg-type]

    async def main() -> None:
        async with kvlight.Tasks[int, int](provider=provider, cost=cost) as tasks:
            rows = await tasks.fetch_all(range(10), return_exceptions=True)
        assert [row for row in rows if not isinstance(row, Exception)] == [0, 1, 2, 7, 8, 9]
        kinds: list[Any] = [type(row) for row in rows[3:7]]
        assert kinds == [Hurt, OverflowError, kvlight.Wrong, TypeError]

    asyncio.run(main())


def f15_answers_that_cannot_be_read_fail_their_request_alone() -> None:
    def raises() -> Any:
        raise Hurt

    class Broken(Mapping[int, int]):
        def __getitem__(self, key: int) -> int:
            raise Hurt

        def __iter__(self) -> Any:
            raise Hurt

        def __len__(self) -> int:
            return 1

    answers: dict[int, Any] = {
        0: (lambda: Broken(), Hurt),
        1: (lambda: 5, TypeError),
        2: (lambda: "text", TypeError),
        3: (lambda: [], TypeError),
        4: (lambda: (1 // n for n in [0]), ZeroDivisionError),
        5: (raises, Hurt),
        6: (lambda: next(iter([])), RuntimeError),
    }

    async def provider(keys: list[int]) -> Any:
        return answers[keys[0]][0]() if keys[0] in answers else keys

    async def main() -> None:
        async with kvlight.Tasks[int, int](provider=provider, batch_max_keys=1) as tasks:
            rows = await asyncio.gather(*map(tasks.fetch, range(10)), return_exceptions=True)
            assert rows[7:] == [7, 8, 9]
            for key, (_, kind) in answers.items():
                assert isinstance(rows[key], kind), rows[key]

    asyncio.run(main())


def f16_a_plain_provider_that_raises_stop_iteration_fails_its_request_alone() -> None:
    def provider(keys: list[int]) -> Any:
        return next(iter([])) if 0 in keys else keys

    async def main() -> None:
        async with kvlight.Tasks[int, int](provider=provider, batch_max_keys=1, tasks_max_running=1) as tasks:
            bad, good = await asyncio.gather(tasks.fetch(0), tasks.fetch(1), return_exceptions=True)
            assert isinstance(bad, RuntimeError) and isinstance(bad.__cause__, StopIteration) and good == 1

    asyncio.run(main())
    with kvlight.Tasks[int, int](provider=provider) as tasks:
        with pytest.raises(RuntimeError):
            tasks.fetch_wait(0)
        assert tasks.fetch_wait(1) == 1


def l04_a_value_is_released_when_its_cost_function_closes_the_cache() -> None:
    class Row:
        pass

    def cost(_: Row) -> int:
        cache.close()
        return 1

    cache: kvlight.Cache[str, Row] = kvlight.Cache(cost=cost)
    row = Row()
    released = weakref.ref(row)
    with pytest.raises(kvlight.Closed):
        cache.put("a", row)
    del row
    gc.collect()
    assert released() is None


def f15_an_extra_answer_that_cannot_be_stored_fails_no_key() -> None:
    reported: list[Any] = []

    async def provider(keys: list[int]) -> dict[Any, Any]:
        return {**{key: key for key in keys}, object(): 1, 100: "an extra", 101: ValueError()}

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context["exception"]))
        async with kvlight.Tasks[int, Any](provider=provider) as tasks:
            assert await tasks.fetch_all([1, 2]) == [1, 2]
            assert tasks.get(100) == "an extra" and 101 not in tasks

    asyncio.run(main())
    assert [type(error) for error in reported] == [TypeError]


def s10_a_key_that_cannot_be_encoded_or_decoded_fails_alone() -> None:
    def encode(key: Any) -> bytes:
        if key == "bad":
            raise Hurt
        return str(key).encode()

    def decode(data: bytes) -> str:
        if data == b"odd":
            raise Hurt
        return data.decode()

    async def main() -> None:
        async with kvlight.Tasks[Any, Any](provider=echo, encode=encode, decode=decode, batch_max_keys=1) as tasks:
            rows = await asyncio.gather(*map(tasks.fetch, ["a", "bad", "odd", "b"]), return_exceptions=True)
            assert rows[0] == "a" and isinstance(rows[1], Hurt) and isinstance(rows[2], Hurt) and rows[3] == "b"
            with pytest.raises(Hurt):
                await tasks.fetch_all(["a", "bad"])
            with pytest.raises(Hurt):
                tasks.put("bad", 1)

    asyncio.run(main())


@in_own_process
def f01_a_provider_that_exits_or_is_cancelled_fails_its_keys() -> None:
    async def cancelled(keys: list[int]) -> list[int]:
        raise asyncio.CancelledError

    async def main() -> None:
        async with kvlight.Tasks[int, int](provider=cancelled, batch_max_keys=2) as tasks:
            rows = await tasks.fetch_all(range(6), return_exceptions=True)
            assert all(isinstance(row, kvlight.ProviderFailed) for row in rows)

    asyncio.run(main())

    def exits(keys: list[int]) -> list[int]:
        if keys[0] % 2:
            raise SystemExit(3)
        return keys

    with kvlight.Tasks[int, int](provider=exits, batch_max_keys=1) as tasks:
        for key in range(20):
            if key % 2:
                with pytest.raises(SystemExit):
                    tasks.fetch_wait(key)
            else:
                assert tasks.fetch_wait(key) == key


def f01_a_cancelled_task_affects_no_other_fetch() -> None:
    async def main() -> None:
        async with kvlight.Tasks[int, int](provider=echo) as tasks:
            fetches = [asyncio.create_task(tasks.fetch(i)) for i in range(100)]
            await asyncio.sleep(0)
            for fetch in fetches[::2]:
                fetch.cancel()
            rows = await asyncio.gather(*fetches, return_exceptions=True)
            assert rows[1::2] == list(range(1, 100, 2))

    asyncio.run(main())


@in_own_process
def l05_an_engine_can_be_closed_inside_a_callback() -> None:
    """The cost function closes the engine; the provider abandons it, as the finalizer does. Every waiting caller still gets an outcome."""

    async def by_cost() -> None:
        closing: list[Any] = []

        def cost(_: int) -> int:
            if not closing:
                closing.append(asyncio.get_running_loop().create_task(tasks.close()))
            return 1

        tasks = await kvlight.Tasks[int, int](provider=echo, cost=cost).__aenter__()
        rows = await tasks.fetch_all(range(10), return_exceptions=True)
        assert all(isinstance(row, (int, kvlight.Closed)) for row in rows)
        await closing[0]

    async def by_abandoning() -> None:
        async def provider(keys: list[int]) -> list[int]:
            tasks._abandon()
            return keys

        tasks = await kvlight.Tasks[int, int](provider=provider).__aenter__()
        waiting = asyncio.create_task(tasks.fetch(1))
        await asyncio.sleep(0.02)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        assert tasks.is_closed

    asyncio.run(by_cost())
    asyncio.run(by_abandoning())


@in_own_process
def f13f_each_of_a_thousand_concurrent_fetches_gets_its_answer() -> None:
    async def slow(keys: list[int]) -> list[int]:
        await asyncio.sleep(0.001)
        return keys

    async def main() -> None:
        async with kvlight.Tasks[int, int](provider=slow) as tasks:
            assert await asyncio.gather(*map(tasks.fetch, range(1000))) == list(range(1000))

    asyncio.run(main())
    with kvlight.Tasks[int, int](provider=lambda keys: keys) as tasks:
        got: list[Any] = [None] * 1000
        threads = [threading.Thread(target=lambda i=i: got.__setitem__(i, tasks.fetch_wait(i))) for i in range(1000)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert got == list(range(1000))


@in_own_process
def f01_100_000_keys_are_answered_while_another_thread_is_busy() -> None:
    """Half of them by `fetch`, half by `fetch_all`."""
    stop = threading.Event()

    def busy() -> None:
        while not stop.is_set():
            sum(range(1000))

    async def main() -> None:
        async with kvlight.Tasks[int, int](provider=echo, cache_capacity=20_000, batch_max_keys=100) as tasks:
            for start in range(0, 100_000, 10_000):
                keys = range(start, start + 10_000)
                if start % 20_000:
                    assert await asyncio.gather(*map(tasks.fetch, keys)) == list(keys)
                else:
                    assert await tasks.fetch_all(keys) == list(keys)
            assert tasks.stats()["loads"]["succeeded"] == 100_000

    thread = threading.Thread(target=busy)
    thread.start()
    try:
        asyncio.run(main())
    finally:
        stop.set()
        thread.join()
