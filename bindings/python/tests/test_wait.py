"""Programs without an event loop: caches without a provider, blocking fetches, the decorator, and the messages for wrong use."""

from __future__ import annotations

import asyncio
import functools
import os
import threading
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import kvlight
import pytest
from own_process import echo, in_own_process, run


def s01_a_cache_works_without_a_provider() -> None:
    with kvlight.Cache[Any, Any](capacity=3) as cache:
        cache["a"] = 1
        assert cache["a"] == 1 and cache.get("b") is None and cache.get("b", 5) == 5 and cache.get("b", default=6) == 6
        assert "a" in cache and len(cache) == 1 and cache and "1 entries" in repr(cache)
        cache["none"] = None
        assert cache["none"] is None and cache.get("none", "absent") is None
        assert cache.take("a") == 1 and cache.take("a", "gone") == "gone"
        with pytest.raises(KeyError):
            cache["a"]
        with pytest.raises(KeyError):
            del cache["a"]
        del cache["none"]
        for i in range(10):
            assert cache.put(i, i, priority=1.5)
        assert len(cache) == 3 and not cache.put("low", 0, priority=1)
        cache.resize(1)
        assert len(cache) == 1 and cache.stats()["now"]["entries"] == 1
        cache.trim(0.0)
        assert len(cache) == 0
    with pytest.raises(kvlight.Closed):
        cache.get("a")


def s06_entries_expire_by_the_clock_of_their_cache() -> None:
    clock = kvlight.Clock(1000)
    cache: kvlight.Cache[str, int] = kvlight.Cache(ttl_ms=50, clock=clock)
    cache["a"] = 1
    cache.put("b", 2, ttl_ms=-1)
    clock.advance(51)
    assert "a" not in cache and cache["b"] == 2 and clock.now_ms == 1051


def s01_keys_of_every_type_are_returned_unchanged() -> None:
    keys = [0, 1, -1, 2**63, -(2**63), 2**64, -(2**5000), "", "a", "é", "\ud800", b"", b"\0x", 1.5, float("inf"), True, False, None, (),
            (1, "a", (None, 2.5)), uuid.uuid4(), ("x" * 300, b"y" * 300)]
    cache: kvlight.Cache[Any, Any] = kvlight.Cache()
    for i, key in enumerate(keys):
        cache[key] = i
    assert [cache[key] for key in keys] == list(range(len(keys)))
    assert cache.get(1.0) is None and cache[0.0 * -1 + 1.5] == keys.index(1.5)
    with kvlight.Tasks[Any, Any](provider=lambda keys: keys, batch_max_keys=100) as tasks:
        assert tasks.fetch_all_wait(keys) == keys


def f21_blocking_fetches_of_many_threads_share_one_load() -> None:
    loaded: list[int] = []
    gate = threading.Event()

    def provider(keys: list[int]) -> list[Any]:
        loaded.extend(keys)
        gate.wait()
        return keys

    with kvlight.Tasks[int, int](provider=provider) as tasks:
        got: list[Any] = []
        threads = [threading.Thread(target=lambda: got.append(tasks.fetch_wait(7))) for _ in range(20)]
        for thread in threads:
            thread.start()
        while tasks.stats()["lookups"]["misses"] < 20:
            pass
        gate.set()
        for thread in threads:
            thread.join()
    assert got == [7] * 20 and loaded == [7]


def f21_blocking_fetches_time_out_fail_and_nest() -> None:
    def provider(keys: list[Any]) -> list[Any]:
        if keys == ["slow"]:
            threading.Event().wait(0.2)
        if keys == ["bad"]:
            raise LookupError("none")
        if keys == ["nested"]:
            return [tasks.fetch_wait("plain")]
        return keys

    with kvlight.Tasks[Any, Any](provider=provider, batch_max_keys=1) as tasks:
        with pytest.raises(TimeoutError):
            tasks.fetch_wait("slow", timeout_ms=5)
        with pytest.raises(LookupError):
            tasks.fetch_wait("bad")
        assert tasks.fetch_wait("nested") == "plain"
        assert isinstance(tasks.fetch_all_wait(["a", "bad"], return_exceptions=True)[1], LookupError)
        with pytest.raises(kvlight.Miss):
            tasks.fetch_wait("new", read="cache_only")
    with pytest.raises(kvlight.Closed):
        tasks.fetch_wait("new")
    tasks.close_wait()


