"""A second tier: a store behind the engine that several processes may share."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Optional, Union

from ._redis import RedisTier

if TYPE_CHECKING:
    from ._native import TierRequest

_READ, _FILL, _WRITE, _REMOVE, _CLEAR = 1, 2, 3, 4, 5  # KVL_L2_READ and the other kinds of request
_CONDITIONAL, _LEASES = 1, 2  # KVL_L2_F_CONDITIONAL and KVL_L2_F_LEASES
_UNKNOWN = -2  # KVL_L2_TTL_UNKNOWN


@dataclass(frozen=True)
class Entry:
    """What is to be stored under a key."""

    key: bytes
    data: bytes
    """To be stored as it is, and given back in a Hit."""
    ttl_ms: int
    """Milliseconds from now until the entry expires; -1 for never. An entry that is kept longer never expires, since each Hit begins its TTL anew."""
    token: bytes
    """For a fill: the token that the read of the key gave; empty for a write."""


@dataclass(frozen=True)
class Hit:
    """A key that was found."""

    data: bytes
    """The `data` of its entry."""
    ttl_left_ms: int = _UNKNOWN
    """Milliseconds that are left of the entry's TTL; -1 if the second tier does not expire it, -2 if that is not known. In both
    cases the whole TTL with which it was written counts."""
    token: bytes = b""
    """Identifies this entry, for a fill that may replace it."""


@dataclass(frozen=True)
class Vacant:
    """A key that was not found."""

    token: bytes = b""
    """The lease, if one was granted."""


@dataclass(frozen=True)
class Leased:
    """A key that was not found, and whose lease another reader has: it is looked up again after a pause, for at most l2_wait_ms."""


Found = Union[Hit, Vacant, Leased, bytes, None, Exception]
_Founds = Union[Mapping[bytes, Found], Sequence[Found]]
_Stored = Optional[Sequence[bool]]


class SecondTier:
    """The base class of second tiers. Keys are looked up in a second tier before the provider is asked for them, and it receives what was
    loaded and put. It may be anything: a cache server, a database, a folder. Several processes may share one.

    Each method is a coroutine function or a plain one. Plain ones run on threads, several at a time. A method that raises, or returns something
    wrong, has failed: then the provider is asked, and what was to be written is sent again. No caller of the engine sees a failure; it is
    reported to the event loop's exception handler, or to threading.excepthook. Keys are the bytes of the engine's keys.

    is_conditional   whether fill stores an entry only if its token still belongs to the key.
    grants_leases    whether read gives a token for a key that is not there, to one reader at a time. With both, no older load ever replaces a
                     newer write, in whichever process. The second tier must end each lease after a time: the engine does
                     not give a lease back, and read cannot take over another reader's.
    """

    is_conditional = False
    grants_leases = False

    def read(self, keys: list[bytes], /) -> Union[_Founds, Awaitable[_Founds]]:
        """Looks keys up. Returns a mapping (a key left out was not found) or a sequence in the same order, of Hit, Vacant, Leased, or bytes in place of
        Hit(bytes), None in place of Vacant(), and an exception for a key that failed."""
        raise NotImplementedError

    def fill(self, entries: list[Entry], /) -> Union[_Stored, Awaitable[_Stored]]:
        """Stores what was loaded. With `is_conditional`, stores only an entry whose token still belongs to its key, and returns for each entry whether
        it was stored."""
        raise NotImplementedError

    def write(self, entries: list[Entry], /) -> Union[None, Awaitable[None]]:
        """Stores what was put."""
        raise NotImplementedError

    def remove(self, keys: list[bytes], /) -> Union[None, Awaitable[None]]:
        """Removes keys, whether they are there or not."""
        raise NotImplementedError

    def clear(self) -> Union[None, Awaitable[None]]:
        """Removes all keys."""
        raise NotImplementedError


_METHODS = {_READ: "read", _FILL: "fill", _WRITE: "write", _REMOVE: "remove", _CLEAR: "clear"}


@dataclass(frozen=True)
class Attached:
    """The second tier of an engine, with the functions that encode and decode values, and one that reports exceptions."""

    tier: Any
    dump: Any
    load: Any
    report: Callable[[BaseException], object]

    def abilities(self) -> int:
        """Checks that the tier has all methods, and returns its abilities as flags."""
        for name in () if self.redis else _METHODS.values():
            if not callable(getattr(self.tier, name, None)):
                raise TypeError(f"a second tier has a method {name}: {type(self.tier).__name__} has none")
        is_conditional, grants_leases = (getattr(self.tier, name, False) for name in ("is_conditional", "grants_leases"))
        return (_CONDITIONAL if is_conditional else 0) | (_LEASES if grants_leases else 0)

    @property
    def redis(self) -> RedisTier | None:
        """The tier, if it carries requests out by itself."""
        return self.tier if isinstance(self.tier, RedisTier) else None

    def question(self, request: TierRequest) -> Question:
        """The call of the tier that carries out a request."""
        kind = request.kind
        if kind not in (_FILL, _WRITE):
            arguments: tuple[Any, ...] = () if kind == _CLEAR else (request.keys,)
            return Question(kind, [], getattr(self.tier, _METHODS.get(kind, "clear")), arguments)
        given = request.entries(self.dump, self.report)
        entries = [Entry(key, data, ttl_ms, token) for _, key, data, ttl_ms, token in given]
        return Question(kind, [index for index, *_ in given], getattr(self.tier, _METHODS[kind]), (entries,))

    def answer(self, request: TierRequest, question: Question, returned: Any) -> None:
        """Answers and finishes a request with what the tier returned."""
        if question.kind == _READ:
            self._answer_read(request, returned)
        elif question.kind == _FILL and returned is not None:
            stored = list(returned)
            if len(stored) != len(question.indexes):
                raise TypeError(f"fill returned {len(stored)} answers for {len(question.indexes)} entries")
            for index, is_stored in zip(question.indexes, stored):
                if not is_stored:
                    request.refuse(index)
        request.finish()

    def _answer_read(self, request: TierRequest, returned: Any) -> None:
        keys = request.keys
        if isinstance(returned, Mapping):
            founds = [returned.get(key) for key in keys]
        elif isinstance(returned, Sequence) and not isinstance(returned, (str, bytes)):
            founds = list(returned)
        else:
            raise TypeError(f"read returns a mapping or a sequence, not {type(returned).__name__}")
        if len(founds) != len(keys):
            raise TypeError(f"read returned {len(founds)} answers for {len(keys)} keys")
        for index, found in enumerate(founds):
            if isinstance(found, Hit):
                request.hit(index, found.data, found.ttl_left_ms, found.token, self.load, self.report)
            elif isinstance(found, bytes):
                request.hit(index, found, _UNKNOWN, b"", self.load, self.report)
            elif found is None or isinstance(found, Vacant):
                request.miss(index, found.token if found else b"")
            elif isinstance(found, Leased):
                request.leased(index)
            elif isinstance(found, Exception):
                self.report(found)  # a key without an answer has failed
            else:
                raise TypeError(f"read answers with Hit, Vacant, Leased, bytes, None or an exception, not {type(found).__name__}")


@dataclass(frozen=True)
class Question:
    """A call of a method of the tier."""

    kind: int
    indexes: list[int]
    """The positions of its entries in the request; empty if it has none."""
    method: Any
    arguments: tuple[Any, ...]

    @property
    def is_empty(self) -> bool:
        """Whether the call would store nothing, and is not needed."""
        return self.kind in (_FILL, _WRITE) and not self.indexes

    @property
    def is_async(self) -> bool:
        """Whether the method is a coroutine function."""
        return inspect.iscoroutinefunction(self.method)
