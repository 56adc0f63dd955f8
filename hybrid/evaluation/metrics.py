"""Score one answer against gold.

Takes texts, gives numbers from 0 to 1, higher is better. An empty answer scores 0, and so does any
answer where there is no gold; nothing is ever NaN. Several golds are alternatives: the best one counts.
"""

from __future__ import annotations

import math
import re
import string
from collections import Counter
from collections.abc import Sequence

import numpy as np

from hybrid.models import Embedder
from hybrid.text.numbers import Quantity, lone_quantity, quantities
from hybrid.text.words import contains

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)
_LONGER = re.compile(r"(?<!\w)[-−]?\d+[.,]\d[\d.,]*|(?<![\w)])[-−]\d+")
# 127 and 128, one step apart where settings are powers of two, are further apart than this.
TOLERANCE = 0.005
_POLAR = re.compile(r"\b(?:yes|no)\b")


def normalise(text: str) -> str:
    """Return lower case text without punctuation, articles and extra space (SQuAD, Rajpurkar et al. 2016)."""
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split())


def contains_gold(answer: str, golds: Sequence[str]) -> float:
    """Return 1 if a gold answer stands in the answer as whole words, in any case and spacing, else 0."""
    return float(any(contains(answer, gold) for gold in golds))


def exact_match(answer: str, golds: Sequence[str]) -> float:
    """Return 1 if the normalised answer is a normalised gold answer, else 0 (SQuAD).

    Where normalising leaves nothing, as of ``a`` or ``--``, the text itself is compared.
    """
    words = _words(answer)
    return float(bool(words) and any(words == _words(gold) for gold in golds))


def token_f1(answer: str, golds: Sequence[str]) -> float:
    """Return the best harmonic mean of token precision and recall over the gold answers (SQuAD)."""
    return max((_f1(_words(answer), _words(gold)) for gold in golds), default=0.0)


def rouge_l(answer: str, golds: Sequence[str]) -> float:
    """Return the best F of the longest common subsequence of tokens over the gold answers.

    The F is the balanced one: 2·LCS / (tokens of the answer + tokens of the gold). Tokens are those of
    ``token_f1``, without stemming; so it is token F1 that minds the order, and never above it (ROUGE-L,
    Lin 2004).
    """
    words = _words(answer)
    return max(
        (_harmonic(_longest_common(words, gold), words, gold) for gold in map(_words, golds)), default=0.0
    )


def label_accuracy(answer: str, golds: Sequence[str]) -> float:
    """Return 1 if the answer is a gold label, in any case and without quotation marks or a full stop, else 0.

    An answer that names several labels, or wraps one in a sentence, is none.
    """
    return float(bool(answer.strip()) and _label(answer) in {_label(gold) for gold in golds})


def is_polar(golds: Sequence[str]) -> bool:
    """Tell whether a question wants yes or no: all its golds are one of the two."""
    return bool(golds) and all(_label(gold) in ("yes", "no") for gold in golds)


def polar_match(answer: str, golds: Sequence[str]) -> float:
    """Return 1 if the answer says yes or no as the gold does, else 0.

    The first word decides if it is one of the two. Else exactly one of them may stand in the answer: "no"
    stands in many a sentence by accident, and "there is no limit, so yes" says neither for sure.
    """
    said = _POLAR.findall(answer.casefold())
    begins = _words(answer)[:1]
    meant = {begins[0]} if begins and begins[0] in ("yes", "no") else set(said)
    return float(len(meant) == 1 and meant <= {_label(gold) for gold in golds})


def is_numeric(golds: Sequence[str]) -> bool:
    """Tell whether every gold answer is a quantity and nothing else; false if there are none."""
    return bool(golds) and all(lone_quantity(gold) is not None for gold in golds)


