"""Score one answer, and its passages, against gold: from 0 to 1, higher is better, never NaN."""

from __future__ import annotations

import math
import re
import string
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hybrid.evaluation.outcomes import Outcome, Retrieved
from hybrid.models import Embedder
from hybrid.ranking import average_precision, ndcg, precision, recall, reciprocal_rank
from hybrid.text.folding import spaced, typed
from hybrid.text.numbers import Quantity, lone_quantity, quantities
from hybrid.text.words import contains, content_words, share_supported
from hybrid.types import Evidence, Question, Span

# An empty answer scores 0, and so does any where there is no gold; of several golds the best one counts.
_ARTICLES = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)
# Marks that no keyboard of one's own has, but for those that mean something, as € and ° do.
_UNTYPED = re.compile(r"[…·•「」『』、。，！？；：（）【】《》¿¡]")
_LONGER = re.compile(r"(?<!\w)[-−]?\d+[.,]\d[\d.,]*|(?<![\w)])[-−]\d+")
# 127 and 128, one step apart where settings are powers of two, are further apart than this.
_TOLERANCE = 0.005
_GROUPED = re.compile(r"(?<=\d) (?=\d{3}(?!\d))(?<![\d.,]{4} )")
_METRES = re.compile(r"(\d)\s?m\b")
_POLAR = re.compile(r"\b(?:yes|no)\b")
# A passage that ends in the middle of the evidence holds it if it has this share of it.
_OVERLAP = 0.5
# The share of the quote's content words that a passage must have where the words differ a little, as
# they do between two readings of one PDF. A number that is missing is never made up for.
_WORDS = 0.8
# A shorter quote stands in many places by chance, so it counts only where it was taken from.
_TELLING = 4
_CUT = 10


def normalise(text: str) -> str:
    """Return lower case text without punctuation, articles and extra space (SQuAD, Rajpurkar et al. 2016).

    Typography is what one would type instead; of scripts without blanks each character is a word (MLQA, Lewis
    et al. 2020).
    """
    bare = _UNTYPED.sub("", typed(text).lower().translate(_PUNCTUATION))
    return " ".join(_ARTICLES.sub(" ", spaced(bare)).split())


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
    said = Counter(words := _words(answer))
    return max(
        (_harmonic((said & Counter(gold)).total(), words, gold) for gold in map(_words, golds)), default=0.0
    )


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


def numeric_match(answer: str, golds: Sequence[str]) -> float:
    """Return 1 if the answer states a gold quantity, else 0.

    An answer that gives several numbers matches if the gold one is among them. Units of one kind are
    converted; of two kinds they do not match; a unit that is missing on one side matches any, and the numbers
    are then compared as written. Golds that are not lone quantities are passed over. ``golds`` are
    alternatives. Whole numbers of the same unit and magnitude must be equal: a port, a year or a count is not
    "about right".
    """
    wanted = [quantity for gold in golds if (quantity := lone_quantity(gold)) is not None]
    plain = _GROUPED.sub("", answer)
    if any(unit.kind == "metre" for gold in wanted for unit in gold.units):
        plain = _METRES.sub(r"\1 metres", plain)  # elsewhere millions
    given = quantities(plain, terse=True) if wanted else []
    return float(any(_equal(one, gold) for one in given for gold in wanted))


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
    texts = sorted({text for group in (answers, *golds) for text in group if text.strip()})
    if not texts:
        return [0.0] * len(answers)
    vectors = np.nan_to_num(np.asarray(embedder.embed_documents(texts), dtype=np.float64))
    vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    rows = dict(zip(texts, vectors, strict=True))
    cosines = (
        [float(rows[answer] @ rows[gold]) for gold in group if answer in rows and gold in rows]
        for answer, group in zip(answers, golds, strict=True)
    )
    return [min(max([0.0, *found]), 1.0) for found in cosines]


@dataclass(frozen=True, slots=True)
class ContextScores:
    """What the passages of one answer are worth against the gold evidence, each from 0 to 1, or None.

    ``recall`` is the share of the pieces of evidence that some passage holds. ``ndcg`` is at 10, a piece
    of evidence being found at the first passage that holds it; holding it again gains nothing.
    ``reciprocal_rank`` is one over the rank of the first passage that holds any. ``precision`` is the
    share of the passages that hold any (RAGChecker), ``average_precision`` the mean precision at the
    ranks of those that do (ragas): two numbers that both go by the name of context precision.
    ``utilisation`` is the share of the evidence that was retrieved and that the answer uses, None if none
    was retrieved (after RAGChecker, Ru et al. 2024, which asks a large model).
    """

    recall: float | None = None
    ndcg: float | None = None
    reciprocal_rank: float | None = None
    precision: float | None = None
    average_precision: float | None = None
    utilisation: float | None = None


