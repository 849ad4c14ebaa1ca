"""How the provider is called, cancelled and left: its context, equal keys, executors, and what its exceptions keep alive."""

from __future__ import annotations

import asyncio
import contextvars
import copy
import gc
import os
import pickle
import signal
import threading
import time
import weakref
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from typing import Any

import kvlight
import pytest
from own_process import in_own_process, run

who = contextvars.ContextVar("who", default="nobody")


def l01_no_provider_sees_the_context_of_a_caller() -> None:
    async def provider(keys: list[int]) -> dict[int, str]:
        return {key: who.get() for key in keys}

    @kvlight.cached
    async def decorated(_: int) -> str:
        return who.get()

    async def main() -> None:
        who.set("opener")
        async with kvlight.Tasks[int, str](provider=provider) as tasks:
            who.set("caller")
            assert await tasks.fetch(1) == "opener" and await decorated(1) == "nobody"
            who.set("another caller")
            assert await tasks.fetch(2) == "opener" and await decorated(2) == "nobody"

    asyncio.run(main())


def f15_keys_that_are_equal_in_python_get_their_own_answers() -> None:
    keys: list[Any] = [1, 1.0, True, 2, (1,), (True,), (1.0,), 0, False]
    expected = [repr(key) for key in keys]

    def mapping(keys: list[Any]) -> dict[Any, str]:
        return {key: repr(key) for key in keys}

    def sequence(keys: list[Any]) -> list[str]:
        return list(map(repr, keys))

    async def coroutine(keys: list[Any]) -> dict[Any, str]:
        return mapping(keys)

    def conditional(keys: list[Any], stales: list[Any]) -> dict[Any, str]:
        assert len(keys) == len(stales)
        return mapping(keys)

    settings: Any
    for settings in ({"provider": mapping}, {"provider": sequence}, {"provider": coroutine}, {"conditional": conditional}):
        with kvlight.Tasks[Any, str](**settings) as tasks:
            assert tasks.fetch_all_wait(keys) == expected

        async def main(settings: Any = settings) -> None:
            async with kvlight.Tasks[Any, str](**settings) as tasks:
                assert await tasks.fetch_all(keys) == expected
                with pytest.raises(ValueError, match="use fetch_all"):
                    await tasks.fetch_map([1, True])
                assert await tasks.fetch_map([1, 1, "a"]) == {1: "1", "a": "'a'"}

        asyncio.run(main())
    with kvlight.Tasks[Any, str](provider=lambda keys: ["too", "many"]) as tasks:
        with pytest.raises(TypeError, match="2 values for 1 keys"):
            tasks.fetch_all_wait([1, True])


@in_own_process
def f01_a_request_that_the_executor_drops_fails() -> None:
    gate = threading.Event()

    def provider(keys: list[int]) -> list[int]:
        gate.wait()
        return keys

    executor = ThreadPoolExecutor(1)
    with kvlight.Tasks[int, int](provider=provider, executor=executor, batch_max_keys=1) as tasks:
        fetch = threading.Thread(target=lambda: outcomes.extend(tasks.fetch_all_wait(range(4), return_exceptions=True)))
        outcomes: list[Any] = []
        fetch.start()
        while executor._work_queue.qsize() < 3:
            time.sleep(0.001)
        executor.shutdown(wait=False, cancel_futures=True)
        gate.set()
        fetch.join(60)
        assert not fetch.is_alive() and outcomes[0] == 0 and all(isinstance(o, kvlight.ProviderFailed) for o in outcomes[1:])
    with ProcessPoolExecutor(1) as processes:
        with pytest.raises(TypeError, match="on threads of this process"):
            kvlight.Tasks(provider=abs, executor=processes)  # type: ignore[arg-type]


@in_own_process
def f09_a_coroutine_without_a_loop_is_cancelled_when_nobody_waits() -> None:
    ended: list[str] = []
    begun = threading.Semaphore(0)

    async def provider(keys: list[int]) -> list[int]:
        begun.release()
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise
        return keys

    def interrupt() -> None:
        begun.acquire()
        os.kill(os.getpid(), signal.SIGINT)

    def wait_for(n: int) -> None:
        for _ in range(1000):
            if len(ended) == n:
                return
            time.sleep(0.01)
        raise AssertionError(ended)

    signal.signal(signal.SIGINT, signal.default_int_handler)
    with kvlight.Tasks[int, int](provider=provider, load_on_timeout="cancel") as tasks:
        with pytest.raises(kvlight.Timeout):
            tasks.fetch_wait(1, timeout_ms=200)
        wait_for(1)
        begun.acquire()
        threading.Thread(target=interrupt, daemon=True).start()
        with pytest.raises(KeyboardInterrupt):
            tasks.fetch_wait(2)
        wait_for(2)
        waiting = threading.Thread(target=tasks.results_wait, args=([3],))
        waiting.start()
        begun.acquire()
    waiting.join()
    assert len(ended) == 3 and not any(thread.name == "kvlight-provider" for thread in threading.enumerate())


