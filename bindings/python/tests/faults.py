"""What has broken bindings before, tried on this one: a busy interpreter, fork, exit, frees under the interpreter's lock, wrong use.

Each case runs in an interpreter of its own, since the worst ones would not come back: `faults.py` runs them all and prints TAP,
`faults.py NAME` runs one.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import os
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))
import kvlight
from kvlight._native import P, SIZE, U32, lib, made


async def echo(keys: list[Any]) -> list[Any]:
    return list(keys)


async def never(keys: list[Any]) -> list[Any]:
    await asyncio.Event().wait()
    return []


def a_busy_interpreter_and_100_000_fetches() -> None:
    stop = threading.Event()

    def busy() -> None:
        while not stop.is_set():
            sum(range(1000))

    async def main() -> None:
        async with kvlight.Tasks[int, int](provider=echo, cache_capacity=20_000, batch_max_keys=100, queue_max_keys=100_000) as tasks:
            for start in range(0, 100_000, 10_000):
                keys = range(start, start + 10_000)
                if start % 20_000:
                    assert await asyncio.gather(*map(tasks.fetch, keys)) == list(keys)
                else:
                    assert await tasks.fetch_all(keys) == list(keys)
            assert tasks.stats()["loads"]["succeeded"] == 100_000
            assert len(tasks._objects) < 40_000 and not tasks._waiting and not tasks._providing
        assert not tasks._objects

    thread = threading.Thread(target=busy)
    thread.start()
    try:
        asyncio.run(main())
    finally:
        stop.set()
        thread.join()


def sync_providers_in_threads() -> None:
    seen = set()

    def provider(keys: list[int]) -> dict[int, str]:
        seen.add(threading.current_thread() is threading.main_thread())
        return {key: str(key) for key in keys if key != 13}

    async def main() -> None:
        async with kvlight.Tasks[int, str](provider=provider) as tasks:
            rows = await asyncio.gather(*map(tasks.fetch, range(200)))
            assert rows == [None if i == 13 else str(i) for i in range(200)]
        async with kvlight.Tasks[int, int](one=lambda key: key * 2) as tasks2:
            assert await tasks2.fetch_all([1, 2]) == [2, 4]

    asyncio.run(main())
    assert seen == {False}


def the_same_exception_at_every_waiter() -> None:
    lost = LookupError("no such shelf")

    async def provider(keys: list[int]) -> list[int]:
        raise lost

    async def main() -> None:
        async with kvlight.Tasks[int, int](provider=provider, cache_error_ttl_ms=60_000) as tasks:
            for _ in range(50):
                got = await asyncio.gather(*(tasks.fetch(1) for _ in range(3)), tasks.fetch_all([1]), return_exceptions=True)
                assert all(error is lost for error in got)
        depth, place = 0, lost.__traceback__
        while place is not None:
            depth, place = depth + 1, place.tb_next
        assert depth < 20, f"the traceback grew to {depth} frames"

    asyncio.run(main())


def closing_in_the_middle() -> None:
    async def slow(keys: list[int]) -> list[int]:
        await asyncio.sleep(0.001)
        return keys

    async def main() -> None:
        for round in range(50):
            provider = (echo, never, slow)[round % 3]
            async with kvlight.Tasks[int, int](provider=provider, batch_max_keys=3) as tasks:
                fetches = [asyncio.create_task(tasks.fetch(i)) for i in range(200)]
                fetches.append(asyncio.create_task(tasks.fetch_all(range(100, 400))))  # type: ignore[arg-type]
                for _ in range(round % 7):
                    await asyncio.sleep(0)
                for fetch in fetches[::5]:
                    fetch.cancel()
            outcomes = await asyncio.gather(*fetches, return_exceptions=True)
            wrong = [o for o in outcomes if not isinstance(o, (int, list, kvlight.Closed, asyncio.CancelledError))]
            assert not wrong, wrong[:3]
            assert not tasks._objects and not tasks._waiting

    asyncio.run(main())


def closing_by_draining() -> None:
    async def main() -> None:
        tasks = await kvlight.Tasks[int, int](provider=echo, batch_max_keys=10).__aenter__()
        fetches = [asyncio.create_task(tasks.fetch(i)) for i in range(500)]
        await asyncio.sleep(0)
        await tasks.close(drain_ms=-1)
        assert await asyncio.gather(*fetches) == list(range(500))

    asyncio.run(main())


def exit_with_fetches_under_way() -> None:  # f35
    async def main() -> None:
        tasks = await kvlight.Tasks[int, int](provider=never, timeout_ms=5, retry_count=-1).__aenter__()
        globals()["kept_till_the_end"] = tasks, [asyncio.create_task(tasks.fetch(i)) for i in range(100)]
        await asyncio.sleep(0)
        sys.exit(0)

    warnings.simplefilter("ignore", ResourceWarning)
    asyncio.run(main())


def exit_while_an_exception_unwinds() -> None:  # f35
    async def main() -> None:
        async with kvlight.Tasks[int, int](provider=never) as tasks:
            asyncio.create_task(tasks.fetch(1)).add_done_callback(lambda fetch: fetch.exception())
            await asyncio.sleep(0)
            raise ZeroDivisionError

    try:
        asyncio.run(main())
    except ZeroDivisionError:
        return
    raise AssertionError("the exception was lost")


def forgotten_and_collected() -> None:
    async def main() -> None:
        for _ in range(100):
            tasks = kvlight.Tasks[int, int](provider=echo)
            tasks.put(1, 1)
            del tasks
            gc.collect()

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        asyncio.run(main())
    assert len(caught) == 100 and all(issubclass(w.category, ResourceWarning) for w in caught)


def fork_leaves_the_parent_unharmed() -> None:
    async def main() -> None:
        async with kvlight.Tasks[int, int](provider=echo) as tasks:
            assert await tasks.fetch(1) == 1
            child = os.fork()
            if child == 0:
                code = 1
                try:
                    tasks.get(1)
                except kvlight.Forked:
                    code = 0
                try:
                    tasks.put(1, 2)
                    code = 2
                except kvlight.Forked:
                    pass
                del tasks
                gc.collect()
                os._exit(code)
            assert os.waitpid(child, 0)[1] == 0
            assert await tasks.fetch_all([1, 2, 3]) == [1, 2, 3]

    warnings.simplefilter("ignore", ResourceWarning)
    asyncio.run(main())


def a_child_makes_its_own() -> None:
    async def main() -> None:
        async with kvlight.Tasks[int, int](provider=echo) as tasks:
            assert await tasks.fetch(7) == 7

    warnings.simplefilter("ignore", ResourceWarning)
    kept = kvlight.Tasks[int, int](provider=echo)
    child = os.fork()
    asyncio.run(main())
    if child == 0:
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0 and kept.get(1, "miss") == "miss"


def free_under_the_interpreters_lock() -> None:  # f33
    """With the queue no code of ours runs on the library's threads, so a free that keeps the lock has nothing to wait for; and
    dispose never waits, even with callbacks on the library's threads that stand before the lock."""
    holding = ctypes.PyDLL(lib._name)  # keeps the lock during calls

    async def main() -> None:
        tasks = await kvlight.Tasks[int, int](provider=never).__aenter__()
        fetches = [asyncio.create_task(tasks.fetch(i)) for i in range(50)]
        await asyncio.sleep(0.01)
        assert holding.kvl_tasks_free(P(tasks._tasks)) == 0
        tasks._tasks = 0
        outcomes = await asyncio.wait_for(asyncio.gather(*fetches, return_exceptions=True), 30)  # they lay in the queue
        assert all(isinstance(outcome, kvlight.Closed) for outcome in outcomes)

    asyncio.run(main())

    provide_t, result_t = ctypes.CFUNCTYPE(None, P, P), ctypes.CFUNCTYPE(None, P, P)
    entered, answered = threading.Event(), []

    def provide(_: int, request: int) -> None:
        entered.set()
        time.sleep(0.01)
        lib.kvl_request_finish(request)

    def tell(_: int, result: int) -> None:
        answered.append(result)

    provider, teller = provide_t(provide), result_t(tell)

    for _ in range(20):
        entered.clear()
        config = made(lib.kvl_config_new)
        lib.kvl_config_set_provider(config, provider, None, None)
        engine = made(lambda out: lib.kvl_tasks_new(config, out, None))
        lib.kvl_config_free(config)
        for i in range(10):
            key = str(i).encode()
            assert lib.kvl_tasks_fetch(engine, key, len(key), None, None, teller, None, None, None) == 5
        assert entered.wait(30)
        holding.kvl_tasks_dispose(P(engine))
    deadline = threading.Event()
    for _ in range(300):
        if len(answered) == 200:
            return
        deadline.wait(0.1)
    raise AssertionError(f"{len(answered)} of 200 answers came")


