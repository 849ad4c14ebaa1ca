"""Refuses waits inside a provider that could never end.

A provider may fetch other keys and wait for them, of its own engine or of another one. Such a wait never ends if everything that could end it waits
itself: the calls that load its keys or, for keys that no call loads yet, as many calls as the engine has slots, or its executor threads.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Executor
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Optional, TypeVar, cast

if TYPE_CHECKING:
    from ._native import Request

_T = TypeVar("_T")


class Nesting:
    """The calls of one engine's provider that are running."""

    def __init__(self, slots: Callable[[], int], executor: Executor | None, retries: bool) -> None:
        self.slots, self.executor, self.retries = slots, executor, retries
        workers = getattr(executor, "_max_workers", None)
        self._workers = workers if isinstance(workers, int) else None
        self.calls: set[Call] = set()

    def call(self, request: Request, function: Callable[..., _T], *arguments: Any) -> _T:
        """Calls the provider on this thread, to answer the request."""
        before = _current.get()
        try:
            with Call(self, request) as call:
                call.answers = answers = function(*arguments)
                return answers
        finally:
            _current.set(before)

    def room(self) -> int:
        """How many calls can run at a time."""
        return self.slots() if self._workers is None else min(self.slots(), self._workers)

    def has_room(self, blocked: set[Call]) -> bool:
        """Whether another call can begin, now or when those end that are not blocked."""
        if sum(call.nesting is self for call in blocked) >= self.slots():
            return False
        return self._workers is None or sum(call.nesting.executor is self.executor for call in blocked) < self._workers

    def begin_wait(self, keys: list[bytes] | None, is_done: Callable[[], bool], needs_all: bool = True) -> Wait | None:
        """Begins a wait, until its end(), for keys of this engine, all or one of them; or with None for a drain of the engine. Returns None unless this
        thread or task runs a provider. Raises RuntimeError if the wait could never end."""
        call = _current.get()
        if call is None or not call.is_running():
            return None
        wait = Wait(call, self, keys, is_done, needs_all)
        with _lock:
            _waits.add(wait)
            if _can_end(wait):
                return wait
            _waits.remove(wait)
            raise RuntimeError(wait.refusal())


class Call:
    """A call of a provider, as a context: begins with it, and ends before its request is answered, which lets the next call begin."""

    __slots__ = ("nesting", "request", "answers", "_keys")

    def __init__(self, nesting: Nesting, request: Request) -> None:
        self.nesting, self.request = nesting, cast("Optional[Request]", request)
        self.answers: Any = None
        self._keys: list[bytes] | None = None

    def __enter__(self) -> Call:
        _current.set(self)
        self.nesting.calls.add(self)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.nesting.calls.discard(self)
        if _waits and not (self.nesting.retries and (kind is not None or _has_failure(self.answers))):
            with _lock:
                for wait in _waits:
                    wait.answered(self)
        self.answers = self.request = None  # the task has this object in its context

    def is_running(self) -> bool:
        # A task that the provider has left behind still has the provider's context.
        return self in self.nesting.calls

    def keys(self) -> list[bytes]:
        if self._keys is None and (request := self.request) is not None:
            self._keys = request.raw_keys
        return self._keys or []


class Wait:
    """A wait inside a call of a provider."""

    def __init__(self, call: Call, nesting: Nesting, keys: list[bytes] | None, is_done: Callable[[], bool], needs_all: bool) -> None:
        self.call, self.nesting, self._is_done, self._needs_all = call, nesting, is_done, needs_all
        self._keys = None if keys is None else set(keys)

    def end(self) -> None:
        with _lock:
            _waits.discard(self)

    def answered(self, call: Call) -> None:
        """Called when a call ends. The outcomes of its keys follow."""
        if call.nesting is self.nesting and self._keys:
            rest = self._keys.difference(call.keys())
            self._keys = rest if self._needs_all or len(rest) == len(self._keys) else set()

    def can_end(self, blocked: set[Call]) -> bool:
        """Whether it ends once all calls have ended that are not blocked."""
        if self._is_done() or self._keys is not None and not self._keys:
            return True
        calls = tuple(self.nesting.calls)  # at once: other threads change the set
        if self._keys is None:
            return blocked.isdisjoint(calls)
        loading: dict[bytes, bool] = {}
        for call in calls:
            for key in call.keys():
                loading[key] = loading.get(key, False) or call not in blocked
        can_begin = self.nesting.has_room(blocked)
        each = (loading.get(key, can_begin) for key in self._keys)
        return all(each) if self._needs_all else any(each)

    def refusal(self) -> str:
        if self._keys is None:
            return "this close inside the provider could never end: with drain_ms=-1 it waits for the provider"
        if self.nesting is self.call.nesting and not self._keys.isdisjoint(self.call.keys()):
            return "the provider waits for a key that it is loading itself, so this wait could never end"
        loading = {key for call in tuple(self.nesting.calls) for key in call.keys()}
        if self._keys <= loading:
            return "this wait inside the provider could never end: the call that loads the key waits for this one"
        return (f"this wait inside the provider could never end: all {self.nesting.room()} of the engine's provider calls would wait "
                "(tasks_max_running, or the size of executor=)")


_current: ContextVar[Optional[Call]] = ContextVar("kvlight_call", default=None)
_lock = threading.Lock()
_waits: set[Wait] = set()

# The call of a provider that this thread or task runs, or None.
current = _current.get


def forget_call() -> None:
    """Makes this context one of no call."""
    _current.set(None)


def _can_end(wait: Wait) -> bool:
    of_call: dict[Call, list[Wait]] = {}
    for one in _waits:
        if one.call.is_running():
            of_call.setdefault(one.call, []).append(one)
    blocked = set(of_call)
    while wait.call in blocked:
        ending = {call for call in blocked if all(one.can_end(blocked) for one in of_call[call])}
        if not ending:
            return False
        blocked -= ending
    return True


def _has_failure(answers: Any) -> bool:
    """Whether an answer fails its key, which may then be loaded once more."""
    each: Iterable[Any] = answers.values() if isinstance(answers, Mapping) else answers if isinstance(answers, (list, tuple)) else ()
    return any(isinstance(answer, Exception) for answer in each)


def _begin_again() -> None:
    # Another thread of the parent may have held the lock, and its waits do not end here.
    global _lock
    _lock = threading.Lock()
    _waits.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_again)
