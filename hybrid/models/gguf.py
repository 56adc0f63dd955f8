"""GGUF weights, converted once into a clean folder in our cache.

Takes a GGUF file, gives a folder of safetensors that loads in half a second. Reading a GGUF file
through transformers takes 16-25 s and leaves a quantiser on the model, with which it can be
neither trained nor saved; so the weights are moved into a fresh model built from the config alone.
"""

from __future__ import annotations

import os
import shutil
import struct
from importlib.util import find_spec
from pathlib import Path

from hybrid.errors import ExtraMissing, ModelMissing
from hybrid.files import folder_lock, hash_file, storage_errors
from hybrid.models.resolve import cache_folder


def converted(path: Path) -> Path:
    """Return the converted folder of a GGUF file, converting it on the first call.

    The number format is float32, which holds the dequantised values exactly.

    Raises:
        ExtraMissing: the packages that read GGUF are not installed.
        ModelMissing: the file is damaged or of an architecture that transformers does not read.
    """
    models = cache_folder() / "models"
    target = models / f"{path.stem}-{hash_file(path)[:12]}"
    if (target / "config.json").is_file():
        return target
    with storage_errors(str(models)):
        models.mkdir(parents=True, exist_ok=True)
    with folder_lock(models):
        if not (target / "config.json").is_file():
            beside = models / f"{target.name}.{os.getpid()}.tmp"
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
        loaded = AutoModelForCausalLM.from_pretrained(
            path.parent, gguf_file=path.name, dtype=torch.float32, local_files_only=True
        )
        tokenizer = AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name, local_files_only=True)
    except (OSError, ValueError, KeyError, struct.error) as error:
        raise ModelMissing(
            f"{path} cannot be read as GGUF: {error}", hint="fetch the file again, or use safetensors weights"
        ) from error
    config = loaded.config
    if hasattr(config, "quantization_config"):
        del config.quantization_config
    clean = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    clean.load_state_dict(loaded.state_dict(), strict=True)
    clean.save_pretrained(target)
    tokenizer.save_pretrained(target)
