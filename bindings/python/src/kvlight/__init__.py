"""kvlight for asyncio: a loading cache that fetches each key once, in batches, however many coroutines ask.

    import asyncio, kvlight

    async def fetch_rows(ids):                        # called with the ids that the cache lacks
        return {i: f"row {i}" for i in ids}           # what is left out is known to be absent: None

    async def main():
        async with kvlight.Tasks(provider=fetch_rows, cache_ttl_ms=60_000) as rows:
            print(await rows.fetch(7))
            print(await rows.fetch_all([1, 2, 1]))    # one call of fetch_rows, with [1, 2]

    asyncio.run(main())

This module needs nothing but ctypes and libkvlight: found by KVL_LIBRARY, in target/release of the checkout that holds this file,
or by name. It lets no foreign thread into the interpreter: the library is
given no function at all; what it has to tell waits in its queue, whose descriptor the event loop watches. Python objects never
cross: the library holds numbers.
"""

from __future__ import annotations

import asyncio
import ctypes
import inspect
import itertools
import json
import sys
import threading
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable, Iterable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Generic, TypeVar, Union, cast

from ._native import (
    COST_DEFAULT, EMPTY, ERROR, I32, INDEX, MISS, NULL, OBJECT, PENDING, PRIORITY_DEFAULT, RESULT, SIZE, STATUS, TTL_DEFAULT, U32, VALUE,
    Cancelled, Closed, Error, Event, Forked, Miss, P, ProviderFailed, QueueFull, Slice, Timeout, Unanswered, Wrong,
    check, decode_key, encode_key, failure, lib, made, null, set_all, stated,
)

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

__all__ = ["Answer", "Cancelled", "Clock", "Closed", "Error", "Forked", "Miss", "ProviderFailed", "QueueFull", "Tasks", "Timeout",
           "Unanswered", "Wrong"]



class Clock:
    """A clock that moves only when told to: `Tasks(..., clock=clock)`, for tests without sleep."""

    def __init__(self, now_ms: int = 0) -> None:
        self._handle = made(lib.kvl_clock_new_manual, now_ms)

    def advance(self, by_ms: int) -> None:
        """Moves time on; what fell due has been fired when this returns, and is told in the loop's next turns."""
        check(lib.kvl_clock_advance(self._handle, by_ms))

    def __del__(self) -> None:
        if hasattr(self, "_handle"):
            lib.kvl_clock_release(self._handle)


# ---- The engine ----------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Answer(Generic[V]):
    """What a provider may return for a key instead of the bare value, to say on which terms it is stored. ttl_ms: -1 for ever, 0 not at all."""

    value: V | None
    ttl_ms: int = TTL_DEFAULT
    priority: float = PRIORITY_DEFAULT
    cost: int = COST_DEFAULT


_Given = Union[V, None, Exception, Answer[V]]
_Answers = Union[Mapping[K, _Given[V]], Sequence[_Given[V]]]
_Provider = Callable[[list[K]], Union[_Answers[K, V], Awaitable[_Answers[K, V]]]]
_One = Callable[[K], Union[_Given[V], Awaitable[_Given[V]]]]


@dataclass(frozen=True)
class _Raised:
    """A provider's exception, with the traceback it came with: each raise would lengthen it otherwise."""

    exception: BaseException
    traceback: TracebackType | None

    def again(self) -> BaseException:
        return self.exception.with_traceback(self.traceback)


class _Each:
    """Where the results of one fetch_each arrive."""

    def __init__(self) -> None:
        self.arrived: asyncio.Queue[tuple[int, Any]] = asyncio.Queue()


