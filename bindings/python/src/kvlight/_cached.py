"""A decorator that caches the results of a function, and runs it once for concurrent calls with the same arguments."""

from __future__ import annotations

import asyncio
import functools
import inspect
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar, cast

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


def cached(**settings: Unpack[Settings]) -> Callable[[F], F]:
    """Caches the results of a function by its arguments: `@cached(cache_capacity=1000, cache_ttl_ms=60_000)`.

    Works for plain functions and for coroutine functions. Concurrent calls with the same arguments share one call of the
    function, in any thread or task. An exception reaches all of them, and is not cached unless cache_error_ttl_ms is set. Arguments are
    int, str, bytes, float, bool, None, UUID or tuples of those. A coroutine function has one cache for each event loop.

    The decorated function has cache_clear(), cache_stats() and __wrapped__.
    """

    def decorate(function: F) -> F:
        wrapper: Any = _cached_coroutine(function, settings) if inspect.iscoroutinefunction(function) else _cached_function(function, settings)
        return cast("F", functools.wraps(function)(wrapper))

    return decorate


def _key(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...]:
    # The number of positional arguments comes first and separates them from the keyword arguments.
    return (len(args), *args, *(part for item in sorted(kwargs.items()) for part in item))


def _arguments(key: tuple[Any, ...]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    keywords = key[1 + key[0]:]
    return key[1:1 + key[0]], dict(zip(keywords[::2], keywords[1::2]))


def _cached_function(function: Callable[..., Any], settings: Any) -> Any:
    def one(key: tuple[Any, ...]) -> _Box:
        args, kwargs = _arguments(key)
        return _Box(function(*args, **kwargs))

    tasks: Tasks[tuple[Any, ...], _Box] = Tasks(one=one, **settings)

    def call(*args: Any, **kwargs: Any) -> Any:
        box: Any = tasks.fetch_wait(_key(args, kwargs))
        return box.value

    call.cache_clear = tasks.clear  # type: ignore[attr-defined]
    call.cache_stats = tasks.stats  # type: ignore[attr-defined]
    return call


def _cached_coroutine(function: Callable[..., Any], settings: Any) -> Any:
    async def one(key: tuple[Any, ...]) -> _Box:
        args, kwargs = _arguments(key)
        return _Box(await function(*args, **kwargs))

    lock = threading.Lock()
    tasks_of_loop: dict[asyncio.AbstractEventLoop, Tasks[tuple[Any, ...], _Box]] = {}

    async def tasks_here() -> Tasks[tuple[Any, ...], _Box]:
        loop = asyncio.get_running_loop()
        tasks = tasks_of_loop.get(loop)
        if tasks is None:
            tasks = await Tasks(one=one, **settings).__aenter__()
            with lock:
                for closed in [other for other in tasks_of_loop if other.is_closed()]:
                    tasks_of_loop.pop(closed)._abandon()
                tasks_of_loop[loop] = tasks
        return tasks

    async def call(*args: Any, **kwargs: Any) -> Any:
        box: Any = await (await tasks_here()).fetch(_key(args, kwargs))
        return box.value

    def clear() -> None:
        for tasks in list(tasks_of_loop.values()):
            tasks.clear()

    def stats() -> list[dict[str, Any]]:
        return [tasks.stats() for tasks in list(tasks_of_loop.values())]

    call.cache_clear = clear  # type: ignore[attr-defined]
    call.cache_stats = stats  # type: ignore[attr-defined]
    return call