def an_object_expires_by_timer() -> None:  # f40
    """Its destructor runs where the queue is read: on the loop's thread, without anybody touching the cache."""

    class Row:
        def __init__(self) -> None:
            self.ended = ended

        def __del__(self) -> None:
            self.ended.append(threading.current_thread() is threading.main_thread())

    ended: list[bool] = []
    clock = kvlight.Clock()

    async def provider(keys: list[int]) -> list[Row]:
        return [Row() for _ in keys]

    async def main() -> None:
        async with kvlight.Tasks[int, Row](provider=provider, cache_ttl_ms=1000, clock=clock) as tasks:
            await tasks.fetch_all(range(10))
            advance = threading.Thread(target=clock.advance, args=(3000,))  # the timer is another thread's
            advance.start()
            advance.join()
            while len(ended) < 10:
                await asyncio.sleep(0)
            assert len(tasks) == 0

    asyncio.run(main())
    assert ended == [True] * 10


def wrong_use_says_so_in_a_sentence() -> None:
    def says(sentence: str, kind: type[BaseException], call: Callable[[], Any]) -> None:
        try:
            call()
        except kind as error:
            assert sentence in str(error), f"{error} does not say: {sentence}"
        else:
            raise AssertionError(f"nothing was raised, where {kind.__name__} should say: {sentence}")

    says("cache.capacity", kvlight.Wrong, lambda: kvlight.Tasks(provider=echo, cache_capacitty=5))
    says("cache.capacity", ValueError, lambda: kvlight.Tasks(provider=echo, cache_capacity="many"))
    says("not both", TypeError, lambda: kvlight.Tasks())
    says("not int", TypeError, lambda: kvlight.Tasks(provider=5))  # type: ignore[arg-type]

    async def wrong_kind(keys: list[int]) -> Any:
        return 5

    async def too_few(keys: list[int]) -> list[int]:
        return keys[1:]

    async def main() -> None:
        async def raises(sentence: str, kind: type[BaseException], fetch: Any) -> None:
            try:
                await fetch
            except kind as error:
                assert sentence in str(error), f"{error} does not say: {sentence}"
            else:
                raise AssertionError(f"nothing was raised, where {kind.__name__} should say: {sentence}")

        never_entered = kvlight.Tasks[int, int](provider=echo)
        await raises("async with", RuntimeError, never_entered.fetch(1))
        async with never_entered as tasks:
            await raises("key is an int, str", TypeError, tasks.fetch(1.5))  # type: ignore[arg-type]
            await raises("timeout_ms", kvlight.Wrong, tasks.fetch(1, timeout_mss=5))
            await raises("at most", kvlight.Wrong, tasks.fetch("k" * 70_000))  # type: ignore[arg-type]
            says("another event loop", RuntimeError, lambda: _in_thread(lambda: asyncio.run(tasks.fetch(1))))
        await raises("closed", kvlight.Closed, tasks.fetch(1))
        says("closed", kvlight.Closed, lambda: tasks.get(1))
        async with kvlight.Tasks[int, int](provider=wrong_kind) as tasks:
            await raises("mapping or a sequence, not int", TypeError, tasks.fetch(1))
        async with kvlight.Tasks[int, int](provider=too_few) as tasks:
            await raises("0 values for 1 keys", TypeError, tasks.fetch(1))

    asyncio.run(main())
    os.environ["KVL_LIBRARY"] = "/nowhere/libkvlight.so"
    child = subprocess.run([sys.executable, "-c", "import kvlight"], capture_output=True, text=True, cwd=str(Path(kvlight.__file__).parents[1]))
    assert child.returncode == 1 and "set KVL_LIBRARY to its path" in child.stderr


