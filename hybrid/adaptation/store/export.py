"""Adapters that leave: as a model of their own, or as a folder or an archive for another machine.

Takes the folder of an adapter, writes what transformers, sentence-transformers and PEFT load without this
package. No path of this machine goes along. Knows nothing about where adapters are kept.
"""

from __future__ import annotations

import contextlib
import dataclasses
import gzip
import json
import os
import shutil
import tarfile
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from hybrid.adaptation.store.card import AdapterKind, Card, card_values, read_card
from hybrid.errors import UsageError
from hybrid.files import fsync_file, fsync_folder, storage_errors
from hybrid.models.adapters import CONFIG, FULL_WEIGHTS, WEIGHTS, Swap, read_adapter
from hybrid.models.device import Placement
from hybrid.models.embedder import load_sentence_transformer
from hybrid.models.pretrained import load_causal, load_tokenizer
from hybrid.models.resolve import weights_digest

_ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz")
# Archives of the same adapter are the same bytes.
_EPOCH = (1980, 1, 1, 0, 0, 0)


def merge(adapter: Path, base: Path, out: Path) -> Path:
    """Write the base with the adapter merged in, as a model folder of its own; return it.

    Args:
        adapter: its folder.
        base: the folder of the model that it was made for.
        out: where to; it must not be there yet.

    Raises:
        AdapterError: the adapter was made for another base, is damaged, or does nothing.
        UsageError: ``out`` is there.
        StorageError: the disk is full.
    """
    card = read_card(adapter)
    files = read_adapter(adapter, weights_digest(base), base=base.name)
    with _new_folder(out) as beside:
        if card.kind is AdapterKind.GENERATOR:
            model = load_causal(base, dtype="auto")
            swap = Swap(model.eval())
            with swap.using(swap.merged(files)):
                _untie_if_apart(model)
                model.save_pretrained(beside)
            load_tokenizer(base).save_pretrained(beside)
        else:
            encoder = load_sentence_transformer(base, Placement("cpu", "float32", "exact"))
            transformer: Any = encoder[0]
            swap = Swap(transformer.auto_model)
            with swap.using(swap.merged(files)):
                encoder.save_pretrained(str(beside))
        _write(beside / "adapter-card.json", _text(card_values(_portable(card))))
    return out


def export(adapter: Path, out: Path) -> Path:
    """Write an adapter in PEFT's format with its card; return where to.

    Args:
        adapter: its folder.
        out: a folder, or an archive by its name: ``.zip``, ``.tar``, ``.tar.gz``; it must not be there yet.

    Raises:
        AdapterError: the card is damaged.
        UsageError: ``out`` is there.
        StorageError: the disk is full.
    """
    card = read_card(adapter)
    contents = {"card.json": _text(card_values(_portable(card)))}
    if (adapter / CONFIG).is_file():
        config = json.loads((adapter / CONFIG).read_text(encoding="utf-8"))
        contents[CONFIG] = _text(config | {"base_model_name_or_path": _portable(card).base})
    weights = [name for name in (WEIGHTS, FULL_WEIGHTS) if (adapter / name).is_file()]
    archive = next((suffix for suffix in _ARCHIVES if out.name.lower().endswith(suffix)), "")
    with _new_folder(out) as beside:
        inner = beside / adapter.name if archive else beside
        inner.mkdir(exist_ok=True)
        for name, text in contents.items():
            _write(inner / name, text)
        for name in weights:
            shutil.copyfile(adapter / name, inner / name)
            fsync_file(inner / name)
        if archive:
            _pack(inner, beside / "packed", archive)
    return out


@contextlib.contextmanager
def _new_folder(out: Path) -> Iterator[Path]:
    """Give a folder beside ``out`` that takes its place at the end, or its file ``packed`` does."""
    if out.exists():
        raise UsageError(f"{out} is there already", hint="choose another --out, or remove it first")
    beside = out.with_name(f".{out.name}.{os.getpid()}.tmp")
    try:
        with storage_errors(str(out)):
            beside.mkdir(parents=True)
            yield beside
            packed = beside / "packed"
            (packed if packed.is_file() else beside).rename(out)
            fsync_folder(out.parent)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _pack(folder: Path, target: Path, suffix: str) -> None:
    files = sorted(folder.iterdir())
    with target.open("wb") as raw:
        if suffix == ".zip":
            _zip(files, folder.name, raw)
        elif suffix == ".tar":
            _tar(files, folder.name, raw)
        else:
            with gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0) as packed:
                _tar(files, folder.name, packed)
    fsync_file(target)


def _zip(files: Sequence[Path], name: str, raw: BinaryIO) -> None:
    with zipfile.ZipFile(raw, "w") as archive:
        for path in files:
            entry = zipfile.ZipInfo(f"{name}/{path.name}", _EPOCH)
            entry.external_attr = 0o644 << 16
            with archive.open(entry, "w", force_zip64=True) as inner, path.open("rb") as stream:
                shutil.copyfileobj(stream, inner)


def _tar(files: Sequence[Path], name: str, raw: BinaryIO | gzip.GzipFile) -> None:
    with tarfile.open(fileobj=raw, mode="w") as archive:
        for path in files:
            entry = tarfile.TarInfo(f"{name}/{path.name}")
            entry.size = path.stat().st_size
            with path.open("rb") as stream:
                archive.addfile(entry, stream)


def _portable(card: Card) -> Card:
    """Return the card without paths of this machine."""
    base = Path(card.base)
    return dataclasses.replace(card, base=base.name) if base.is_absolute() or base.exists() else card


def _untie_if_apart(model: Any) -> None:
    """Save both embeddings where the adapter changed only one of what is tied in the base."""
    read, written = model.get_input_embeddings(), model.get_output_embeddings()
    if written is not None and read.weight.data_ptr() != written.weight.data_ptr():
        model.config.tie_word_embeddings = False


def _text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2) + "\n"


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
    fsync_file(path)