def numeric_match(answer: str, golds: Sequence[str], *, tolerance: float = TOLERANCE) -> float:
    """Return 1 if the answer states a gold quantity, else 0.

    An answer that gives several numbers matches if the gold one is among them. Units of one kind are
    converted; of two kinds they do not match; a unit that is missing on one side matches any, and the
    numbers are then compared as written. Golds that are not lone quantities are passed over.

    Args:
        answer: a text.
        golds: alternatives.
        tolerance: the accepted difference as a share of the gold value, at least 0. Whole numbers of the
            same unit and magnitude must be equal: a port, a year or a count is not "about right".
    """
    wanted = [quantity for gold in golds if (quantity := lone_quantity(gold)) is not None]
    given = quantities(answer, terse=True) if wanted else []
    return float(any(_equal(one, gold, tolerance) for one in given for gold in wanted))


def contains_numeral(answer: str, golds: Sequence[str]) -> float:
    """Return 1 if a gold stands in the answer as whole words and not as a part of a longer numeral, else 0.

    It finds the year in a date and the number in a name, which are no quantities; 5 is not in 5.5 or −5.
    """
    return contains_gold(_LONGER.sub("#", answer), golds)


def similarities(answers: Sequence[str], golds: Sequence[Sequence[str]], embedder: Embedder) -> list[float]:
    """Return for each answer the best cosine of its vector with those of its golds, cut to 0 … 1.

    It measures that the same is talked about, not that it is right: a wrong number hardly moves it. Each
    text is embedded once. An empty answer, or one without golds, is 0.

    Raises:
        ValueError: not as many gold lists as answers.
    """
    if len(answers) != len(golds):
        raise ValueError(f"{len(answers)} answers and {len(golds)} lists of gold answers")
    texts = sorted(
        {text for text in (*answers, *(gold for group in golds for gold in group)) if text.strip()}
    )
    if not texts:
        return [0.0] * len(answers)
    vectors = np.nan_to_num(np.asarray(embedder.embed_documents(texts), dtype=np.float64))
    vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    rows = {text: vectors[place] for place, text in enumerate(texts)}
    return [
        max(
            (_cosine(rows[answer], rows[gold]) for gold in group if answer in rows and gold in rows),
            default=0.0,
        )
        for answer, group in zip(answers, golds, strict=True)
    ]


def _equal(one: Quantity, gold: Quantity, tolerance: float) -> bool:
    if not (one.units and gold.units):
        return _same_as_written(one, gold, tolerance)
    return any(
        _same_as_written(one, gold, tolerance)
        if mine == theirs
        else _close(
            one.number * one.magnitude * mine.size, gold.number * gold.magnitude * theirs.size, tolerance
        )
        for mine in one.units
        for theirs in gold.units
        if mine.kind == theirs.kind
    )


def _same_as_written(one: Quantity, gold: Quantity, tolerance: float) -> bool:
    whole = one.number.is_integer() and gold.number.is_integer()
    if whole and one.magnitude == gold.magnitude:
        return one.number == gold.number
    return _close(_value(one), _value(gold), tolerance)


def _value(quantity: Quantity) -> float:
    return quantity.number * quantity.magnitude


def _close(one: float, gold: float, tolerance: float) -> bool:
    # the least share is that of a conversion between units, which must not fail by rounding
    return math.isfinite(one) and math.isfinite(gold) and abs(one - gold) <= max(tolerance, 1e-9) * abs(gold)


def _cosine(one: np.ndarray, other: np.ndarray) -> float:
    return min(max(float(one @ other), 0.0), 1.0)


def _words(text: str) -> list[str]:
    return normalise(text).split() or text.lower().split()


def _label(text: str) -> str:
    bare = text.strip().strip("\"'“”‘’`").strip()
    return bare.rstrip(".!").rstrip("\"'”’`").strip().casefold() or bare.casefold()


def _f1(answer: list[str], gold: list[str]) -> float:
    return _harmonic(sum((Counter(answer) & Counter(gold)).values()), answer, gold)


def _harmonic(common: int, answer: list[str], gold: list[str]) -> float:
    return 2 * common / (len(answer) + len(gold)) if common else 0.0


def _longest_common(one: list[str], other: list[str]) -> int:
    """Return the length of the longest common subsequence, one row of the table at a time."""
    row = [0] * (len(other) + 1)
    for word in one:
        diagonal = 0
        for place, against in enumerate(other, start=1):
            above = row[place]
            row[place] = diagonal + 1 if word == against else max(above, row[place - 1])
            diagonal = above
    return row[-1]
