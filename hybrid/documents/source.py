"""The name of a file below the folder, and where it lies.

Takes names as the file system gives them, gives names that can be printed, stored and compared.
Knows nothing about what is in the file.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One file found below the folder.

    ``source`` is its path relative to the folder with ``/``; bytes of a name that are not UTF-8 are
    written out in hexadecimal, so it can always be encoded and stored. ``path`` opens the file.
    """

    source: str
    path: Path
    size: int


def printable(name: str) -> str:
    """Return a name from the file system as text that UTF-8 can hold."""
    return os.fsencode(name).decode("utf-8", "backslashreplace") if _has_surrogates(name) else name


def _has_surrogates(name: str) -> bool:
    return any("\ud800" <= character <= "\udfff" for character in name)
