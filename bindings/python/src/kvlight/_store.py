"""What a cache and an engine have in common: keys and values, and what was counted."""

from __future__ import annotations

import json
from collections.abc import Hashable
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast, overload

from . import _native

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
D = TypeVar("D")


class Store(_native.Store, Generic[K, V]):
    """Keys are int, str, bytes, float, bool, None, UUID or tuples of those, or whatever encode= turns to bytes; 1, 1.0 and True are
    three keys. Values are any objects, and None means "known to be absent"."""

    if TYPE_CHECKING:  # the extension module has them

        @overload
        def get(self, key: K) -> V | None: ...
        @overload
        def get(self, key: K, default: D) -> V | None | D: ...
        def get(self, key: K, default: Any = None) -> Any: ...

        def put(self, key: K, value: V | None, *, ttl_ms: int = ..., priority: float = ..., cost: int = ...) -> bool: ...
        def remove(self, key: K, /) -> bool: ...

        @overload
        def take(self, key: K, /) -> V | None: ...
        @overload
        def take(self, key: K, default: D, /) -> V | None | D: ...
        def take(self, key: K, default: Any = None, /) -> Any: ...

    def stats(self) -> dict[str, Any]:
        """What was counted since the start."""
        return cast("dict[str, Any]", json.loads(self._stats()))

    def __repr__(self) -> str:
        state = "closed" if self.is_closed else f"{len(self)} entries"
        return f"<kvlight.{type(self).__name__}: {state}>"
