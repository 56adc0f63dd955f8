"""Pretrained models by transformers: whole, from this machine, and without code of their own."""

from __future__ import annotations

import contextlib
import json
import logging
import math
import os
import re
import shutil
import threading
import warnings
from collections.abc import Iterable, Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from hybrid.errors import ExtraMissing, HybridError, ModelError, ModelMissing
from hybrid.files import folder_lock, hash_file, storage_errors
from hybrid.models.resolve import cached

# One load at a time: the libraries set the number format of new tensors for the whole process meanwhile, and
# threads that ask first would each load a copy.
LOADING = threading.RLock()
_SHOWN_TENSORS = 4
# How transformers says so, before a list of all architectures that are one.
_OTHER_KIND = re.compile(r"Unrecognized configuration class <class '(?:[\w.]+\.)?(\w+)'>")
# A pooler is in the model class, and no embedder of sentence-transformers reads it.
_UNREAD = re.compile(r"(^|\.)pooler\.")
# How the file begins that git keeps in place of a large one.
_POINTER = b"version https://git-lfs"
_LEAST_TOKENS = 32
_SHOWN_CHARACTERS = 200
_LAYER = re.compile(r"(?:^|\.)(?:layers?|h|blocks?)\.(\d+)\.")
_EIGHT_BITS = frozenset(("I8", "U8", "F8_E4M3", "F8_E5M2", "F8_E8M0", "F4"))
_LONGEST_HEADER = 100_000_000


@contextlib.contextmanager
def loaded_as(kind: str, folder: Path) -> Iterator[None]:
    """Refuse a folder that is damaged, incomplete or holds something else, whatever the libraries raise."""
    try:
        yield
    except (HybridError, MemoryError):
        raise
    except Exception as error:
        raise refusal(folder, kind, error) from error


@contextlib.contextmanager
def computing(name: str) -> Iterator[None]:
    """Refuse a model that fails in the middle of its work: what config.json says is tried only there."""
    try:
        yield
    except (AttributeError, ArithmeticError, LookupError, TypeError, ValueError, RuntimeError) as error:
        if isinstance(error, HybridError) or "memory" in str(error).lower():
            raise
        why = " ".join(str(error).split())[:_SHOWN_CHARACTERS]
        raise ModelError(
            f"{name} cannot compute: {why or type(error).__name__}",
            hint="config.json, tokenizer and weights contradict one another: fetch the folder again",
        ) from error


def why_unreadable(path: Path, error: Exception | None = None) -> str:
    """Return what is wrong with a file; nothing where nothing is known."""
    with contextlib.suppress(OSError), path.open("rb") as file:
        if file.read(len(_POINTER)) == _POINTER:
            return "a pointer of git-lfs in place of the file: git lfs pull fetches it"
    return f"damaged: {error}" if error else ""


def require_words(tokenizer: Any, folder: Path) -> None:
    """Raise ModelMissing for a tokenizer without its vocabulary, to which all words are the same."""
    if (known := len(tokenizer.get_vocab())) < _LEAST_TOKENS:
        raise ModelMissing(
            f"the tokenizer of {folder} knows {known} tokens, and no word",
            hint="its vocabulary is missing: fetch tokenizer.json again",
        )


def refusal(folder: Path, kind: str, error: Exception) -> ModelMissing:
    """Return why a folder cannot be loaded as a model of a kind."""
    if "trust_remote_code" in str(error):
        return ModelMissing(
            f"{folder} brings code of its own, which was not run",
            hint="choose a model of an architecture that transformers has",
        )
    if other := _OTHER_KIND.search(str(error)):
        return ModelMissing(
            f"{folder} is of an architecture that is no {kind}: {other[1]}",
            hint="a generator is a decoder such as Llama or Qwen: encoders (BERT) and encoder-decoders (T5) "
            "do not write behind a prompt",
        )
    found = ((path.name, why_unreadable(path)) for path in sorted(folder.rglob("*")) if path.is_file())
    why = "; ".join(f"{name} is {what}" for name, what in found if what)
    return ModelMissing(
        f"{folder} cannot be loaded as a {kind}: {why or error}",
        hint="the folder needs config.json, a tokenizer and safetensors weights",
    )


