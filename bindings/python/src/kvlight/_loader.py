"""Calls the provider for a request."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Mapping
from concurrent.futures import Executor
from typing import TYPE_CHECKING, Any

from ._answer import stale
from ._coroutines import run_to_end
from ._nesting import Call, Nesting

if TYPE_CHECKING:
    from ._native import Request

_Part = tuple[list[int], tuple[Any, ...]]


class Loader:
    """The provider of an engine, without a reference to the engine: one that is never closed can be collected while the provider runs."""

    def __init__(self, function: Any, is_one: bool, is_conditional: bool, nesting: Nesting) -> None:
        self._function, self._is_one, self._is_conditional, self._nesting = function, is_one, is_conditional, nesting

    async def load(self, request: Request) -> Any:
        """The answers of a coroutine function."""
        with Call(self._nesting, request) as call:
            if not (self._is_one or self._is_conditional or request.has_equal_keys):  # the usual case
                call.answers = answers = await self._function(list(request.keys))
                return answers
            parts = self._parts(request)
            call.answers = answers = self._merged(request, parts, [await self._function(*arguments) for _, arguments in parts])
            return answers

    async def load_in(self, loop: asyncio.AbstractEventLoop, pool: Executor, request: Request) -> Any:
        """The answers of a plain function, which runs in the pool."""
        parts = self._parts(request)
        answers = []
        for _, arguments in parts:
            returned = await loop.run_in_executor(pool, self._nesting.call, request, call_on_thread, self._function, *arguments)
            if inspect.isawaitable(returned):
                with Call(self._nesting, request) as call:
                    call.answers = returned = await returned
            answers.append(returned)
        return self._merged(request, parts, answers)

    def load_on_thread(self, request: Request) -> None:
        """Answers a request with what a plain function returns on this thread."""
        try:
            request.answer(self._nesting.call(request, self._load_here, request))
        except BaseException as exception:
            request.fail(exception)

    def _load_here(self, request: Request) -> Any:
        parts = self._parts(request)
        return self._merged(request, parts, [_call_and_wait(self._function, *arguments) for _, arguments in parts])

    def _parts(self, request: Request) -> list[_Part]:
        """The calls of the provider for a request: the positions of the keys, and the arguments. Keys that are equal in Python, such as 1 and True, are
        in different calls, since a mapping cannot hold an answer for each of them."""
        if self._is_one:
            return [([0], (request.keys[0],))]
        keys, stales = request.keys, list(map(stale, request.stale())) if self._is_conditional else None
        parts: list[list[int]] = [list(range(len(keys)))] if not request.has_equal_keys else []
        if not parts:
            nth: dict[Any, int] = {}  # how many keys equal to this one have come before
            for position, key in enumerate(keys):
                n = nth[key] = nth.get(key, -1) + 1
                if n == len(parts):
                    parts.append([])
                parts[n].append(position)
        lists = ([[of[i] for i in part] for of in (keys, stales) if of is not None] for part in parts)  # copies, which the provider may change
        return [(part, tuple(arguments)) for part, arguments in zip(parts, lists)]

    def _merged(self, request: Request, parts: list[_Part], answers: list[Any]) -> Any:
        """One answer for the request of those of its parts."""
        if self._is_one:
            return answers
        if len(parts) == 1:
            return answers[0]
        keys = request.keys
        merged = [None] * len(keys)
        for (positions, _), returned in zip(parts, answers):
            if isinstance(returned, Mapping):
                returned = [returned.get(keys[position]) for position in positions]
            elif isinstance(returned, (str, bytes, set, frozenset)):
                raise TypeError(f"the provider must return a mapping or a sequence, not {type(returned)}")
            returned = list(returned)
            if len(returned) != len(positions):
                raise TypeError(f"the provider returned {len(returned)} values for {len(positions)} keys: it must return one for each, in the order of "
                                "the keys, or a mapping")
            for position, answer in zip(positions, returned):
                merged[position] = answer
        return merged


def call_on_thread(function: Any, *arguments: Any) -> Any:
    """Calls a function of the program on a thread of an executor. A StopIteration becomes a RuntimeError, as in a coroutine: a future does not
    accept it, and the request would never end."""
    try:
        return function(*arguments)
    except StopIteration as stop:
        raise RuntimeError("the provider raised StopIteration") from stop


def _call_and_wait(function: Any, *arguments: Any) -> Any:
    """Calls the provider. If it returns a coroutine, runs that to the end."""
    answers = function(*arguments)
    return run_to_end(answers) if inspect.isawaitable(answers) else answers
