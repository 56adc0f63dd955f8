"""The judge of answers: candidates, one call of the scorer, and the verdict on each claim."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path

import numpy as np

from hybrid.config import Settings
from hybrid.errors import ModelError
from hybrid.generation.citations import only_quoted, without_markers
from hybrid.grounding.calibration import (
    CALIBRATION,
    UNCALIBRATED,
    Calibration,
    Fitted,
    card_file,
    card_path,
    read_fitted,
)
from hybrid.grounding.checks import (
    ALIKE,
    CONTRADICTING,
    HARD,
    TextFacts,
    contradictions,
    in_order,
    missing,
    objections,
)
from hybrid.grounding.claims import claims_of
from hybrid.grounding.evidence import SearchedPassage
from hybrid.grounding.scorers.names import SHIPPED, TRAINED, Scorer, scorer_for, weights_folder
from hybrid.grounding.values import (
    DEFAULT_THRESHOLDS,
    Claim,
    ClaimVerdict,
    Doubt,
    DoubtedSpan,
    Excerpt,
    Pair,
    Status,
    Thresholds,
    share_supported,
)
from hybrid.models import Embedder
from hybrid.text.dates import MONTHS
from hybrid.text.folding import legible
from hybrid.text.rows import spoken
from hybrid.text.words import ENGLISH, language_of, terms
from hybrid.tracing import names
from hybrid.tracing.names import SpanKind
from hybrid.tracing.spans import span, tell
from hybrid.types import Answer, Span

# A sentence is shown instead of the passage around it if it has as much support but for this.
_AS_GOOD = 0.1
_MONTHS = frozenset(terms(" ".join(MONTHS)))
# What stands there word by word is carried, whatever a scorer makes of it: none need be asked about it.
_VERBATIM = 1.0
# Two passages are held together where they share a word of the claim, each adds one, and so many are there.
_TOGETHER = 0.8
_SENTENCES_OF_EACH = 2
# Passages that several claims or answers share are read once, if they come one after the other.
_KEPT = 64
# Nothing a scorer says is surer than this; it also keeps an infinite logit from becoming no number.
_SUREST = 1_000.0
# What was measured in English alone; of a model that someone names nobody here knows what it reads.
_ENGLISH_ONLY = ("overlap", "align", TRAINED)


@dataclass(frozen=True, slots=True)
class CheckedEvidence:
    """Evidence for a claim and what the checks say of it, before any scorer is asked.

    ``lacking`` is what its whole passage lacks of the claim, ``denied`` what the evidence itself denies, or
    does not state as a fact; ``verbatim`` is whether it says the claim word by word.
    """

    evidence: Excerpt
    lacking: tuple[DoubtedSpan, ...] = ()
    denied: tuple[DoubtedSpan, ...] = ()
    verbatim: bool = False

    @property
    def doubts(self) -> tuple[DoubtedSpan, ...]:
        """Return all that the checks found."""
        return (*self.lacking, *self.denied)

    @property
    def certain(self) -> bool:
        """Return whether it says the claim word by word, and no check objects."""
        return self.verbatim and not self._objected

    @property
    def _objected(self) -> bool:
        return bool(self.denied) or any(finding.doubt in HARD for finding in self.lacking)

    def lessened(self, probability: float, thresholds: Thresholds) -> float:
        """Return what is left of a scorer's probability after the checks."""
        if self.certain:
            return _VERBATIM
        if self._objected:
            return probability * thresholds.doubted
        if any(finding.doubt is Doubt.NAME for finding in self.lacking):
            left = probability * thresholds.unnamed
            return left / (1 - probability + left) if left > 0 else 0.0
        return probability


@dataclass(frozen=True, slots=True)
class ScoredEvidence:
    """Checked evidence after the scorer.

    ``support`` is its probability, lessened if it is doubted; ``logit`` is what the scorer said; ``opposed``
    whether the scorer takes the evidence for the opposite of the claim; ``failed`` whether it said no number.
    """

    candidate: CheckedEvidence
    support: float
    logit: float
    opposed: bool = False
    failed: bool = False


