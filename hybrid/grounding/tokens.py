"""Token vectors of texts by the frozen encoder, and what kind of word each piece is."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from hybrid.files import valid_utf8
from hybrid.models import TokenEmbedder
from hybrid.text.sentences import sentence_spans

_STOP = """
a an the of in on at to for and or is are was were be been by with as that this it its from has have had
he she they his her their which who will would can
"""
# Pieces of contractions and prefixes too: "don", "'", "t" is how "don't" is cut.
_NEGATIONS = """
not no never none nothing neither nor without n't t cannot unable lack lacks fails failed except un non dis
"""
_WORD = re.compile(r"\w")
# Word pieces of a window: about what the encoder was trained on, and with its two markers a shape of its.
WINDOW = 158
# Vectors kept for texts that come again, such as the passages of many claims: 1.5 kB a token.
_KEPT_TOKENS = 80_000


@dataclass(frozen=True, slots=True, eq=False)
class Lexicon:
    """Flags of the word pieces of an encoder, each of shape (pieces,)."""

    stop: NDArray[np.bool_]
    negation: NDArray[np.bool_]
    number: NDArray[np.bool_]
    mark: NDArray[np.bool_]


@lru_cache(maxsize=2)
def lexicon_of(pieces: tuple[str, ...]) -> Lexicon:
    """Return the flags of word pieces, which are given in the order of their ids."""
    bare = [piece.removeprefix("##") for piece in pieces]
    stop, negations = frozenset(_STOP.split()), frozenset(_NEGATIONS.split())
    return Lexicon(
        stop=np.array([piece in stop for piece in pieces]),
        negation=np.array([piece in negations for piece in pieces]),
        number=np.array([piece.isdigit() for piece in bare]),
        mark=np.array([not _WORD.search(piece) for piece in bare]),
    )


@dataclass(frozen=True, slots=True, eq=False)
class TokenVectors:
    """The tokens of a text: ids of shape (n,), their places in the text (n, 2), vectors (n, width)."""

    ids: NDArray[np.int64]
    places: NDArray[np.int64]
    vectors: NDArray[np.float16]

    def __len__(self) -> int:
        """Return how many tokens there are."""
        return len(self.ids)


def joined(parts: Sequence[TokenVectors]) -> TokenVectors:
    """Return the tokens of several texts as one; places stay those within each text."""
    if len(parts) == 1:
        return parts[0]
    return TokenVectors(
        np.concatenate([part.ids for part in parts]),
        np.concatenate([part.places for part in parts]),
        np.concatenate([part.vectors for part in parts]),
    )


class TokenEncoder:
    """Texts of any length as token vectors, by an embedder that tells the states of its tokens.

    A long text is read in windows of whole sentences, each by itself, so that no token depends on what stands
    far from it, and none is cut off. The embedder is a BERT; the hidden states of ``layers`` are laid side by
    side, 0 is what goes into the first one.
    """

    def __init__(self, embedder: TokenEmbedder, *, layers: tuple[int, ...]) -> None:
        self.embedder, self._layers = embedder, layers
        self._kept: OrderedDict[str, TokenVectors] = OrderedDict()
        self._tokens_kept = 0

    @property
    def width(self) -> int:
        """Return the length of a token's vector."""
        return len(self._layers) * self.embedder.fingerprint.dimension

    @property
    def pieces(self) -> tuple[str, ...]:
        """Return the word piece of each id."""
        return self.embedder.pieces

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
        vectors = self.embedder.states([ids for _, (ids, _) in windows], self._layers)
        none = np.zeros(0, np.int64)
        empty = TokenVectors(none, none.reshape(0, 2), np.zeros((0, self.width), np.float16))
        parts: dict[str, list[TokenVectors]] = {text: [] for text in texts}
        for (text, (ids, places)), own in zip(windows, vectors, strict=True):
            parts[text].append(TokenVectors(np.array(ids, np.int64), np.array(places, np.int64), own))
        return {text: joined(own or [empty]) for text, own in parts.items()}

    def _windows(self, text: str) -> list[tuple[list[int], list[tuple[int, int]]]]:
        """Return ids and places of the tokens, in windows of whole sentences where they fit."""
        windows: list[tuple[list[int], list[tuple[int, int]]]] = []
        text = valid_utf8(text)
        spans = [span for span in sentence_spans(text) if span.end > span.start]
        sentences = [text[span.start : span.end] for span in spans]
        for span, (ids, stretches) in zip(spans, self.embedder.tokens(sentences), strict=True):
            places = [(span.start + piece.start, span.start + piece.end) for piece in stretches]
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
