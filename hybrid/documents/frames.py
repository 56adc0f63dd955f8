"""Messages between the pool and its workers: four bytes of length, then JSON.

Takes values, gives bytes, and back. Knows nothing about processes. JSON and not pickle, so that a
worker taken over by a hostile file can lie about a text but cannot run code in its parent.
"""

from __future__ import annotations

import json
import struct
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO

from hybrid.config import DocumentSettings
from hybrid.documents.reading import ReadBatch
from hybrid.documents.source import SourceFile
from hybrid.types import Block, BlockKind, Document, Rejected

_HEADER = struct.Struct(">I")
_MAX_FRAME = 1 << 30


def write_frame(stream: BinaryIO, value: dict[str, Any]) -> None:
    """Send one message."""
    data = json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")
    stream.write(_HEADER.pack(len(data)))
    stream.write(data)
    stream.flush()


def read_frame(stream: BinaryIO) -> dict[str, Any]:
    """Wait for one message.

    Raises:
        EOFError: the other side is gone, perhaps in the middle of a message.
        ValueError: what came is no message.
    """
    (length,) = _HEADER.unpack(_exactly(stream, _HEADER.size))
    if length > _MAX_FRAME:
        raise ValueError(f"a message of {length} bytes, at most {_MAX_FRAME} are allowed")
    value = json.loads(_exactly(stream, length).decode("utf-8", "surrogatepass"))
    if not isinstance(value, dict):
        raise ValueError("a message that is not an object")  # noqa: TRY004  bad data, not a bad call
    return value


def _exactly(stream: BinaryIO, size: int) -> bytes:
    data = stream.read(size)
    if len(data) < size:
        raise EOFError
    return data


def pack_settings(settings: DocumentSettings) -> dict[str, Any]:
    """Return the settings as a message."""
    return asdict(settings)


def unpack_settings(value: dict[str, Any]) -> DocumentSettings:
    """Return the settings of a message."""
    return DocumentSettings(**{**value, "exclude": tuple(value["exclude"])})


def pack_file(file: SourceFile) -> dict[str, Any]:
    """Return a file as a message."""
    return {"source": file.source, "path": str(file.path), "size": file.size}


def unpack_file(value: dict[str, Any]) -> SourceFile:
    """Return the file of a message."""
    return SourceFile(value["source"], Path(value["path"]), value["size"])


def pack_batch(batch: ReadBatch) -> dict[str, Any]:
    """Return a batch as a message; the receiver knows the file."""
    return {"items": [_pack_item(item) for item in batch.items], "last": batch.last}


def unpack_batch(value: dict[str, Any], file: SourceFile) -> ReadBatch:
    """Return the batch of a message.

    Raises:
        ValueError: a field is missing or of the wrong kind.
    """
    try:
        return ReadBatch(file, tuple(_unpack_item(item) for item in value["items"]), bool(value["last"]))
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"a message that is no batch: {error!r}") from error


def _pack_item(item: Document | Rejected) -> dict[str, Any]:
    if isinstance(item, Rejected):
        return {"source": item.source, "reason": item.reason}
    return {
        "source": item.source,
        "text": item.text,
        "title": item.title,
        "blocks": [(block.kind.value, block.start, block.end, block.level) for block in item.blocks],
        "pages": item.pages,
        "metadata": dict(item.metadata),
    }


def _unpack_item(value: dict[str, Any]) -> Document | Rejected:
    if "reason" in value:
        return Rejected(value["source"], value["reason"])
    return Document(
        source=value["source"],
        text=value["text"],
        title=value["title"],
        blocks=tuple(
            Block(BlockKind(kind), start, end, level) for kind, start, end, level in value["blocks"]
        ),
        pages=tuple(value["pages"]),
        metadata=value["metadata"],
    )
