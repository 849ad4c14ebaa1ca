"""The second tier: a store that several engines share (rules T01 to T15)."""

from __future__ import annotations

import asyncio
import gc
import pickle
import threading
import time
import weakref
from collections.abc import Callable
from typing import Any, Optional, Union

import kvlight
import pytest
from own_process import echo

Found = Union[kvlight.Hit, kvlight.Vacant, kvlight.Leased]


class Memory(kvlight.SecondTier):
    """A store in memory that grants leases and compares tokens."""

    is_conditional = grants_leases = True

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.rows: dict[bytes, tuple[bytes, Optional[kvlight.Entry]]] = {}
        self.tokens = 0
        self.says_leased = False
        self.calls: list[str] = []

    def token(self) -> bytes:
        self.tokens += 1
        return b"%d" % self.tokens

    def read(self, keys: list[bytes]) -> dict[bytes, Found]:
        with self.lock:
            self.calls.append("read")
            found: dict[bytes, Found] = {}
            for key in keys:
                if key not in self.rows:
                    self.rows[key] = (self.token(), None)
                    found[key] = kvlight.Vacant(self.rows[key][0])
                elif (entry := self.rows[key][1]) is not None:
                    found[key] = kvlight.Hit(entry.data, entry.ttl_ms, self.rows[key][0])
                elif self.says_leased:
                    found[key] = kvlight.Leased()
            return found

    def fill(self, entries: list[kvlight.Entry]) -> list[bool]:
        with self.lock:
            self.calls.append("fill")
            return [self.keep(entry) if self.rows.get(entry.key, (b"",))[0] == entry.token else False for entry in entries]

    def keep(self, entry: kvlight.Entry) -> bool:
        self.rows[entry.key] = (self.token(), entry)
        return True

    def write(self, entries: list[kvlight.Entry]) -> None:
        with self.lock:
            self.calls.append("write")
            for entry in entries:
                assert entry.token == b""
                self.keep(entry)

    def remove(self, keys: list[bytes]) -> None:
        with self.lock:
            self.calls.append("remove")
            for key in keys:
                self.rows.pop(key, None)

    def clear(self) -> None:
        with self.lock:
            self.calls.append("clear")
            self.rows.clear()

    def has(self, key: bytes) -> bool:
        with self.lock:
            return key in self.rows and self.rows[key][1] is not None


class AsyncMemory(kvlight.SecondTier):
    """Memory with coroutine functions."""

    is_conditional = grants_leases = True

    def __init__(self) -> None:
        self.under = Memory()

    async def read(self, keys: list[bytes]) -> dict[bytes, Found]:
        await asyncio.sleep(0)
        return self.under.read(keys)

    async def fill(self, entries: list[kvlight.Entry]) -> list[bool]:
        return self.under.fill(entries)

    async def write(self, entries: list[kvlight.Entry]) -> None:
        self.under.write(entries)

    async def remove(self, keys: list[bytes]) -> None:
        self.under.remove(keys)

    async def clear(self) -> None:
        self.under.clear()

    def has(self, key: bytes) -> bool:
        return self.under.has(key)


def until(holds: Callable[[], bool]) -> None:
    """Waits until `holds()` is true, at most 30 seconds."""
    for _ in range(6000):
        if holds():
            return
        time.sleep(0.005)
    raise AssertionError("the condition never became true")


async def until_on_loop(holds: Callable[[], bool]) -> None:
    """Like until, without blocking the loop."""
    for _ in range(6000):
        if holds():
            return
        await asyncio.sleep(0.005)
    raise AssertionError("the condition never became true")


# On a busy machine a lookup may take long.
PATIENT: Any = {"l2_timeout_ms": 60_000}


@pytest.mark.parametrize("make", [Memory, AsyncMemory])
def t02_two_engines_share_what_one_loaded(make: Callable[[], Union[Memory, AsyncMemory]]) -> None:
    async def main() -> None:
        tier = make()
        async with kvlight.Tasks[int, int](provider=echo, second_tier=tier, cache_ttl_ms=60_000, **PATIENT) as one, \
                kvlight.Tasks[int, int](provider=echo, second_tier=tier, **PATIENT) as other:
            assert await one.fetch_all([1, 2]) == [1, 2]
            await until_on_loop(lambda: tier.has(b"i1") and tier.has(b"i2"))
            found = await other.results([1, 2])
            assert [(r.value, r.source) for r in found] == [(1, kvlight.Source.L2), (2, kvlight.Source.L2)]
            assert 0 < found[0].ttl_left_ms <= 60_000
            assert one.put(3, 30) and one.remove(1)
            await until_on_loop(lambda: tier.has(b"i3") and not tier.has(b"i1"))
            assert await other.fetch(3) == 30
            one.clear()
            await until_on_loop(lambda: not tier.has(b"i3"))
            assert other.stats()["l2"]["hits"] == 3

    asyncio.run(main())


