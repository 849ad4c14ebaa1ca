"""The terms of a provider's answer, and the result of a fetched key."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, Optional, TypeVar, Union

from ._api import Source, Status

K = TypeVar("K")
V = TypeVar("V")


@dataclass(frozen=True)
class Answer(Generic[V]):
    """A value with the terms on which it is stored, which a provider may return for a key instead of the bare value."""

    value: Optional[V]
    ttl_ms: int = -2
    """Milliseconds until the value expires; -1: never, 0: not stored, -2: as the settings say."""
    priority: float = -sys.float_info.max
    """Entries of lower priority are evicted first."""
    cost: int = -1
    """The cost of the value in bytes; -1: as cost= returns."""
    stale_ttl_ms: int = 0
    """Milliseconds for which the value is kept as a fallback after it expires; 0: as the settings say, -1: not at all."""
    version: str = ""
    """The version of the record, for example an ETag: a conditional provider gets it back."""
    tags: Sequence[str] = ()
    """Names by which remove_tag and expire_tag find the entry."""


@dataclass(frozen=True)
class NotModified:
    """Returned by a conditional provider in place of a value: the record has not changed, and the same value gets a new TTL."""

    ttl_ms: int = -2
    """As in Answer, like `priority` and `stale_ttl_ms`."""
    priority: float = -sys.float_info.max
    stale_ttl_ms: int = 0
    version: str = ""
    """The new version; "": the value keeps the one that it has."""
    tags: Sequence[str] = ()
    """The new tags; none: the value keeps those that it has."""


@dataclass(frozen=True)
class Stale(Generic[V]):
    """What the store has of a key, expired or not, when a conditional provider is asked for it."""

    value: Optional[V]
    """None if the key is known to be absent."""
    age_ms: int
    """Milliseconds since the value was loaded or put."""
    version: str
    """The version that was stated with the value; "" if none was."""


@dataclass(frozen=True)
class Result(Generic[K, V]):
    """The result of one key."""

    key: K
    value: Optional[V]
    """None if there is no such record, and if the key failed."""
    error: Optional[BaseException]
    """The exception, if the key failed. If `is_stale`, the one with which the load failed, or None if the load took too long
    (stale_timeout_ms)."""
    status: Union[Status, int]
    """VALUE, NULL, MISS, INVALID_KEY, or the status of the error."""
    source: Union[Source, int]
    attempts: int
    """The number of attempts of the load; 0 if there was none."""
    age_ms: int
    """Milliseconds since the value was loaded or put."""
    ttl_left_ms: int
    """Milliseconds until the value expires; -1: never, 0: it is not stored."""
    is_stale: bool
    """The value has expired, and is served as a fallback."""


def result(key: K, known: tuple[int, Optional[V], Optional[BaseException], int, int, int, int, bool]) -> Result[K, V]:
    """Creates a result from the extension module's tuple."""
    status, value, error, source, attempts, age_ms, ttl_left_ms, is_stale = known
    return Result(key, value, error, _member(Status, status), _member(Source, source), attempts, age_ms, ttl_left_ms, is_stale)


def stale(known: Optional[tuple[Optional[V], int, str]]) -> Optional[Stale[V]]:
    """Creates a Stale from the extension module's tuple."""
    return None if known is None else Stale(*known)


def _member(of: type[Union[Status, Source]], number: int) -> int:
    try:
        return of(number)
    except ValueError:
        return number  # one of a later version
