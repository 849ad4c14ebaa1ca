"""Refuses waits inside a provider that could never end.

A provider may wait for other keys of its engine, as long as a thread is left that can load them. If all provider threads waited, no wait would
ever end.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

_T = TypeVar("_T")


class _Running(threading.local):
    """The engine whose provider runs on this thread, and the keys that the provider loads."""

    nesting: Nesting | None = None
    keys: Sequence[Any] = ()


_running = _Running()


class Nesting:
    """Counts the provider threads of one engine that wait for its answers."""

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._waiting = 0
        self._lock = threading.Lock()

    def call(self, keys: Sequence[Any], function: Callable[..., _T], *arguments: Any) -> _T:
        """Calls the provider, which loads these keys, on this thread."""
        before = _running.nesting, _running.keys
        _running.nesting, _running.keys = self, keys
        try:
            return function(*arguments)
        finally:
            _running.nesting, _running.keys = before

    def is_inside(self) -> bool:
        """Whether this thread runs the engine's provider."""
        return _running.nesting is self

    def begin_wait(self, keys: Sequence[Any]) -> None:
        """Counts a wait for these keys, on a thread that runs the provider, until end_wait(). Raises RuntimeError if the wait could never end."""
        if _have_common_key(_running.keys, keys):
            raise RuntimeError("the provider waits for a key that it is loading itself, so this wait could never end")
        with self._lock:
            if self._waiting + 1 >= self._threads:
                raise RuntimeError(f"this wait inside the provider could never end: all {self._threads} of the engine's provider threads "
                                   "would wait (tasks_max_running, or the size of executor=)")
            self._waiting += 1

    def end_wait(self) -> None:
        with self._lock:
            self._waiting -= 1


def _have_common_key(some: Sequence[Any], others: Sequence[Any]) -> bool:
    try:
        known = {(type(key), key) for key in some}
        return any((type(key), key) in known for key in others)
    except TypeError:  # a key that needs encode= may have no hash
        return False
