"""libkvlight as Python sees it: the functions, the structs, the errors, and keys as bytes. Knows nothing of asyncio.

The library is found by KVL_LIBRARY, in target/release of the checkout that holds this file, or by name.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import os
import struct
import sys
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

# ---- What can go wrong ---------------------------------------------------------------------------------------------------------


class Error(Exception):
    """What the library says went wrong; `status` is its number, `name` its name. A provider's exceptions come as they are."""

    status = 0
    name = ""


class Timeout(Error, TimeoutError):
    """timeout_ms or attempt_timeout_ms was over."""


class Cancelled(Error):
    """The key was given up because another of its batch failed (batch_mode="all_or_nothing")."""


class Closed(Error):
    """The engine was closed before the answer came, or before the question."""


class QueueFull(Error):
    """Too many keys waited: queue_max_keys."""


class Unanswered(Error):
    """The provider finished without an answer for the key."""


class ProviderFailed(Error):
    """The provider failed and left no exception: it was cancelled."""


class Forked(Error):
    """Used in a child process: make a Tasks of its own there."""


class Miss(Error, KeyError):
    """Not in the store, and read="cache_only" loads nothing."""


class Wrong(Error, ValueError):
    """A setting or an argument that the library refuses, in its own sentence."""


VALUE, NULL, MISS, PENDING, EMPTY = 1, 2, 3, 5, 6
ERRORS: dict[int, type[Error]] = {MISS: Miss, -1: Wrong, -3: Wrong, -4: Wrong, -6: Wrong, -200: Closed, -201: Forked, -300: ProviderFailed,
                                   -301: Timeout, -302: Cancelled, -303: QueueFull, -304: Unanswered}


def failure(status: int, sentence: str = "") -> Error:
    error = ERRORS.get(status, Error)(sentence or lib.kvl_status_message(status).decode())
    error.status, error.name = status, lib.kvl_status_name(status).decode()
    return error


def check(status: int, sentence: bytes | None = None) -> int:
    if status < 0:
        raise failure(status, (sentence or b"").decode())
    return status


# ---- The library ---------------------------------------------------------------------------------------------------------------

P, SIZE, I64, I32, U32, F64, TEXT = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int64, ctypes.c_int32, ctypes.c_uint32, ctypes.c_double,
                                            ctypes.c_char_p)


class Event(ctypes.Structure):
    """kvl_event_t; pointers as numbers, so that 0 is 0 and not None."""

    _fields_ = [("struct_size", SIZE), ("kind", U32), ("flags", U32), ("user_data", SIZE), ("tasks", SIZE), ("result", SIZE),
                ("results", SIZE), ("request", SIZE), ("done", SIZE), ("failed", SIZE), ("total", SIZE), ("cause", U32), ("reserved", U32)]


class Terms(ctypes.Structure):
    """kvl_terms_t."""

    _fields_ = [("struct_size", SIZE), ("ttl_ms", I64), ("priority", F64), ("cost", I64), ("flags", U32), ("reserved", U32)]


def stated(ttl_ms: int, priority: float, cost: int) -> Any:
    """The terms of an answer, as an argument."""
    return ctypes.byref(Terms(ctypes.sizeof(Terms), ttl_ms, priority, cost, 0, 0))


class Slice(ctypes.Structure):
    _fields_ = [("data", SIZE), ("len", SIZE)]


# kvl_result_t: unpacked by struct, which is several times as fast as ctypes fields.
RESULT = struct.Struct("@NNPNPPNPPqqQiIII")
INDEX, OBJECT, ERROR, STATUS = 1, 7, 8, 12

# name: (result, arguments)
SIGNATURES: dict[str, tuple[Any, list[Any]]] = {
    "version_number": (U32, []),
    "status_name": (TEXT, [I32]),
    "status_message": (TEXT, [I32]),
    "clock_new_manual": (I32, [I64, P]),
    "clock_advance": (I32, [P, I64]),
    "clock_now_ms": (I64, [P]),
    "clock_release": (None, [P]),
    "config_new": (I32, [P]),
    "config_set": (I32, [P, TEXT, TEXT]),
    "config_problem": (TEXT, [P]),
    "config_set_provider": (I32, [P, P, P, P]),
    "config_set_clock": (I32, [P, P]),
    "config_set_queue": (I32, [P, P, U32]),
    "config_free": (None, [P]),
    "options_new": (I32, [P]),
    "options_set": (I32, [P, TEXT, TEXT]),
    "options_set_progress": (I32, [P, P, SIZE]),
    "options_problem": (TEXT, [P]),
    "options_free": (None, [P]),
    "value_null": (P, []),
    "value_new_object_on": (I32, [P, P, ctypes.c_uint64, P, P]),
    "value_data": (P, [P, P]),
    "value_object": (SIZE, [P]),
    "value_release": (None, [P]),
    "error_new_object": (I32, [I64, TEXT, SIZE, U32, P, P, P, P]),
    "error_object": (SIZE, [P]),
    "error_message": (TEXT, [P]),
    "error_release": (None, [P]),
    "slices_unpack": (I32, [TEXT, SIZE, P, SIZE, P]),
    "cache_put": (I32, [P, TEXT, SIZE, P, P]),
    "cache_remove": (I32, [P, TEXT, SIZE]),
    "cache_contains": (I32, [P, TEXT, SIZE]),
    "cache_clear": (I32, [P]),
    "cache_len": (SIZE, [P]),
    "cache_release": (None, [P]),
    "tasks_new": (I32, [P, P, P]),
    "tasks_cache": (I32, [P, P]),
    "tasks_get": (I32, [P, TEXT, SIZE, P]),
    "tasks_fetch": (I32, [P, TEXT, SIZE, P, P, P, P, P, P]),
    "tasks_fetch_each": (I32, [P, P, SIZE, P, P, P, P, P]),
    "tasks_fetch_all": (I32, [P, P, SIZE, P, P, P, P, P, P]),
    "tasks_refresh": (I32, [P, P, SIZE, P]),
    "tasks_stats_json": (I32, [P, P]),
    "tasks_close": (I32, [P, U32, I64, P, P, P]),
    "tasks_free": (I32, [P]),
    "tasks_dispose": (None, [P]),
    "fetch_new": (I32, [P]),
    "fetch_set_urgency": (I32, [P, I32]),
    "fetch_cancel": (I32, [P]),
    "fetch_release": (None, [P]),
    "results_len": (SIZE, [P]),
    "results_array": (P, [P, P]),
    "results_release": (None, [P]),
    "request_len": (SIZE, [P]),
    "request_keys": (P, [P]),
    "request_on_cancel": (I32, [P, P, P, P]),
    "request_resolve": (I32, [P, SIZE, P, P]),
    "request_resolve_object": (I32, [P, SIZE, P, ctypes.c_uint64, P, P]),
    "request_fail": (I32, [P, SIZE, P]),
    "request_supply": (I32, [P, TEXT, SIZE, P, P]),
    "request_finish": (I32, [P]),
    "request_finish_error": (I32, [P, P]),
    "request_retain": (P, [P]),
    "request_release": (None, [P]),
    "queue_new": (I32, [U32, P]),
    "queue_fd": (I32, [P, P]),
    "queue_next": (I32, [P, I64, P, SIZE]),
    "queue_free": (I32, [P]),
}

