"""The library's exceptions, and three that a provider can raise. Whatever a provider raises reaches callers unchanged."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

from ._api import Status
from ._settings import in_python


class Error(Exception):
    """The base class; `status` is the library's status. `__cause__` is the exception of the last failed attempt, if any failed before the
    fetch timed out or was ended."""

    status: Status | int = Status.OK

    @property
    def name(self) -> str:
        """The library's name of the status, such as "KVL_ERR_TIMEOUT"."""
        return f"KVL_{self.status.name}" if isinstance(self.status, Status) else f"KVL_{self.status}"


class Timeout(Error, TimeoutError):
    """timeout_ms or attempt_timeout_ms has passed."""


class Cancelled(Error):
    """The key was cancelled because another one of its batch failed (batch_mode="all_or_nothing")."""


class Closed(Error):
    """The engine was closed, before the call or before the key was answered."""


class QueueFull(Error):
    """Too many keys were waiting: queue_max_keys."""


class Unanswered(Error):
    """The provider finished without an answer for the key."""


class ProviderFailed(Error):
    """The provider failed and left no exception: it was cancelled."""


class Unavailable(Error):
    """The circuit breaker is open, so the provider was not called (breaker_failure_ratio, breaker_consecutive)."""


class FileFailed(Error, OSError):
    """The file of save or load cannot be written or read; `errno` is the reason."""


class Damaged(Error, ValueError):
    """The file given to load is damaged, truncated, of another version, or not a saved cache. Entries loaded before that stay in the cache."""


class Forked(Error):
    """The engine was used in a child process after a fork. Create a new one there."""


class Miss(Error, KeyError):
    """The key is not in the store, and is not loaded because of read="cache_only"."""

    __str__ = Exception.__str__


class Wrong(Error, ValueError):
    """The library rejected a setting or an argument, with a message that states the reason."""


class Permanent(Exception):
    """Raised by a provider, or returned in place of a value: the key is not retried, whatever the retry settings say."""


class Gone(Permanent):
    """Like Permanent, and an older value of the key is invalid too: the store removes it, and it does not serve as a fallback (stale_ttl_ms)."""


class RetryAfter(Exception):
    """Raised by a provider, or returned in place of a value: a retry waits at least `after_ms`, like HTTP's Retry-After."""

    def __init__(self, *args: object, after_ms: float) -> None:
        if not 0 <= after_ms < 2**63:
            raise ValueError(f"after_ms is a number from 0, not {after_ms!r}")
        super().__init__(*args)
        self.after_ms = math.ceil(after_ms)  # rounded up, so that a short pause does not become 0

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[object, ...], dict[str, Any]]:
        return functools.partial(type(self), after_ms=self.after_ms), self.args, self.__dict__


_OF_STATUS: dict[int, type[Error]] = {
    Status.MISS: Miss,
    Status.ERR_INVALID_ARG: Wrong,
    Status.ERR_UNKNOWN_KEY: Wrong,
    Status.ERR_BAD_VALUE: Wrong,
    Status.ERR_KEY_TOO_LONG: Wrong,
    Status.ERR_CLOSED: Closed,
    Status.ERR_FORKED: Forked,
    Status.ERR_PROVIDER: ProviderFailed,
    Status.ERR_TIMEOUT: Timeout,
    Status.ERR_CANCELLED: Cancelled,
    Status.ERR_QUEUE_FULL: QueueFull,
    Status.ERR_UNANSWERED: Unanswered,
    Status.ERR_UNAVAILABLE: Unavailable,
    Status.ERR_IO: FileFailed,
    Status.ERR_CORRUPT: Damaged,
    Status.ERR_TRUNCATED: Damaged,
    Status.ERR_FILE_VERSION: Damaged,
}


def failure(status: int, message: str, errno: int | None = None) -> Error:
    """Creates the exception of a status, for the extension module to raise."""
    error = _OF_STATUS.get(status, Error)(*((in_python(message),) if errno is None else (errno, message)))
    try:
        error.status = Status(status)
    except ValueError:
        error.status = status
    return error