@pytest.mark.parametrize("make", [Memory, AsyncMemory])
def t02_engines_share_without_an_event_loop_too(make: Callable[[], Union[Memory, AsyncMemory]]) -> None:
    tier = make()
    with kvlight.Tasks[int, int](provider=list, second_tier=tier, **PATIENT) as one, \
            kvlight.Tasks[int, int](provider=list, second_tier=tier, **PATIENT) as other:
        assert one.fetch_wait(1) == 1
        until(lambda: tier.has(b"i1"))
        assert other.results_wait([1])[0].source == kvlight.Source.L2
        one.put(1, 10)
        until(lambda: one.stats()["now"]["l2_pending"] == 0)
        other.invalidate([1])
        assert other.fetch_wait(1) == 10


def t02_values_of_any_kind_are_shared_if_bytes_can_be_made_of_them() -> None:
    values: list[Any] = ["text", b"bytes", 7, 2.5, True, None, {"any": ["object"]}]
    tier = Memory()
    with kvlight.Tasks[int, Any](provider=lambda keys: [values[key] for key in keys], second_tier=tier, dump=pickle.dumps,
                                 load=pickle.loads, **PATIENT) as one, \
            kvlight.Tasks[int, Any](provider=list, second_tier=tier, dump=pickle.dumps, load=pickle.loads, **PATIENT) as other, \
            kvlight.Tasks[int, Any](provider=list, second_tier=tier, **PATIENT) as plain:
        assert one.fetch_all_wait(range(len(values))) == values
        until(lambda: all(tier.has(b"i%d" % key) for key in range(len(values))))
        found = other.results_wait(range(len(values)))
        assert [(type(r.value), r.value, r.source) for r in found] == [(type(value), value, kvlight.Source.L2) for value in values]
        # An engine without the two functions cannot read the value that needs them, and loads it.
        assert plain.fetch_all_wait(range(len(values))) == [*values[:-1], len(values) - 1]


def t02_a_value_that_stays_in_the_process_still_removes_its_older_entry(monkeypatch: pytest.MonkeyPatch) -> None:
    reported: list[Any] = []
    monkeypatch.setattr(threading, "excepthook", lambda arguments: reported.append(arguments.exc_value))

    def dump(value: Any) -> bytes:
        if value == ["no"]:
            raise ValueError("not this one")
        return pickle.dumps(value)

    tier = Memory()
    with kvlight.Tasks[int, Any](provider=list, second_tier=tier, dump=dump, load=pickle.loads, **PATIENT) as tasks, \
            kvlight.Tasks[int, Any](provider=list, second_tier=tier, **PATIENT) as plain:
        for engine, key, unstorable in ((tasks, 1, ["no"]), (plain, 2, ["an object"])):
            engine.put(key, "text")
            until(lambda: tier.has(b"i%d" % key))
            engine.put(key, unstorable)
            until(lambda: not tier.has(b"i%d" % key))
            until(lambda: engine.stats()["now"]["l2_pending"] == 0)
            assert engine.get(key) == unstorable
    assert [str(exception) for exception in reported] == ["not this one"]


def t03_a_write_beats_an_older_load() -> None:
    async def main() -> None:
        tier = AsyncMemory()
        reached, resume = asyncio.Event(), asyncio.Event()

        async def slow(keys: list[int]) -> list[str]:
            reached.set()
            await resume.wait()
            return ["old"] * len(keys)

        async with kvlight.Tasks[int, str](provider=slow, second_tier=tier, **PATIENT) as loader, \
                kvlight.Tasks[int, str](provider=slow, second_tier=tier, **PATIENT) as writer:
            waits = asyncio.ensure_future(loader.fetch(1))
            await reached.wait()
            writer.put(1, "new")
            await until_on_loop(lambda: tier.has(b"i1"))
            loader.invalidate([1])
            resume.set()
            assert await waits == "old"  # this fetch began before the write
            assert await loader.fetch(1) == "new"
            assert "fill" not in tier.under.calls

    asyncio.run(main())


