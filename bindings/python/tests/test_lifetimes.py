"""Engines that are closed or never closed, forks, and several copies of the module: nothing leaks a thread, a descriptor or an object."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import threading
import time
import warnings
import weakref
from typing import Any

import kvlight
import pytest
from own_process import echo, in_own_process, in_use, never, run

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")


async def opened(**settings: Any) -> kvlight.Tasks[Any, Any]:
    return await kvlight.Tasks[Any, Any](**settings).__aenter__()


@in_own_process
def l08_engines_that_are_never_closed_leak_no_thread_and_no_descriptor() -> None:
    warnings.simplefilter("ignore", ResourceWarning)
    dropped: list[Any] = []

    async def used() -> None:
        tasks = await opened(provider=echo)
        await tasks.fetch_all([1, 2, 3])
        dropped.append(weakref.ref(tasks))

    async def never_entered() -> None:
        dropped.append(weakref.ref(kvlight.Tasks(provider=echo)))

    async def still_loading() -> None:
        tasks = await opened(provider=never)
        asyncio.create_task(tasks.fetch(1)).add_done_callback(lambda fetch: fetch.cancelled())
        await asyncio.sleep(0.01)
        dropped.append(weakref.ref(tasks))

    async def while_the_loop_goes_on() -> None:
        before = in_use()
        for _ in range(5):
            tasks = await opened(provider=echo)
            await tasks.fetch(1)
            dropped.append(weakref.ref(tasks))
            del tasks
        gc.collect()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert in_use() == before

    def without_a_loop() -> None:
        tasks: kvlight.Tasks[int, int] = kvlight.Tasks(provider=lambda keys: keys)
        tasks.fetch_wait(1)
        dropped.append(weakref.ref(tasks))

    asyncio.run(used())
    gc.collect()
    before = in_use()
    for _ in range(5):
        asyncio.run(used())
        asyncio.run(never_entered())
        asyncio.run(still_loading())
        asyncio.run(while_the_loop_goes_on())
        without_a_loop()
    for _ in range(1000):
        gc.collect()
        if in_use() == before:
            break
        time.sleep(0.01)
    assert in_use() == before and not any(tasks() for tasks in dropped)


@in_own_process
def l08_an_engine_whose_last_reference_another_thread_drops_ends_on_its_loop() -> None:
    warnings.simplefilter("ignore", ResourceWarning)
    held: list[Any] = []

    async def main() -> None:
        before = in_use()
        held.append(await opened(provider=echo))
        await held[0].fetch(1)
        await asyncio.get_running_loop().run_in_executor(None, held.clear)
        for _ in range(1000):
            if in_use()[1] == before[1]:
                return
            await asyncio.sleep(0.01)
        raise AssertionError("its descriptor is still open")

    asyncio.run(main())


@in_own_process
def l08_a_loop_that_is_closed_before_its_engines_leaks_nothing() -> None:
    warnings.simplefilter("ignore", ResourceWarning)
    before = in_use()
    loop = asyncio.new_event_loop()
    idle = loop.run_until_complete(opened(provider=echo))
    loading = loop.run_until_complete(opened(provider=never))
    waiting = loop.create_task(loading.fetch(1))
    loop.run_until_complete(asyncio.sleep(0.01))
    loop.close()
    del idle, loading, waiting, loop
    gc.collect()
    assert in_use() == before


@in_own_process
def l08_a_waiting_task_is_not_collected_though_nothing_refers_to_it() -> None:
    answered: list[int] = []
    go: list[asyncio.Event] = []

    async def slow(keys: list[int]) -> list[int]:
        go.append(asyncio.Event())
        await go[0].wait()
        return keys

    async def ask(tasks: kvlight.Tasks[int, int]) -> None:
        answered.append(await tasks.fetch(7) or 0)

    async def main() -> None:
        tasks = await opened(provider=slow)
        asyncio.create_task(ask(tasks))
        del tasks
        while not go:
            await asyncio.sleep(0)
        for _ in range(3):
            gc.collect()
        go[0].set()
        while not answered:
            await asyncio.sleep(0)

    warnings.simplefilter("ignore", ResourceWarning)
    asyncio.run(main())
    assert answered == [7]


@in_own_process
def l05_a_close_at_any_moment_gives_every_fetch_an_outcome() -> None:
    async def slow(keys: list[int]) -> list[int]:
        await asyncio.sleep(0.001)
        return keys

    async def main() -> None:
        for round in range(50):
            provider = (echo, never, slow)[round % 3]
            async with kvlight.Tasks[int, int](provider=provider, batch_max_keys=3) as tasks:
                fetches: list[asyncio.Task[Any]] = [asyncio.create_task(tasks.fetch(i)) for i in range(200)]
                fetches.append(asyncio.create_task(tasks.fetch_all(range(100, 400))))
                for _ in range(round % 7):
                    await asyncio.sleep(0)
                for fetch in fetches[::5]:
                    fetch.cancel()
            outcomes = await asyncio.gather(*fetches, return_exceptions=True)
            wrong = [o for o in outcomes if not isinstance(o, (int, list, kvlight.Closed, asyncio.CancelledError))]
            assert not wrong, wrong[:3]

    before = in_use()
    asyncio.run(main())
    assert in_use() == before


def l05_a_drain_finishes_what_was_accepted() -> None:
    async def main() -> None:
        tasks = await opened(provider=echo, batch_max_keys=10)
        fetches = [asyncio.create_task(tasks.fetch(i)) for i in range(500)]
        await asyncio.sleep(0)
        await tasks.close(drain_ms=-1)
        assert await asyncio.gather(*fetches) == list(range(500))

    asyncio.run(main())


def l05_a_second_close_waits_for_the_first() -> None:
    async def main() -> None:
        tasks = await opened(provider=never)
        waiting = asyncio.create_task(tasks.fetch(1))
        await asyncio.sleep(0.01)
        await asyncio.gather(tasks.close(drain_ms=60_000), tasks.close(), tasks.close())
        assert isinstance((await asyncio.gather(waiting, return_exceptions=True))[0], kvlight.Closed)
        await tasks.close()

    asyncio.run(main())


@in_own_process
def l08_fault35_a_process_can_exit_with_fetches_in_progress() -> None:
    run("""