def load_causal(folder: Path, *, dtype: Any, quantisation: Any = None) -> Any:
    """Return the causal language model of a folder, on the CPU.

    The folder has config.json and safetensors; ``dtype`` is one of torch, or "auto" for that of the file;
    ``quantisation`` is the configuration of a base in few bits.

    Raises:
        ModelMissing: it is none, damaged, lacks weights, or needs code of its own.
    """
    with LOADING:
        from transformers import AutoModelForCausalLM

        return load_whole(
            AutoModelForCausalLM, folder, "causal language model", dtype=dtype, quantisation=quantisation
        )


def load_whole(loader: Any, folder: Path, kind: str, *, dtype: Any, quantisation: Any = None) -> Any:
    """Return the model of a folder by an auto class of transformers, on the CPU; see ``load_causal``."""
    quiet()
    _require_numbers(folder, kind)
    with LOADING, loaded_as(kind, folder):
        model, report = loader.from_pretrained(
            folder,
            dtype=dtype,
            local_files_only=True,
            use_safetensors=True,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # they are refused below, by their names
            trust_remote_code=False,
            **({} if quantisation is None else {"quantization_config": quantisation}),
        )
    require_whole(report, folder, kind)
    _require_all_layers(report, model.config, folder)
    return model


def load_tokenizer(folder: Path) -> Any:
    """Return the tokenizer of a model folder; where none is named, the end of a text is its padding.

    Raises:
        ModelMissing: there is none, or it needs code of its own.
    """
    from transformers import AutoTokenizer

    with loaded_as("tokenizer", folder):
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    require_words(tokenizer, folder)
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def require_whole(report: Mapping[str, Any], folder: Path, kind: str) -> None:
    """Refuse a model of which weights were not in the files: the libraries draw them at random.

    ``report`` is what transformers tells with ``output_loading_info``; what is tied or only a buffer is not
    in it. Folder and kind of the model are for the message.

    Raises:
        ModelMissing: naming the tensors.
    """
    lacking = sorted(report["missing_keys"])
    wrong = sorted(str(key[0]) for key in report["mismatched_keys"])
    if not lacking and not wrong:
        return
    said = [
        f"{what} {len(names)} weights of a {kind}: {_some(names)}"
        for what, names in (("lacks", lacking), ("has other sizes for", wrong))
        if names
    ]
    extra = sorted(report["unexpected_keys"])
    unknown = f"; it has others that the model does not know ({_some(extra)})" if lacking and extra else ""
    raise ModelMissing(
        f"{folder} {'; '.join(said)}{unknown}",
        hint=f"choose a folder that was saved as a {kind}, or fetch it again: what is missing would be drawn "
        "at random",
    )


def require_whole_module(module: Any, folder: Path, kind: str) -> None:
    """Raise ModelMissing for a module that another library loaded without telling what was missing."""
    _require_numbers(folder, kind)
    with LOADING:
        # nothing is read but the names
        _, report = type(module).from_pretrained(
            folder,
            config=module.config,
            device_map="meta",
            local_files_only=True,
            use_safetensors=True,
            output_loading_info=True,
            ignore_mismatched_sizes=True,
            trust_remote_code=False,
        )
    missing = {key for key in report["missing_keys"] if kind != "embedder" or not _UNREAD.search(key)}
    require_whole({**report, "missing_keys": missing}, folder, kind)
    _require_all_layers(report, module.config, folder)


def _require_all_layers(report: Mapping[str, Any], config: Any, folder: Path) -> None:
    """Refuse weights of more layers than config.json counts: a model without its last ones writes noise."""
    known = getattr(config, "num_hidden_layers", None)
    if not isinstance(known, int):
        return
    # what predicts the tokens behind the next one is counted apart
    known += getattr(config, "num_nextn_predict_layers", 0) or 0
    found = [(int(layer[1]), key) for key in report["unexpected_keys"] if (layer := _LAYER.search(key))]
    if beyond := sorted(key for number, key in found if number >= known):
        raise ModelMissing(
            f"{folder} has weights of {max(found)[0] + 1} layers, and its config.json counts {known}: "
            f"{_some(beyond)}",
            hint="the two are not of one model: fetch both again",
        )