def t10_one_of_two_engines_loads_a_key_and_the_other_waits_for_it() -> None:
    async def main() -> None:
        tier = AsyncMemory()
        tier.under.says_leased = True
        resume, loads = asyncio.Event(), 0

        async def slow(keys: list[int]) -> list[int]:
            nonlocal loads
            loads += 1
            await resume.wait()
            return keys

        async with kvlight.Tasks[int, int](provider=slow, second_tier=tier, **PATIENT, l2_wait_ms=60_000) as one, \
                kvlight.Tasks[int, int](provider=slow, second_tier=tier, **PATIENT, l2_wait_ms=60_000) as other:
            waits = asyncio.ensure_future(asyncio.gather(one.fetch(1), other.fetch(1)))
            await until_on_loop(lambda: one.stats()["l2"]["waited"] + other.stats()["l2"]["waited"] == 1)
            resume.set()
            assert list(await waits) == [1, 1] and loads == 1

    asyncio.run(main())


class Rubbish(kvlight.SecondTier):
    """Returns the answer that a test has set, or raises it if it is an exception. The first write fails."""

    def __init__(self, answers: Any) -> None:
        self.answers = answers
        self.is_well = False
        self.written: list[bytes] = []

    def read(self, keys: list[bytes]) -> Any:
        if isinstance(self.answers, BaseException):
            raise self.answers
        return self.answers

    def fill(self, entries: list[kvlight.Entry]) -> Any:
        return self.read([])

    def write(self, entries: list[kvlight.Entry]) -> None:
        if not self.is_well:
            self.is_well = True
            raise OSError("down once")
        self.written += [entry.key for entry in entries]

    def remove(self, keys: list[bytes]) -> None:
        pass

    def clear(self) -> None:
        pass


@pytest.mark.parametrize("answers", [OSError("down"), StopIteration(), None, 7, "text", b"bytes", [], [1], {b"i1": "text"}, [b"no entry"],
                                  [kvlight.Hit(b"no entry", -2, b"token")], [kvlight.Hit(b"x" * 100, -7)], [ValueError("this key")], object()])
def t01_no_caller_sees_what_a_second_tier_does_wrong(answers: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    reported: list[Any] = []
    monkeypatch.setattr(threading, "excepthook", lambda arguments: reported.append(arguments.exc_value))
    with kvlight.Tasks[int, int](provider=list, second_tier=Rubbish(answers), **PATIENT) as tasks:
        assert tasks.fetch_wait(1) == 1
    assert not isinstance(answers, OSError) or reported[0] is answers

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: reported.append(context["exception"]))
        async with kvlight.Tasks[int, int](provider=echo, second_tier=Rubbish(answers), **PATIENT) as tasks:
            assert await tasks.fetch(1) == 1

    asyncio.run(main())


def t07_what_could_not_be_written_is_written_again(monkeypatch: pytest.MonkeyPatch) -> None:
    reported: list[Any] = []
    monkeypatch.setattr(threading, "excepthook", lambda arguments: reported.append(arguments.exc_value))
    tier = Rubbish({})
    with kvlight.Tasks[int, int](provider=list, second_tier=tier, l2_break_ms=1, **PATIENT) as tasks:
        tasks.put(1, 1)
        until(lambda: tasks.stats()["now"]["l2_pending"] == 0)
    assert tier.written == [b"i1"] and [str(exception) for exception in reported] == ["down once"]


def t01_a_slow_second_tier_delays_a_fetch_by_its_time_limit_at_most() -> None:
    async def main() -> None:
        class Slow(AsyncMemory):
            async def read(self, keys: list[bytes]) -> Any:
                await asyncio.Event().wait()

        async with kvlight.Tasks[int, int](provider=echo, second_tier=Slow(), l2_timeout_ms=1) as tasks:
            assert await tasks.fetch_all([1, 2, 3]) == [1, 2, 3]
            assert tasks.stats()["l2"]["timeouts"] == 3

    asyncio.run(main())


def l08_an_engine_that_is_closed_releases_its_second_tier() -> None:
    tier = Memory()
    gone = weakref.ref(tier)
    with kvlight.Tasks[int, int](provider=list, second_tier=tier, **PATIENT) as tasks:
        assert tasks.fetch_wait(1) == 1
        tasks.put(2, 2)
    del tasks, tier
    gc.collect()
    assert gone() is None


def l09_what_cannot_be_a_second_tier_is_refused() -> None:
    with pytest.raises(TypeError, match="a method read"):
        kvlight.Tasks(provider=echo, second_tier=object())  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="go together"):
        kvlight.Tasks(provider=echo, second_tier=Memory(), dump=pickle.dumps)
    with pytest.raises(TypeError, match="go together"):
        kvlight.Tasks[int, int](provider=echo, dump=pickle.dumps, load=pickle.loads)