def l08_the_end_of_the_interpreter_cancels_a_coroutine_without_a_loop() -> None:
    started = time.monotonic()
    assert run("""
import asyncio, kvlight, threading
async def provider(keys):
    begun.set()
    try:
        await asyncio.sleep(60)
    finally:
        print("cancelled", flush=True)
begun = threading.Event()
tasks = kvlight.Tasks(provider=provider).__enter__()
threading.Thread(target=tasks.results_wait, args=([1],), daemon=True).start()
begun.wait()
""").startswith("cancelled\n")
    assert time.monotonic() - started < 30


@in_own_process
def f09_an_interrupted_wait_for_an_engine_of_another_loop_cancels_its_fetch() -> None:
    cancelled, begun, ready = threading.Event(), threading.Event(), threading.Event()
    opened: list[Any] = []

    async def provider(keys: list[int]) -> list[int]:
        begun.set()
        try:
            await asyncio.sleep(60)
        finally:
            cancelled.set()
        return keys

    def interrupt() -> None:
        begun.wait()
        os.kill(os.getpid(), signal.SIGINT)

    async def main() -> None:
        async with kvlight.Tasks[int, int](provider=provider) as tasks:
            opened.append(tasks)
            ready.set()
            await asyncio.to_thread(cancelled.wait, 60)

    signal.signal(signal.SIGINT, signal.default_int_handler)
    thread = threading.Thread(target=asyncio.run, args=(main(),))
    thread.start()
    ready.wait()
    threading.Thread(target=interrupt, daemon=True).start()
    with pytest.raises(KeyboardInterrupt):
        opened[0].fetch_wait(1)
    assert cancelled.wait(30)
    thread.join()


@in_own_process
def l05_a_cancelled_close_goes_on() -> None:
    async def slow(keys: list[int]) -> list[int]:
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0.01)
        return keys

    async def use(tasks: kvlight.Tasks[int, int]) -> None:
        async with tasks:
            await tasks.fetch(1)

    async def main() -> None:
        before = len(os.listdir("/proc/self/fd"))
        engines = [kvlight.Tasks[int, int](provider=slow) for _ in range(10)]
        for tasks in engines:
            using = asyncio.ensure_future(use(tasks))
            await asyncio.sleep(0.01)
            using.cancel()
            await asyncio.sleep(0)
            using.cancel()  # as another timeout does, and anyio's scopes do again and again
            await asyncio.gather(using, return_exceptions=True)
            assert tasks.is_closed
            with pytest.raises(kvlight.Closed):
                await tasks.fetch(2)
        for tasks in engines:
            await tasks.close()
        assert len(os.listdir("/proc/self/fd")) == before
        # The loop ends before the close does.
        using = asyncio.ensure_future(use(last))
        await asyncio.sleep(0.01)
        using.cancel()
        await asyncio.sleep(0)
        using.cancel()
        await asyncio.gather(using, return_exceptions=True)

    last = kvlight.Tasks[int, int](provider=slow)
    asyncio.run(main())
    assert last.is_closed
    with pytest.raises(kvlight.Closed):
        last.get(1)


@in_own_process
def l04_a_raised_failure_keeps_nothing_of_the_provider_alive() -> None:
    class Big:
        pass

    alive: list[weakref.ref[Big]] = []

    def fails() -> None:
        big = Big()
        alive.append(weakref.ref(big))
        raise LookupError

    def plain(keys: list[int]) -> list[int]:
        fails()
        return keys

    async def coroutine(keys: list[int]) -> list[int]:
        fails()
        return keys

    def count() -> int:
        n = sum(big() is not None for big in alive)
        alive.clear()
        return n

    gc.collect()
    gc.disable()
    calls: Any
    for provider in (plain, coroutine):
        with kvlight.Tasks[int, int](provider=provider) as tasks:
            for calls in (tasks.fetch_wait, lambda i: tasks.fetch_all_wait([i, i + 1])):
                for i in range(100):
                    try:
                        calls(i)
                    except LookupError:
                        pass
                gone = count()
                assert gone <= 1, gone

    async def main() -> None:
        async with kvlight.Tasks[int, int](provider=coroutine) as tasks:
            calls: Any
            for calls in (tasks.fetch, lambda i: tasks.fetch_all([i, i + 1])):
                for i in range(100):
                    try:
                        await calls(i)
                    except LookupError:
                        pass
                await asyncio.sleep(0)
                gone = count()
                assert gone <= 1, gone  # asyncio itself keeps the last one for a moment

    asyncio.run(main())