def _in_thread(call: Callable[[], Any]) -> Any:
    caught: list[BaseException] = []

    def run() -> None:
        try:
            call()
        except BaseException as error:
            caught.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if caught:
        raise caught[0]


CASES: list[Callable[[], None]] = [
    a_busy_interpreter_and_100_000_fetches,
    sync_providers_in_threads,
    the_same_exception_at_every_waiter,
    closing_in_the_middle,
    closing_by_draining,
    exit_with_fetches_under_way,
    exit_while_an_exception_unwinds,
    forgotten_and_collected,
    fork_leaves_the_parent_unharmed,
    a_child_makes_its_own,
    free_under_the_interpreters_lock,
    an_object_expires_by_timer,
    wrong_use_says_so_in_a_sentence,
]


def main() -> int:
    if len(sys.argv) == 2:
        next(case for case in CASES if case.__name__ == sys.argv[1])()
        return 0
    failed = 0
    print(f"1..{len(CASES)}", flush=True)
    for number, case in enumerate(CASES, 1):
        try:
            child = subprocess.run([sys.executable, __file__, case.__name__], timeout=180, capture_output=True, text=True)
            good, said = child.returncode == 0 and not child.stderr, f"exit code {child.returncode}\n{child.stderr}"
        except subprocess.TimeoutExpired:
            good, said = False, "it hangs"
        failed += not good
        print(f"{'ok' if good else 'not ok'} {number} - {case.__name__.replace('_', ' ')}", flush=True)
        if not good:
            print("\n".join("# " + line for line in said.splitlines()[-12:]), flush=True)
    return failed


if __name__ == "__main__":
    sys.exit(main() != 0)
