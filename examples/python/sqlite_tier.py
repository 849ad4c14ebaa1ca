"""A second tier in an SQLite file, shared by processes and kept over restarts: `python sqlite_tier.py [tier.db]`, twice.

The first run loads its rows from the source. The second one, or another process at the same time, finds them in the file.
"""

from __future__ import annotations

import pickle
import sqlite3
import sys
import threading
import time
import uuid
from typing import Any, Union

import kvlight

LEASE_S = 10.0
"""How long a reader may take to load a key before another reader gets the lease."""


Found = Union[kvlight.Hit, kvlight.Vacant, kvlight.Leased]


class SqliteTier(kvlight.SecondTier):
    """A table with a row for each key: an entry, or the lease of the process that loads it (`data` is NULL). Its methods are plain functions, so they run
    on threads."""

    is_conditional = True
    grants_leases = True

    def __init__(self, path: str) -> None:
        self.lock = threading.Lock()
        self.database = sqlite3.connect(path, check_same_thread=False, isolation_level=None, timeout=1.0)
        self.database.execute("PRAGMA journal_mode = WAL")
        self.database.execute("CREATE TABLE IF NOT EXISTS tier (key BLOB PRIMARY KEY, token BLOB, data BLOB, expires REAL) WITHOUT ROWID")

    def __enter__(self) -> sqlite3.Connection:
        """A transaction, by one thread of this process and by one process at a time."""
        self.lock.acquire()
        try:
            self.database.execute("BEGIN IMMEDIATE")
        except BaseException:
            self.lock.release()
            raise
        return self.database

    def __exit__(self, failed: Any, *_: object) -> None:
        try:
            self.database.execute("ROLLBACK" if failed else "COMMIT")
        finally:
            self.lock.release()

    def read(self, keys: list[bytes]) -> dict[bytes, Found]:
        found: dict[bytes, Found] = {}
        with self as database:
            now = time.time()
            for key in keys:
                row = database.execute("SELECT token, data, expires FROM tier WHERE key = ?", (key,)).fetchone()
                token, data, expires = row or (b"", None, 0.0)
                if expires is not None and expires <= now:  # expired, or a lease that is too old, or no row at all
                    token = uuid.uuid4().bytes
                    database.execute("INSERT OR REPLACE INTO tier VALUES (?, ?, NULL, ?)", (key, token, now + LEASE_S))
                    found[key] = kvlight.Vacant(token)
                elif data is not None:
                    found[key] = kvlight.Hit(data, -1 if expires is None else max(1, int((expires - now) * 1000)), token)
                else:
                    found[key] = kvlight.Leased()  # another process loads it, and this one waits for that
        return found

    def fill(self, entries: list[kvlight.Entry]) -> list[bool]:
        with self as database:
            return [database.execute("UPDATE tier SET token = ?, data = ?, expires = ? WHERE key = ? AND token = ?",
                                     (*self.row(entry), entry.key, entry.token)).rowcount == 1 for entry in entries]

    def write(self, entries: list[kvlight.Entry]) -> None:
        with self as database:
            database.executemany("INSERT OR REPLACE INTO tier (token, data, expires, key) VALUES (?, ?, ?, ?)",
                                 [(*self.row(entry), entry.key) for entry in entries])

    def remove(self, keys: list[bytes]) -> None:
        with self as database:
            database.executemany("DELETE FROM tier WHERE key = ?", [(key,) for key in keys])

    def clear(self) -> None:
        with self as database:
            database.execute("DELETE FROM tier")

    @staticmethod
    def row(entry: kvlight.Entry) -> tuple[bytes, bytes, Union[float, None]]:
        return uuid.uuid4().bytes, entry.data, None if entry.ttl_ms == -1 else time.time() + entry.ttl_ms / 1000


def load(keys: list[int]) -> dict[int, dict[str, Any]]:
    print(f"  loads {len(keys)} rows from the source")
    return {key: {"id": key, "name": f"row {key}", "loaded": time.strftime("%H:%M:%S")} for key in keys}


def main() -> None:
    tier = SqliteTier(sys.argv[1] if len(sys.argv) > 1 else "tier.db")
    with kvlight.Tasks[int, dict[str, Any]](provider=load, second_tier=tier, dump=pickle.dumps, load=pickle.loads, cache_ttl_ms=60_000,
                                            l2_timeout_ms=1000) as rows:
        for result in rows.results_wait(range(1, 4)):
            print(f"{result.value} from {kvlight.Source(result.source).name}")
        rows.close_wait(drain_ms=-1)  # returns once what was loaded is in the file


if __name__ == "__main__":
    main()
