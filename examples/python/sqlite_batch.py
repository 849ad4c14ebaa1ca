"""Rows by id from an SQLite file, with one query for each request instead of one for each row: `python sqlite_batch.py [packages.db]`.

The table is the list of packages that are installed on this machine. A coroutine for each package fetches the rows of all its
dependencies. The coroutines do not know of each other, and kvlight forms the batches. sqlite_batch.c is the same program in C.
"""

from __future__ import annotations

import asyncio
import re
import sqlite3
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable

import kvlight

Row = tuple[int, str, str, int]


class Packages:
    """The table, and the number of queries."""

    def __init__(self, path: str) -> None:
        self.queries = 0
        # A plain provider runs on threads of the engine; tasks_max_running=1 below keeps it to one thread at a time.
        self.database = sqlite3.connect(path, check_same_thread=False)
        self.database.executescript(
            "DROP TABLE IF EXISTS package; CREATE TABLE package (id INTEGER PRIMARY KEY, name TEXT, version TEXT, kilobytes INTEGER)")
        listed = subprocess.run(["dpkg-query", "-W", "-f", "${Package}\\t${Version}\\t${Installed-Size}\\t${Depends}\\n"], check=True,
                                capture_output=True, text=True).stdout
        fields = [line.split("\t") for line in listed.splitlines()]
        self.database.executemany("INSERT INTO package (name, version, kilobytes) VALUES (?, ?, ?)", (row[:3] for row in fields))
        self.database.commit()
        ids = {name: number for number, name in self.database.execute("SELECT id, name FROM package")}
        self.depends: list[list[int]] = []
        for row in fields:
            names = (re.split(r"[ :(]", word.strip())[0] for word in re.split(r"[,|]", row[3]))
            self.depends.append([ids[name] for name in names if name in ids])

    def one(self, number: int) -> Row | None:
        self.queries += 1
        found: Row | None = self.database.execute("SELECT id, name, version, kilobytes FROM package WHERE id = ?", (number,)).fetchone()
        return found

    def many(self, numbers: list[int]) -> dict[int, Row]:
        self.queries += 1
        marks = ",".join("?" * len(numbers))
        found = self.database.execute(f"SELECT id, name, version, kilobytes FROM package WHERE id IN ({marks})", numbers)
        return {row[0]: row for row in found}


async def main() -> None:
    packages = Packages(sys.argv[1] if len(sys.argv) > 1 else "packages.db")
    print(f"{sum(map(len, packages.depends))} rows to look up, for {len(packages.depends)} packages\n{'':28} {'queries':>9} {'ms':>9}")

    async def measure(name: str, rows_of: Callable[[list[int]], Awaitable[list[Row | None]]]) -> list[list[Row | None]]:
        packages.queries, begun = 0, time.perf_counter()
        rows = list(await asyncio.gather(*map(rows_of, packages.depends)))
        print(f"{name:28} {packages.queries:9} {(time.perf_counter() - begun) * 1e3:9.2f}")
        return rows

    async def naively(numbers: list[int]) -> list[Row | None]:
        return [packages.one(number) for number in numbers]

    async with kvlight.Tasks(provider=packages.many, cache_capacity=100_000, batch_max_keys=100, tasks_max_running=1) as tasks:
        naive = await measure("one SELECT a row", naively)
        cold = await measure("through kvlight, cold", tasks.fetch_all)
        again = await measure("through kvlight, again", tasks.fetch_all)
    if naive != cold or naive != again:
        sys.exit("the answers differ")


if __name__ == "__main__":
    asyncio.run(main())