def decide(claim: Claim, judged: Sequence[ScoredEvidence], thresholds: Thresholds) -> ClaimVerdict:
    """Return the verdict on a checkable claim; without candidates it is not in evidence, with support 0."""
    if not judged:
        return ClaimVerdict(claim, Status.NOT_IN_EVIDENCE, 0.0)
    best = min(judged, key=_better)
    for least, status in ((thresholds.carried, Status.SUPPORTED), (thresholds.unclear, Status.UNCLEAR)):
        if best.support >= least:
            shown = _shortest(judged, max(least, best.support - _AS_GOOD)).candidate
            found = _findings(claim, shown.doubts)
            return ClaimVerdict(claim, status, best.support, shown.evidence, found)
    if any(one.failed for one in judged):
        return ClaimVerdict(claim, Status.NOT_JUDGED)
    evidence, status, doubts = best.candidate.evidence, Status.NOT_IN_EVIDENCE, best.candidate.doubts
    text = legible(claim.text).text
    if best.opposed:
        status = Status.CONTRADICTED
        evidence = _closest(text, [one for one in judged if one.opposed])
    else:
        closest = _closest(text, judged)
        against = contradictions(text, closest.text, alike=thresholds.close)
        if any(one.doubt in CONTRADICTING for one in against):
            # of several sentences that are read together the one that says so
            within = [one.candidate.evidence for one in judged if one.candidate.evidence.text in closest.text]
            alone = (
                one for one in within if contradictions(text, one.text, alike=thresholds.close) == against
            )
            evidence, status, doubts = min(alone, key=_length), Status.CONTRADICTED, against
        else:
            doubts = (*doubts, *against)
    return ClaimVerdict(claim, status, best.support, evidence, _findings(claim, doubts))


def _findings(claim: Claim, found: Iterable[DoubtedSpan]) -> tuple[DoubtedSpan, ...]:
    """Return findings of what is seen of a claim as they stand in it, in its order, each once."""
    places = legible(claim.text).places
    spans = {one: Span(places[one.span.start], places[one.span.end - 1] + 1) for one in found}
    return in_order({DoubtedSpan(one.doubt, at, claim.text[at.start : at.end]) for one, at in spans.items()})


def _shortest(judged: Sequence[ScoredEvidence], least: float) -> ScoredEvidence:
    """Return the shortest candidate of so much support: it shows where the claim stands."""
    enough = [one for one in judged if one.support >= least]
    return min(enough, key=lambda one: (_length(one.candidate.evidence), _better(one)))


def _length(evidence: Excerpt) -> tuple[bool, int]:
    return evidence.beside is not None, len(evidence.text)


def _better(judged: ScoredEvidence) -> tuple[float, float, int, str, list[tuple[int, str]]]:
    """Sort the best first; equals by text and findings, so that the number of a passage decides nothing."""
    text = judged.candidate.evidence.text
    lacking = [(finding.span.start, finding.doubt.value) for finding in judged.candidate.lacking]
    return (-judged.support, -judged.logit, len(text), text, lacking)


def _closest(claim: str, judged: Sequence[ScoredEvidence]) -> Excerpt:
    """Return the candidate with most words of the claim, numbers and months apart; the shortest of equals."""
    said = {term for term in terms(claim) if not term[0].isdigit()} - _MONTHS
    texts = {found.candidate.evidence.text: found.candidate.evidence for found in reversed(judged)}
    return texts[min(texts, key=lambda text: (-len(said.intersection(terms(text))), len(text), text))]


@dataclass(frozen=True, slots=True)
class Case:
    """What is judged: an answer, and the passages it was given."""

    answer: str
    passages: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Grounding:
    """What was found of an answer: a verdict for each claim in order."""

    verdicts: tuple[ClaimVerdict, ...]


