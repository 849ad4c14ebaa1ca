"""A second tier that two engines share, as two processes would share a cache server: `python second_tier.py`.

What one engine has loaded the other finds, and a write of one is seen by the other. The store is a dictionary. It does what a cache server
would do: it keeps bytes under keys, grants a lease to the first reader of a missing key, and stores what was loaded only while that lease
stands. So a load that began before a write cannot come back after it.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable
from typing import Optional, Union

import kvlight


Found = Union[kvlight.Hit, kvlight.Vacant, kvlight.Leased]


class SharedDictionary(kvlight.SecondTier):
    """All of it runs on the event loop, so it needs no lock."""

    is_conditional = True
    grants_leases = True

    def __init__(self) -> None:
        # The token; the entry, or None while somebody has the lease; and when the entry expires, or None if it does not.
        self.rows: dict[bytes, tuple[bytes, Optional[bytes], Optional[float]]] = {}
        self.tokens = itertools.count(1)
        self.listeners: list[Callable[[list[bytes]], None]] = []
        self.filled = asyncio.Event()

    def new_token(self) -> bytes:
        return str(next(self.tokens)).encode()

    def row(self, entry: kvlight.Entry) -> tuple[bytes, bytes, Optional[float]]:
        return self.new_token(), entry.data, None if entry.ttl_ms == -1 else time.monotonic() + entry.ttl_ms / 1000

    async def read(self, keys: list[bytes]) -> dict[bytes, Found]:
        found: dict[bytes, Found] = {}
        for key in keys:
            token, entry, end = self.rows.get(key, (b"", None, None))
            left_ms = -1 if end is None else int((end - time.monotonic()) * 1000)
            if end is not None and left_ms <= 0:  # without this the entry would never expire: each hit would begin its TTL anew
                token, entry = b"", None
            if entry is not None:
                found[key] = kvlight.Hit(entry, left_ms, token)
            elif not token:  # nobody has the lease yet
                token = self.new_token()
                self.rows[key] = (token, None, None)
                found[key] = kvlight.Vacant(token)
            else:
                found[key] = kvlight.Leased()  # the other engine loads it, and this one waits for that
        return found

    async def fill(self, entries: list[kvlight.Entry]) -> list[bool]:
        stored = []
        for entry in entries:
            is_as_read = entry.key in self.rows and self.rows[entry.key][0] == entry.token
            if is_as_read:
                self.rows[entry.key] = self.row(entry)
            stored.append(is_as_read)
        self.filled.set()
        return stored

    async def write(self, entries: list[kvlight.Entry]) -> None:
        for entry in entries:
            self.rows[entry.key] = self.row(entry)
        self.tell([entry.key for entry in entries])

    async def remove(self, keys: list[bytes]) -> None:
        for key in keys:
            self.rows.pop(key, None)
        self.tell(keys)

    async def clear(self) -> None:
        keys = list(self.rows)
        self.rows.clear()
        self.tell(keys)

    def tell(self, keys: list[bytes]) -> None:
        """The notice is sent after the change, never before."""
        for listener in self.listeners:
            listener(keys)


async def main() -> None:
    store = SharedDictionary()

    def engine(name: str) -> kvlight.Tasks[str, str]:
        async def load(keys: list[str]) -> dict[str, str]:
            print(f"  engine {name} loads {keys} from the source")
            return {key: f"row of {key}" for key in keys}

        return kvlight.Tasks(provider=load, second_tier=store, encode=str.encode, decode=bytes.decode)

    async def show(name: str, tasks: kvlight.Tasks[str, str]) -> None:
        result, = await tasks.results(["user:7"])
        print(f"engine {name}: user:7 = {result.value}, from {kvlight.Source(result.source).name}")

    async with engine("A") as a, engine("B") as b:
        for tasks in (a, b):
            store.listeners.append(lambda keys, tasks=tasks: tasks.invalidate([key.decode() for key in keys]))  # type: ignore[misc]
        await show("A", a)
        await store.filled.wait()  # the second tier is filled after the caller has its answer
        await show("B", b)
        await show("B", b)
        print("engine A writes user:7")
        a.put("user:7", "written by A")
        while a.stats()["now"]["l2_pending"]:
            await asyncio.sleep(0)
        await show("B", b)


if __name__ == "__main__":
    asyncio.run(main())