def _require_numbers(folder: Path, kind: str) -> None:
    """Refuse weights in eight bits whose scale nobody tells: the libraries take them as they stand."""
    with contextlib.suppress(OSError, ValueError, AttributeError, TypeError):  # told when it is loaded
        if "quantization_config" in json.loads((folder / "config.json").read_bytes()):
            return
        for path in folder.glob("*.safetensors"):
            with path.open("rb") as file:
                length = int.from_bytes(file.read(8), "little")
                held = json.loads(file.read(length)) if length < _LONGEST_HEADER else {}
            if found := {one["dtype"] for one in held.values() if "dtype" in one} & _EIGHT_BITS:
                raise ModelMissing(
                    f"{path} holds weights of a {kind} as {', '.join(sorted(found))}, and config.json does "
                    "not say how they are scaled",
                    hint="fetch the weights in 16 or 32 bits, or with their quantization_config",
                )


def quiet() -> None:
    """Keep progress bars and advice of the libraries off the user's terminal."""
    # peft asks transformers by an older name
    warnings.filterwarnings("ignore", message="`is_gradient_checkpointing`", category=FutureWarning)
    from transformers.utils import logging as transformers_logging

    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    # bitsandbytes, which peft imports where it is installed, tells of kernels that it does without
    for name in ("sentence_transformers", "bitsandbytes"):
        logging.getLogger(name).setLevel(logging.ERROR)


def converted(path: Path) -> Path:
    """Return the converted folder of a GGUF file, converting it on the first call.

    Reading the file takes 16-25 s and leaves a quantiser on the model, with which it can be neither trained
    nor saved.

    The number format is float32, which holds the dequantised values exactly. Another process that converts
    is waited for. Without a cache that can be written it is converted for this process alone.

    Raises:
        ExtraMissing: the packages that read GGUF are not installed.
        ModelMissing: the file is damaged or of an architecture that transformers does not read.
        StorageError: the disk is full.
    """
    target = cached("models", f"{path.stem}-{hash_file(path)[:12]}")
    if (target / "config.json").is_file():
        return target
    with LOADING, folder_lock(target.parent, wait=math.inf):
        if not (target / "config.json").is_file():
            beside = target.with_name(f"{target.name}.{os.getpid()}.tmp")
            try:
                with storage_errors(str(beside)):
                    _convert(path, beside)
                    beside.rename(target)
            finally:
                shutil.rmtree(beside, ignore_errors=True)
    return target


def _convert(path: Path, target: Path) -> None:
    missing = [module for module in ("gguf", "accelerate") if find_spec(module) is None]
    if missing:
        raise ExtraMissing(
            f"reading {path.name} needs: {', '.join(missing)}", hint="pip install 'hybrid-assistant[gguf]'"
        )
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    try:
        loaded, report = AutoModelForCausalLM.from_pretrained(
            path.parent,
            gguf_file=path.name,
            dtype=torch.float32,
            local_files_only=True,
            output_loading_info=True,
            trust_remote_code=False,
        )
        tokenizer = AutoTokenizer.from_pretrained(
            path.parent, gguf_file=path.name, local_files_only=True, trust_remote_code=False
        )
    except Exception as error:
        raise ModelMissing(
            f"{path} cannot be read as GGUF: {why_unreadable(path) or error}",
            hint="fetch the file again, or use safetensors weights",
        ) from error
    require_whole(report, path, "causal language model")
    config = loaded.config
    if hasattr(config, "quantization_config"):
        del config.quantization_config
    clean = AutoModelForCausalLM.from_config(config, dtype=torch.float32, trust_remote_code=False)
    clean.load_state_dict(loaded.state_dict(), strict=True)
    clean.save_pretrained(target)
    tokenizer.save_pretrained(target)


def _some(names: Iterable[str]) -> str:
    names = list(names)
    return ", ".join(names[:_SHOWN_TENSORS]) + (", …" if len(names) > _SHOWN_TENSORS else "")
