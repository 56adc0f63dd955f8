"""A classifier of Hugging Face from a folder: its tokenizer, its limits, and what it says of rows of tokens.

Takes pairs of texts, gives raw outputs. Knows nothing about what the outputs mean. Only safetensors are
read, code that lies beside the weights runs only if that is asked for, and weights that the folder lacks are
an error rather than random numbers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hybrid.errors import ModelMissing
from hybrid.files import hash_text, valid_utf8
from hybrid.grounding.scorers.labels import Labels
from hybrid.models.device import Placement
from hybrid.models.pretrained import LOADING, quiet, refusal, require_whole, unloadable
from hybrid.models.resolve import weights_digest

# So many rows at once, as long as all their tokens, with padding, stay below the limit.
_BATCH_ROWS = 32
_BATCH_TOKENS = 8_192
_USUAL_TOKENS = 512
# Encoders that classify a pair at its first token, with the head of a token classifier.
_FIRST_TOKEN = ("t5", "mt5", "umt5")
_NO_LIMIT = 1_000_000
# Candidates are made no longer than those of AlignScore and MiniCheck: longer ones blur the answer.
_MOST_WORDS = 350
_LEAST_WORDS = 16
_TOKENS_A_WORD = 1.4
_CLAIM_TOKENS = 64


class Head(StrEnum):
    """What is classified: the pair as a whole, or each of its tokens."""

    PAIR = "sequence classifier"
    TOKENS = "token classifier"


@dataclass(frozen=True, slots=True)
class TokenRow:
    """A pair as the model reads it; ``types`` is empty where the model has none."""

    ids: tuple[int, ...]
    types: tuple[int, ...] = ()


class Checkpoint:
    """A classifier that is loaded once and reads rows in batches of similar length.

    A row's outputs depend on the others of its batch by no more than rounding (in bf16 that is about 0.001
    of a logit), and not on their order.

    Args:
        folder: with config.json, a fast tokenizer and safetensors.
        head: what it classifies. A T5 encoder that classifies tokens serves for ``PAIR`` with its first one,
            as HHEM-2.1 does.
        placement: device and number format.
        trust_remote_code: run the Python that lies in the folder.

    Raises:
        ModelMissing: the folder holds no such model, or needs code of its own.
    """

    def __init__(
        self, folder: Path, *, head: Head, placement: Placement, trust_remote_code: bool = False
    ) -> None:
        self._head = head
        self._stamp = f"{placement.dtype}, weights {weights_digest(folder)[:8]}"
        self.tokenizer, self._model = _load(folder, head, placement, trust_remote_code)
        if not self.tokenizer.is_fast:
            raise ModelMissing(f"{folder} has a slow tokenizer, expected one with a tokenizer.json")
        self.names = [str(self.config.id2label[place]) for place in sorted(self.config.id2label)]
        self.max_tokens = _limit(self.tokenizer, self._model)
        # the texts are data: what looks like a separator in them must not become one
        special = sorted(filter(None, self.tokenizer.all_special_tokens), key=len, reverse=True)
        self._special = re.compile("|".join(re.escape(token) for token in special) or r"(?!)")

    def told(self, name: str, labels: Labels, prompt: str) -> str:
        """Return a name with all that decides the scores: outputs, number format, weights, prompt."""
        asked = f", prompt {hash_text(prompt)[:8]}" if prompt else ""
        return f"{name}#{labels} ({self._stamp}{asked})"

    @property
    def config(self) -> Any:
        """Return the configuration of the model."""
        return self._model.config

    @property
    def max_words(self) -> int:
        """Return how many words of evidence fit beside a claim of usual length, 350 at the most."""
        room = int((self.max_tokens - _CLAIM_TOKENS) / _TOKENS_A_WORD)
        return min(max(room, _LEAST_WORDS), _MOST_WORDS)

    def plain(self, text: str) -> str:
        """Return a text of the same length without control tokens and halves of characters."""
        return self._special.sub(lambda found: f" {found.group()[1:]}", valid_utf8(text))

    def encode(self, firsts: Sequence[str], seconds: Sequence[str] | None = None) -> Any:
        """Return the tokenizer's encoding, with offsets and uncut; texts go through ``plain`` before."""
        pairs = list(firsts) if seconds is None else list(zip(firsts, seconds, strict=True))
        return self.tokenizer(pairs, truncation=False, padding=False, return_offsets_mapping=True)

    def rows(self, encoding: Any) -> list[TokenRow]:
        """Return what the model is given of an encoding."""
        ids = encoding["input_ids"]
        types: Sequence[Sequence[int]] = [()] * len(ids)
        if getattr(self.config, "type_vocab_size", 0) > 1 and "token_type_ids" in encoding:
            types = encoding["token_type_ids"]
        return [TokenRow(tuple(row), tuple(kinds)) for row, kinds in zip(ids, types, strict=True)]

    def outputs(self, rows: Sequence[TokenRow]) -> list[NDArray[np.float32]]:
        """Return the raw outputs of each row, of shape (outputs,), or (tokens, outputs) for ``TOKENS``."""
        found: dict[TokenRow, NDArray[np.float32]] = {}
        for batch in _batches(set(rows)):
            found.update(zip(batch, self._run(batch), strict=True))
        return [found[row] for row in rows]

    def _run(self, batch: Sequence[TokenRow]) -> Iterator[NDArray[np.float32]]:
        import torch

        width = max(len(row.ids) for row in batch)
        filler = self.tokenizer.pad_token_id or 0
        inputs = {
            "input_ids": [[*row.ids, *[filler] * (width - len(row.ids))] for row in batch],
            "attention_mask": [[1] * len(row.ids) + [0] * (width - len(row.ids)) for row in batch],
        }
        if batch[0].types:
            inputs["token_type_ids"] = [[*row.types, *[0] * (width - len(row.types))] for row in batch]
        tensors = {name: torch.tensor(value, device=self._model.device) for name, value in inputs.items()}
        with torch.inference_mode():
            outputs = self._model(**tensors).logits.float().cpu().numpy()
        for row, values in zip(batch, outputs, strict=True):
            if self._head is Head.TOKENS:
                yield values[: len(row.ids)]
            else:
                yield values[0] if values.ndim == 2 else values


