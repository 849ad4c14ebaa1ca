"""A decorator that caches the results of a function, and runs it once for concurrent calls with the same arguments."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import inspect
import os
import threading
import uuid
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar, cast, overload

from ._tasks import Tasks, running_loop

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
    int, str, bytes, float, bool, None, UUID or tuples of those. A coroutine function has one cache for each event loop. Instead of a method, decorate
    a function that takes the id of the object, or create a kvlight.Tasks in __init__.

    At most tasks_max_running calls (4 by default) run at a time. A function may call itself, or other decorated functions, with other arguments; a call
    that would wait without end raises RuntimeError. So recursion can be as deep as tasks_max_running, and deeper recursion is refused. A plain function
    runs on a thread of the cache, and no function sees the caller's `contextvars`. In the child of a fork the caches are empty.

    The decorated function has cache_clear(), cache_stats() and __wrapped__.
    """

    if function is not None and not (callable(function) or isinstance(function, _DESCRIPTORS)):
        raise TypeError("cached takes settings by name, as in @cached(cache_capacity=1000)")

    def decorate(function: F) -> F:
        if isinstance(function, _DESCRIPTORS):
            kind = type(function).__name__
            raise TypeError(f"@cached decorates a function: put it below @{kind}" if kind != "classmethod" else
                            "@cached decorates no class method, whose class cannot be a part of a key: decorate a function that takes the name of the class")
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise TypeError("@cached decorates no generator, which only its first caller could exhaust: return a list")
        wrapper: Any = _cached_coroutine(function, settings) if inspect.iscoroutinefunction(function) else _cached_function(function, settings)
        return cast("F", functools.wraps(function)(wrapper))

    return decorate if function is None else decorate(function)


_DESCRIPTORS = (classmethod, staticmethod, property)
_ARGUMENTS = (int, str, bytes, float, bool, type(None), uuid.UUID)


def _can_be_key(argument: Any) -> bool:
    return all(map(_can_be_key, argument)) if type(argument) is tuple else type(argument) in _ARGUMENTS


def _check_arguments(key: tuple[Any, ...]) -> None:
    """Called when a call has raised a TypeError: raises another one if the reason is an argument."""
    for argument in key:
        if not _can_be_key(argument):
            raise TypeError("the arguments of a cached function are int, str, bytes, float, bool, None, UUID or tuples of those, without subclasses, not "
                            f"{type(argument)}: decorate a function that takes the id of such an object; for a method, create a kvlight.Tasks in "
                            "__init__") from None


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
        key = _key(args, kwargs)
        try:
            box: Any = (engines.without_loop or engine()).fetch_wait(key)
        except TypeError:
            _check_arguments(key)
            raise
        return box.value

    call.cache_clear = lambda: engine().clear()  # type: ignore[attr-defined]
    call.cache_stats = lambda: engine().stats()  # type: ignore[attr-defined]
    return call


def _cached_coroutine(function: Callable[..., Any], settings: Any) -> Any:
    async def one(key: tuple[Any, ...]) -> _Box:
        args, kwargs = _arguments(key)
        return _Box(await function(*args, **kwargs))

    engines = _Engines(one, settings)

    engines.create()._abandon()  # so that a wrong setting raises here

    def engine() -> _Engine:
        loop = running_loop()
        tasks = engines.of_loop.get(loop)
        if tasks is None:
            tasks = contextvars.Context().run(engines.create()._enter)  # the function sees this context
            with engines.lock:
                for closed in [other for other in engines.of_loop if other.is_closed()]:
                    engines.of_loop.pop(closed)._abandon()
                engines.of_loop[loop] = tasks
        return tasks

    async def call(*args: Any, **kwargs: Any) -> Any:
        key = _key(args, kwargs)
        try:
            box: Any = await engine().fetch(key)
        except TypeError:
            _check_arguments(key)
            raise
        return box.value

    def clear() -> None:
        for tasks in list(engines.of_loop.values()):
            tasks.clear()

    def stats() -> list[dict[str, Any]]:
        return [tasks.stats() for tasks in list(engines.of_loop.values())]

    call.cache_clear = clear  # type: ignore[attr-defined]
    call.cache_stats = stats  # type: ignore[attr-defined]
    return call
