"""A tokenizer told in GGUF: tokens, merges, how texts are cut, where they end, the chat template."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hybrid.errors import ModelError
from hybrid.models.pretrained import load_tokenizer, loaded_as

_BYTE = re.compile(r"<0x[0-9A-F]{2}>")
_WORDS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|"
_REST = r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
_CASED = (
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|"
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}|"
    r" ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
# How llama.cpp calls the ways to cut a text before pairs are merged; the second value is whether a word
# that is a token as a whole is taken as one.
_CUTS = {
    ("bytes by words", False): "gpt-2",
    ("digits, bytes by words", False): "smollm",
    (f"{_WORDS}\\p{{N}}{_REST}, bytes", False): "qwen2",
    (f"{_WORDS}\\p{{N}}{{1,3}}{_REST}, bytes", True): "llama-bpe",
    (f"{_CASED}, bytes", True): "tekken",
}


def tell_tokenizer(writer: Any, folder: Path, tokens: int) -> None:
    """Write the tokenizer of a model folder, its template and its ends.

    ``tokens`` is how many the model has.

    Raises:
        ModelError: llama.cpp has no such tokenizer.
    """
    tokenizer = load_tokenizer(folder)
    fast = getattr(tokenizer, "backend_tokenizer", None)
    if fast is None:
        raise _unknown_tokenizer(folder, "there is no tokenizer.json")
    told = json.loads(fast.to_str())
    model = told["model"]
    if model["type"] != "BPE":
        raise _unknown_tokenizer(folder, f"its kind is {model['type']}, expected BPE")
    vocabulary = [""] * tokens
    if len(model["vocab"]) > len(vocabulary):
        raise _unknown_tokenizer(folder, f"it has {len(model['vocab'])} tokens, the model {len(vocabulary)}")
    # what was added behind the last row of the model can be neither read nor said
    added = {token["id"]: token for token in told["added_tokens"] if token["id"] < len(vocabulary)}
    for text, place in [*model["vocab"].items(), *((token["content"], n) for n, token in added.items())]:
        vocabulary[place] = text
    merges = [pair.split(" ") if isinstance(pair, str) else pair for pair in model["merges"]]
    fallback = bool(model.get("byte_fallback"))
    writer.add_tokenizer_model("llama" if fallback else "gpt2")
    writer.add_token_list([text or f"[PAD{place}]" for place, text in enumerate(vocabulary)])
    writer.add_token_types([_type(text, added.get(place), fallback) for place, text in enumerate(vocabulary)])
    if fallback:
        # the earlier a pair was merged in training, the better its whole
        ranks: dict[str, int] = {}
        for rank, (left, right) in enumerate(merges):
            ranks.setdefault(left + right, rank)
        writer.add_tokenizer_pre("default")
        writer.add_token_scores([-float(ranks.get(text, 0)) for text in vocabulary])
        writer.add_add_space_prefix(str(tokenizer.tokenize("a")[0]).startswith("▁"))
    else:
        writer.add_tokenizer_pre(_cut(told["pre_tokenizer"], bool(model.get("ignore_merges")), folder))
        writer.add_token_merges([f"{left} {right}" for left, right in merges])
        writer.add_add_space_prefix(False)
    _tell_ends(writer, tokenizer, folder, tokens)


def _tell_ends(writer: Any, tokenizer: Any, folder: Path, tokens: int) -> None:
    """Tell where texts begin and end, and the template of a conversation."""
    with_ends, bare = tokenizer("a")["input_ids"], tokenizer("a", add_special_tokens=False)["input_ids"]
    extra = len(with_ends) - len(bare)
    begins = extra > 0 and with_ends[0] == tokenizer.bos_token_id
    writer.add_add_eos_token(extra > begins and with_ends[-1] == tokenizer.eos_token_id)
    if tokenizer.chat_template:
        # a conversation begins as its template says: where that has no beginning, none is put before it
        turns = [{"role": "user", "content": "a"}]
        begins &= str(tokenizer.apply_chat_template(turns, tokenize=False)).startswith(
            tokenizer.bos_token or ""
        )
        writer.add_chat_template(tokenizer.chat_template)
    writer.add_add_bos_token(begins)
    # a model may end a turn by other tokens than a text
    also = [place for place in end_tokens(folder) if place != tokenizer.eos_token_id]
    for told, place in (
        (writer.add_bos_token_id, tokenizer.bos_token_id),
        (writer.add_eos_token_id, tokenizer.eos_token_id),
        (writer.add_unk_token_id, tokenizer.unk_token_id),
        (writer.add_pad_token_id, tokenizer.pad_token_id),
        (writer.add_eot_token_id, also[0] if also else None),
        (writer.add_eom_token_id, also[1] if also[1:] else None),
    ):
        if place is not None and place < tokens:
            told(place)


def end_tokens(folder: Path) -> list[int]:
    """Return the tokens that end an answer, by what the model folder says of generation."""
    file = folder / "generation_config.json"
    said = None
    if file.is_file():
        with loaded_as("causal language model", folder):
            said = json.loads(file.read_text(encoding="utf-8")).get("eos_token_id")
    return list(said) if isinstance(said, list) else [] if said is None else [said]


def _cut(said: Mapping[str, Any] | None, whole: bool, folder: Path) -> str:
    """Return the name of how a tokenizer cuts a text."""
    parts = (said or {}).get("pretokenizers", [said] if said else [])
    told = []
    for part in parts:
        if part["type"] == "ByteLevel" and not part.get("add_prefix_space"):
            told.append("bytes by words" if part.get("use_regex", True) else "bytes")
        elif part["type"] == "Digits" and part.get("individual_digits"):
            told.append("digits")
        elif part["type"] == "Split" and part["behavior"] == "Isolated" and not part.get("invert"):
            told.append(part["pattern"].get("Regex", "a string"))
        else:
            told.append(part["type"])
    way = ", ".join(told)
    if (way, whole) not in _CUTS:
        raise _unknown_tokenizer(
            folder, f"it cuts texts by {way or 'nothing'}, which has no name in llama.cpp"
        )
    return _CUTS[way, whole]


def _type(text: str, added: Mapping[str, Any] | None, fallback: bool) -> int:
    import gguf

    if not text:
        return int(gguf.TokenType.UNUSED)
    if added is not None:
        return int(gguf.TokenType.CONTROL if added["special"] else gguf.TokenType.USER_DEFINED)
    is_byte = fallback and _BYTE.fullmatch(text)
    return int(gguf.TokenType.BYTE if is_byte else gguf.TokenType.NORMAL)


def _unknown_tokenizer(folder: Path, why: str) -> ModelError:
    return ModelError(
        f"{folder.name} cannot be written as GGUF: of its tokenizer, {why}",
        hint="write it merged (--for merged), and convert it with llama.cpp's convert_hf_to_gguf.py",
    )