@dataclass(frozen=True, slots=True)
class Task:
    """The text of a claim and the passages that may carry it, each by itself or two ``together``."""

    claim: str
    passages: tuple[str, ...]
    together: bool = False


@dataclass(frozen=True, slots=True)
class _Opinion:
    """What scorer and calibration say of a pair."""

    probability: float
    logit: float
    opposed: bool
    failed: bool

    def of(self, candidate: CheckedEvidence, thresholds: Thresholds) -> ScoredEvidence:
        support = candidate.lessened(self.probability, thresholds)
        return ScoredEvidence(candidate, support, self.logit, self.opposed, self.failed)


_KNOWN = _Opinion(_VERBATIM, _SUREST, opposed=False, failed=False)


def _certain(candidates: list[CheckedEvidence]) -> list[CheckedEvidence]:
    """Return those that are certain where there are any: no other is better."""
    return [one for one in candidates if one.certain] or candidates


class _Passages:
    """Passages cut into sentences and read for facts, once for claims that come one after the other."""

    def __init__(self, max_words: int) -> None:
        self._max_words = max_words
        self._searched = lru_cache(maxsize=_KEPT)(partial(SearchedPassage, max_words=max_words))
        self._facts = lru_cache(maxsize=_KEPT)(lambda text: TextFacts(legible(text).text))

    def candidates(self, task: Task) -> list[CheckedEvidence]:
        """Return what could carry a claim, with what the checks say of it."""
        shown = legible(task.claim)
        found: list[CheckedEvidence] = []
        for number, text in enumerate(task.passages):
            searched = self._searched(text)
            proposed = searched.candidates(shown.text, number)
            if not proposed:
                continue
            odd = [DoubtedSpan(Doubt.LETTERS, at, shown.text[at.start : at.end]) for at in shown.mixed]
            lacking = in_order([*odd, *missing(shown.text, self._facts(text))])
            verbatim = searched.saying(shown.text)
            for evidence in proposed:
                places = searched.places(evidence)
                denied = objections(shown.text, [searched.framed[place] for place in places])
                found.append(CheckedEvidence(evidence, lacking, denied, not verbatim.isdisjoint(places)))
        return [*found, *(self._unions(shown.text, task.passages) if task.together else ())]

    def _unions(self, claim: str, passages: Sequence[str]) -> Iterator[CheckedEvidence]:
        """Yield two passages as one, where both speak of the same and carry a claim only together.

        Whether they do hangs on these two alone, so that one more passage takes none away.
        """
        wanted = frozenset(terms(claim))
        held = [wanted & self._facts(text).terms for text in passages]
        for one, other in itertools.combinations(range(len(passages)), 2):
            here, there = held[one], held[other]
            if (
                here & there
                and here - there
                and there - here
                and len(here | there) >= _TOGETHER * len(wanted)
            ):
                # the order of passages must not matter
                pair = sorted((one, other), key=lambda number: passages[number])
                yield from self._union(claim, [(number, passages[number]) for number in pair])

    def _union(self, claim: str, pair: Sequence[tuple[int, str]]) -> Iterator[CheckedEvidence]:
        searched = [self._searched(text) for _, text in pair]
        parts = [
            one.excerpt(claim, number, _SENTENCES_OF_EACH)
            for one, (number, _) in zip(searched, pair, strict=True)
        ]
        text = " ".join(part.text for part in parts)
        if len(text.split()) <= self._max_words:
            both = self._facts("\n".join(text for _, text in pair))
            denied: set[DoubtedSpan] = set()
            for one, part in zip(searched, parts, strict=True):
                denied.update(contradictions(claim, part.text, alike=ALIKE))
                denied.update(objections(claim, [one.framed[place] for place in one.places(part)]))
            evidence = replace(parts[0], text=text, beside=parts[1])
            yield CheckedEvidence(evidence, in_order(missing(claim, both)), in_order(denied))