import asyncio, sys, warnings, kvlight
from own_process import never
async def main():
    tasks = await kvlight.Tasks(provider=never, timeout_ms=5, retry_count=-1).__aenter__()
    globals()["kept_till_the_end"] = tasks, [asyncio.create_task(tasks.fetch(i)) for i in range(100)]
    await asyncio.sleep(0)
    sys.exit(0)
warnings.simplefilter("ignore", ResourceWarning)
asyncio.run(main())
""")
    run("""
import warnings, kvlight, time, threading
warnings.simplefilter("ignore", ResourceWarning)
kept = kvlight.Tasks(provider=lambda keys: keys, cache_ttl_ms=1)
kept.fetch_all_wait(range(1000))
cache = kvlight.Cache(ttl_ms=5)
for i in range(10_000): cache.put(i, object())
""")


def l08_fault35_an_exception_can_leave_a_block_with_a_fetch_in_progress() -> None:
    async def main() -> None:
        async with kvlight.Tasks[int, int](provider=never) as tasks:
            asyncio.create_task(tasks.fetch(1)).add_done_callback(lambda fetch: fetch.exception())
            await asyncio.sleep(0)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        asyncio.run(main())


def l05_an_engine_that_is_never_closed_causes_a_warning() -> None:
    gc.collect()  # collects engines that other tests have left
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(100):
            tasks = kvlight.Tasks[int, int](provider=echo)
            tasks.put(1, 1)
            del tasks
            gc.collect()
    assert len(caught) == 100 and all(issubclass(w.category, ResourceWarning) for w in caught)


@in_own_process
def l06_a_fork_does_not_affect_the_parent() -> None:
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

    warnings.simplefilter("ignore")
    asyncio.run(main())


@in_own_process
def l06_a_child_can_create_its_own_engine() -> None:
    async def main() -> None:
        async with kvlight.Tasks[int, int](provider=echo) as tasks:
            assert await tasks.fetch(7) == 7

    warnings.simplefilter("ignore")
    kept = kvlight.Tasks[int, int](provider=lambda keys: keys)
    assert kept.fetch_wait(2) == 2
    child = os.fork()
    asyncio.run(main())
    with kvlight.Tasks[int, int](provider=lambda keys: keys) as tasks:
        assert tasks.fetch_wait(1) == 1
    if child == 0:
        del kept
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0 and kept.get(1, "miss") == "miss"


@in_own_process
def l04_fault33_fault40_objects_are_released_under_the_interpreters_lock() -> None:
    """The last reference may be dropped by a timer, an eviction, a clear without the lock, or a thread other than the main one."""

    class Row:
        def __init__(self) -> None:
            self.ended = ended

        def __del__(self) -> None:
            self.ended.append(threading.get_ident())

    ended: list[int] = []
    clock = kvlight.Clock()

    async def provider(keys: list[int]) -> list[Row]:
        return [Row() for _ in keys]

    async def main() -> None:
        async with kvlight.Tasks[int, Row](provider=provider, cache_ttl_ms=1000, clock=clock) as tasks:
            await tasks.fetch_all(range(10))
            advance = threading.Thread(target=clock.advance, args=(3000,))
            advance.start()
            advance.join()
            while len(ended) < 10:
                await asyncio.sleep(0)
            assert len(tasks) == 0

    asyncio.run(main())
    ended.clear()
    cache: kvlight.Cache[int, Row] = kvlight.Cache(capacity=100, ttl_ms=20)
    for i in range(300):
        cache.put(i, Row())
    assert len(ended) >= 200
    for _ in range(1000):
        if len(ended) == 300:
            break
        time.sleep(0.01)  # without a call of the library: its timer removes the rest
    assert len(ended) == 300

    def work() -> None:
        for i in range(500):
            cache.put(i, Row())
            cache.clear()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    cache.close()
    assert len(ended) == 300 + 2000


def l04_a_destructor_may_use_the_cache() -> None:
    cache: kvlight.Cache[Any, Any] = kvlight.Cache(capacity=10)

    class Chain:
        def __init__(self, left: int) -> None:
            self.left = left

        def __del__(self) -> None:
            if self.left:
                cache.put("chain", Chain(self.left - 1))

    cache.put("chain", Chain(100))
    for _ in range(102):
        cache.remove("chain")
    assert "chain" not in cache


@in_own_process
def l08_two_copies_and_a_reload_work_in_one_process() -> None:
    import importlib
    import shutil
    import tempfile
    from pathlib import Path

    folder = Path(tempfile.mkdtemp())
    try:
        for name in ("one", "two"):
            (folder / name).mkdir()
            (folder / name / "__init__.py").touch()
            shutil.copytree(Path(kvlight.__file__).parent, folder / name / "kvlight")
        sys.path.insert(0, str(folder))
        copies = [kvlight, importlib.import_module("one.kvlight"), importlib.import_module("two.kvlight")]
        engines = [copy.Tasks(provider=lambda keys: keys) for copy in copies]
        assert [engine.fetch_wait(i) for i, engine in enumerate(engines)] == [0, 1, 2]
        assert len({id(copy.Error) for copy in copies}) == 3
        for copy, engine in zip(copies, engines):
            engine.close_wait()
            with pytest.raises(copy.Closed):
                engine.get(1)
        importlib.reload(kvlight)
        for name in [name for name in sys.modules if name == "kvlight" or name.startswith("kvlight.")]:
            del sys.modules[name]
        again = importlib.import_module("kvlight")
        with again.Tasks(provider=lambda keys: keys) as tasks:
            assert tasks.fetch_wait(3) == 3
    finally:
        shutil.rmtree(folder)


@in_own_process
def l08_a_second_interpreter_works_in_one_process() -> None:
    try:
        import _interpreters as interpreters  # type: ignore[import-not-found, unused-ignore]
    except ImportError:
        import _xxsubinterpreters as interpreters  # type: ignore[import-not-found, unused-ignore]
    program = """