class Tasks(Generic[K, V]):
    """A cache with a provider behind it, for one event loop: `async with Tasks(provider=...) as tasks`.

    provider   is given the keys that the cache lacks, as a list, and answers with a mapping (a key left out is absent) or with a
               sequence in the same order. None is "there is none", an exception in a place fails that key alone, an exception
               raised fails them all and comes out of every fetch as the same object. It is a coroutine function, or a plain one,
               which then runs in `executor` (the loop's own, if None). A coroutine is cancelled when nobody waits for it any more.
    one        instead of provider: is given one key and answers it.
    cost       says what a value costs, in bytes, where cache_cost_limit is set; sys.getsizeof if None.
    encode,    turn keys to bytes and back, where keys are not int, str, bytes, UUID or tuples of those.
    decode
    settings   as docs/CONFIGURATION.md lists them, "." being "_": cache_capacity=10_000, retry_count=3, timeout_ms=500.
    """

    _tasks = _queue = _cache = 0  # handles of the library

    def __init__(self, *, provider: _Provider[K, V] | None = None, one: _One[K, V] | None = None, executor: Executor | None = None,
                 cost: Callable[[V], int] | None = None, clock: Clock | None = None, encode: Callable[[K], bytes] | None = None,
                 decode: Callable[[bytes], K] | None = None, **settings: int | float | str | bool) -> None:
        if (provider is None) == (one is None):
            raise TypeError("Tasks takes a provider for many keys (provider=) or for one (one=), and not both")
        if (encode is None) != (decode is None):
            raise TypeError("encode= and decode= go together: the provider is given back what was asked for")
        if one is not None:
            settings.setdefault("batch_max_keys", 1)
        function: Any = provider or one
        if not callable(function):
            raise TypeError(f"the provider is to be a function, not {type(function).__name__}")
        self._function, self._is_one, self._executor = function, one is not None, executor
        self._is_async = inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(getattr(function, "__call__", None))
        self._cost: Callable[[V], int] = cost or (sys.getsizeof if "cache_cost_limit" in settings else lambda _: 0)
        self._encode: Callable[[K], bytes] = encode or encode_key
        self._decode: Callable[[bytes], K] = decode or decode_key
        self._ids = itertools.count(1)
        self._objects: dict[int, Any] = {}  # what the library holds by number, until it says DROP
        self._waiting: dict[int, asyncio.Future[Any] | _Each] = {}
        self._progress: dict[int, Callable[[int, int, int], object]] = {}
        self._providing: dict[int, asyncio.Task[Any]] = {}
        self._options: dict[tuple[Any, ...], int] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closing: asyncio.Future[None] | None = None
        self._out = P()  # of calls on the loop's thread
        self._out_at = ctypes.byref(self._out)
        self._event = Event()
        self._take = (ctypes.byref(self._event), ctypes.sizeof(self._event))
        self._make(settings, clock)

    def _make(self, settings: Mapping[str, Any], clock: Clock | None) -> None:
        config, error = made(lib.kvl_config_new), P()
        try:
            set_all(lib.kvl_config_set, lib.kvl_config_problem, config, settings)
            self._queue = made(lib.kvl_queue_new, 0)
            check(lib.kvl_config_set_provider(config, None, None, None))
            check(lib.kvl_config_set_queue(config, self._queue, 7))
            if clock is not None:
                check(lib.kvl_config_set_clock(config, clock._handle))
            out = P()
            status = lib.kvl_tasks_new(config, ctypes.byref(out), ctypes.byref(error))
            check(status, lib.kvl_error_message(error))
            self._tasks = cast(int, out.value)
            self._cache = made(lib.kvl_tasks_cache, self._tasks)
        finally:
            lib.kvl_error_release(error)
            lib.kvl_config_free(config)
            if not self._tasks:
                lib.kvl_queue_free(self._queue)

    async def __aenter__(self) -> Tasks[K, V]:
        if self._loop is not None or not self._tasks:
            raise RuntimeError("a Tasks is entered once")
        fd = I32()
        check(lib.kvl_queue_fd(self._queue, ctypes.byref(fd)))
        self._fd = fd.value
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._fd, self._drain)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self, *, drain_ms: int | None = None) -> None:
        """Ends the engine. What is under way raises Closed, at once or after `drain_ms` (-1: when it is done)."""
        loop = self._here()
        if self._closing is None:
            self._closing = loop.create_future()
            status = lib.kvl_tasks_close(self._tasks, 0 if drain_ms is None else 1, drain_ms or 0, None, None, None)
            if status == -201:  # a child of fork: the library's handles are the parent's, and their free does nothing
                self._tasks = self._cache = self._queue = 0
            check(status)
        elif drain_ms is None and self._tasks:
            lib.kvl_tasks_close(self._tasks, 0, 0, None, None, None)  # a second close may only shorten
        await asyncio.shield(self._closing)
        while self._providing:
            await asyncio.wait(list(self._providing.values()))
        if self._tasks:
            loop.remove_reader(self._fd)
            tasks, self._tasks = self._tasks, 0
            lib.kvl_cache_release(self._cache)
            for options in self._options.values():
                lib.kvl_options_free(options)
            check(lib.kvl_tasks_free(tasks))  # does not wait: everything has been told
            while self._drain(1 << 30):
                pass
            queue, self._queue = self._queue, 0
            check(lib.kvl_queue_free(queue))

    def __del__(self) -> None:
        if self._tasks:
            warnings.warn(f"{self!r} was never closed: use `async with`", ResourceWarning, source=self)
            lib.kvl_cache_release(self._cache)
            lib.kvl_tasks_dispose(self._tasks)  # never waits, as a finalizer must not

    # -- Asking ------------------------------------------------------------------------------------------------------------------

    async def fetch(self, key: K, *, urgency: int = 0, **options: int | float | str) -> V | None:
        """The value of a key, None if there is none; raises what the provider raised. Options: timeout_ms, read, retry_count, ..."""
        if asyncio.get_running_loop() is not self._loop:
            self._here()
        tasks, data, out = self._tasks or self._alive(), self._encode(key), self._out
        if not options:  # a resident key needs no handle, no future and no turn of the loop
            status = lib.kvl_tasks_get(tasks, data, len(data), self._out_at)
            if status == VALUE:
                value = out.value
                found = self._objects[lib.kvl_value_object(value)]
                lib.kvl_value_release(value)
                return cast(V, found)
            if status != MISS:
                return self._shown(status, out)
        answer, number = self._expect()
        fetch = self._new_fetch(urgency)
        try:
            status = lib.kvl_tasks_fetch(self._tasks, data, len(data), self._options_for(options), fetch, None, number, None, self._out_at)
            if status != PENDING:
                del self._waiting[number]
                return self._shown(status, out)
            return cast("V | None", await answer)
        except asyncio.CancelledError:
            lib.kvl_fetch_cancel(fetch)
            raise
        finally:
            lib.kvl_fetch_release(fetch)

    async def fetch_all(self, keys: Iterable[K], *, return_exceptions: bool = False, urgency: int = 0,
                        progress: Callable[[int, int, int], object] | None = None, progress_step: int = 1,
                        **options: int | float | str) -> list[V | None]:
        """The values in the order asked, duplicates repeated. Raises the first failure, or puts failures in their places if
        `return_exceptions` is set. `progress` is called with (done, failed, total)."""
        outcomes = await self._all(self._unpack(list(keys)), urgency, progress, progress_step, options)
        if return_exceptions:
            return cast("list[V | None]", [outcome.again() if type(outcome) is _Raised else outcome for outcome in outcomes])
        for outcome in outcomes:
            if type(outcome) is _Raised:
                raise outcome.again()
        return cast("list[V | None]", outcomes)

    async def fetch_map(self, keys: Iterable[K], **options: Any) -> dict[K, V | None]:
        """As fetch_all, as a dictionary."""
        keys = list(keys)
        return dict(zip(keys, await self.fetch_all(keys, **options)))

    async def fetch_each(self, keys: Iterable[K], *, urgency: int = 0,
                         **options: int | float | str) -> AsyncIterator[tuple[K, V | None | BaseException]]:
        """(key, value) for each position as it comes; (key, exception) where it failed. Leaving the loop early cancels the rest."""
        self._here()
        self._alive()
        keys = list(keys)
        slices = self._unpack(keys)
        number, each = next(self._ids), _Each()
        self._waiting[number] = each
        fetch = self._new_fetch(urgency)
        try:
            status = lib.kvl_tasks_fetch_each(self._tasks, slices, len(keys), self._options_for(options), fetch, None, number, None)
            if status != PENDING:
                del self._waiting[number]
            check(status)
            for _ in keys:
                index, outcome = await each.arrived.get()
                yield keys[index], outcome.again() if type(outcome) is _Raised else outcome
        finally:
            lib.kvl_fetch_cancel(fetch)
            lib.kvl_fetch_release(fetch)

    async def _all(self, slices: Any, urgency: int, progress: Callable[[int, int, int], object] | None, step: int,
                   options: Mapping[str, Any]) -> list[Any]:
        self._here()
        answer, number = self._expect()
        out, fetch = P(), self._new_fetch(urgency)
        if progress is not None:
            self._progress[number] = progress
        try:
            status = lib.kvl_tasks_fetch_all(self._tasks, slices, len(slices), self._options_for(options, step if progress else 0), fetch, None,
                                              number, None, ctypes.byref(out))
            if status != PENDING:
                self._waiting.pop(number)
                self._progress.pop(number, None)
                check(status)
                try:
                    return self._outcomes(cast(int, out.value))
                finally:
                    lib.kvl_results_release(out)
            return cast("list[Any]", await answer)
        except asyncio.CancelledError:
            lib.kvl_fetch_cancel(fetch)
            raise
        finally:
            lib.kvl_fetch_release(fetch)

    # -- The cache itself --------------------------------------------------------------------------------------------------------

    def get(self, key: K, default: Any = None) -> V | None | Any:
        """The value if it is resident, None if it is known to be absent, else `default`. Loads nothing."""
        data, out = self._encode(key), P()
        status = lib.kvl_tasks_get(self._alive(), data, len(data), ctypes.byref(out))
        return default if status == MISS else self._shown(status, out)

    def __contains__(self, key: K) -> bool:
        data = self._encode(key)
        self._alive()
        return check(lib.kvl_cache_contains(self._cache, data, len(data))) in (VALUE, NULL)

    def put(self, key: K, value: V | None, *, ttl_ms: int = TTL_DEFAULT, priority: float = PRIORITY_DEFAULT) -> None:
        """Stores a value, or None: "there is none". Who waits for the key gets it; a load under way will not overwrite it."""
        data = self._encode(key)
        self._alive()
        handle = self._value(value)
        try:
            check(lib.kvl_cache_put(self._cache, data, len(data), handle, stated(ttl_ms, priority, COST_DEFAULT)))
        finally:
            lib.kvl_value_release(handle)

    def remove(self, key: K) -> bool:
        """Forgets a key; whether it was there."""
        data = self._encode(key)
        self._alive()
        return check(lib.kvl_cache_remove(self._cache, data, len(data))) == 0

    def clear(self) -> None:
        """Forgets everything."""
        self._alive()
        check(lib.kvl_cache_clear(self._cache))

    def __len__(self) -> int:
        self._alive()
        return cast(int, lib.kvl_cache_len(self._cache))

    def refresh(self, keys: Iterable[K], **options: int | float | str) -> None:
        """Loads keys anew in the background; the old values serve until then, and stay if it fails."""
        slices = self._unpack(list(keys))
        check(lib.kvl_tasks_refresh(self._alive(), slices, len(slices), self._options_for(options)))

    def stats(self) -> dict[str, Any]:
        """What was counted since the start."""
        out, length = made(lib.kvl_tasks_stats_json, self._alive()), SIZE()
        try:
            data = lib.kvl_value_data(out, ctypes.byref(length))
            return cast("dict[str, Any]", json.loads(ctypes.string_at(data, length.value)))
        finally:
            lib.kvl_value_release(out)

    # -- What came ---------------------------------------------------------------------------------------------------------------

    def _drain(self, most: int = 256) -> bool:
        """Takes at most so many events; the descriptor stays readable while there are more, so that others get their turn."""
        event, take, queue = self._event, self._take, self._queue
        for _ in range(most):
            if check(lib.kvl_queue_next(queue, 0, *take)) == EMPTY:
                return False
            kind, number = event.kind, event.user_data
            if kind == 6:  # DROP
                del self._objects[number]
            elif kind == 1:  # RESULT
                row = RESULT.unpack(ctypes.string_at(event.result, RESULT.size))
                waiting = self._waiting[number]
                if event.flags & 1:
                    del self._waiting[number]
                if isinstance(waiting, _Each):
                    waiting.arrived.put_nowait((row[INDEX], self._outcome(row)))
                else:
                    self._tell(waiting, self._outcome(row))
            elif kind == 2:  # RESULTS
                self._progress.pop(number, None)
                self._tell(cast("asyncio.Future[Any]", self._waiting.pop(number)), self._outcomes(event.results))
            elif kind == 3:  # PROGRESS
                self._progress[number](event.done, event.failed, event.total)
            elif kind == 4:  # REQUEST
                self._provide(event.request)
            elif kind == 5:  # CANCEL
                if self._is_async and number in self._providing:
                    self._providing[number].cancel()
            elif kind == 8 and self._closing is not None and not self._closing.done():  # CLOSED
                self._closing.set_result(None)
        return True

    @staticmethod
    def _tell(answer: asyncio.Future[Any], outcome: Any) -> None:
        if answer.done():
            return  # its task was cancelled
        if type(outcome) is _Raised:
            answer.set_exception(outcome.again())
        else:
            answer.set_result(outcome)

    def _outcome(self, row: tuple[Any, ...]) -> Any:
        status = row[STATUS]
        if status == VALUE:
            return self._objects[row[OBJECT]]
        if status == NULL:
            return None
        number = lib.kvl_error_object(row[ERROR]) if row[ERROR] else 0
        return self._objects[number] if number else _Raised(failure(status, lib.kvl_error_message(row[ERROR]).decode()), None)

    def _outcomes(self, results: int) -> list[Any]:
        stride, n = SIZE(), lib.kvl_results_len(results)
        first = lib.kvl_results_array(results, ctypes.byref(stride))
        if n == 0:
            return []
        raw = ctypes.string_at(first, n * stride.value)
        if stride.value == RESULT.size:
            return [self._outcome(row) for row in RESULT.iter_unpack(raw)]
        return [self._outcome(RESULT.unpack_from(raw, i * stride.value)) for i in range(n)]

    def _shown(self, status: int, out: ctypes.c_void_p) -> V | None:
        if status == VALUE:
            value = self._objects[lib.kvl_value_object(out)]
            lib.kvl_value_release(out)
            return cast(V, value)
        if status != NULL:
            raise failure(status)
        return None

    # -- Providing ---------------------------------------------------------------------------------------------------------------

    def _provide(self, request: int) -> None:
        slices = (Slice * lib.kvl_request_len(request)).from_address(lib.kvl_request_keys(request))
        keys = [self._decode(ctypes.string_at(key.data, key.len)) for key in slices]
        lib.kvl_request_retain(request)
        number = next(self._ids)
        loop = cast(asyncio.AbstractEventLoop, self._loop)
        task = self._providing[number] = loop.create_task(self._call(loop, keys))
        task.add_done_callback(lambda task: self._provided(number, request, keys, task))
        if lib.kvl_request_on_cancel(request, None, number, None) == -302 and self._is_async:
            task.cancel()

    async def _call(self, loop: asyncio.AbstractEventLoop, keys: list[K]) -> Any:
        function, argument = self._function, keys[0] if self._is_one else keys
        answers = function(argument) if self._is_async else await loop.run_in_executor(self._executor, function, argument)
        if inspect.isawaitable(answers):
            answers = await answers
        return [answers] if self._is_one else answers

    def _provided(self, number: int, request: int, keys: list[K], task: asyncio.Task[Any]) -> None:
        del self._providing[number]
        try:
            if task.cancelled():
                lib.kvl_request_finish_error(request, None)
                return
            problem = task.exception()
            if problem is None:
                try:
                    self._answer(request, keys, task.result())
                except Exception as wrong:
                    problem = wrong
            if problem is not None:
                error = self._error(problem)
                lib.kvl_request_finish_error(request, error)
                lib.kvl_error_release(error)
        finally:
            lib.kvl_request_release(request)

    def _answer(self, request: int, keys: list[K], answers: _Answers[K, V]) -> None:
        if isinstance(answers, Mapping):
            extra = len(answers) - sum(key in answers for key in keys)
            given = [answers.get(key) for key in keys]
            if extra > 0:
                self._supply(request, {key: answers[key] for key in set(answers).difference(keys)})
        elif isinstance(answers, Iterable) and not isinstance(answers, (str, bytes)):
            given = list(answers)
            if len(given) != len(keys):
                raise TypeError(f"the provider answered {len(given)} values for {len(keys)} keys: one for each in the order asked, or a mapping")
        else:
            raise TypeError(f"the provider is to answer with a mapping or a sequence, not {type(answers).__name__}")
        for i, value in enumerate(given):
            self._settle(request, i, value)
        lib.kvl_request_finish(request)

    def _settle(self, request: int, i: int, value: _Given[V]) -> None:
        if value is None:
            lib.kvl_request_resolve(request, i, null, None)
        elif isinstance(value, Exception):
            error = self._error(value)
            lib.kvl_request_fail(request, i, error)
            lib.kvl_error_release(error)
        elif isinstance(value, Answer):
            handle = self._value(value.value)
            status = lib.kvl_request_resolve(request, i, handle, stated(value.ttl_ms, value.priority, value.cost))
            lib.kvl_value_release(handle)
            if status < 0 and status not in (-9, -200):  # answered before and closed are no mistake of the provider's
                raise failure(status)
        else:
            lib.kvl_request_resolve_object(request, i, self._keep(value), self._cost(value), None, None)

    def _supply(self, request: int, extras: Mapping[K, _Given[V]]) -> None:
        """What the provider knows beyond what it was asked is stored, unless something newer is there."""
        for key, value in extras.items():
            if isinstance(value, Exception):
                continue
            terms = value if isinstance(value, Answer) else Answer(value)
            data, handle = self._encode(key), self._value(terms.value)
            lib.kvl_request_supply(request, data, len(data), handle, stated(terms.ttl_ms, terms.priority, terms.cost))
            lib.kvl_value_release(handle)

    # -- Numbers for objects -----------------------------------------------------------------------------------------------------

    def _keep(self, thing: Any) -> int:
        number = next(self._ids)
        self._objects[number] = thing
        return number

    def _value(self, value: V | None) -> int:
        if value is None:
            return null
        return made(lib.kvl_value_new_object_on, self._queue, self._keep(value), self._cost(value), None)

    def _error(self, problem: BaseException) -> int:
        if isinstance(problem, StopIteration):  # no future can hold one
            problem = RuntimeError("the provider raised StopIteration").with_traceback(problem.__traceback__)
        message = f"{type(problem).__name__}: {problem}".encode("utf-8", "replace")
        kept = self._keep(_Raised(problem, problem.__traceback__))
        return made(lib.kvl_error_new_object, 0, message, len(message), 0, self._queue, kept, None)

    # -- Small ones --------------------------------------------------------------------------------------------------------------

    def _alive(self) -> int:
        if not self._tasks:
            raise Closed("this Tasks is closed")
        return self._tasks

    def _here(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            raise RuntimeError("this Tasks is not open: use `async with kvlight.Tasks(...) as tasks`")
        if asyncio.get_running_loop() is not self._loop:
            raise RuntimeError("this Tasks belongs to another event loop: make one for each loop, or use asyncio.run_coroutine_threadsafe "
                               f"(this is thread {threading.current_thread().name})")
        return self._loop

    def _expect(self) -> tuple[asyncio.Future[Any], int]:
        self._alive()
        answer: asyncio.Future[Any] = cast(asyncio.AbstractEventLoop, self._loop).create_future()
        number = next(self._ids)
        self._waiting[number] = answer
        return answer, number

    def _new_fetch(self, urgency: int) -> int:
        fetch = made(lib.kvl_fetch_new)
        if urgency:
            lib.kvl_fetch_set_urgency(fetch, urgency)
        return fetch

    def _options_for(self, options: Mapping[str, Any], progress_step: int = 0) -> int | None:
        if not options and not progress_step:
            return None
        known = (progress_step, *sorted(options.items()))
        if known not in self._options:
            handle = made(lib.kvl_options_new)
            try:
                set_all(lib.kvl_options_set, lib.kvl_options_problem, handle, options)
                if progress_step:
                    check(lib.kvl_options_set_progress(handle, None, progress_step))
            except BaseException:
                lib.kvl_options_free(handle)
                raise
            self._options[known] = handle
        return self._options[known]

    def _unpack(self, keys: list[K]) -> Any:
        encoded = [self._encode(key) for key in keys]
        packed, n = b"".join(encoded), len(encoded)
        lens, slices = (U32 * n)(*map(len, encoded)), (Slice * n)()
        check(lib.kvl_slices_unpack(packed, len(packed), lens, n, slices))
        cast(Any, slices).packed = packed  # the slices point into it
        return slices
