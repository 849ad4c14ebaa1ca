"""What can go wrong. A provider's exceptions come as they are; these are the library's own."""

from __future__ import annotations

from ._api import Status


class Error(Exception):
    """What the library says went wrong; `status` is its number and name. `__cause__` is what the provider's last attempt had failed with
    when time ran out or the fetch was ended, if one had."""

    status: Status | int = Status.OK

    @property
    def name(self) -> str:
        """The status as the library writes it, "KVL_ERR_TIMEOUT"."""
        return f"KVL_{self.status.name}" if isinstance(self.status, Status) else f"KVL_{self.status}"


class Timeout(Error, TimeoutError):
    """timeout_ms or attempt_timeout_ms was over."""


class Cancelled(Error):
    """The key was given up because another of its batch failed (batch_mode="all_or_nothing")."""


class Closed(Error):
    """The engine was closed before the answer came, or before the question."""


class QueueFull(Error):
    """Too many keys waited: queue_max_keys."""


class Unanswered(Error):
    """The provider finished without an answer for the key."""


class ProviderFailed(Error):
    """The provider failed and left no exception: it was cancelled."""


class Unavailable(Error):
    """The circuit breaker is open (breaker_failure_ratio, breaker_consecutive): the provider is left alone for a while."""


class FileFailed(Error, OSError):
    """The file of save or load cannot be written or read; `errno` says why."""


class Damaged(Error, ValueError):
    """What load was given is damaged, cut short, of a later version, or no saved cache. What was read before stays."""


class Forked(Error):
    """Used in a child process: make a Tasks of its own there."""


class Miss(Error, KeyError):
    """Not in the store, and read="cache_only" loads nothing."""

    __str__ = Exception.__str__


class Wrong(Error, ValueError):
    """A setting or an argument that the library refuses, in its own sentence."""


class Permanent(Exception):
    """A provider raises this, or a class of its own made from it, where trying again is pointless, whatever the retry settings say."""


class Gone(Permanent):
    """As Permanent, where an older value is worth nothing either: no fallback serves in its place (stale_ttl_ms), and it leaves the store."""


class RetryAfter(Exception):
    """A provider raises this, or a class of its own made from it, to say when trying again makes sense, as HTTP's Retry-After does:
    a retry waits at least `after_ms`."""

    def __init__(self, *args: object, after_ms: int) -> None:
        super().__init__(*args)
        self.after_ms = after_ms


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


def failure(status: int, sentence: str, errno: int | None = None) -> Error:
    """The exception of a status; the extension module raises what this makes."""
    error = _OF_STATUS.get(status, Error)(*((sentence,) if errno is None else (errno, sentence)))
    try:
        error.status = Status(status)
    except ValueError:
        error.status = status
    return error
