"""A second tier on Redis or Valkey: libkvlight_redis."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from . import _native
from ._api import VERSION


_FILL, _WRITE = 2, 3  # KVL_L2_FILL and KVL_L2_WRITE


class RedisTier:
    """The second tier of `l2_url`. It carries requests out by itself, so it has no methods like those of SecondTier."""

    is_conditional = grants_leases = True

    def __init__(self, url: str) -> None:
        self.connection = _connect(url)

    def carry_out(self, request: _native.TierRequest, dump: Any, load: Any, report: Any) -> None:
        """Serves a request, and waits for the server. If the server fails, a read is a miss, and a write is sent again; neither is reported."""
        if request.kind in (_FILL, _WRITE) and not request.state_payloads(dump, report):
            request.finish()
            return
        found = self.connection.serve(request)
        if found is None:
            request.fail()
            return
        for index, entry, ttl_left_ms, token in found:
            request.hit(index, entry, ttl_left_ms, token, load, report)
        request.finish()


def _connect(url: str) -> _native.Redis:
    failures = []
    for path in _paths():
        try:
            return _native.Redis(path, url)
        except OSError as error:
            failures.append(f"{path} ({error})")
    raise ImportError(f"l2_url needs libkvlight_redis, which cannot be loaded: tried {', '.join(failures)}. Build it by `make redis` in kvlight's "
                      "sources, then install it by `make install`, or set KVL_REDIS_LIBRARY to its path.")


def _paths() -> list[str]:
    """The paths to try for libkvlight_redis: KVL_REDIS_LIBRARY alone if it is set; or else in the package, on the system's path, and in the checkout."""
    if path := os.environ.get("KVL_REDIS_LIBRARY"):
        return [path]
    version = VERSION.rsplit(".", 1)[0]
    name, installed = ("libkvlight_redis.dylib",) * 2 if sys.platform == "darwin" else ("libkvlight_redis.so", f"libkvlight_redis.so.{version}")
    here = Path(__file__).resolve()
    in_checkout = [top / "target" / "redis" / "release" / name for top in here.parents[4:5]]
    return [*(str(path) for path in (here.with_name(name),) if path.exists()), installed, *map(str, in_checkout)]