def _batches(rows: set[TokenRow]) -> Iterator[list[TokenRow]]:
    """Yield rows of similar length, in an order of their own: that of the caller changes no last bit."""
    batch: list[TokenRow] = []
    for row in sorted(rows, key=lambda row: (len(row.ids), row.ids, row.types)):
        # sorted: the next one is the longest, to which all others are padded
        if batch and (len(batch) == _BATCH_ROWS or (len(batch) + 1) * len(row.ids) > _BATCH_TOKENS):
            yield batch
            batch = []
        batch.append(row)
    if batch:
        yield batch


def _load(folder: Path, head: Head, placement: Placement, trust_remote_code: bool) -> tuple[Any, Any]:
    from transformers import (
        AutoConfig,
        AutoModelForSequenceClassification,
        AutoModelForTokenClassification,
        AutoTokenizer,
    )

    quiet()
    with LOADING:
        try:
            config = AutoConfig.from_pretrained(
                folder, local_files_only=True, trust_remote_code=trust_remote_code
            )
            tokenizer = AutoTokenizer.from_pretrained(
                folder, local_files_only=True, trust_remote_code=trust_remote_code
            )
            by_token = _classifies_tokens(config, head, folder)
            loader = AutoModelForTokenClassification if by_token else AutoModelForSequenceClassification
            model, report = loader.from_pretrained(
                folder,
                dtype=placement.torch_dtype(),
                use_safetensors=True,
                output_loading_info=True,
                ignore_mismatched_sizes=True,
                local_files_only=True,
                trust_remote_code=trust_remote_code,
            )
        except unloadable() as error:
            hint = "if you have read that code, pass trust_remote_code=True: it runs with your rights"
            raise refusal(folder, str(head), error, code=hint) from error
    require_whole(report, folder, str(head))
    return tokenizer, model.to(placement.device).eval()


def _classifies_tokens(config: Any, head: Head, folder: Path) -> bool:
    """Tell which head the weights have; heads of both kinds have one shape, so it takes a look at the name.

    Raises:
        ModelMissing: it is not the one that is wanted.
    """
    named = ", ".join(config.architectures or ())
    by_token = "ForTokenClassification" in named
    if head is Head.TOKENS and named and not by_token:
        raise ModelMissing(f"{folder} is a {named}, expected a {head}", hint="name it as hf:MODEL")
    if head is Head.PAIR and by_token and config.model_type not in _FIRST_TOKEN:
        raise ModelMissing(f"{folder} is a {named}, expected a {head}", hint="name it as tokens:MODEL")
    return by_token or head is Head.TOKENS


def _limit(tokenizer: Any, model: Any) -> int:
    """Return how many tokens a row may have: as many as were trained, and no more than have a place."""
    tables = [module for name, module in model.named_modules() if name.endswith("position_embeddings")]
    limits = [
        tokenizer.model_max_length,
        getattr(model.config, "max_position_embeddings", 0),
        *(_places(table) for table in tables),
    ]
    return int(min((limit for limit in limits if 0 < limit < _NO_LIMIT), default=_USUAL_TOKENS))


def _places(table: Any) -> int:
    """Return how many places a table of positions has; that of RoBERTa begins behind its padding."""
    skipped = 0 if table.padding_idx is None else int(table.padding_idx) + 1
    return int(table.num_embeddings) - skipped
