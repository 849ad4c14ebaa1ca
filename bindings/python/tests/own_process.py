"""Runs a test in its own interpreter: one that counts threads, measures memory, forks, or might hang. Also has functions that tests share."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
# In seconds, in proportion to KVL_CALLS, the number of calls that each loop of test_memory.py makes.
TIMEOUT = 300 * max(1, int(os.environ.get("KVL_CALLS", "0")) // 200_000)


def run(program: str, *arguments: str, **environment: str) -> str:
    """Runs a program, which must exit with status 0, and returns its output."""
    path = os.pathsep.join([str(HERE), *filter(None, [os.environ.get("PYTHONPATH")])])
    ended = subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True, timeout=TIMEOUT,
                           env={**os.environ, "PYTHONPATH": path, "PYTHONFAULTHANDLER": "1", **environment})
    assert ended.returncode == 0, f"exit code {ended.returncode}\n{ended.stdout}{ended.stderr}"
    return ended.stdout + ended.stderr


def in_own_process(test: Callable[[], None]) -> Callable[[], None]:
    """Runs a test without arguments in a separate interpreter."""

    @functools.wraps(test)
    def run_it() -> None:
        run(f"import {test.__module__} as tests; tests.{test.__name__}.__wrapped__()")

    return run_it


def in_use() -> tuple[int, int]:
    """The numbers of threads and descriptors of this process."""
    return len(os.listdir("/proc/self/task")), len(os.listdir("/proc/self/fd"))


def memory() -> int:
    """The resident memory of this process, in bytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def echo(keys: list[Any]) -> list[Any]:
    return list(keys)


async def never(keys: list[Any]) -> list[Any]:
    import asyncio

    await asyncio.Event().wait()
    return []