def f20_a_shared_exception_has_no_context_of_a_caller() -> None:
    async def provider(keys: list[int]) -> list[int]:
        try:
            raise KeyError("of the provider")
        except KeyError:
            raise LookupError

    async def caught(tasks: Any, handled: str | None) -> BaseException | None:
        try:
            if handled:
                raise ValueError(handled)
            await tasks.fetch(1)
        except ValueError:
            try:
                await tasks.fetch_all([1])
            except LookupError as error:
                return error.__context__
        except LookupError as error:
            return error.__context__
        return None

    async def main() -> None:
        async with kvlight.Tasks[int, int](provider=provider) as tasks:
            _, context = await asyncio.gather(caught(tasks, "a secret"), caught(tasks, None))
            assert repr(context) == "KeyError('of the provider')"

    asyncio.run(main())
    with kvlight.Tasks[int, int](provider=provider, cache_error_ttl_ms=60_000) as tasks:
        for fetch in (lambda: tasks.fetch_wait(1), lambda: tasks.fetch_all_wait([1])):
            try:
                raise ValueError("a secret")
            except ValueError:
                with pytest.raises(LookupError) as error:
                    fetch()
            assert repr(error.value.__context__) == "KeyError('of the provider')"


def l09_a_retry_after_can_be_pickled_and_copied() -> None:
    class Busy(kvlight.RetryAfter):
        pass

    for kind in (kvlight.RetryAfter, pickled_by_name):
        for again in (pickle.loads(pickle.dumps(kind("slow", after_ms=5))), copy.copy(kind("slow", after_ms=5))):
            assert type(again) is kind and again.args == ("slow",) and again.after_ms == 5
    assert copy.copy(Busy(after_ms=2)).after_ms == 2


class pickled_by_name(kvlight.RetryAfter):
    pass


def l09_what_can_never_work_is_refused_when_it_is_decorated_or_created() -> None:
    def wrong(message: str, kind: type[BaseException], call: Any) -> None:
        with pytest.raises(kind, match=message):
            call()

    def generator(n: int) -> Any:
        yield n

    async def asynchronous(n: int) -> Any:
        yield n

    async def coroutine(n: int) -> int:
        return n

    class Name(str):
        pass

    class Of:
        @kvlight.cached
        def method(self, n: int) -> int:
            return n

    cached: Any = kvlight.cached
    method: Any = generator
    for function in (generator, asynchronous):
        wrong("no generator", TypeError, lambda function=function: cached(function))
    wrong("is a generator", TypeError, lambda: kvlight.Tasks(one=generator))
    wrong("cache_ttl_ms", kvlight.Wrong, lambda: cached(cache_ttl=5)(coroutine))
    wrong("below @staticmethod", TypeError, lambda: cached(staticmethod(generator)))
    wrong("no class method", TypeError, lambda: cached(classmethod(method)))
    wrong("takes the id of such an object", TypeError, lambda: Of().method(1))
    wrong("takes the id of such an object", TypeError, lambda: asyncio.run(cached(coroutine)(Of())))
    cache: Any = kvlight.Cache()
    cache[1] = 1
    wrong("subclasses such as .*Name.* are refused", TypeError, lambda: cache.get(Name("a")))
    wrong("above 0, -1 for never", kvlight.Wrong, lambda: cache.touch(1, ttl_ms=0))
    wrong("capacity", kvlight.Wrong, lambda: kvlight.Cache(cache_capacity=3))  # type: ignore[call-arg]
    with pytest.raises(kvlight.Wrong) as named:
        kvlight.Cache(capacitty=3)  # type: ignore[call-arg]
    assert str(named.value) == 'there is no setting "capacitty"; did you mean "capacity"?'
    for value in ("500", True):
        wrong('"cache_ttl_ms" takes a number', kvlight.Wrong, lambda value=value: kvlight.Tasks(provider=abs, cache_ttl_ms=value))  # type: ignore[arg-type]
    cost: Any
    for cost in (None, 1.5):
        wrong("cost= must return an int", TypeError, lambda cost=cost: kvlight.Cache[int, int](cost=lambda _: cost).put(1, 1))

    async def enter() -> None:
        await kvlight.Tasks(provider=lambda keys: keys).__aenter__()

    with pytest.raises(RuntimeError, match="under another framework such as trio"):
        enter().send(None)


@in_own_process
def l06_a_cache_of_the_parent_has_no_length_in_the_child_of_a_fork() -> None:
    cache: kvlight.Cache[int, int] = kvlight.Cache()
    cache[1] = 1
    if child := os.fork():
        assert os.waitpid(child, 0)[1] == 0 and len(cache) == 1
        return
    status = 1
    try:
        assert "forked" in repr(cache)
        with pytest.raises(kvlight.Forked):
            len(cache)
        status = 0
    finally:
        os._exit(status)
