"""A cache without a provider, for programs with and without an event loop."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ._errors import Wrong
from ._settings import of_cache
from ._store import K, Store, V

if TYPE_CHECKING:
    from typing_extensions import Self, Unpack

    from ._api import CacheSettings
    from ._native import Clock

_ABSENT: Any = object()


class Cache(Store[K, V]):
    """A bounded store with expiry, which any thread may use: `cache = Cache(capacity=10_000, ttl_ms=60_000)`.

    clock      a kvlight.Clock, for tests that depend on time
    cost       a function that returns the cost of a value in bytes; with cost_limit the default is sys.getsizeof
    encode     a function that turns keys of other types into bytes
    decode     a function that reverses encode, for items() and keys(); without it these yield the bytes
    settings   the settings of docs/CONFIGURATION.md that begin with "cache.", without that prefix
    """

    def __init__(self, *, clock: Clock | None = None, cost: Callable[[V], int] | None = None, encode: Callable[[K], bytes] | None = None,
                 decode: Callable[[bytes], K] | None = None,
                 **settings: Unpack[CacheSettings]) -> None:
        if cost is None and settings.get("cost_limit", -1) != -1:
            cost = sys.getsizeof
        try:
            self._open({f"cache_{name}": value for name, value in settings.items()}, clock, encode, decode, cost)
        except Wrong as wrong:
            wrong.args = tuple(of_cache(str(part)) for part in wrong.args)
            raise

    def __getitem__(self, key: K) -> V | None:
        value = self.get(key, _ABSENT)
        if value is _ABSENT:
            raise KeyError(key)
        return value

    def __setitem__(self, key: K, value: V | None) -> None:
        self.put(key, value)

    def __delitem__(self, key: K) -> None:
        if not self.remove(key):
            raise KeyError(key)

    def __bool__(self) -> bool:
        return True

    def close(self) -> None:
        """Releases all entries; later calls raise Closed."""
        self._end()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