import asyncio, kvlight
with kvlight.Tasks(provider=lambda keys: keys) as tasks:
    assert tasks.fetch_all_wait(range(100)) == list(range(100))
async def main():
    async def rows(keys):
        return keys
    async with kvlight.Tasks(provider=rows) as tasks:
        assert await tasks.fetch(1) == 1
asyncio.run(main())
cache = kvlight.Cache(capacity=10, ttl_ms=1)
for i in range(100):
    cache.put(i, object())
"""
    with kvlight.Tasks[int, int](provider=lambda keys: keys) as tasks:
        for _ in range(3):
            # An interpreter that shares the lock, as extension modules of the stable ABI require.
            other = interpreters.create("legacy") if sys.version_info >= (3, 13) else interpreters.create(isolated=False)
            failure = interpreters.run_string(other, program)
            assert failure is None, failure
            interpreters.destroy(other)
            assert tasks.fetch_wait(1) == 1


def l08_an_import_of_a_broken_library_states_the_reason(tmp_path: Any) -> None:
    import shutil
    from pathlib import Path

    shutil.copytree(Path(kvlight.__file__).parent, tmp_path / "kvlight")
    for module in (tmp_path / "kvlight").glob("_native*.so"):
        module.write_bytes(b"not a library")
    output = run("import sys; sys.path.insert(0, sys.argv[1])\ntry:\n import kvlight\nexcept ImportError as why: print(why)", str(tmp_path))
    assert "_native.abi3.so" in output and "file too short" in output or "invalid ELF header" in output


class Row:
    """A value with weak references."""


def s20_values_that_expire_are_released_while_the_program_is_idle() -> None:
    def rows(keys: list[int]) -> list[Row]:
        made.extend(Row() for _ in keys)
        watched.extend(weakref.ref(row) for row in made[-len(keys):])
        return made[-len(keys):]

    made: list[Row] = []
    watched: list[weakref.ref[Row]] = []
    with kvlight.Tasks[int, Row](provider=rows, cache_ttl_ms=50) as tasks:
        tasks.fetch_all_wait(range(10))
        made.clear()
        for _ in range(6000):
            if all(row() is None for row in watched):
                break
            time.sleep(0.005)  # no call of the engine
        assert [row() for row in watched if row() is not None] == []
