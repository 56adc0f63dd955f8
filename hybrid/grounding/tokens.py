"""Token vectors of texts: what the frozen encoder makes of every token, from two of its layers.

Takes texts, gives ids, places and vectors of their tokens. A long text is read in windows of whole
sentences, each by itself, so that no token depends on what stands far from it, and none is cut off. Knows
nothing about claims.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hybrid.files import valid_utf8
from hybrid.models.device import Placement
from hybrid.text.sentences import sentence_spans

if TYPE_CHECKING:
    from tokenizers import Tokenizer

# Word pieces of a window: about what the encoder was trained on, and with its two markers a shape below.
WINDOW = 158
# Rows and tokens of what the encoder is given, nothing else: another shape is computed by another kernel,
# with other last bits, so that what a text gives would hang on what is read beside it; and each new shape
# costs time and memory for its kernels. Few rows are as fast a token as many.
_SHAPES = ((16, 16), (8, 32), (4, 64), (4, 96), (4, 128), (4, WINDOW + 2))
# Vectors kept for texts that come again, such as the passages of many claims: 1.5 kB a token.
_KEPT_TOKENS = 80_000


@dataclass(frozen=True, slots=True, eq=False)
class TokenVectors:
    """The tokens of a text: ids of shape (n,), their places in the text (n, 2), vectors (n, width)."""

    ids: NDArray[np.int64]
    places: NDArray[np.int64]
    vectors: NDArray[np.float16]

    def __len__(self) -> int:
        """Return how many tokens there are."""
        return len(self.ids)


class TokenEncoder:
    """A BERT-like encoder whose hidden states are read.

    Args:
        folder: of the model and its tokenizer.
        placement: device and number format.
        layers: whose hidden states are laid side by side; 0 is what goes into the first layer.
    """

    def __init__(self, folder: Path, placement: Placement, *, layers: tuple[int, ...]) -> None:
        self.folder, self._placement, self._layers = folder, placement, layers
        self._kept: OrderedDict[str, TokenVectors] = OrderedDict()
        self._tokens_kept = 0

    @property
    def width(self) -> int:
        """Return the length of a token's vector."""
        return len(self._layers) * int(self._model.config.hidden_size)

    @cached_property
    def pieces(self) -> tuple[str, ...]:
        """Return the word piece of each id."""
        vocabulary = self._tokenizer.get_vocab()
        names = [""] * (max(vocabulary.values()) + 1)
        for piece, number in vocabulary.items():
            names[number] = piece
        return tuple(names)

    def encode(self, texts: Sequence[str]) -> list[TokenVectors]:
        """Return the token vectors of each text, in order; equal texts are read once.

        Neither their order nor what else is read changes anything.
        """
        wanted = dict.fromkeys(texts)
        found = {text: self._kept[text] for text in wanted if text in self._kept}
        found |= self._read(sorted(text for text in wanted if text not in found))
        self._keep(found)
        return [found[text] for text in texts]

    def _read(self, texts: Sequence[str]) -> dict[str, TokenVectors]:
        windows = [(text, window) for text in texts for window in self._windows(text)]
        vectors: list[Any] = [None] * len(windows)
        alike: dict[tuple[int, int], list[int]] = {shape: [] for shape in _SHAPES}
        for place, (_, (ids, _)) in enumerate(windows):
            alike[next(shape for shape in _SHAPES if len(ids) + 2 <= shape[1])].append(place)
        for (rows, length), own in alike.items():
            for first in range(0, len(own), rows):
                self._fill(vectors, own[first : first + rows], windows, rows, length)
        parts: dict[str, list[tuple[list[int], list[tuple[int, int]], Any]]] = {text: [] for text in texts}
        for (text, (ids, places)), own in zip(windows, vectors, strict=True):
            parts[text].append((ids, places, own))
        return {text: self._joined(own) for text, own in parts.items()}

    def _joined(self, parts: Sequence[tuple[list[int], list[tuple[int, int]], Any]]) -> TokenVectors:
        if not parts:
            none = np.zeros(0, np.int64)
            return TokenVectors(none, none.reshape(0, 2), np.zeros((0, self.width), np.float16))
        return TokenVectors(
            np.concatenate([np.asarray(ids, np.int64) for ids, _, _ in parts]),
            np.concatenate([np.asarray(places, np.int64).reshape(-1, 2) for _, places, _ in parts]),
            np.concatenate([vectors for _, _, vectors in parts]),
        )

    def _fill(
        self,
        vectors: list[Any],
        batch: Sequence[int],
        windows: Sequence[tuple[str, Any]],
        rows: int,
        length: int,
    ) -> None:
        """Compute the vectors of some windows, all in one batch of that shape."""
        import torch

        ids = torch.zeros((rows, length), dtype=torch.long)
        mask = torch.zeros_like(ids)
        # rows that are left over hold an empty text
        ids[:, 0], ids[:, 1] = self._begin, self._end
        mask[:, :2] = 1
        for number, place in enumerate(batch):
            row = [self._begin, *windows[place][1][0], self._end]
            ids[number, : len(row)] = torch.tensor(row)
            mask[number, : len(row)] = 1
        device = self._placement.device
        with torch.inference_mode():
            states = self._model(
                input_ids=ids.to(device), attention_mask=mask.to(device), output_hidden_states=True
            ).hidden_states
            kept = torch.cat([states[layer].float() for layer in self._layers], -1).half().cpu().numpy()
        for number, place in enumerate(batch):
            # the tokens that begin and end a window are nobody's words
            vectors[place] = kept[number, 1 : len(windows[place][1][0]) + 1].copy()

    def _windows(self, text: str) -> list[tuple[list[int], list[tuple[int, int]]]]:
        """Return ids and places of the tokens, in windows of whole sentences where they fit."""
        windows: list[tuple[list[int], list[tuple[int, int]]]] = []
        text = valid_utf8(text)
        spans = [span for span in sentence_spans(text) if span.end > span.start]
        sentences = [text[span.start : span.end] for span in spans]
        for span, found in zip(
            spans, self._tokenizer.encode_batch(sentences, add_special_tokens=False), strict=True
        ):
            ids, places = list(found.ids), [(span.start + a, span.start + b) for a, b in found.offsets]
            for first in range(0, len(ids), WINDOW):
                own, where = ids[first : first + WINDOW], places[first : first + WINDOW]
                if windows and len(windows[-1][0]) + len(own) <= WINDOW:
                    windows[-1][0].extend(own)
                    windows[-1][1].extend(where)
                else:
                    windows.append((own, where))
        return windows

    def _keep(self, found: dict[str, TokenVectors]) -> None:
        for text, vectors in found.items():
            if text not in self._kept:
                self._tokens_kept += len(vectors)
            self._kept[text] = vectors
            self._kept.move_to_end(text)
        while self._tokens_kept > _KEPT_TOKENS and len(self._kept) > 1:
            _, old = self._kept.popitem(last=False)
            self._tokens_kept -= len(old)

    @cached_property
    def _tokenizer(self) -> Tokenizer:
        from tokenizers import Tokenizer

        tokenizer = Tokenizer.from_file(str(self.folder / "tokenizer.json"))
        tokenizer.no_truncation()
        tokenizer.no_padding()
        return tokenizer

    @cached_property
    def _begin(self) -> int:
        return self._marker("[CLS]")

    @cached_property
    def _end(self) -> int:
        return self._marker("[SEP]")

    def _marker(self, piece: str) -> int:
        number = self._tokenizer.token_to_id(piece)
        assert number is not None, "the encoder is BERT-like"
        return number

    @cached_property
    def _model(self) -> Any:
        from transformers import AutoModel

        model = AutoModel.from_pretrained(
            self.folder, dtype=self._placement.torch_dtype(), local_files_only=True, use_safetensors=True
        )
        return model.eval().to(self._placement.device)