# Calls whose work grows with what they are given, or which wait for code under way: they let go of the interpreter's lock. All others
# are shorter than getting that lock back, for which a busy thread makes one wait 5 ms; and nothing of the library ever wants the lock.
LETS_GO = {"clock_advance", "cache_clear", "cache_release", "tasks_new", "tasks_fetch_each", "tasks_fetch_all", "tasks_refresh",
           "tasks_stats_json", "tasks_close", "tasks_free", "tasks_dispose", "results_release", "queue_free"}


def load() -> Any:
    here = Path(__file__).resolve()
    named = os.environ.get("KVL_LIBRARY")
    places = [named] if named else [str(here.parents[4] / "target" / "release" / "libkvlight.so")]
    if not named:
        places = [place for place in places if os.path.exists(place)] + ["libkvlight.so.0.2", ctypes.util.find_library("kvlight") or ""]
    problems = []
    for place in filter(None, places):
        try:
            lib, going = ctypes.PyDLL(place), ctypes.CDLL(place)
            lib.kvl_version_number.restype = U32
            version = lib.kvl_version_number()
            if version // 1000 != 1:
                raise ImportError(f"this package is for libkvlight 0.1, and {place} has the version number {version}")
            for name, (result, arguments) in SIGNATURES.items():
                function = getattr(going if name in LETS_GO else lib, "kvl_" + name)
                function.restype, function.argtypes = result, arguments
                setattr(lib, "kvl_" + name, function)
            return lib
        except (OSError, AttributeError) as problem:
            problems.append(str(problem))
    raise ImportError("libkvlight is not found: install it, or set KVL_LIBRARY to its path. Tried: " + "; ".join(problems))


lib: Any = load()
null: int = lib.kvl_value_null()
TTL_DEFAULT, COST_DEFAULT, PRIORITY_DEFAULT = -2, -1, -sys.float_info.max
GROUPS = ("cache_", "tasks_", "queue_", "batch_", "retry_")


def made(function: Any, *arguments: Any) -> int:
    """The handle that `function` writes through its last parameter."""
    out = P()
    check(function(*arguments, ctypes.byref(out)))
    return cast(int, out.value)


def set_all(setter: Any, problem: Any, handle: int, settings: Mapping[str, Any]) -> None:
    """cache_ttl_ms=5 is the library's "cache.ttl_ms"; what it refuses is raised in its own sentence."""
    for name, value in settings.items():
        group = next((group for group in GROUPS if name.startswith(group)), "")
        key = group[:-1] + "." + name[len(group):] if group else name
        text = str(value).lower() if isinstance(value, bool) else str(value)
        check(setter(handle, key.encode(), text.encode()), problem(handle))


# ---- Keys ----------------------------------------------------------------------------------------------------------------------


def encode_key(key: Any) -> bytes:
    """The bytes of a key, from which decode makes an equal key of the same type."""
    kind = type(key)
    if kind is int:
        return b"i%d" % key
    if kind is str:
        return b"s" + cast(str, key).encode("utf-8", "surrogatepass")
    if kind is bytes:
        return b"b" + cast(bytes, key)
    if kind is uuid.UUID:
        return b"u" + cast(uuid.UUID, key).bytes
    if kind is tuple:
        parts = [encode_key(part) for part in key]
        return b"t" + b"".join(b"%d:" % len(part) + part for part in parts)
    raise TypeError(f"a key is an int, str, bytes, UUID or a tuple of those, not {kind.__name__}; for others give Tasks encode= and decode=")


def decode_key(data: bytes) -> Any:
    kind, rest = data[:1], data[1:]
    if kind == b"i":
        return int(rest)
    if kind == b"s":
        return rest.decode("utf-8", "surrogatepass")
    if kind == b"b":
        return rest
    if kind == b"u":
        return uuid.UUID(bytes=rest)
    parts = []
    while rest:
        length, _, rest = rest.partition(b":")
        parts.append(decode_key(rest[:int(length)]))
        rest = rest[int(length):]
    return tuple(parts)
