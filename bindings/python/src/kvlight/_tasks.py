"""A cache with a provider behind it."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import functools
import inspect
import json
import sys
import threading
import warnings
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Literal, Optional, TypeVar, Union, cast

from . import _native
from ._answer import Answer, NotModified, Result, Stale, result
from ._api import BREAKER_OVERRIDES, BREAKER_STATES
from ._coroutines import CoroutineThread, run_to_end
from ._errors import Closed
from ._loader import Loader, call_on_thread
from ._nesting import Nesting, Wait, current, forget_call
from ._redis import RedisTier
from ._store import K, Store, V
from ._tier import Attached, SecondTier

if TYPE_CHECKING:
    from typing_extensions import Self, Unpack

    from ._api import FetchSettings, Settings
    from ._native import Clock, Request, TierRequest

_T = TypeVar("_T")
_Answer = Union[V, None, Exception, Answer[V]]
_Answers = Union[Mapping[K, _Answer[V]], Sequence[_Answer[V]]]
_Provider = Callable[[list[K]], Union[_Answers[K, V], Awaitable[_Answers[K, V]]]]
_ConditionalAnswer = Union[_Answer[V], NotModified]
_ConditionalAnswers = Union[Mapping[K, _ConditionalAnswer[V]], Sequence[_ConditionalAnswer[V]]]
_Conditional = Callable[[list[K], list[Optional[Stale[V]]]], Union[_ConditionalAnswers[K, V], Awaitable[_ConditionalAnswers[K, V]]]]
_One = Callable[[K], Union[_Answer[V], Awaitable[_Answer[V]]]]
_Progress = Callable[[int, int, int], object]

_ABSENT: Any = object()
_Waiter = _native.Waiter
# The form of a batch's outcome: OutcomeForm in native.h.
_VALUES, _EXCEPTIONS, _RESULTS = 0, 1, 2


class Tasks(Store[K, V], _native.Engine):
    """A cache that loads each key once, in batches, however many callers ask for it.

    With an event loop: `async with Tasks(provider=...) as tasks: await tasks.fetch(7)`. Without: `with Tasks(provider=...) as tasks:
    tasks.fetch_wait(7)`, from any thread.

    provider   a function that takes a list of keys that are not in the cache, and returns a mapping (a key left out is absent) or a
               sequence in the order of the keys. None means that there is no such record. An exception in place of a value fails that
               key alone; an exception that is raised fails all keys, and every caller gets the same object. A plain function runs in
               `executor`, by default on the engine's own threads. It may fetch other keys and wait for
               them; a wait that could never end raises RuntimeError, unless the provider makes it on a thread that it has started itself, where
               it is not seen (asyncio.to_thread is). The coroutine of a coroutine function is cancelled as soon as no caller waits for
               its keys; without an event loop it runs on a thread with a loop of its own. No provider sees the contextvars of a caller: a
               coroutine has a copy of those with which the engine was entered, a plain function has none.
    one        instead of `provider`: a function that takes one key and returns its value.
    conditional  instead of `provider`: a function that also takes a list with the stored entry of each key, a kvlight.Stale or None. It may
               return kvlight.NotModified() in place of a value: the stored value then gets a new TTL.
    clock      a kvlight.Clock, for tests that depend on time.
    cost       a function that returns the cost of a value in bytes; with cache_cost_limit the default is sys.getsizeof.
    encode,    functions that turn keys of other types into bytes and back.
    decode
    second_tier  a store that is asked before the provider, and that other processes may share: see kvlight.SecondTier.
    l2_url     instead of `second_tier`: a Redis or Valkey server, as in "redis://user:password@host:6379/0?prefix=shop". Without
               libkvlight_redis, Tasks() raises ImportError; the options of the URL are those of kvlight_redis.h. `l2_state()` describes the connection.
    dump,      functions that make bytes of a value for the second tier, and a value of the bytes, like pickle.dumps and pickle.loads. Values that are
    load       str, bytes, int, float, bool or UUID need neither; without these functions, other values stay in this process.
    settings   the settings of docs/CONFIGURATION.md, with "_" for ".": cache_capacity=10_000, retry_count=3, timeout_ms=500. Unless
               batch_linger_us is set, the keys that one turn of the event loop asks for share requests; with batch_linger_us=0 each fetch calls
               the provider at once.
    """

    _loop: asyncio.AbstractEventLoop | None = None
    _thread: threading.Thread | None = None
    _closing: Any = None
    _ending: asyncio.Task[None] | None = None
    _pool: Executor | None = None
    _tier: Attached | None = None
    _tier_pool: ThreadPoolExecutor | None = None
    _may_stay_open = False

    def __init__(self, *, provider: _Provider[K, V] | None = None, one: _One[K, V] | None = None,
                 conditional: _Conditional[K, V] | None = None, executor: Executor | None = None, clock: Clock | None = None,
                 cost: Callable[[V], int] | None = None, encode: Callable[[K], bytes] | None = None,
                 decode: Callable[[bytes], K] | None = None, second_tier: SecondTier | None = None, l2_url: str | None = None,
                 dump: Callable[[V], bytes] | None = None, load: Callable[[bytes], V] | None = None, **settings: Unpack[Settings]) -> None:
        if sum(function is not None for function in (provider, one, conditional)) != 1:
            raise TypeError("Tasks takes exactly one of provider=, conditional= and one=")
        if (encode is None) != (decode is None):
            raise TypeError("encode= and decode= go together: the provider receives decoded keys")
        if second_tier is not None and l2_url is not None:
            raise TypeError("second_tier= and l2_url= exclude each other: there is one second tier")
        if (dump is None) != (load is None) or (dump is not None and second_tier is None and l2_url is None):
            raise TypeError("dump= and load= go together, with a second_tier= or an l2_url=: the one reads what the other wrote")
        function: Any = provider or one or conditional
        if not callable(function):
            raise TypeError(f"the provider must be a function, not {type(function).__name__}")
        if one is not None and inspect.isgeneratorfunction(one):
            raise TypeError("one= is a generator, which only its first caller could exhaust: it must return a value")
        if _is_process_pool(executor):
            raise TypeError("executor= runs the provider on threads of this process, so a ProcessPoolExecutor cannot be used: call it inside the provider")
        if inspect.isasyncgenfunction(function):
            raise TypeError("the provider is an asynchronous generator: it must return all answers at once, in a list or a dictionary")
        if one is not None:
            settings.setdefault("batch_max_keys", 1)
        if cost is None and settings.get("cache_cost_limit", -1) != -1:
            cost = sys.getsizeof
        self._executor = executor
        self._is_async = inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(getattr(function, "__call__", None))
        self._gathers = "batch_linger_us" not in settings
        self._lock = threading.Lock()
        self._serving: set[asyncio.Task[None]] = set()
        abilities = -1
        tier: SecondTier | RedisTier | None = second_tier if l2_url is None else RedisTier(l2_url)
        if tier is not None:
            self._tier = Attached(tier, dump, load, functools.partial(_report_tier_failure, weakref.ref(self)))
            abilities = self._tier.abilities()
        self._open(settings, clock, encode, decode, cost, abilities, tier.connection if isinstance(tier, RedisTier) else None)
        # The settings are valid now; 4 is the default of each.
        running = int(settings.get("tasks_max_running", 4))
        slots = functools.partial(_slots, weakref.ref(self), running, settings.get("tasks_limit") == "adaptive")
        self._nesting = Nesting(slots, None if self._is_async else executor, settings.get("retry_count", 0) != 0)
        self._loader = Loader(function, one is not None, conditional is not None, self._nesting)
        self._coroutines: set[CoroutineThread] = set()  # without a loop, those that run
        # Requests that have exceeded attempt_timeout_ms may keep their threads while others run.
        self._provider_threads = running + int(settings.get("tasks_max_abandoned", 4))
        self._tier_threads = int(settings.get("l2_max_requests", 4)) + 1  # for as many reads, and one write

    def __del__(self) -> None:
        was_open = not (self.is_closed or self._may_stay_open)
        self._abandon()  # first, since a handler of the warning may keep a reference to self
        if was_open:
            warnings.warn(f"a kvlight.{type(self).__name__} was never closed: use `async with` or `with`", ResourceWarning, source=self)

    def __bool__(self) -> bool:
        return True

    @property
    def is_closed(self) -> bool:
        """Whether the engine is closed, or its close has begun: fetches raise Closed."""
        return self._closing is not None or self._has_ended

    @property
    def _has_ended(self) -> bool:
        return super().is_closed

    # -- With an event loop ------------------------------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        return self._enter()

    def _enter(self) -> Self:
        with self._lock:
            if self._loop is not None or self._thread is not None or self.is_closed:
                raise RuntimeError("a Tasks can be entered only once")
            loop = running_loop()
            # Providers and second tiers run in this context, not in that of the caller whose fetch happens to start them.
            self._context = contextvars.copy_context()
            self._context.run(forget_call)
            self._context.run(loop.add_reader, self._attach(loop, self._gathers), self._pump)
            self._loop = loop
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self, *, drain_ms: int | None = None) -> None:
        """Closes the engine. Fetches in progress raise Closed, at once or after `drain_ms` milliseconds; -1 lets all of them finish. Without a drain,
        writes that still wait for the second tier are lost. The close goes on if the task that awaits it is cancelled."""
        loop = self._own_loop()
        wait = self._begin_drain(drain_ms)
        try:
            if self._ending is None:
                closing = loop.create_future()
                self._close(drain_ms, closing)
                self._closing = closing
                self._ending = self._create_task(loop, self._end_on_loop(closing))
            elif drain_ms is None and not self._has_ended:
                self._close(None, None)  # a second close may only shorten the drain
            await asyncio.shield(self._ending)
        finally:
            if wait is not None:
                wait.end()

    async def _end_on_loop(self, closing: asyncio.Future[None]) -> None:
        try:
            await asyncio.shield(closing)
            while tasks := [request.task for request in self._unfinished_requests() if request.task is not None]:
                await asyncio.wait(tasks)
            for serving in self._serving:
                serving.cancel()
            if self._serving:
                await asyncio.wait(self._serving)
        finally:  # also when the loop ends, which cancels this
            for own in (self._pool if self._executor is None else None, self._tier_pool):
                if own is not None:
                    own.shutdown(wait=False)  # a provider that still runs has no caller, and the loop does not wait for it
            pump = self._pump
            self._abandon()
            if pump is not None:
                pump.finish()

    def _begin_drain(self, drain_ms: int | None) -> Wait | None:
        """Raises RuntimeError if this thread or task runs the provider, and a close with this drain would wait for it without end."""
        return self._nesting.begin_wait(None, lambda: self._has_ended) if drain_ms is not None and drain_ms < 0 and current() is not None else None

    def _begin_wait(self, keys: list[Any], is_done: Callable[[], bool], needs_all: bool = True) -> Wait | None:
        """Begins a wait for keys inside a provider, or raises RuntimeError if it could never end."""
        return self._nesting.begin_wait(self._raw_keys(keys), is_done, needs_all)

    async def fetch(self, key: K, **options: Unpack[FetchSettings]) -> V | None:
        """Returns the value of a key, or None if there is no such record; raises what the provider raised. Options: timeout_ms, urgency, read, ..."""
        value: V | None  # an annotation: cast() is a call, and this is the fast path
        waiter = self._fetch_on_loop(key, options)
        if type(waiter) is not _Waiter:  # the key was resident
            value = waiter
            return value
        answer = self._answer(waiter, [key])
        del waiter  # it refers to the exception, and its traceback to this frame
        value = await answer
        return value

    async def fetch_all(self, keys: Iterable[K], *, return_exceptions: bool = False, progress: _Progress | None = None,
                        progress_step: int = 1, **options: Unpack[FetchSettings]) -> list[V | None]:
        """Returns one value for each key, duplicates included, in the order of the keys. Raises the first failure, or returns exceptions in place of values
        if `return_exceptions` is set. `progress` is called with (done, failed, total)."""
        self._own_loop()
        keys = _key_list(keys)
        return cast("list[V | None]", await self._answer(self._fetch_all(keys, options, int(return_exceptions), progress, progress_step), keys))

    async def results(self, keys: Iterable[K], **options: Unpack[FetchSettings]) -> list[Result[K, V]]:
        """Returns the result of each key, in the order of the keys: value or exception, source, attempts, age, whether it is stale.
        The failure of a key is in its result and is not raised."""
        self._own_loop()
        keys = _key_list(keys)
        return list(map(result, keys, await self._answer(self._fetch_all(keys, options, _RESULTS, None, 1), keys)))

    async def _answer(self, waiter: Any, keys: list[K]) -> Any:
        """The answer of a fetch: what its call has returned, unless that is a waiter for it."""
        if type(waiter) is not _Waiter:
            return waiter
        wait = None
        try:
            if current() is not None:
                wait = self._begin_wait(keys, waiter.target.done)
            return await waiter.target
        except BaseException as failure:
            waiter.raised(failure)
            raise
        finally:
            if wait is not None:
                wait.end()
            del waiter, wait  # as in fetch()

    async def fetch_map(self, keys: Iterable[K], **options: Any) -> dict[K, V | None]:
        """Like fetch_all, but returns a dictionary. Raises ValueError for different keys that are equal in Python, such as 1 and True: a dictionary has
        one entry for them."""
        keys = _key_list(keys)
        if len(set(map(type, keys))) > 1 or (keys and isinstance(keys[0], tuple)):
            raw = dict(zip(self._raw_keys(keys), keys))
            if len(set(raw.values())) < len(raw):
                raise ValueError("two of the keys are equal in Python, such as 1 and True, and a dictionary has one entry for them: use fetch_all")
        return dict(zip(keys, await self.fetch_all(keys, **options)))

    async def fetch_each(self, keys: Iterable[K], **options: Unpack[FetchSettings]) -> AsyncIterator[tuple[K, V | None | BaseException]]:
        """Yields (key, value), or (key, exception) for a key that failed, in the order in which the keys are answered. Leaving the loop early
        cancels the rest."""
        self._own_loop()
        keys = _key_list(keys)
        arrived: asyncio.Queue[tuple[int, Any]] = asyncio.Queue()
        waiter = self._fetch_each(keys, options, lambda index, outcome: arrived.put_nowait((index, outcome)))
        if waiter is None:
            return
        try:
            left = dict(enumerate(keys))
            while left:
                wait = self._begin_wait(list(left.values()), lambda: not arrived.empty(), needs_all=False) if current() is not None else None
                try:
                    index, outcome = await arrived.get()
                finally:
                    if wait is not None:
                        wait.end()
                yield left.pop(index), outcome
        finally:
            waiter.cancel()

    @property
    def breaker(self) -> Literal["closed", "open", "half_open"]:
        """The state of the circuit breaker (breaker_failure_ratio, breaker_consecutive)."""
        return BREAKER_STATES[self._breaker]

    def force_breaker(self, state: Literal["closed", "open"] | None) -> None:
        """Forces the circuit breaker closed or open, whatever the provider does; None returns it to automatic operation."""
        if state not in BREAKER_OVERRIDES:
            raise ValueError('force_breaker() takes "closed", "open", or None for automatic operation')
        self._force_breaker(BREAKER_OVERRIDES[state])

    def refresh(self, keys: Iterable[K], **options: Unpack[FetchSettings]) -> None:
        """Reloads keys in the background; the current values are served until then, and stay if the reload fails."""
        if self._loop is None:
            self._start()
        self._refresh(_key_list(keys), options)

    def invalidate(self, keys: Iterable[K]) -> None:
        """Says that another process has changed these keys: their values leave this process, and answers of running loads are not stored."""
        self._invalidate(_key_list(keys), False)

    def invalidate_all(self) -> None:
        """Says that another process may have changed any key: all values leave this process."""
        self._invalidate([], True)

    def l2_state(self) -> dict[str, Any]:
        """The state of the connection to the server of `l2_url`, with the members that kvlight_redis.h lists at kvl_redis_state: whether it is open, and if
        not, why and what to do."""
        if self._tier is None or self._tier.redis is None:
            raise RuntimeError("this Tasks has no l2_url")
        state: dict[str, Any] = json.loads(self._tier.redis.connection.state())
        return state

    def _own_loop(self) -> asyncio.AbstractEventLoop:
        if self._closing is None and self._has_ended:
            raise Closed("this Tasks is closed")
        if self._loop is None:
            raise RuntimeError("this Tasks is not open: use `async with kvlight.Tasks(...) as tasks`")
        if running_loop() is not self._loop:
            raise RuntimeError("this Tasks belongs to another event loop: create one for each loop, or use fetch_wait "
                               f"(this is thread {threading.current_thread().name})")
        return self._loop

    # -- Without an event loop -----------------------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        self._start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close_wait()

    def close_wait(self, *, drain_ms: int | None = None) -> None:
        """Closes the engine, and waits until it has ended. Fetches in progress raise Closed, at once or after `drain_ms` milliseconds;
        -1 lets all of them finish. Without a drain, writes that still wait for the second tier are lost."""
        if self._loop is not None:
            return self._on_loop(self.close(drain_ms=drain_ms))
        self._start()
        wait = self._begin_drain(drain_ms)
        try:
            with self._lock:
                is_first, thread, pool = self._closing is None, self._thread, self._pool
                if is_first:
                    closing = _acquired_lock()
                    self._close(drain_ms, closing)
                    self._closing = closing
            if not is_first and drain_ms is None:
                with contextlib.suppress(Closed):  # the first close may have ended the engine meanwhile
                    self._close(None, None)
            with self._closing:
                pass  # acquired once the engine has ended
        finally:
            if wait is not None:
                wait.end()
        for coroutine in list(self._coroutines):
            coroutine.join()
        for own in (pool if self._executor is None else None, self._tier_pool):
            if isinstance(own, ThreadPoolExecutor):
                own.shutdown(wait=threading.current_thread() not in own._threads)
        self._abandon()
        if thread is not None:
            thread.join()

    def fetch_wait(self, key: K, **options: Unpack[FetchSettings]) -> V | None:
        """Like fetch, but blocks: for programs without an event loop, and for threads other than the loop's."""
        if self._loop is not None:
            if not options and self._reads_store_first and key in self:  # a resident key does not need the loop
                value = self.get(key, _ABSENT)
                if value is not _ABSENT:
                    return cast("V | None", value)
            return self._on_loop(self.fetch(key, **options))
        if self._thread is None:
            self._start()
        return cast("V | None", self._wait(self._fetch(key, options), [key]))

    def fetch_all_wait(self, keys: Iterable[K], *, return_exceptions: bool = False,
                       **options: Unpack[FetchSettings]) -> list[V | None]:
        """Like fetch_all, but blocks: for programs without an event loop, and for threads other than the loop's."""
        keys = _key_list(keys)
        if self._loop is not None:
            return self._on_loop(self.fetch_all(keys, return_exceptions=return_exceptions, **options))
        self._start()
        return cast("list[V | None]", self._wait(self._fetch_all(keys, options, int(return_exceptions), None, 1), keys))

    def results_wait(self, keys: Iterable[K], **options: Unpack[FetchSettings]) -> list[Result[K, V]]:
        """Like results, but blocks: for programs without an event loop, and for threads other than the loop's."""
        keys = _key_list(keys)
        if self._loop is not None:
            return self._on_loop(self.results(keys, **options))
        self._start()
        return list(map(result, keys, self._wait(self._fetch_all(keys, options, _RESULTS, None, 1), keys)))

    def _wait(self, waiter: Any, keys: list[Any]) -> Any:
        if type(waiter) is not _Waiter:
            return waiter  # all keys were resident
        wait = None
        try:
            if current() is not None:
                locked = waiter.target.locked
                wait = self._begin_wait(keys, lambda: not locked())
            waiter.target.acquire()  # blocks until the outcome is there, or raises a signal handler's exception
            return waiter.take()
        except BaseException as failure:
            waiter.raised(failure)
            raise
        finally:
            if wait is not None:
                wait.end()
            del waiter, wait  # the waiter refers to the exception, and its traceback to this frame

    def _on_loop(self, coroutine: Coroutine[Any, Any, _T]) -> _T:
        """Runs a coroutine on the loop, in this thread's context, and waits for its result on this thread, which is not the loop's."""
        loop = cast(asyncio.AbstractEventLoop, self._loop)
        try:
            is_on_loop = asyncio.get_running_loop() is loop
        except RuntimeError:
            is_on_loop = False
        if is_on_loop or not loop.is_running():
            coroutine.close()
            raise RuntimeError("this call would block the event loop that it waits for: await fetch, or make the call from another thread"
                               if is_on_loop else "the event loop of this Tasks is not running")
        future = asyncio.run_coroutine_threadsafe(coroutine, loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()  # if a signal handler's exception has ended the wait
            raise
        finally:
            del future  # it refers to the exception, and its traceback to this frame

    def _start(self) -> None:
        """Starts the thread that reads the queue, and a pool for the provider and one for the second tier, unless they exist."""
        if self._thread is not None:
            return
        with self._lock:
            if self._thread is not None or self._has_ended:
                return
            if self._loop is not None:
                raise RuntimeError("this Tasks belongs to an event loop")
            self._pool = self._executor or self._new_pool()
            if self._tier is not None:
                self._tier_pool = self._new_tier_pool()
            thread = threading.Thread(target=self._pump.run, name="kvlight", daemon=True)
            thread.start()
            self._thread = thread

    def _new_pool(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(self._provider_threads, thread_name_prefix="kvlight")

    def _new_tier_pool(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(self._tier_threads, thread_name_prefix="kvlight-l2")

    # Not the loop's executor, all of whose threads may wait for values: await asyncio.to_thread(tasks.fetch_wait, key).

    def _pool_of_loop(self) -> Executor:
        if self._pool is None:
            self._pool = self._executor or self._new_pool()
        return self._pool

    def _tier_pool_of_loop(self) -> Executor:
        if self._executor is not None:
            return self._executor
        if self._tier_pool is None:
            self._tier_pool = self._new_tier_pool()
        return self._tier_pool

    # -- Called by the extension module ------------------------------------------------------------------------------------------

    def _provide(self, request: Request) -> None:
        """Starts the provider, on the loop or in the pool, to answer a request."""
        loop, loader = self._loop, self._loader
        if loop is not None:
            task = self._create_task(loop, loader.load(request) if self._is_async else loader.load_in(loop, self._pool_of_loop(), request))
            task.add_done_callback(request)
            if self._is_async:
                request.task = task
        elif self._is_async:
            thread = CoroutineThread(loader.load, request, self._coroutines)
            request.task = thread
            thread.start()
        else:
            future = cast(Executor, self._pool).submit(loader.load_on_thread, request)
            if self._executor is not None:
                future.add_done_callback(functools.partial(_fail_if_dropped, request))

    def _create_task(self, loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, _T]) -> asyncio.Task[_T]:
        """Creates a task in a copy of the context in which the engine was opened."""
        task: asyncio.Task[_T] = self._context.copy().run(loop.create_task, coroutine)
        return task

    def _serve(self, request: TierRequest) -> None:
        """Starts to serve a request for the second tier."""
        if self._loop is None:
            cast(ThreadPoolExecutor, self._tier_pool).submit(_serve_on_thread, cast(Attached, self._tier), request)
            return
        serving = self._create_task(self._loop, self._serve_on_loop(cast(Attached, self._tier), request))
        self._serving.add(serving)
        serving.add_done_callback(self._serving.discard)

    async def _serve_on_loop(self, tier: Attached, request: TierRequest) -> None:
        try:
            if tier.redis is not None:
                loop = cast(asyncio.AbstractEventLoop, self._loop)
                await loop.run_in_executor(self._tier_pool_of_loop(), _serve_on_thread, tier, request)
                return
            question = tier.question(request)
            returned: Any = None
            if question.is_async and not question.is_empty:
                returned = await question.method(*question.arguments)
            elif not question.is_empty:
                loop = cast(asyncio.AbstractEventLoop, self._loop)
                returned = await loop.run_in_executor(self._tier_pool_of_loop(), call_on_thread, question.method, *question.arguments)
                if inspect.isawaitable(returned):
                    returned = await returned
            tier.answer(request, question, returned)
        except Exception as exception:
            request.fail()
            tier.report(exception)
        except BaseException:
            request.fail()
            raise

    def _report(self, what: str, exception: BaseException) -> None:
        """Reports an exception that a function of the program has raised and that reaches no caller."""
        context = {"message": f"kvlight: {what}", "exception": exception}
        if self._loop is not None:
            self._loop.call_exception_handler(context)
        else:
            threading.excepthook(threading.ExceptHookArgs((type(exception), exception, exception.__traceback__, self._thread)))


def _key_list(keys: Iterable[K]) -> list[K]:
    """Returns a list of keys. Raises TypeError for a single str or bytes, which would otherwise be taken for a list of its characters."""
    if isinstance(keys, (str, bytes)):
        raise TypeError(f"this takes a list of keys, or another iterable, not a single {type(keys).__name__}")
    return list(keys)


def _acquired_lock() -> threading.Lock:
    lock = threading.Lock()
    lock.acquire()
    return lock


def _serve_on_thread(tier: Attached, request: TierRequest) -> None:
    """Serves a request on a thread of a pool. Holds no reference to the engine, so that an engine that is never closed can be collected."""
    try:
        if tier.redis is not None:
            tier.redis.carry_out(request, tier.dump, tier.load, tier.report)
            return
        question = tier.question(request)
        returned: Any = None if question.is_empty else question.method(*question.arguments)
        if inspect.isawaitable(returned):
            returned = run_to_end(returned)
        tier.answer(request, question, returned)
    except BaseException as exception:
        request.fail()
        tier.report(exception)


def _report_tier_failure(engine: weakref.ref[Tasks[Any, Any]], exception: BaseException) -> None:
    """Reports an exception of the second tier, unless the engine is gone."""
    if (tasks := engine()) is not None:
        tasks._report("the second tier failed", exception)


def _slots(engine: weakref.ref[Tasks[Any, Any]], max_running: int, is_adaptive: bool) -> int:
    """How many requests can be with the provider at a time."""
    if is_adaptive and (tasks := engine()) is not None:
        with contextlib.suppress(Closed):
            return int(tasks.stats()["now"]["concurrency_limit"])
    return max_running


def _is_process_pool(executor: Executor | None) -> bool:
    module = sys.modules.get("concurrent.futures.process")  # absent, unless something has imported it, since that takes long
    return module is not None and isinstance(executor, module.ProcessPoolExecutor)


def _fail_if_dropped(request: Request, future: Future[None]) -> None:
    """Fails a request that the executor has dropped, or could not pass on."""
    if future.cancelled():
        request.fail(None)
    elif (exception := future.exception()) is not None:
        request.fail(exception)


def running_loop() -> asyncio.AbstractEventLoop:
    """The event loop that runs on this thread."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        raise RuntimeError("no running event loop of asyncio, which this needs; under another framework such as trio, enter the Tasks by `with`, and call "
                           "fetch_wait on a thread") from None
