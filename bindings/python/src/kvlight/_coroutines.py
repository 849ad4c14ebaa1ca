"""Runs the coroutines of a provider for an engine without an event loop, each on a thread with a loop of its own."""

from __future__ import annotations

import asyncio
import atexit
import os
import threading
from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Any, TypeVar, cast

if TYPE_CHECKING:
    from ._native import Request

_T = TypeVar("_T")

_running: set[CoroutineThread] = set()
_is_ending = False


class CoroutineThread:
    """The thread of one coroutine, whose result answers a request. Any thread can cancel it at any time, and the end of the interpreter does."""

    def __init__(self, coroutine: Callable[[Request], Coroutine[Any, Any, Any]], request: Request, among: set[CoroutineThread]) -> None:
        """`among`: contains the thread while it runs."""
        self._coroutine, self._request, self._among = coroutine, request, among
        self._lock = threading.Lock()
        self._is_cancelled = False
        self._task: asyncio.Task[Any] | None = None
        self._thread = threading.Thread(target=self._run, name="kvlight-provider", daemon=True)

    def start(self) -> None:
        if _is_ending:
            raise RuntimeError("the interpreter is ending")
        self._among.add(self)
        _running.add(self)
        try:
            self._thread.start()
        except BaseException:
            self._leave()
            raise

    def cancel(self) -> None:
        with self._lock:
            self._is_cancelled = True
            if self._task is not None:
                self._task.get_loop().call_soon_threadsafe(self._task.cancel)

    def join(self) -> None:
        if self._thread is not threading.current_thread():
            self._thread.join()

    def _run(self) -> None:
        try:
            self._request.answer(run_to_end(self._main()))
        except asyncio.CancelledError:
            self._request.fail(None)
        except BaseException as exception:
            self._request.fail(exception)
        finally:
            self._leave()

    async def _main(self) -> Any:
        with self._lock:
            if self._is_cancelled:
                raise asyncio.CancelledError
            self._task = asyncio.current_task()
        try:
            return await self._coroutine(self._request)
        finally:
            with self._lock:  # from here on a cancel finds no task, and the loop can be closed
                self._task = None

    def _leave(self) -> None:
        _running.discard(self)
        self._among.discard(self)


def run_to_end(awaitable: Awaitable[_T]) -> _T:
    """Runs an awaitable on a new event loop. Unlike asyncio.run(), keeps what it raises in no reference cycle."""
    returned, failure = asyncio.run(_outcome(awaitable))
    try:
        if failure is not None:
            raise failure
        return cast(_T, returned)
    finally:
        del failure


async def _outcome(awaitable: Awaitable[_T]) -> tuple[_T | None, BaseException | None]:
    try:
        return await awaitable, None
    except BaseException as exception:
        return None, exception


def _end_all() -> None:
    global _is_ending
    _is_ending = True
    threads = list(_running)
    for thread in threads:
        thread.cancel()
    for thread in threads:
        thread.join()


atexit.register(_end_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_running.clear)  # the threads are the parent's
