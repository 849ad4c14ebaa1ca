"""Tags, versions, and records that have not changed."""

from __future__ import annotations

import asyncio
from typing import Any, Optional

import kvlight
import pytest


def r11_a_tag_removes_its_entries() -> None:
    cache: kvlight.Cache[int, str] = kvlight.Cache()
    cache.put(1, "one", tags=["odd", "small"])
    cache.put(2, "two", tags=("small",))
    cache.put(3, "three", tags=["odd"])
    assert cache.remove_tag("odd") == 2 and dict(cache) == {2: "two"}
    assert cache.remove_tag("odd") == 0 and cache.remove_tag("not there") == 0
    cache.put(2, "zwei")  # a new value has the tags of its own put
    assert cache.remove_tag("small") == 0 and cache[2] == "zwei"
    assert cache.stats()["removed"]["tag"] == 2


def r11_an_answer_has_tags_and_a_running_load_with_a_removed_tag_is_not_stored() -> None:
    async def main() -> None:
        reached, resume = asyncio.Event(), asyncio.Event()

        async def provider(keys: list[int]) -> dict[int, Any]:
            reached.set()
            await resume.wait()
            return {key: kvlight.Answer(key, tags=["shelf"]) for key in keys}

        async with kvlight.Tasks[int, int](provider=provider) as tasks:
            fetch = asyncio.ensure_future(tasks.fetch(1))
            await reached.wait()
            assert tasks.remove_tag("shelf") == 0
            resume.set()
            assert await fetch == 1 and 1 not in tasks
            assert await tasks.fetch_all([1, 2]) == [1, 2] and len(tasks) == 2
            assert tasks.remove_tag("shelf") == 2 and len(tasks) == 0

    asyncio.run(main())


def r12_tags_and_all_entries_expire_and_stay_as_fallbacks() -> None:
    down: list[OSError] = []

    def provider(keys: list[int]) -> list[Any]:
        if down:
            raise down[0]
        return [kvlight.Answer(key, tags=["even" if key % 2 == 0 else "odd"]) for key in keys]

    with kvlight.Tasks[int, int](provider=provider, cache_ttl_ms=60_000, stale_ttl_ms=60_000) as tasks:
        assert tasks.fetch_all_wait([1, 2, 3]) == [1, 2, 3]
        down.append(OSError("down"))
        assert tasks.expire_tag("odd") == 2 and 1 not in tasks and 2 in tasks
        assert [r.is_stale for r in tasks.results_wait([1, 2, 3])] == [True, False, True]
        tasks.expire_all()
        assert 2 not in tasks and tasks.fetch_wait(2) == 2


def r06_a_record_that_has_not_changed_keeps_its_value() -> None:
    clock = kvlight.Clock()
    seen: list[Optional[kvlight.Stale[Any]]] = []
    source = {"a": ["first"], "b": ["other"]}
    version = {"a": "v1", "b": "w1"}

    def conditional(keys: list[str], stale: list[Optional[kvlight.Stale[Any]]]) -> list[Any]:
        seen.extend(stale)
        return [
            kvlight.NotModified(ttl_ms=500) if known is not None and known.version == version[key]
            else kvlight.Answer(source[key], version=version[key], tags=["t"])
            for key, known in zip(keys, stale)
        ]

    with kvlight.Tasks[str, Any](conditional=conditional, clock=clock, cache_ttl_ms=100, stale_ttl_ms=10_000) as tasks:
        first = tasks.fetch_wait("a")
        tasks.fetch_wait("b")
        assert seen == [None, None]
        clock.advance(150)
        version["b"], source["b"] = "w2", ["changed"]
        same, changed = tasks.results_wait(["a", "b"])
        assert seen[2:] == [kvlight.Stale(["first"], 150, "v1"), kvlight.Stale(["other"], 150, "w1")]
        assert same.value is first and not same.is_stale and 400 < same.ttl_left_ms <= 501
        assert changed.value == ["changed"]
        assert tasks.remove_tag("t") == 2  # the unchanged record kept its tags


def r06_not_modified_without_a_value_fails_its_key() -> None:
    async def main() -> None:
        async def conditional(keys: list[int], stale: list[Optional[kvlight.Stale[int]]]) -> dict[int, Any]:
            return {1: kvlight.NotModified(), 2: 2}

        async with kvlight.Tasks[int, int](conditional=conditional) as tasks:
            one, two = await tasks.fetch_all([1, 2], return_exceptions=True)
            assert isinstance(one, ValueError) and two == 2

    asyncio.run(main())


def r11_invalid_labels_are_rejected() -> None:
    cache: kvlight.Cache[int, str] = kvlight.Cache()
    wrong: Any
    for wrong in [{"tags": "word"}, {"tags": [1]}, {"version": b"v"}]:
        with pytest.raises(TypeError):
            cache.put(1, "one", **wrong)
    for wrong in [{"tags": [""]}, {"tags": ["x" * 256]}, {"tags": ["t"] * 17}, {"version": "v" * 256}]:
        with pytest.raises(kvlight.Wrong):
            cache.put(1, "one", **wrong)
    with pytest.raises(kvlight.Wrong):
        cache.remove_tag("")
    with pytest.raises(TypeError):
        cache.expire_tag(7)  # type: ignore[arg-type]
    assert 1 not in cache
    assert cache.put(1, "one", tags=[f"t{i}" for i in range(16)], version="v" * 255)


def l09b_contradictory_settings_are_rejected_with_a_message() -> None:
    with pytest.raises(kvlight.Wrong, match="no entry expires"):
        kvlight.Tasks[int, int](provider=lambda keys: keys, stale_ttl_ms=5)
