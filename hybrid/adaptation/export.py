"""An adapter written anew: weaker, merged into its base, or packed for another machine without our paths."""

from __future__ import annotations

import contextlib
import dataclasses
import gzip
import json
import os
import shutil
import tarfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from hybrid.adaptation.store import CARD, card_values, read_card
from hybrid.adaptation.values import AdapterKind, Card
from hybrid.errors import AdapterError, UsageError
from hybrid.files import fsync_file, fsync_folder, json_text, storage_errors
from hybrid.models.adapters import CONFIG, FULL_WEIGHTS, WEIGHTS, Swap, read_adapter
from hybrid.models.device import Placement
from hybrid.models.embedder import load_sentence_transformer
from hybrid.models.labels import HEAD, HEAD_WEIGHTS
from hybrid.models.pretrained import load_causal, load_tokenizer
from hybrid.models.resolve import weights_digest

if TYPE_CHECKING:
    from torch import Tensor

_ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz")
# Archives of the same adapter are the same bytes.
_EPOCH = (1980, 1, 1, 0, 0, 0)
# By kind, parts of the names of what the change is linear in: the outer factors of LoRA, the scales of IA3
# about 1, what leads out of a bottleneck.
_OUTER = {
    "LORA": (".lora_B.", ".lora_embedding_B"),
    "IA3": (".ia3_l",),
    "BOTTLENECK": (".up", ".shift"),
}


def scale(adapter: Path, strength: float, out: Path, *, base: Path | None = None) -> Path:
    """Write an adapter with a strength into a new folder, without card; return the folder.

    Args:
        adapter: its folder.
        strength: what its change is multiplied by; 1 leaves it as it is.
        out: an empty folder, or none yet.
        base: the folder of the model that it was made for; needed where all weights were tuned.

    Raises:
        AdapterError: the method is not linear in its weights, as DoRA is not.
        UsageError: a strength that makes no sense.
        StorageError: the disk is full.
    """
    from safetensors.torch import load_file, save_file

    if not 0 < strength <= 2:
        raise UsageError(f"a strength of {strength:g} makes no sense", hint="give one from 0 to 1")
    with storage_errors(str(out)):
        out.mkdir(parents=True, exist_ok=True)
        if (adapter / WEIGHTS).is_file():
            kind = _require_linear(adapter)
            shutil.copyfile(adapter / CONFIG, out / CONFIG)
            tensors = load_file(adapter / WEIGHTS)
            save_file(
                {name: _scaled(kind, name, value, strength) for name, value in tensors.items()},
                out / WEIGHTS,
            )
        else:
            if base is None:
                raise UsageError("an adapter of all weights is scaled towards its base", hint="name the base")
            save_file(_between(base, load_file(adapter / FULL_WEIGHTS), strength), out / FULL_WEIGHTS)
    return out


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
    require_no_head(adapter)
    with new_folder(out) as beside:
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
        write_text(beside / "adapter-card.json", _text(card_values(portable(card))))
    return out


def require_no_head(adapter: Path) -> None:
    """Refuse to write an adapter with a label head as something that has no place for it.

    Raises:
        AdapterError: it has one.
    """
    if (adapter / HEAD).is_file():
        raise AdapterError(
            f"{adapter.name} tells labels by a head, which no merged model and no other engine has",
            hint="serve it from here: hybrid serve; or tune with --method rslora, which leaves no head",
        )


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
    contents = {CARD: _text(card_values(portable(card)))}
    if (adapter / CONFIG).is_file():
        config = json.loads((adapter / CONFIG).read_text(encoding="utf-8"))
        contents[CONFIG] = _text(config | {"base_model_name_or_path": portable(card).base})
    weights = [name for name in (WEIGHTS, FULL_WEIGHTS, HEAD, HEAD_WEIGHTS) if (adapter / name).is_file()]
    archive = next((suffix for suffix in _ARCHIVES if out.name.lower().endswith(suffix)), "")
    with new_folder(out) as beside:
        inner = beside / adapter.name if archive else beside
        inner.mkdir(exist_ok=True)
        for name, text in contents.items():
            write_text(inner / name, text)
        for name in weights:
            shutil.copyfile(adapter / name, inner / name)
            fsync_file(inner / name)
        if archive:
            _pack(inner, beside / "packed", archive)
    return out


@contextlib.contextmanager
def new_folder(out: Path) -> Iterator[Path]:
    """Give a folder beside ``out`` that takes its place at the end, or its file ``packed`` does."""
    if out.exists():
        raise UsageError(f"{out} is there already", hint="choose another place, or remove it first")
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


def portable(card: Card) -> Card:
    """Return the card without paths of this machine."""
    base = Path(card.base)
    return dataclasses.replace(card, base=base.name) if base.is_absolute() or base.exists() else card


def _untie_if_apart(model: Any) -> None:
    """Save both embeddings where the adapter changed only one of what is tied in the base."""
    read, written = model.get_input_embeddings(), model.get_output_embeddings()
    if written is not None and read.weight.data_ptr() != written.weight.data_ptr():
        model.config.tie_word_embeddings = False


def _text(value: object) -> str:
    return json_text(value, indent=2) + "\n"


def write_text(path: Path, text: str) -> None:
    """Write a text so that it stays after a power cut."""
    path.write_text(text, encoding="utf-8")
    fsync_file(path)


def _scaled(kind: str, name: str, value: Tensor, strength: float) -> Tensor:
    if not any(part in name for part in _OUTER[kind]):
        return value
    return 1 + (value - 1) * strength if kind == "IA3" else value * strength


def _require_linear(adapter: Path) -> str:
    """Return the kind of an adapter that has a strength."""
    config: dict[str, Any] = json.loads((adapter / CONFIG).read_text(encoding="utf-8"))
    others = [key for key in ("use_dora", "modules_to_save", "trainable_token_indices") if config.get(key)]
    others += ["bias"] if config.get("bias", "none") != "none" else []
    kind = str(config.get("peft_type"))
    if kind not in _OUTER or others:
        what = ", ".join(others) or kind
        raise AdapterError(
            f"{adapter.name} cannot be made weaker without training: {what} does not change the weights in "
            "proportion to its own",
            hint="tune again with more rehearsal or a lower learning rate",
        )
    return kind


def _between(base: Path, tuned: Mapping[str, Tensor], strength: float) -> dict[str, Tensor]:
    """Return what lies between the tensors of the base and the tuned ones."""
    from safetensors import safe_open

    found: dict[str, Tensor] = {}
    for file in sorted(base.glob("*.safetensors")):
        with safe_open(file, framework="pt") as tensors:
            for name in set(tensors.keys()) & tuned.keys():
                own = tensors.get_tensor(name).float()
                found[name] = (own + strength * (tuned[name].float() - own)).to(tuned[name].dtype)
    if missing := sorted(tuned.keys() - found.keys()):
        raise AdapterError(
            f"{len(missing)} tensors are not in {base} ({missing[0]}, …)", hint="name the base of the adapter"
        )
    return found