def context_scores(question: Question, outcome: Outcome) -> ContextScores:
    """Score the passages of an answer, best first; without passages all is 0, without evidence None.

    Evidence is used if a citation holds it, if the answer states a gold answer that stands in it, or if
    the answer says most of it again. An answer that failed or abstained uses none.
    """
    if not question.evidence:
        return ContextScores()
    held = evidence_held(question, outcome.passages)
    ranks = [str(rank) for rank in range(len(held))]
    relevant = {rank: int(bool(pieces)) for rank, pieces in zip(ranks, held, strict=True)}
    found = _order_found(held)
    wanted = {f"evidence {place}": 1 for place in range(len(question.evidence))}
    return ContextScores(
        recall=recall(found, wanted, len(found)),
        ndcg=ndcg(found, wanted, _CUT),
        reciprocal_rank=reciprocal_rank(ranks, relevant),
        precision=precision(ranks, relevant),
        average_precision=average_precision(ranks, relevant),
        utilisation=_utilisation(question, outcome, frozenset[int]().union(*held)),
    )


def holds(evidence: Evidence, *, source: str, span: Span, text: str) -> bool:
    """Tell whether a stretch of a document holds a piece of gold evidence.

    It does if it is from the same source and covers at least half of the evidence by offsets; else if the
    quote stands in it as whole words, in any case and spacing; else, where the evidence has no offsets,
    if 80 % of the quote's content words and all its numbers stand in it. In another source, or at another
    place than the known one, only a quote of at least four content words counts. Evidence without a quote
    and without offsets is held by every passage of its source.
    """
    same = source == evidence.source
    if same and evidence.span is not None and _overlaps(evidence.span, span):
        return True
    if not evidence.quote.strip():
        return same and evidence.span is None
    anywhere = len(content_words(evidence.quote)) >= _TELLING
    if not anywhere and not (same and evidence.span is None):
        return False
    if contains_gold(text, [evidence.quote]):
        return True
    return evidence.span is None and share_supported(evidence.quote, text) >= _WORDS


def evidence_held(question: Question, passages: Sequence[Retrieved]) -> list[frozenset[int]]:
    """Return for each passage which pieces of the question's evidence it holds, by their place."""
    return [
        frozenset(
            place
            for place, evidence in enumerate(question.evidence)
            if holds(evidence, source=passage.source, span=passage.span, text=passage.text)
        )
        for passage in passages
    ]


def _equal(one: Quantity, gold: Quantity) -> bool:
    if one.weak and not one.units and gold.units:
        return False  # "one should also" counts nothing
    if not (one.units and gold.units):
        return _same_as_written(one, gold)
    return any(
        _same_as_written(one, gold)
        if mine == theirs
        else _close(_value(one) * mine.size, _value(gold) * theirs.size)
        for mine in one.units
        for theirs in gold.units
        if mine.kind == theirs.kind
    )


def _same_as_written(one: Quantity, gold: Quantity) -> bool:
    whole = one.number.is_integer() and gold.number.is_integer()
    if whole and one.magnitude == gold.magnitude:
        return one.number == gold.number
    return _close(_value(one), _value(gold))


def _value(quantity: Quantity) -> float:
    return quantity.number * quantity.magnitude


def _close(one: float, gold: float) -> bool:
    return math.isfinite(one) and math.isfinite(gold) and abs(one - gold) <= _TOLERANCE * abs(gold)


def _words(text: str) -> list[str]:
    return normalise(text).split() or text.lower().split()


def _label(text: str) -> str:
    bare = text.strip().strip("\"'“”‘’`").strip()
    return bare.rstrip(".!").rstrip("\"'”’`").strip().casefold() or bare.casefold()


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


def _overlaps(evidence: Span, passage: Span) -> bool:
    common = min(evidence.end, passage.end) - max(evidence.start, passage.start)
    shorter = min(evidence.end - evidence.start, passage.end - passage.start)
    return common > 0 and common >= _OVERLAP * shorter


def _order_found(held: Sequence[frozenset[int]]) -> list[str]:
    """Return the pieces of evidence in the order they are found, with a place for what brings nothing new."""
    names: list[str] = []
    seen: set[int] = set()
    for rank, pieces in enumerate(held):
        names += [f"evidence {place}" for place in sorted(pieces - seen)] or [f"passage {rank}"]
        seen |= pieces
    return names


def _utilisation(question: Question, outcome: Outcome, there: frozenset[int]) -> float | None:
    if not there:
        return None
    if outcome.failed or outcome.abstained:
        return 0.0
    return sum(_uses(question.evidence[place], question.answers, outcome) for place in there) / len(there)


def _uses(evidence: Evidence, golds: Sequence[str], outcome: Outcome) -> bool:
    for citation in outcome.citations:
        if holds(
            evidence, source=citation.source, span=Span(citation.start, citation.end), text=citation.text
        ):
            return True
    stated = [gold for gold in golds if contains_gold(evidence.quote, [gold])]
    return (
        bool(contains_gold(outcome.answer, stated))
        or share_supported(evidence.quote, outcome.answer) >= _WORDS
    )
