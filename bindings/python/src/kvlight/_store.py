"""What a cache and an engine have in common: keys and values, and what was counted."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Hashable, Iterator
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar, Union, cast, overload

from . import _native

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
D = TypeVar("D")
_Path = Union[str, "os.PathLike[str]"]


class Store(_native.Store, Generic[K, V]):
    """Keys are int, str, bytes, float, bool, None, UUID or tuples of those, or whatever encode= turns to bytes; 1, 1.0 and True are
    three keys. Values are any objects, and None means "known to be absent"."""

    if TYPE_CHECKING:  # the extension module has them

        @overload
        def get(self, key: K) -> V | None: ...
        @overload
        def get(self, key: K, default: D) -> V | None | D: ...
        def get(self, key: K, default: Any = None) -> Any: ...

        def put(self, key: K, value: V | None, *, ttl_ms: int = ..., priority: float = ..., cost: int = ..., stale_ttl_ms: int = ...,
                keep_ttl: bool = ..., only_if: Literal["absent", "present"] | None = ...) -> bool: ...
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
        """The keys, as items() has them."""
        return (key for key, _ in self.items())

    def keys(self) -> Iterator[K]:
        """The keys, as items() has them."""
        return iter(self)

    def values(self) -> Iterator[V | None]:
        """The values, as items() has them."""
        return (value for _, value in self.items())

    def save(self, path: _Path, *, dump: Callable[[V], bytes] | None = None) -> int:
        """Writes the entries to a file, with what is left of their TTLs, and returns how many those are. A file of that name is replaced once
        the new one is complete. Values that are str, bytes, int, float, bool or UUID are written as they are; others as the bytes that
        `dump` makes of them, pickle.dumps say, and are left out without it."""
        return self._save(path, dump)

    def load(self, path: _Path, *, load: Callable[[bytes], V] | None = None) -> int:
        """Stores the entries of such a file, unless their key has an entry, and returns how many those are. `load` is the opposite of
        `dump`; values that need it are left out without it. With pickle.loads, whoever can write the file can run any program."""
        return self._load(path, load)

    def stats(self) -> dict[str, Any]:
        """What was counted since the start."""
        return cast("dict[str, Any]", json.loads(self._stats()))

    def __repr__(self) -> str:
        state = "closed" if self.is_closed else f"{len(self)} entries"
        return f"<kvlight.{type(self).__name__}: {state}>"
