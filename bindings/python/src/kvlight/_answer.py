"""What a provider may say about the value that it answers, and what is known of a key that was fetched."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Generic, Optional, TypeVar, Union

from ._api import Source, Status

K = TypeVar("K")
V = TypeVar("V")


@dataclass(frozen=True)
class Answer(Generic[V]):
    """What a provider may return for a key instead of the bare value, to say on which terms it is stored."""

    value: Optional[V]
    ttl_ms: int = -2
    """Milliseconds; -1 for ever, 0 not at all, -2 as the settings say."""
    priority: float = -sys.float_info.max
    """Entries of lower priority make room for it."""
    cost: int = -1
    """Bytes that it costs to keep; -1 as cost= says."""
    stale_ttl_ms: int = 0
    """Milliseconds that it stays after its end as a fallback; 0 as the settings say, -1 not at all."""


@dataclass(frozen=True)
class Result(Generic[K, V]):
    """What came of one key."""

    key: K
    value: Optional[V]
    """None also where there is none."""
    error: Optional[BaseException]
    """What made it fail. With `is_stale`, what the load failed with: None if it takes too long (stale_timeout_ms)."""
    status: Union[Status, int]
    """VALUE, NULL, MISS, INVALID_KEY, or an error's."""
    source: Union[Source, int]
    attempts: int
    """How many the load took; 0 if there was none."""
    age_ms: int
    """Since it was loaded or put."""
    ttl_left_ms: int
    """Until its end; -1 for ever, 0 if it is not stored."""
    is_stale: bool
    """Its end is over: it serves because there was nothing better."""


def result(key: K, known: tuple[int, Optional[V], Optional[BaseException], int, int, int, int, bool]) -> Result[K, V]:
    """Of what the extension module knows."""
    status, value, error, source, attempts, age_ms, ttl_left_ms, is_stale = known
    return Result(key, value, error, _member(Status, status), _member(Source, source), attempts, age_ms, ttl_left_ms, is_stale)


def _member(of: type[Union[Status, Source]], number: int) -> int:
    try:
        return of(number)
    except ValueError:
        return number  # of a later version
