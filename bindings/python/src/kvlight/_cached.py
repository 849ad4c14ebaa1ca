"""A decorator that caches the results of a function, and runs it once for concurrent calls with the same arguments."""

from __future__ import annotations

import asyncio
import functools
import inspect
import os
import threading
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar, cast, overload

from ._tasks import Tasks

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ._api import Settings

F = TypeVar("F", bound=Callable[..., Any])


class _Box:
    """Wraps a result of the function, which may be None: for a provider None means that there is no such record."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value


@overload
def cached(function: F, /) -> F: ...


@overload
def cached(**settings: Unpack[Settings]) -> Callable[[F], F]: ...


def cached(function: Any = None, /, **settings: Unpack[Settings]) -> Any:
    """Caches the results of a function by its arguments: `@cached(cache_capacity=1000, cache_ttl_ms=60_000)`, or `@cached` for the defaults.

    Works for plain functions and for coroutine functions. Concurrent calls with the same arguments share one call of the
    function, in any thread or task. An exception reaches all of them, and is not cached unless cache_error_ttl_ms is set. Arguments are
    int, str, bytes, float, bool, None, UUID or tuples of those. A coroutine function has one cache for each event loop.

    At most tasks_max_running calls (4 by default) run at a time. A plain function runs on a thread of the cache, and no function sees the caller's
    `contextvars`. In the child of a fork the caches are empty.

    The decorated function has cache_clear(), cache_stats() and __wrapped__.
    """

    if function is not None and not callable(function):
        raise TypeError("cached takes settings by name, as in @cached(cache_capacity=1000)")

    def decorate(function: F) -> F:
        wrapper: Any = _cached_coroutine(function, settings) if inspect.iscoroutinefunction(function) else _cached_function(function, settings)
        return cast("F", functools.wraps(function)(wrapper))

    return decorate if function is None else decorate(function)


def _key(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...]:
    # The number of positional arguments comes first and separates them from the keyword arguments.
    return (len(args), *args, *(part for item in sorted(kwargs.items()) for part in item))


def _arguments(key: tuple[Any, ...]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    keywords = key[1 + key[0]:]
    return key[1:1 + key[0]], dict(zip(keywords[::2], keywords[1::2]))


_Engine = Tasks[tuple[Any, ...], _Box]


class _Engines:
    """The engines of one decorated function, which begins again without them in the child of a fork: an engine belongs to the process that
    created it."""

    def __init__(self, one: Any, settings: Any) -> None:
        self._one, self._settings = one, settings
        self.forget()
        _all_engines.add(self)

    def forget(self) -> None:
        self.lock = threading.Lock()
        self.of_loop: dict[asyncio.AbstractEventLoop, _Engine] = {}
        self.without_loop: _Engine | None = None

    def create(self) -> _Engine:
        tasks: _Engine = Tasks(one=self._one, **self._settings)
        tasks._may_stay_open = True  # a decorated function has no end
        return tasks


_all_engines: weakref.WeakSet[_Engines] = weakref.WeakSet()
# The engines of the parent, which the child of a fork must not free.
_of_the_parent: list[Any] = []


def _begin_again() -> None:
    for engines in list(_all_engines):
        _of_the_parent.append((engines.of_loop, engines.without_loop))
        engines.forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_again)


def _cached_function(function: Callable[..., Any], settings: Any) -> Any:
    def one(key: tuple[Any, ...]) -> _Box:
        args, kwargs = _arguments(key)
        return _Box(function(*args, **kwargs))

    engines = _Engines(one, settings)

    def engine() -> _Engine:
        with engines.lock:
            if engines.without_loop is None:
                engines.without_loop = engines.create()
            return engines.without_loop

    engine()  # so that a wrong setting raises here

    def call(*args: Any, **kwargs: Any) -> Any:
        box: Any = (engines.without_loop or engine()).fetch_wait(_key(args, kwargs))
        return box.value

    call.cache_clear = lambda: engine().clear()  # type: ignore[attr-defined]
    call.cache_stats = lambda: engine().stats()  # type: ignore[attr-defined]
    return call


def _cached_coroutine(function: Callable[..., Any], settings: Any) -> Any:
    async def one(key: tuple[Any, ...]) -> _Box:
        args, kwargs = _arguments(key)
        return _Box(await function(*args, **kwargs))

    engines = _Engines(one, settings)

    async def engine() -> _Engine:
        loop = asyncio.get_running_loop()
        tasks = engines.of_loop.get(loop)
        if tasks is None:
            tasks = await engines.create().__aenter__()
            with engines.lock:
                for closed in [other for other in engines.of_loop if other.is_closed()]:
                    engines.of_loop.pop(closed)._abandon()
                engines.of_loop[loop] = tasks
        return tasks

    async def call(*args: Any, **kwargs: Any) -> Any:
        box: Any = await (await engine()).fetch(_key(args, kwargs))
        return box.value

    def clear() -> None:
        for tasks in list(engines.of_loop.values()):
            tasks.clear()

    def stats() -> list[dict[str, Any]]:
        return [tasks.stats() for tasks in list(engines.of_loop.values())]

    call.cache_clear = clear  # type: ignore[attr-defined]
    call.cache_stats = stats  # type: ignore[attr-defined]
    return call
