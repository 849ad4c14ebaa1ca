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
    """A value with terms for storing it. A provider may return one for a key in place of the value itself."""

    value: Optional[V]
    ttl_ms: int = -2
    """Milliseconds until the value expires; -1 for never, 0 to not store it, -2 for the TTL of the settings."""
    priority: float = -sys.float_info.max
    """Entries of lower priority are evicted first."""
    cost: int = -1
    """The cost of the value in bytes; -1 for what the cost= function returns."""
    stale_ttl_ms: int = 0
    """Milliseconds for which the value is kept as a fallback after it expires; 0 for the time of the settings, -1 for not at all."""
    version: str = ""
    """The version of the record, such as an ETag, which a conditional provider receives when it loads the key again."""
    tags: Sequence[str] = ()
    """Names by which remove_tag and expire_tag find the entry."""


@dataclass(frozen=True)
class NotModified:
    """Returned by a conditional provider in place of a value: the record has not changed, and the same value gets a new TTL."""

    ttl_ms: int = -2
    """As in Answer; so are `priority` and `stale_ttl_ms`."""
    priority: float = -sys.float_info.max
    stale_ttl_ms: int = 0
    version: str = ""
    """The new version; with "" the value keeps its version."""
    tags: Sequence[str] = ()
    """The new tags; without any the value keeps its tags."""


@dataclass(frozen=True)
class Stale(Generic[V]):
    """The stored entry of a key that a conditional provider is to load, expired or not."""

    value: Optional[V]
    """None if the key is known to be absent."""
    age_ms: int
    """Milliseconds since the value was loaded, put, or found in the second tier."""
    version: str
    """The version that was stored with the value; "" if there was none."""


@dataclass(frozen=True)
class Result(Generic[K, V]):
    """What became of one key of a fetch."""

    key: K
    value: Optional[V]
    """None if there is no such record, and if the key failed."""
    error: Optional[BaseException]
    """The exception of a key that failed. With `is_stale`, the exception of the load, or None if the load took too long
    (stale_timeout_ms)."""
    status: Union[Status, int]
    """VALUE, NULL, MISS, INVALID_KEY, or the status of the error."""
    source: Union[Source, int]
    attempts: int
    """The number of attempts of the load; 0 if there was none."""
    age_ms: int
    """Milliseconds since the value was loaded, put, or found in the second tier."""
    ttl_left_ms: int
    """Milliseconds until the value expires; -1 for never, 0 if it is not stored."""
    is_stale: bool
    """Whether the value has expired and is served as a fallback."""


def result(key: K, fields: tuple[int, Optional[V], Optional[BaseException], int, int, int, int, bool]) -> Result[K, V]:
    """Creates a result from the extension module's tuple."""
    status, value, error, source, attempts, age_ms, ttl_left_ms, is_stale = fields
    return Result(key, value, error, _member(Status, status), _member(Source, source), attempts, age_ms, ttl_left_ms, is_stale)


def stale(fields: Optional[tuple[Optional[V], int, str]]) -> Optional[Stale[V]]:
    """Creates a Stale from the extension module's tuple."""
    return None if fields is None else Stale(*fields)


def _member(enum: type[Union[Status, Source]], number: int) -> int:
    try:
        return enum(number)
    except ValueError:
        return number  # a member that a later version of the library has added
