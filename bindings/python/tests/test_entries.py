"""Iteration, saved files, conditional puts, fallbacks, pauses before retries, the circuit breaker, and the details of results."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import pickle
import tempfile
import time
import uuid
import warnings
from pathlib import Path
from typing import Any

import kvlight
import pytest
from own_process import in_own_process, in_use


def s18_iteration_returns_each_entry_once() -> None:
    cache: kvlight.Cache[Any, Any] = kvlight.Cache(capacity=10_000)
    for i in range(1000):
        cache[i] = [i]
    cache["none"] = None
    seen = []
    for key, value in cache.items():
        seen.append((key, value))
        cache.remove(7)
        cache[f"new {key}"] = 1
    assert len({key for key, _ in seen}) == len(seen)
    assert {key for key, _ in seen if isinstance(key, int) and key != 7} == set(range(1000)) - {7}
    assert dict(seen)[5] == [5] and dict(seen)["none"] is None
    small: kvlight.Cache[str, int] = kvlight.Cache()
    small["a"], small["b"] = 1, 2
    assert sorted(small) == sorted(small.keys()) == ["a", "b"] and sorted(v or 0 for v in small.values()) == [1, 2]
    assert dict(small.items()) == dict(small) == {"a": 1, "b": 2}
    entries = small.items()
    small.close()
    with pytest.raises(kvlight.Closed):
        small.items()
    del entries


def s18_iteration_ends_with_its_engine() -> None:
    with kvlight.Tasks[int, int](provider=lambda keys: keys) as tasks:
        tasks.fetch_all_wait(range(100))
        entries = tasks.items()
        next(entries)
        assert sum(1 for _ in entries) == 99 and next(entries, None) is None
        entries = tasks.items()
    with pytest.raises(kvlight.Closed):
        list(entries)


def s18_iteration_decodes_keys_of_other_types() -> None:
    class Id:
        def __init__(self, name: str) -> None:
            self.name = name

    def decode(data: bytes) -> Id:
        if data == b"bad":
            raise LookupError("bad")
        return Id(data.decode())

    cache: kvlight.Cache[Id, int] = kvlight.Cache(encode=lambda key: key.name.encode(), decode=decode)
    cache[Id("a")] = 1
    assert [key.name for key in cache] == ["a"]
    cache[Id("bad")] = 2
    with pytest.raises(LookupError, match="bad"):
        list(cache)
    raw: kvlight.Cache[Any, int] = kvlight.Cache(encode=lambda key: str(key).encode())
    raw[Path("/a")] = 1
    assert list(raw) == [b"/a"]


def s18_plain_values_are_saved_without_a_function(tmp_path: Path) -> None:
    file, clock = tmp_path / "cache", kvlight.Clock()
    values = ["text", "", b"bytes", b"", 2**70, -1, 1.5, True, False, uuid.uuid4(), None]
    cache: kvlight.Cache[Any, Any] = kvlight.Cache(clock=clock)
    for i, value in enumerate(values):
        cache.put((i, "key"), value, ttl_ms=1000)
    cache["object"] = [1]
    assert cache.save(file) == len(values)
    clock.advance(400)
    assert cache.save(str(file)) == len(values)
    other: kvlight.Cache[Any, Any] = kvlight.Cache(clock=clock)
    other[(0, "key")] = "younger"
    assert other.load(file) == len(values) - 1
    assert [other[(i, "key")] for i in range(len(values))] == ["younger", *values[1:]] and "object" not in other
    assert [type(other[(i, "key")]) for i in range(1, len(values))] == [type(value) for value in values[1:]]
    clock.advance(601)
    assert list(other) == [(0, "key")]


def s18_objects_are_saved_through_functions_of_the_program(tmp_path: Path) -> None:
    file = tmp_path / "cache"
    cache: kvlight.Cache[int, Any] = kvlight.Cache(capacity=10_000)
    for i in range(5000):
        cache[i] = {"id": i}
    assert cache.save(file, dump=pickle.dumps) == 5000
    for load, found in ((None, 0), (pickle.loads, 5000)):
        other: kvlight.Cache[int, Any] = kvlight.Cache(capacity=10_000)
        assert other.load(file, load=load) == found and len(other) == found
    assert other[77] == {"id": 77} and sorted(other) == list(range(5000))

    calls = []

    def fails(_: Any) -> Any:
        calls.append(1)
        raise ZeroDivisionError("no")

    before = file.read_bytes()
    with pytest.raises(ZeroDivisionError):
        cache.save(file, dump=fails)
    with pytest.raises(TypeError):
        cache.save(file, dump=lambda value: 5)  # type: ignore[arg-type, return-value]
    assert len(calls) == 1 and file.read_bytes() == before, "the older file is kept"
    with pytest.raises(ZeroDivisionError):
        kvlight.Cache[int, Any]().load(file, load=fails)

    def closes(value: Any) -> bytes:
        cache.close()
        return b""

    assert cache.save(file, dump=closes) == 5000, "a save in progress continues"
    with pytest.raises(kvlight.Closed):
        cache.save(file)


@in_own_process
def l08_an_engine_that_is_closed_or_collected_during_a_save_leaks_nothing() -> None:
    before = in_use()
    for i in range(20):
        with tempfile.TemporaryDirectory() as folder, kvlight.Tasks[int, Any](provider=lambda keys: [[key] for key in keys]) as tasks:
            tasks.fetch_all_wait(range(10))
            other = kvlight.Tasks[int, int](provider=lambda keys: keys)
            other.fetch_wait(1)

            def dump(value: Any) -> bytes:
                nonlocal other
                other = None  # type: ignore[assignment]
                if i % 2:
                    tasks.close_wait()
                return b"x"

            with contextlib.suppress(kvlight.Closed), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                tasks.save(f"{folder}/cache", dump=dump)
    for _ in range(1000):
        if all(now <= then for now, then in zip(in_use(), before)):
            break
        time.sleep(0.01)
    assert all(now <= then for now, then in zip(in_use(), before)), f"{before} threads and descriptors became {in_use()}"


def s18_a_file_that_cannot_be_used_raises_the_reason(tmp_path: Path) -> None:
    cache: kvlight.Cache[int, int] = kvlight.Cache()
    with pytest.raises(OSError) as missing:
        cache.load(tmp_path / "missing")
    assert missing.value.errno == errno.ENOENT and isinstance(missing.value, kvlight.FileFailed)
    assert missing.value.name == "KVL_ERR_IO" and "missing" in str(missing.value)
    with pytest.raises(kvlight.FileFailed):
        cache.save(tmp_path / "no" / "folder")
    (tmp_path / "other").write_text("something else")
    with pytest.raises(kvlight.Damaged):
        cache.load(tmp_path / "other")
    with pytest.raises(ValueError):
        cache.load("a\0b")
    with pytest.raises(TypeError):
        cache.load(5)  # type: ignore[arg-type]


def s18_keys_that_another_program_has_saved_are_not_misread(tmp_path: Path) -> None:
    file = tmp_path / "cache"
    raw: kvlight.Cache[bytes, Any] = kvlight.Cache(encode=lambda key: key)
    for key in (b"", b"f", b"f123", b"o", b"o11", b"t123", b"t\xff\0\0\0s", b"z"):
        raw.clear()
        raw[key] = 1
        raw.save(file)
        cache: kvlight.Cache[Any, int] = kvlight.Cache()
        assert cache.load(file) == 1
        with pytest.raises(ValueError, match="another program"):
            list(cache)


def s17_entries_are_touched_expired_and_put_on_a_condition() -> None:
    clock = kvlight.Clock()
    cache: kvlight.Cache[str, int] = kvlight.Cache(clock=clock, ttl_ms=100)
    assert cache.put("a", 1, only_if="absent") and not cache.put("a", 2, only_if="absent") and not cache.put("b", 2, only_if="present")
    with pytest.raises(ValueError, match="only_if"):
        cache.put("a", 1, only_if="maybe")  # type: ignore[arg-type]
    clock.advance(60)
    assert cache.touch("a") and not cache.touch("b")
    clock.advance(60)
    assert cache.put("a", 3, keep_ttl=True) and cache["a"] == 3
    clock.advance(41)
    assert "a" not in cache
    cache["a"] = 4
    assert cache.touch("a", ttl_ms=-1)
    clock.advance(1000)
    assert cache["a"] == 4 and cache.expire("a") and "a" not in cache and not cache.expire("a")


def _failing(answers: dict[int, Any]) -> Any:
    async def provider(keys: list[int]) -> dict[int, Any]:
        found = {key: answers[key] for key in keys}
        for answer in found.values():
            if isinstance(answer, OSError):
                raise answer
        return found

    return provider


def r02_a_fallback_is_served_when_the_provider_fails() -> None:
    async def main() -> None:
        clock = kvlight.Clock()
        answers: dict[int, Any] = {1: "one", 2: kvlight.Answer("two", stale_ttl_ms=-1), 3: "three"}
        async with kvlight.Tasks[int, Any](provider=_failing(answers), clock=clock, cache_ttl_ms=100, stale_ttl_ms=1000) as tasks:
            assert await tasks.fetch_all([1, 2, 3]) == ["one", "two", "three"]
            fresh, = await tasks.results([1])
            assert (fresh.value, fresh.is_stale, fresh.source) == ("one", False, kvlight.Source.STORE)
            clock.advance(150)
            lost = ConnectionError("lost")
            answers.update({1: lost, 2: lost, 3: kvlight.Gone("for good")})
            assert 1 not in tasks and await tasks.fetch(1) == "one"
            result, = await tasks.results([1], read="refresh")
            assert (result.key, result.value, result.error, result.is_stale) == (1, "one", lost, True)
            assert (result.status, result.source, result.age_ms) == (kvlight.Status.VALUE, kvlight.Source.STALE, 150)
            with pytest.raises(ConnectionError):
                await tasks.fetch(2)  # it was not kept as a fallback
            with pytest.raises(kvlight.Gone):
                await tasks.fetch(3)
            assert tasks.stats()["stale"]["error"] >= 1

    asyncio.run(main())


def r04_a_fetch_states_how_long_it_waits_before_it_is_served_a_fallback() -> None:
    async def main() -> None:
        go = asyncio.Event()

        async def provider(keys: list[str]) -> dict[str, str]:
            await go.wait()
            return dict.fromkeys(keys, "new")

        async with kvlight.Tasks[str, str](provider=provider, cache_ttl_ms=60_000, stale_ttl_ms=60_000) as tasks:
            tasks.put("a", "old")
            tasks.expire("a")
            patient = asyncio.ensure_future(tasks.fetch("a"))
            stale, = await tasks.results(["a"], stale_timeout_ms=0)
            assert (stale.value, stale.is_stale, stale.error) == ("old", True, None)
            assert await tasks.fetch("a", stale_timeout_ms=20) == "old"
            assert not patient.done()
            go.set()
            assert await patient == "new" and tasks.get("a") == "new"
            with pytest.raises(kvlight.Error, match="stale.timeout_ms"):
                await tasks.fetch("b", stale_timeout_ms=5, timeout_ms=5)

    asyncio.run(main())


def r12_an_expired_key_is_reloaded_and_serves_as_a_fallback() -> None:
    async def main() -> None:
        answers: dict[int, Any] = {1: "one"}
        async with kvlight.Tasks[int, Any](provider=_failing(answers), stale_ttl_ms=1000, cache_ttl_ms=60_000) as tasks:
            await tasks.fetch(1)
            assert tasks.expire(1) and not tasks.expire(2)
            answers[1] = TimeoutError("slow")
            assert await tasks.fetch(1) == "one"
            answers[1] = "new"
            tasks.expire(1)
            result, = await tasks.results([1], read="refresh")
            assert (result.value, result.is_stale, result.source) == ("new", False, kvlight.Source.PROVIDER)

    asyncio.run(main())


def f11a_a_provider_sets_the_pause_before_a_retry() -> None:
    async def main() -> None:
        clock = kvlight.Clock()
        calls = []

        class Busy(kvlight.RetryAfter):
            pass

        async def provider(keys: list[int]) -> list[int]:
            calls.append(clock.now_ms)
            if len(calls) == 1:
                raise Busy("later", after_ms=500)
            return keys

        async with kvlight.Tasks[int, int](provider=provider, clock=clock, retry_count=3, retry_fixed_ms=10) as tasks:
            fetch = asyncio.ensure_future(tasks.fetch(1))
            while not calls:
                await asyncio.sleep(0.001)
            await asyncio.sleep(0.01)
            clock.advance(499)
            await asyncio.sleep(0.01)
            assert calls == [0]
            clock.advance(1)
            assert await fetch == 1 and calls == [0, 500]
            result, = await tasks.results([2])
            assert (result.attempts, result.source) == (1, kvlight.Source.PROVIDER)
        assert Busy(after_ms=5).after_ms == 5

    asyncio.run(main())


def r07_the_circuit_breaker_can_be_read_and_forced() -> None:
    async def main() -> None:
        async with kvlight.Tasks[int, Any](provider=_failing({1: OSError("down")}), breaker_consecutive=1) as tasks:
            # A function, because mypy assumes that a property still has the value that an assertion has compared it with.
            def state() -> str:
                return tasks.breaker

            assert state() == "closed"
            with pytest.raises(OSError):
                await tasks.fetch(1)
            assert state() == "open"
            with pytest.raises(kvlight.Unavailable):
                await tasks.fetch(1)
            tasks.force_breaker("closed")
            assert state() == "closed"
            tasks.force_breaker("open")
            assert state() == "open"
            tasks.force_breaker(None)
            assert state() == "closed"
            with pytest.raises(ValueError):
                tasks.force_breaker("ajar")  # type: ignore[arg-type]

    asyncio.run(main())


def f22_results_have_the_details_of_each_key() -> None:
    def provider(keys: list[int]) -> dict[int, Any]:
        return {key: ValueError(key) if key == 2 else key for key in keys if key != 3}

    with kvlight.Tasks[int, Any](provider=provider, cache_ttl_ms=60_000) as tasks:
        one, two, three, again = tasks.results_wait([1, 2, 3, 1])
        assert (one.value, one.error, one.status, one.source, one.attempts) == (1, None, kvlight.Status.VALUE, kvlight.Source.PROVIDER, 1)
        assert 0 < one.ttl_left_ms <= 61_000 and one.age_ms == 0 and not one.is_stale
        assert isinstance(two.error, ValueError) and two.status == kvlight.Status.ERR_PROVIDER and two.value is None
        assert (three.value, three.error, three.status) == (None, None, kvlight.Status.NULL)
        assert again.value == 1 and tasks.results_wait([]) == []
        assert [r.source for r in tasks.results_wait([1, 3])] == [kvlight.Source.STORE] * 2


def f13f_a_thousand_fetches_wait_at_once() -> None:
    async def main() -> None:
        async def provider(keys: list[int]) -> list[int]:
            await asyncio.sleep(0)
            return [key + 1 for key in keys]

        async with kvlight.Tasks[int, int](provider=provider) as tasks:
            assert await asyncio.gather(*map(tasks.fetch, range(1000))) == list(range(1, 1001))

    asyncio.run(main())
