"""A model of Llama's kin, or an adapter for one, written as GGUF: tensors, tokenizer, template, ends.

Tensors are read, changed and written one by one, so a model larger than the memory can be written.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hybrid.errors import ExtraMissing, ModelError
from hybrid.files import fsync_file, fsync_folder, storage_errors
from hybrid.models.adapters import CONFIG, WEIGHTS
from hybrid.models.vocabulary import tell_tokenizer

if TYPE_CHECKING:
    from torch import Tensor

    Array = np.ndarray[Any, np.dtype[Any]]

_KIN = {
    "LlamaForCausalLM": "llama",
    "MistralForCausalLM": "llama",
    "Qwen2ForCausalLM": "qwen2",
    "Qwen3ForCausalLM": "qwen3",
}
# Quantised weights come in blocks of so many.
_BLOCK = 32
_OUTPUT, _EMBEDDING = "lm_head.weight", "model.embed_tokens.weight"
# Its queries and keys are turned in pairs of neighbours, those of transformers in pairs of halves.
_TURNED = re.compile(r"\.self_attn\.(q|k)_proj\.")
_LORA = re.compile(r"base_model\.model\.(.+)\.lora_([AB])\.weight")


class Precision(StrEnum):
    """The number format of matrices in a file; what is no matrix is float32."""

    F32 = "f32"
    F16 = "f16"
    Q8_0 = "q8_0"


@dataclass(frozen=True, slots=True)
class _TensorPlace:
    """A tensor of the file: its name there, its name in the model, its shape."""

    name: str
    key: str
    shape: tuple[int, ...]


class Source:
    """The tensors of a model folder as GGUF orders them, some of them changed.

    ``changed`` tensors stand in for those of the folder, by their names in the model.

    Raises:
        ExtraMissing: the package that writes GGUF is not installed.
        ModelError: the model is none of Llama's kin, or has what llama.cpp does not compute.
    """

    def __init__(self, folder: Path, changed: Mapping[str, Tensor] | None = None) -> None:
        if find_spec("gguf") is None:
            raise ExtraMissing("writing GGUF needs: gguf", hint="pip install 'hybrid-assistant[gguf]'")
        from transformers import AutoConfig

        self.folder = folder
        self.config: Any = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        self.rope: dict[str, Any] = dict(getattr(self.config, "rope_parameters", None) or {})
        self.architecture = _require_kin(self.config, self.rope, folder)
        self._changed = changed or {}

    @cached_property
    def placed(self) -> list[_TensorPlace]:
        """Return the tensors in the order of the file.

        Raises:
            ModelError: a tensor has no name in GGUF.
        """
        found = []
        for key, shape in self._shapes().items():
            base, _, suffix = key.rpartition(".")
            name = self._names.get_name(base)
            if name is None:
                raise ModelError(f"{self.folder}: the tensor {key} has no place in GGUF")
            found.append(_TensorPlace(f"{name}.{suffix}", key, shape))
        return found

    @cached_property
    def head_size(self) -> int:
        """Return the width of a head of attention."""
        own = getattr(self.config, "head_dim", None)
        return int(own or self.config.hidden_size // self.config.num_attention_heads)

    def read(self, placed: _TensorPlace) -> Array:
        """Return a tensor in float32, turned as the file has it."""
        from safetensors import safe_open

        if placed.key in self._changed:
            value = self._changed[placed.key]
        else:
            key = placed.key if placed.key in self._stored else _EMBEDDING
            with safe_open(self._stored[key][0], framework="pt") as tensors:
                value = tensors.get_tensor(key)
        return self.turned(placed.key, value.detach().float().cpu().numpy())

    def turned(self, key: str, value: Array) -> Array:
        """Return rows of queries and keys in the order that the architecture has in llama.cpp."""
        found = _TURNED.search(key)
        if found is None or self.architecture != "llama":
            return value
        heads = self.config.num_attention_heads if found[1] == "q" else self.config.num_key_value_heads
        pairs = value.reshape(heads, 2, self.head_size // 2, *value.shape[1:])
        return np.ascontiguousarray(pairs.swapaxes(1, 2).reshape(value.shape))

    def name_of(self, module: str) -> str:
        """Return the name of a module in GGUF, empty if it has none."""
        return str(self._names.get_name(module) or "")

    @cached_property
    def _names(self) -> Any:
        import gguf

        kinds = {name: kind for kind, name in gguf.MODEL_ARCH_NAMES.items()}
        return gguf.get_tensor_name_map(kinds[self.architecture], self.config.num_hidden_layers)

    @cached_property
    def _stored(self) -> dict[str, tuple[Path, tuple[int, ...]]]:
        """Return the file and the shape of each tensor of the folder."""
        from safetensors import safe_open

        found = {}
        for path in sorted(self.folder.glob("*.safetensors")):
            with safe_open(path, framework="pt") as tensors:
                for key in tensors.keys():  # noqa: SIM118  (it is no mapping)
                    found[key] = (path, tuple(tensors.get_slice(key).get_shape()))
        return found

    def _shapes(self) -> dict[str, tuple[int, ...]]:
        found = {key: shape for key, (_, shape) in self._stored.items()}
        if self.config.tie_word_embeddings:
            # one matrix reads and writes, unless an adapter changed one of the two
            found.pop(_OUTPUT, None)
            read, written = (self._changed.get(name) for name in (_EMBEDDING, _OUTPUT))
            apart = read is not written and (read is None or written is None or not read.equal(written))
            if apart:
                found[_OUTPUT] = found[_EMBEDDING]
        return found


def write_model(source: Source, out: Path, precision: Precision, *, name: str) -> None:
    """Write a model with its tokenizer and its template.

    A file that is there is replaced at the end; ``precision`` is that of the matrices, ``name`` what the file
    tells.

    Raises:
        ModelError: the tokenizer is of a kind that llama.cpp does not have.
        StorageError: the disk is full.
    """
    import gguf

    with _writer(out, source.architecture) as (writer, path):
        writer.add_type(gguf.GGUFType.MODEL)
        writer.add_name(name)
        writer.add_file_type(
            {
                Precision.F32: gguf.LlamaFileType.ALL_F32,
                Precision.F16: gguf.LlamaFileType.MOSTLY_F16,
                Precision.Q8_0: gguf.LlamaFileType.MOSTLY_Q8_0,
            }[precision]
        )
        writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
        _tell_layout(writer, source)
        tell_tokenizer(writer, source.folder, source.config.vocab_size)
        factors = _rope_factors(source)
        if factors is not None:
            writer.add_tensor_info("rope_freqs.weight", factors.shape, factors.dtype, factors.nbytes)
        for placed in source.placed:
            kind = _kind(placed, precision)
            bytes_shape = gguf.quant_shape_to_byte_shape(placed.shape, kind)
            size = math.prod(bytes_shape)
            # a quantised tensor is told by its bytes, any other by its numbers
            quantised = kind is gguf.GGMLQuantizationType.Q8_0
            shape, dtype = (bytes_shape, np.uint8) if quantised else (placed.shape, np.float32)
            writer.add_tensor_info(placed.name, shape, np.dtype(dtype), size, raw_dtype=kind)
        _begin(writer, path)
        if factors is not None:
            writer.write_tensor_data(factors)
        for placed in source.placed:
            writer.write_tensor_data(gguf.quantize(source.read(placed), _kind(placed, precision)))


def write_adapter(source: Source, adapter: Path, out: Path, *, name: str) -> None:
    """Write a LoRA adapter as a file that llama.cpp loads beside its base.

    The adapter is in PEFT's format: LoRA on linear layers, of one rank and one scale. A file that is there is
    replaced at the end; ``name`` is what the file tells.

    Raises:
        ModelError: a tensor is no LoRA factor of a layer that GGUF names.
    """
    import gguf
    from safetensors.torch import load_file

    config = json.loads((adapter / CONFIG).read_text(encoding="utf-8"))
    rank, alpha = int(config["r"]), float(config["lora_alpha"])
    # llama.cpp divides by the rank, where rsLoRA divides by its root
    told = alpha * math.sqrt(rank) if config.get("use_rslora") else alpha
    arrays = {}
    for key, value in load_file(adapter / WEIGHTS).items():
        found = _LORA.fullmatch(key)
        layer = source.name_of(found[1]) if found else ""
        if found is None or not layer:
            raise ModelError(f"{adapter}: the tensor {key} has no place in an adapter of GGUF")
        array: Array = value.float().numpy()
        if found[2] == "B":
            array = source.turned(f"{found[1]}.", array)
        arrays[f"{layer}.weight.lora_{found[2].lower()}"] = array
    with _writer(out, source.architecture) as (writer, path):
        writer.add_type(gguf.GGUFType.ADAPTER)
        writer.add_string(gguf.Keys.Adapter.TYPE, "lora")
        writer.add_float32(gguf.Keys.Adapter.LORA_ALPHA, told)
        writer.add_name(name)
        for key, array in arrays.items():
            writer.add_tensor_info(key, array.shape, array.dtype, array.nbytes)
        _begin(writer, path)
        for array in arrays.values():
            writer.write_tensor_data(array)


def read_back(source: Source, file: Path) -> float:
    """Return the largest difference between the tensors of a file and what was to be written.

    It is relative to the largest weight of the tensor.

    Raises:
        ModelError: a tensor is missing.
    """
    import gguf

    found = {tensor.name: tensor for tensor in gguf.GGUFReader(str(file)).tensors}
    worst = 0.0
    for placed in source.placed:
        if placed.name not in found:
            raise ModelError(f"{file} lacks {placed.name}", hint="write it again")
        tensor, wanted = found[placed.name], source.read(placed)
        told = gguf.dequantize(tensor.data, tensor.tensor_type).reshape(wanted.shape)
        worst = max(worst, float(np.abs(told - wanted).max() / max(np.abs(wanted).max(), 1e-30)))
    return worst


def _require_kin(config: Any, rope: Mapping[str, Any], folder: Path) -> str:
    names = list(config.architectures or [])
    kin = next((_KIN[name] for name in names if name in _KIN), None)
    kind, layers = rope.get("rope_type", "default"), set(getattr(config, "layer_types", None) or ())
    why = (
        f"{', '.join(names) or config.model_type} is not one of {', '.join(_KIN)}"
        if kin is None
        else "its weights are quantised already"
        if getattr(config, "quantization_config", None)
        else f"its activation is {config.hidden_act}, expected silu"
        if config.hidden_act != "silu"
        else f"its positions are scaled by {kind}, expected default, linear or llama3"
        if kind not in ("default", "linear", "llama3")
        else "some of its layers see a window only"
        if kin != "llama" and "sliding_attention" in layers
        else ""
    )
    if kin is None or why:
        raise ModelError(
            f"{folder.name} cannot be written as GGUF: {why}",
            hint="write it merged (--for merged), and convert it with llama.cpp's convert_hf_to_gguf.py",
        )
    return kin


def _tell_layout(writer: Any, source: Source) -> None:
    config, rope = source.config, source.rope
    # past its window it would see what it never saw in training
    window = getattr(config, "sliding_window", None) if config.model_type == "mistral" else None
    writer.add_vocab_size(config.vocab_size)
    writer.add_context_length(min(config.max_position_embeddings, window or math.inf))
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_key_length(source.head_size)
    writer.add_value_length(source.head_size)
    writer.add_rope_dimension_count(source.head_size)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(float(rope.get("rope_theta", 10_000.0)))
    if rope.get("rope_type") == "linear":
        import gguf

        writer.add_rope_scaling_type(gguf.RopeScalingType.LINEAR)
        writer.add_rope_scaling_factor(float(rope["factor"]))


def _rope_factors(source: Source) -> Array | None:
    """Return by what each frequency of Llama 3.1 is divided, None for other models."""
    rope = source.rope
    if rope.get("rope_type") != "llama3":
        return None
    places = np.arange(0, source.head_size, 2, dtype=np.float64)
    turns = rope["rope_theta"] ** (-places / source.head_size) / (2 * math.pi)
    low, high = float(rope["low_freq_factor"]), float(rope["high_freq_factor"])
    share = (rope["original_max_position_embeddings"] * turns - low) / (high - low)
    share = share.clip(0, 1)
    factors: Array = (1 / ((1 - share) / rope["factor"] + share)).astype(np.float32)
    return factors


def _kind(placed: _TensorPlace, precision: Precision) -> Any:
    import gguf

    kinds = gguf.GGMLQuantizationType
    if len(placed.shape) == 1 or precision is Precision.F32:
        return kinds.F32
    return kinds.F16 if precision is Precision.F16 or placed.shape[-1] % _BLOCK else kinds.Q8_0


@contextlib.contextmanager
def _writer(out: Path, architecture: str) -> Iterator[tuple[Any, Path]]:
    """Give a writer of a file that takes its place at the end."""
    import gguf

    beside = out.with_name(f".{out.name}.{os.getpid()}.tmp")
    writer = gguf.GGUFWriter(None, architecture)
    try:
        with storage_errors(str(out)):
            yield writer, beside
            writer.close()
            fsync_file(beside)
            beside.rename(out)
            fsync_folder(out.parent)
    finally:
        writer.close()
        beside.unlink(missing_ok=True)


def _begin(writer: Any, path: Path) -> None:
    """Write all but the tensors, each of which follows in its turn."""
    writer.write_header_to_file(path)
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