def f21_waits_of_all_provider_threads_for_their_own_engine_are_refused() -> None:
    def provider(keys: list[int]) -> list[Any]:
        return [tasks.fetch_wait(key + 1) if key < 100 else key for key in keys]

    for threads in (1, 4):
        with kvlight.Tasks[int, int](provider=provider, batch_max_keys=1, tasks_max_running=threads) as tasks:
            # each of the threads but the last waits for the next one
            with pytest.raises(RuntimeError, match=f"all {threads} of the engine's provider calls"):
                tasks.fetch_wait(1)
            assert tasks.fetch_wait(101) == 101
            if threads > 1:
                assert tasks.fetch_wait(99) == 100


def f21_a_wait_for_a_key_that_the_provider_loads_itself_is_refused() -> None:
    def provider(keys: list[Any]) -> list[Any]:
        return [tasks.fetch_all_wait([key]) if key == "own" else key for key in keys]

    with kvlight.Tasks[Any, Any](provider=provider) as tasks:
        with pytest.raises(RuntimeError, match="loading itself"):
            tasks.fetch_wait("own")
        assert tasks.fetch_wait("other") == "other"


def f21_waits_of_a_plain_provider_beside_a_loop_are_refused_too() -> None:
    async def main() -> None:
        def provider(keys: list[int]) -> list[Any]:
            return [tasks.fetch_wait(key + 1) if key < 100 else key for key in keys]

        async with kvlight.Tasks[int, int](provider=provider, batch_max_keys=1, tasks_max_running=2) as tasks:
            with pytest.raises(RuntimeError, match="all 2 of"):
                await tasks.fetch(1)
            assert await tasks.fetch(99) == 100

    asyncio.run(main())


def f21_a_provider_can_be_a_coroutine_function_without_a_loop() -> None:
    async def provider(keys: list[int]) -> list[Any]:
        await asyncio.sleep(0)
        return keys

    with kvlight.Tasks[int, int](provider=provider) as tasks:
        assert tasks.fetch_all_wait(range(10)) == list(range(10))


def f21_another_thread_can_block_and_the_loops_thread_cannot() -> None:
    async def main() -> None:
        async with kvlight.Tasks[int, int](provider=echo) as tasks:
            assert await asyncio.get_running_loop().run_in_executor(None, tasks.fetch_wait, 5) == 5
            assert tasks.fetch_wait(5) == 5  # resident
            with pytest.raises(RuntimeError, match="await fetch"):
                tasks.fetch_wait(6)

    asyncio.run(main())


@in_own_process
def f21_an_interrupt_ends_a_blocking_fetch() -> None:
    import os
    import signal

    # A background command of a shell ignores interrupts, and so would this process.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    gate = threading.Event()
    with kvlight.Tasks[int, int](provider=lambda keys: keys if gate.wait() else []) as tasks:
        threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
        with pytest.raises(KeyboardInterrupt):
            tasks.fetch_wait(1)
        gate.set()


def f06_a_cached_function_runs_once_for_each_set_of_arguments() -> None:
    calls: list[Any] = []

    @kvlight.cached(cache_capacity=100)
    def add(a: Any, b: Any = 1, **more: Any) -> Any:
        """Adds."""
        calls.append((a, b, more))
        return None if a is None else a + b

    assert [add(1), add(1), add(1, b=2), add(b=2, a=1), add(1, 1, c=3), add(None)] == [2, 2, 3, 3, 2, None]
    assert add(None) is None and add(1) == 2 and add.__doc__ == "Adds."
    assert calls == [(1, 1, {}), (1, 2, {}), (1, 2, {}), (1, 1, {"c": 3}), (None, 1, {})]
    add.cache_clear()  # type: ignore[attr-defined]
    assert add(1) == 2 and len(calls) == 6

    @kvlight.cached()
    def arguments(*args: Any, **more: Any) -> Any:
        return args, more

    # Positional arguments that look like keyword arguments are distinct from them.
    for args, more in [((("", None, ""),), {}), ((("", None, ""), "x", 1), {}), ((), {"x": 1}), ((0, "x", 1), {}), ((), {}), ((0,), {})]:
        assert arguments(*args, **more) == (args, more)

    @kvlight.cached
    def fails(a: int) -> int:
        raise LookupError(a)

    for _ in range(2):
        with pytest.raises(LookupError):
            fails(1)


def f06_a_cached_coroutine_runs_once_for_each_set_of_arguments_on_each_loop() -> None:
    calls: list[int] = []

    @kvlight.cached(cache_ttl_ms=60_000)
    async def double(a: int) -> int:
        calls.append(a)
        await asyncio.sleep(0)
        return 2 * a

    async def main() -> None:
        assert await asyncio.gather(*(double(1) for _ in range(10))) == [2] * 10
        assert await double(2) == 4

    for _ in range(3):
        asyncio.run(main())
    assert sorted(calls) == [1, 1, 1, 2, 2, 2]


