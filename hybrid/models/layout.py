"""The layout of a BERT that embeds, as its folder's JSON tells it: sizes, pooling, prompts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

Pooling: TypeAlias = Literal["cls", "max", "mean"]

_USUAL = {
    "hidden_act": "gelu",
    "is_decoder": False,
    "add_cross_attention": False,
    "position_embedding_type": "absolute",
    "chunk_size_feed_forward": 0,
}
_KNOWN_PROMPTS = {"__version__", "model_type", "prompts", "default_prompt_name", "similarity_fn_name"}
_KNOWN_POOLING = {"embedding_dimension", "word_embedding_dimension", "pooling_mode", "include_prompt"}
_MODALITY = {"text": {"method": "forward", "method_output_name": "last_hidden_state"}}
_SIDES = ("query", "document", "passage")
_OLD_POOLING = {"cls": "cls_token", "max": "max_tokens", "mean": "mean_tokens"}


@dataclass(frozen=True, slots=True)
class BertShape:
    """Sizes of a BERT, under the names of its config.json."""

    vocab_size: int
    hidden_size: int
    num_hidden_layers: int
    num_attention_heads: int
    intermediate_size: int
    max_position_embeddings: int
    type_vocab_size: int
    layer_norm_eps: float


@dataclass(frozen=True, slots=True)
class BertLayout:
    """A folder with a BERT, one pooling and perhaps a normalisation.

    ``max_length`` counts markers too; ``lower`` lowers a text before the tokenizer's own normalisation.
    """

    shape: BertShape
    pooling: Pooling
    max_length: int
    query_prefix: str
    document_prefix: str
    lower: bool
    tokenizer: Path
    weights: Path


def read_layout(folder: Path) -> BertLayout | None:
    """Return the layout of a folder, or None where it is another one, or damaged.

    A folder that says anything more is left to sentence-transformers: the two must never differ.
    """
    try:
        return _layout(folder)
    except (OSError, ValueError, TypeError, KeyError, AttributeError, ZeroDivisionError):
        return None  # whoever loads it then says what is wrong


def _layout(folder: Path) -> BertLayout | None:
    modules = _object(folder / "modules.json")
    kinds = [str(module["type"]) for module in modules]
    names = [kind.rpartition(".")[2] for kind in kinds]
    if names not in (["Transformer", "Pooling"], ["Transformer", "Pooling", "Normalize"]):
        return None
    if not all(kind.startswith("sentence_transformers.") for kind in kinds):
        return None
    inner = folder / str(modules[0]["path"])
    config, tokens = _object(inner / "config.json"), _object(inner / "tokenizer_config.json")
    shape = _shape(config)
    pooling = _pooling(_object(folder / str(modules[1]["path"]) / "config.json"))
    own, lower = _own_length(_read(inner / "sentence_bert_config.json"))
    if shape is None or pooling is None or not _same_tokenizer(inner, tokens):
        return None
    length = own or min(int(tokens.get("model_max_length", 512)), shape.max_position_embeddings)
    saved = _read(folder / "config_sentence_transformers.json")
    if any(saved[key] is not None for key in saved.keys() - _KNOWN_PROMPTS):
        return None
    query, document = prefixes(saved.get("prompts") or {}, saved.get("default_prompt_name"))
    weights = inner / "model.safetensors"
    if not weights.is_file() or not 2 < length <= shape.max_position_embeddings:
        return None
    return BertLayout(shape, pooling, length, query, document, lower, inner / "tokenizer.json", weights)


def prefixes(prompts: Mapping[str, str | None], default_name: str | None) -> tuple[str, str]:
    """Return what is put before queries and before documents, of the prompts that a model names.

    Some name them after a task, as ``retrieval.query`` or ``Retrieval-document``; the plain name goes first.
    """
    default = prompts.get(default_name or "") or ""
    named = {key.lower().removeprefix("retrieval").lstrip(".-_ "): text for key, text in prompts.items()}
    named |= {key: text for key, text in prompts.items() if key in _SIDES}
    query, document, passage = (named.get(side) for side in _SIDES)
    found = query or default, document or passage or default
    if not all(isinstance(text, str) for text in found):
        raise ValueError(f"config_sentence_transformers.json names a prompt that is no text: {found}")
    return found


def _shape(config: Mapping[str, Any]) -> BertShape | None:
    usual = all(config.get(key, value) in (value, None) for key, value in _USUAL.items())
    if config["model_type"] != "bert" or not usual or {"auto_map", "quantization_config"} & config.keys():
        return None
    shape = BertShape(**{field.name: config[field.name] for field in fields(BertShape)})
    fits = shape.hidden_size % shape.num_attention_heads == 0 and isinstance(shape.layer_norm_eps, float)
    return shape if fits else None


def _pooling(config: Mapping[str, Any]) -> Pooling | None:
    """Return the one way of pooling, written as today or as in older versions; None for any other."""
    if "pooling_mode" in config:
        mode = config["pooling_mode"]
        if config.keys() - _KNOWN_POOLING or config.get("include_prompt", True) is not True:
            return None
    else:
        on = {key.removeprefix("pooling_mode_") for key, value in config.items() if value is True}
        mode = next((mode for mode, name in _OLD_POOLING.items() if on - {"include_prompt"} == {name}), None)
    return mode if mode in get_args(Pooling) and config.get("include_prompt", True) else None


def _own_length(config: Mapping[str, Any]) -> tuple[int, bool]:
    """Return the length that the embedder sets, 0 for none, and whether it lowers the text."""
    rest = {key: value for key, value in config.items() if value is not None}
    length, lower = int(rest.pop("max_seq_length", 0)), bool(rest.pop("do_lower_case", False))
    usual = {
        "transformer_task": "feature-extraction",
        "modality_config": _MODALITY,
        "module_output_name": "token_embeddings",
    }
    if any(key not in usual or value != usual[key] for key, value in rest.items()):
        raise ValueError("a transformer with settings of its own")
    return length, lower


def _same_tokenizer(folder: Path, config: Mapping[str, Any]) -> bool:
    """Tell whether tokenizer.json is what transformers makes of the folder, which builds some anew."""
    kind = str(config["tokenizer_class"])
    if kind in ("TokenizersBackend", "PreTrainedTokenizerFast"):
        return (folder / "tokenizer.json").is_file()
    normalizer = {
        "type": "BertNormalizer",
        "clean_text": True,
        "handle_chinese_chars": config.get("tokenize_chinese_chars", True),
        "strip_accents": config.get("strip_accents"),
        "lowercase": config.get("do_lower_case", True),
    }
    saved = _object(folder / "tokenizer.json")
    return kind in ("BertTokenizer", "BertTokenizerFast") and saved["normalizer"] == normalizer


def _object(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def _read(path: Path) -> dict[str, Any]:
    """Return what a file says, nothing where there is none."""
    return dict(_object(path)) if path.is_file() else {}
