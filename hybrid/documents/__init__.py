"""Files become documents, or a reason why not.

Takes a folder and limits, gives ``Document | Rejected`` in a stable order. Knows nothing about
chunks, models or indexes. The libraries that read the formats are loaded on first use, normally in
a capped child process::

    scan(folder) ──> SourceFile ──> ReaderPool ──> ReadBatch(file, items, last)
                                      │ length-prefixed JSON
                                      └──> worker: read() ──> one reader by suffix
"""

from __future__ import annotations

from hybrid.documents.folder import Scan, SourceFile, scan
from hybrid.documents.pool import ReaderPool
from hybrid.documents.reading import READERS_VERSION, ReadBatch, read, supported_suffixes

__all__ = [
    "READERS_VERSION",
    "ReadBatch",
    "ReaderPool",
    "Scan",
    "SourceFile",
    "read",
    "scan",
    "supported_suffixes",
]