def l09_wrong_use_is_rejected_with_a_message() -> None:
    def wrong(message: str, kind: type[BaseException], call: Any) -> None:
        with pytest.raises(kind, match=message):
            call()

    tasks: Any = kvlight.Tasks
    wrong("cache.capacity", kvlight.Wrong, lambda: tasks(provider=echo, cache_capacitty=5))
    wrong("cache.capacity", ValueError, lambda: tasks(provider=echo, cache_capacity="many"))
    wrong("cache.capacity", ValueError, lambda: tasks(provider=echo, cache_capacity=True))
    kvlight.Cache(timer=False).close()
    wrong("capacit", ValueError, lambda: kvlight.Cache(capacitty=5))  # type: ignore[call-arg]
    wrong("kvlight.Clock", TypeError, lambda: tasks(provider=echo, clock=5))
    wrong("the name of a setting contains a NUL", kvlight.Wrong, lambda: tasks(provider=echo, **{"cache.capacity\0x": 5}))
    wrong("cache.policy contains a NUL", kvlight.Wrong, lambda: tasks(provider=echo, cache_policy="lru\0x"))
    wrong("null", ValueError, lambda: tasks(provider=echo, l2_url="redis://localhost\0x"))
    for pause in (-1, -0.5, float("nan"), float("inf"), 2**63):
        wrong("after_ms is a number from 0", ValueError, lambda pause=pause: kvlight.RetryAfter(after_ms=pause))
    assert kvlight.RetryAfter("later", after_ms=0.5).after_ms == 1
    wrong("exactly one of", TypeError, lambda: tasks())
    wrong("go together", TypeError, lambda: tasks(provider=echo, encode=str))
    wrong("not int", TypeError, lambda: tasks(provider=5))
    wrong("by name", TypeError, lambda: kvlight.cached(1000))  # type: ignore[call-overload]

    async def yields(keys: list[int]) -> Any:
        yield keys

    wrong("asynchronous generator", TypeError, lambda: tasks(provider=yields))
    cache: Any = kvlight.Cache()
    assert cache.get(key="a", default=7) == 7 and cache.get("a", default=8) == 8 and cache.get(default=9, key="a") == 9
    for call in (lambda: cache.get(), lambda: cache.get("a", 1, 2), lambda: cache.get("a", key="b"), lambda: cache.get("a", other=1)):
        wrong("takes a key", TypeError, call)
    for term in ({"ttl_ms": -7}, {"cost": -2}, {"stale_ttl_ms": -2}, {"priority": float("nan")}):
        wrong("is at least -2", kvlight.Wrong, lambda term=term: cache.put("a", 1, **term))
    assert len(cache) == 0

    async def main() -> None:
        async def raises(message: str, kind: type[BaseException], fetch: Any) -> None:
            with pytest.raises(kind, match=message):
                await fetch

        never_entered = kvlight.Tasks[Any, Any](provider=echo)
        await raises("async with", RuntimeError, never_entered.fetch(1))
        never_entered.close_wait()
        async with kvlight.Tasks[Any, Any](provider=echo) as engine:
            await raises("key is an int, str", TypeError, engine.fetch(object()))
            await raises("timeout_ms", kvlight.Wrong, engine.fetch(1, timeout_mss=5))  # type: ignore[call-arg]
            await raises("at most 65535", kvlight.Wrong, engine.fetch("k" * 70_000))
            text: Any = "abc"
            for fetch in (engine.fetch_all(text), engine.results(text), engine.fetch_map(b"abc"), engine.fetch_each(text).__anext__()):
                await raises("a list of keys", TypeError, fetch)
            wrong("a list of keys", TypeError, lambda: engine.refresh(text))
            caught: list[BaseException] = []

            def elsewhere() -> None:
                try:
                    asyncio.run(engine.fetch(1))
                except RuntimeError as error:
                    caught.append(error)

            thread = threading.Thread(target=elsewhere)
            thread.start()
            thread.join()
            assert "another event loop" in str(caught[0])
            await raises("only once", RuntimeError, engine.__aenter__())
        await raises("closed", kvlight.Closed, engine.fetch(1))
        wrong("closed", kvlight.Closed, lambda: engine.get(1))

    asyncio.run(main())


def l09_an_error_has_its_status() -> None:
    with kvlight.Tasks[int, int](provider=lambda keys: keys) as tasks:
        with pytest.raises(kvlight.Miss) as caught:
            tasks.fetch_wait(1, read="cache_only")
    assert caught.value.status is kvlight.Status.MISS and caught.value.name == "KVL_MISS" and "not in the store" in str(caught.value)


