"""The base class of Cache and Tasks: keys, values and statistics."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar, Union, cast, overload

from . import _native
from ._errors import Closed, Forked

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
D = TypeVar("D")
_Path = Union[str, "os.PathLike[str]"]


class Store(_native.Store, Generic[K, V]):
    """Keys are int, str, bytes, float, bool, None, UUID or tuples of those, or any type that encode= turns into bytes; 1, 1.0 and True are
    three keys. A value can be any object; None means that the key is known to be absent."""

    if TYPE_CHECKING:  # implemented in the extension module

        @overload
        def get(self, key: K) -> V | None: ...
        @overload
        def get(self, key: K, default: D) -> V | None | D: ...
        def get(self, key: K, default: Any = None) -> Any: ...

        def put(self, key: K, value: V | None, *, ttl_ms: int = ..., priority: float = ..., cost: int = ..., stale_ttl_ms: int = ...,
                version: str = ..., tags: Sequence[str] = ..., keep_ttl: bool = ..., only_if: Literal["absent", "present"] | None = ...) -> bool: ...
        def remove(self, key: K, /) -> bool: ...
        def expire(self, key: K, /) -> bool: ...
        def touch(self, key: K, *, ttl_ms: int = ...) -> bool: ...
        def items(self) -> Iterator[tuple[K, V | None]]: ...

        @overload
        def take(self, key: K, /) -> V | None: ...
        @overload
        def take(self, key: K, default: D, /) -> V | None | D: ...
        def take(self, key: K, default: Any = None, /) -> Any: ...

    def __iter__(self) -> Iterator[K]:
        """Iterates over the keys, like items()."""
        return (key for key, _ in self.items())

    def keys(self) -> Iterator[K]:
        """Iterates over the keys, like items()."""
        return iter(self)

    def values(self) -> Iterator[V | None]:
        """Iterates over the values, like items()."""
        return (value for _, value in self.items())

    def save(self, path: _Path, *, dump: Callable[[V], bytes] | None = None) -> int:
        """Writes the entries to a file, with their remaining TTLs, and returns their number. An existing file is replaced once the new one
        is complete. Values that are str, bytes, int, float, bool or UUID are written as they are, others as the bytes that `dump` returns
        for them, as pickle.dumps does. Without `dump` the others are left out."""
        return self._save(path, dump)

    def load(self, path: _Path, *, load: Callable[[bytes], V] | None = None) -> int:
        """Stores the entries of a saved file, except those whose key has an entry already, and returns the number stored. `load` reverses
        `dump`; without it, values that need it are left out. Use pickle.loads only for files that nobody else can write: it runs any code that they contain."""
        return self._load(path, load)

    def stats(self) -> dict[str, Any]:
        """The statistics since the cache was created, as a dictionary: docs/STATISTICS.md."""
        return cast("dict[str, Any]", json.loads(self._stats()))

    def __repr__(self) -> str:
        try:
            state = "closed" if self.is_closed else f"{len(self)} entries"
        except Closed:
            state = "closed"
        except Forked:
            state = "of the process that has forked this one"
        return f"<kvlight.{type(self).__name__}: {state}>"