@dataclass(frozen=True, slots=True)
class Grounder:
    """Judge with one scorer, its calibration and one policy; a claim may be carried and wrong.

    Two laws hold for every scorer. One more passage never lowers the support of a claim: each candidate is
    found and judged without the other passages, or those of two together without a third, and the best one
    counts. And the order of the passages changes nothing but their numbers. The scorer judges single pairs,
    the calibration turns its logits into probabilities, and ``thresholds`` say where these become a status.
    ``languages`` are those that scorer and checks know, see ``language_of``; a claim in another one is not
    judged. None judges whatever there is.

    Example:
        >>> grounder = Grounder(NgramOverlap(), calibration)  # doctest: +SKIP
        >>> grounding = grounder.ground("The port is 5433.", ["The port is 5432."])  # doctest: +SKIP
        >>> grounding.verdicts[0].status  # doctest: +SKIP
        <Status.CONTRADICTED: 'contradicted'>
    """

    scorer: Scorer
    calibration: Calibration
    thresholds: Thresholds = DEFAULT_THRESHOLDS
    languages: frozenset[str] | None = ENGLISH

    def ground(self, answer: str, passages: Sequence[str]) -> Grounding:
        """Judge one answer; see ``ground_all``."""
        about = {names.EVALUATION: "groundedness", names.MODEL: self.scorer.name}
        with span(names.JUDGE, SpanKind.EVALUATOR, about) as stage:
            found = self.ground_all([Case(answer, tuple(passages))])[0]
            share = share_supported(found.verdicts)
            if share is not None:
                stage.set({names.EVALUATION_SCORE: share, names.ITEMS: len(found.verdicts)})
                tell({names.GROUNDEDNESS: share})
        return found

    def ground_all(self, cases: Sequence[Case]) -> list[Grounding]:
        """Judge answers with one call of the scorer, in which equal pairs stand once.

        A claim that cannot be checked keeps its reason and has no support, and so has one in a language that
        the judge does not know. Without passages, or where none has a word, a claim that can is not in
        evidence, with support 0.

        Raises:
            ModelError: the scorer did not answer for every pair.
        """
        said = [[(claim, self._unjudged(claim)) for claim in claims_of(case.answer)] for case in cases]
        tasks = [
            Task(claim.text, case.passages, together=True)
            for case, claims in zip(cases, said, strict=True)
            for claim, status in claims
            if status is None
        ]
        found = iter(self.judge(tasks))
        return [
            Grounding(
                tuple(
                    decide(claim, next(found), self.thresholds)
                    if status is None
                    else ClaimVerdict(claim, status)
                    for claim, status in claims
                )
            )
            for claims in said
        ]

    def judge(self, tasks: Sequence[Task]) -> list[list[ScoredEvidence]]:
        """Return the judged candidates of each claim, with one call of the scorer.

        Raises:
            ModelError: the scorer did not answer for every pair.
        """
        passages = _Passages(self.scorer.max_words)
        candidates = [_certain(passages.candidates(task)) for task in tasks]
        pairs = [
            Pair(candidate.evidence.text, legible(task.claim).text)
            for task, found in zip(tasks, candidates, strict=True)
            for candidate in found
            if not candidate.certain
        ]
        # in an order of their own: batches, and so the last bits of a logit, do not hang on that of passages
        opinions = self._opinions(sorted(set(pairs), key=lambda pair: (pair.evidence, pair.claim)))
        asked = iter(pairs)
        return [
            [
                (_KNOWN if candidate.certain else opinions[next(asked)]).of(candidate, self.thresholds)
                for candidate in found
            ]
            for found in candidates
        ]

    def check(self, answer: Answer) -> Grounding:
        """Judge what an answer asserts against its hits; the evidence stands in the texts of their chunks."""
        chunks = [hit.chunk for hit in answer.hits]
        read = [spoken(chunk.text, chunk.caption, chunk.columns) for chunk in chunks]

        def placed(evidence: Excerpt) -> Excerpt:
            spans = tuple(read[evidence.passage].origin(span) for span in evidence.spans)
            beside = evidence.beside and placed(evidence.beside)
            return replace(evidence, spans=spans, beside=beside)

        # what the extractive reader puts before a quote stands above it, not in the passage
        said = only_quoted(answer) if answer.reader == "extractive" else answer.text
        if not any(map(str.isalnum, without_markers(said))):
            return Grounding(())
        found = self.ground(said, [passage.text for passage in read]).verdicts
        return Grounding(tuple(replace(own, evidence=own.evidence and placed(own.evidence)) for own in found))

    def reads(self, text: str) -> bool:
        """Tell whether a text is in a language that this judge knows."""
        return self.languages is None or language_of(text) in self.languages

    def _unjudged(self, claim: Claim) -> Status | None:
        """Return what becomes of a claim that no scorer is asked about; None of the others."""
        if claim.reason:
            return Status.NOT_CHECKABLE
        return None if self.reads(claim.text) else Status.UNSUPPORTED_LANGUAGE

    def _opinions(self, pairs: Sequence[Pair]) -> dict[Pair, _Opinion]:
        if not pairs:
            return {}
        logits = self.scorer.score(pairs)
        if len(logits.support) != len(pairs):
            raise ModelError(
                f"{self.scorer.name} gave {len(logits.support)} logits for {len(pairs)} pairs",
                hint="a scorer gives one number a pair, in their order",
            )
        told = np.asarray(logits.support, dtype=np.float64)
        support = np.nan_to_num(told, nan=-_SUREST).clip(-_SUREST, _SUREST)
        likely = np.nan_to_num(self.calibration.probabilities(support), nan=0.0).clip(0.0, 1.0)
        opposed = np.zeros(len(pairs)) if logits.against is None else logits.against
        columns = (likely.tolist(), support.tolist(), (opposed > 0).tolist(), np.isnan(told).tolist())
        return {pair: _Opinion(*said) for pair, *said in zip(pairs, *columns, strict=True)}