def f11_a_permanent_exception_is_not_retried() -> None:
    class Gone(kvlight.Permanent):
        pass

    attempts: list[int] = []

    def provider(keys: list[int]) -> list[Any]:
        attempts.extend(keys)
        raise Gone if keys[0] == 1 else LookupError

    with kvlight.Tasks[int, int](provider=provider, retry_count=2, retry_fixed_ms=1) as tasks:
        for key, kind in ((1, Gone), (2, LookupError)):
            with pytest.raises(kind):
                tasks.fetch_wait(key)
    assert attempts == [1, 2, 2, 2]


def s12_each_position_of_a_fetch_is_one_lookup() -> None:
    with kvlight.Tasks[int, int](provider=lambda keys: {key: key for key in keys if key}) as tasks:
        tasks.fetch_wait(1), tasks.fetch_wait(1), tasks.fetch_wait(0), tasks.fetch_wait(0), tasks.fetch_all_wait([1, 2, 2])
        counted = tasks.stats()["lookups"]
        assert (counted["hits"], counted["null_hits"], counted["misses"]) == (2, 1, 4)


def f02_a_fetch_that_loads_is_rejected_outside_of_the_engines_loop() -> None:
    failed: list[BaseException] = []

    async def opened() -> kvlight.Tasks[int, int]:
        tasks = await kvlight.Tasks[int, int](provider=echo).__aenter__()
        assert await tasks.fetch(1) == 1
        return tasks

    async def elsewhere(tasks: kvlight.Tasks[int, int]) -> None:
        assert await tasks.fetch(1) == 1  # the key is resident, so only the thread is checked
        with pytest.raises(RuntimeError, match="another event loop"):
            await tasks.fetch(2)

    async def on_another_thread(tasks: kvlight.Tasks[int, int]) -> None:
        for key in (1, 2):
            with pytest.raises(RuntimeError, match="another event loop"):
                await tasks.fetch(key)

    first, second = asyncio.new_event_loop(), asyncio.new_event_loop()
    tasks = first.run_until_complete(opened())
    second.run_until_complete(elsewhere(tasks))
    second.close()

    def run() -> None:
        try:
            asyncio.run(on_another_thread(tasks))
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert not failed, failed
    with pytest.raises(RuntimeError, match="no running event loop"):
        tasks.fetch(2).send(None)
    first.run_until_complete(tasks.close())
    with pytest.raises(kvlight.Closed):
        first.run_until_complete(tasks.fetch(1))
    first.close()

    async def never_entered() -> None:
        with pytest.raises(RuntimeError, match="not open"):
            await kvlight.Tasks[int, int](provider=echo).fetch(1)

    asyncio.run(never_entered())


def f19_an_engine_with_read_refresh_reloads_resident_keys() -> None:
    loads: list[int] = []

    def provider(keys: list[str]) -> list[int]:
        loads.append(len(loads))
        return [loads[-1]]

    with kvlight.Tasks[str, int](provider=provider, read="refresh") as tasks:
        assert [tasks.fetch_wait("a") for _ in range(3)] == [0, 1, 2]

    async def main() -> None:
        async with kvlight.Tasks[str, int](provider=provider, read="refresh") as tasks:
            assert [await tasks.fetch("a") for _ in range(3)] == [3, 4, 5]
            assert await tasks.fetch("a", read="normal") == 5
            assert await asyncio.to_thread(tasks.fetch_wait, "a") == 6

    asyncio.run(main())


@in_own_process
def f21_threads_of_the_loops_executor_may_all_wait_for_plain_providers_and_second_tiers() -> None:
    class Tier(kvlight.SecondTier):
        def read(self, keys: list[bytes], /) -> dict[bytes, bytes]:
            return {}

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.set_default_executor(ThreadPoolExecutor(2))
        async with kvlight.Tasks[str, str](provider=lambda keys: keys, second_tier=Tier()) as tasks:
            calls: list[Callable[[], object]] = [
                call for i in range(4) for call in (
                    functools.partial(tasks.fetch_wait, f"a{i}"),
                    functools.partial(tasks.fetch_all_wait, [f"b{i}", f"c{i}"]),
                    functools.partial(tasks.results_wait, [f"d{i}", f"e{i}"]))]
            outcomes = await asyncio.gather(*(loop.run_in_executor(None, call) for call in calls))
            assert outcomes[0:2] == ["a0", ["b0", "c0"]], outcomes

    asyncio.run(main())


