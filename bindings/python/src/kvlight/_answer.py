"""What a provider may say about the value that it answers."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Generic, Optional, TypeVar

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