def load_grounder(
    settings: Settings, domain: Path | None = None, *, embedder: Embedder | None = None
) -> Grounder:
    """Return what judges the answers of a domain; a scorer without any calibration is taken at its word.

    The calibration in the folder ``domain`` is taken if there is one; ``embedder`` is of a scorer that aligns
    words, instead of the one in the settings.

    Raises:
        UsageError: there is no such scorer, or the calibration is damaged.
        ModelMissing: its weights are nowhere.
    """
    name = settings.grounding.scorer
    fitted = fitted_for(name, domain)
    calibration = UNCALIBRATED if fitted is None else fitted.calibration
    scorer = scorer_for(name, settings.models, embedder=embedder)
    languages = ENGLISH if name.partition(":")[0] in _ENGLISH_ONLY else None
    return Grounder(scorer, calibration, _thresholds(fitted), languages=languages)


def fitted_for(scorer: str, domain: Path | None = None) -> Fitted | None:
    """Return calibration and threshold of a scorer: the domain's, else what ships, else None."""
    own = [] if domain is None else [card_path(domain, scorer)]
    weights = weights_folder(scorer)
    for path in (*own, SHIPPED / card_file(scorer) if weights is None else weights / CALIBRATION):
        if path.is_file():
            return read_fitted(path)
    return None


def _thresholds(fitted: Fitted | None) -> Thresholds:
    """Return the usual thresholds, with the probability that the fitted one stands for."""
    if fitted is None:
        return DEFAULT_THRESHOLDS
    likely = float(fitted.calibration.probabilities([fitted.threshold])[0])
    # what is doubted never supports, however low the threshold
    return replace(DEFAULT_THRESHOLDS, supported=likely, doubted=min(DEFAULT_THRESHOLDS.doubted, likely / 2))
