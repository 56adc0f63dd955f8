"""Files become documents, or a reason why not, in a stable order, read in capped child processes."""

from __future__ import annotations

from hybrid.documents.folder import Scan, by_suffix, scan
from hybrid.documents.pool import ReaderPool
from hybrid.documents.source import READERS_VERSION, ReadBatch, SourceFile, read, supported_suffixes

__all__ = [
    "READERS_VERSION",
    "ReadBatch",
    "ReaderPool",
    "Scan",
    "SourceFile",
    "by_suffix",
    "read",
    "scan",
    "supported_suffixes",
]
