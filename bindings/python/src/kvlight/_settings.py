"""The settings in Python's spelling."""

from __future__ import annotations

import re
from typing import get_type_hints

from ._api import NAMES, Settings

# The settings that are numbers. A text or a bool is refused for them: it is rather a mistake than a number.
NUMBERS: frozenset[str] = frozenset(name for name, kind in get_type_hints(Settings).items() if kind in (int, float))

_PYTHON_NAMES = {name: python_name for python_name, name in NAMES.items()}
_NAME = re.compile(r"\b[a-z0-9]+\.[a-z0-9_]+")


def in_python(message: str) -> str:
    """A message of the library, with settings as the keyword arguments that they are here."""
    return _NAME.sub(lambda name: _PYTHON_NAMES.get(name[0], name[0]), message) if "." in message else message


def of_cache(message: str) -> str:
    """A message about the settings of a kvlight.Cache, which have no prefix there."""
    return re.sub(r"\bcache_", "", message)