def s12_each_fetch_is_one_lookup_with_one_outcome() -> None:
    async def main() -> None:
        async with kvlight.Tasks[str, int](provider=lambda keys: [len(key) or None for key in keys]) as tasks:
            for key in ("a", "a", "", "", "b"):
                await tasks.fetch(key)
            lookups = tasks.stats()["lookups"]
            assert (lookups["hits"], lookups["null_hits"], lookups["misses"]) == (1, 1, 3), lookups

    asyncio.run(main())


def f10_requests_that_took_too_long_keep_no_thread_from_others() -> None:
    gate = threading.Event()

    def provider(keys: list[int]) -> list[int]:
        if keys[0] < 4:
            gate.wait()
        return keys

    with kvlight.Tasks[int, int](provider=provider, batch_max_keys=1, attempt_timeout_ms=50) as tasks:
        late = [threading.Thread(target=tasks.results_wait, args=([key],)) for key in range(4)]
        for thread in late:
            thread.start()
        for thread in late:
            thread.join()
        try:
            # The provider's four calls have not returned, and their slots are free again.
            assert [tasks.fetch_wait(key, timeout_ms=60_000, retry_count=-1) for key in range(10, 14)] == [10, 11, 12, 13]
        finally:
            gate.set()


def l05_closes_on_several_threads_at_once_all_end_without_an_error() -> None:
    errors: list[Any] = []
    before, threading.excepthook = threading.excepthook, errors.append
    try:
        entered, gate = threading.Event(), threading.Event()

        def provider(keys: list[int]) -> list[int]:
            entered.set()
            gate.wait()
            return keys

        tasks = kvlight.Tasks[int, int](provider=provider)
        waiter = threading.Thread(target=tasks.results_wait, args=([1],))
        closers = [threading.Thread(target=tasks.close_wait) for _ in range(3)]
        waiter.start()
        entered.wait()
        for closer in closers:
            closer.start()
        waiter.join()
        gate.set()
        for closer in closers:
            closer.join()
    finally:
        threading.excepthook = before
    assert not errors


def l05_closes_at_any_moment_of_each_other_all_end() -> None:
    for _ in range(300):
        tasks = kvlight.Tasks[int, int](provider=echo)
        assert tasks.fetch_wait(1) == 1
        failures: list[BaseException] = []

        def close(tasks: kvlight.Tasks[int, int] = tasks, failures: list[BaseException] = failures) -> None:
            try:
                tasks.close_wait()
            except BaseException as failure:
                failures.append(failure)

        closers = [threading.Thread(target=close) for _ in range(4)]
        for closer in closers:
            closer.start()
        for closer in closers:
            closer.join()
        assert not failures


def f21_a_wait_for_a_key_of_its_own_is_refused_though_the_provider_takes_it_off_the_list() -> None:
    def provider(keys: list[int]) -> list[Any]:
        key = keys.pop()
        return [tasks.fetch_wait(key, timeout_ms=60_000)]

    with kvlight.Tasks[int, Any](provider=provider) as tasks:
        with pytest.raises(RuntimeError, match="loading itself"):
            tasks.fetch_wait(1)


def l09_a_provider_may_change_its_keys_and_must_not_return_a_set() -> None:
    def sorts(keys: list[int]) -> list[int]:
        answers = [10 * key for key in keys]
        keys.sort()
        keys.clear()
        return answers

    with kvlight.Tasks[int, int](provider=sorts) as tasks:
        assert tasks.fetch_all_wait([3, 1, 2]) == [30, 10, 20]
    with kvlight.Tasks[int, int](provider=lambda keys: set(keys)) as tasks:  # type: ignore[arg-type,return-value]
        with pytest.raises(TypeError, match="a mapping or a sequence, not <class 'set'>"):
            tasks.fetch_wait(1)


@in_own_process
def l06_a_decorated_function_begins_again_in_the_child_of_a_fork() -> None:
    calls: list[int] = []

    @kvlight.cached()
    def double(a: int) -> int:
        calls.append(a)
        return 2 * a

    @kvlight.cached()
    async def triple(a: int) -> int:
        return 3 * a

    assert double(1) == 2 and asyncio.run(triple(1)) == 3
    if child := os.fork():
        assert os.waitpid(child, 0)[1] == 0
        assert double(1) == 2 and calls == [1]
        return
    status = 1
    try:
        assert double(1) == 2 and double(2) == 4 and calls == [1, 1, 2]
        assert asyncio.run(triple(2)) == 6
        status = 0
    finally:
        os._exit(status)


def l08_a_decorated_function_ends_with_the_program_without_a_warning() -> None:
    program = "import warnings; warnings.simplefilter('always'); import kvlight; f = kvlight.cached()(lambda a: a); print(f(1))"
    assert run(program) == "1\n"
