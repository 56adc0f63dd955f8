"""Arm routing: the arm of a question by what is known before any answer, held against the best single arm."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from hybrid.confidence import ReliabilityBin, calibration_error, reliability
from hybrid.decision.values import Policy
from hybrid.decision.verdict import check_table
from hybrid.decision.wording import interval_text, points
from hybrid.errors import UsageError
from hybrid.evaluation.scores import ScoreTable
from hybrid.files import hash_text
from hybrid.index import Index
from hybrid.models import Vectors
from hybrid.statistics import MIN_SOURCES, Contrast, Estimate, resample, source_places
from hybrid.text.words import overlaps, tokens
from hybrid.types import ArmChance, ArmRoute

Rows = NDArray[np.float64]
Places = NDArray[np.int64]

# What a question asks for, told by its first words of this kind; in English.
_KINDS = {
    "asks how many": r"\bhow (many|much|long|often|old|far|large|big|high|tall|fast|deep|heavy)\b",
    "asks when": r"\bwhen\b|\b(which|what) (year|date|day|month)\b",
    "asks who": r"\b(who|whom|whose)\b",
    "asks where": r"\bwhere\b",
    "asks why": r"\bwhy\b",
    "asks how": r"\bhow\b",
    "asks what": r"\b(what|which)\b",
    "asks yes or no": r"^\W*(is|are|was|do|does|did|can|could|has|have|had|will|would|should|must|may)\b",
}
_PATTERNS = [re.compile(pattern, re.IGNORECASE) for pattern in _KINDS.values()]
QUESTION_FEATURES = ("length", *_KINDS)
INDEX_FEATURES = (
    "best cosine",
    "mean cosine",
    "margin of the cosines",
    "best words",
    "margin of the words",
    "overlap with a passage",
    "share of rare words",
    "share of unknown words",
)
_WIDTHS = (len(QUESTION_FEATURES), len(QUESTION_FEATURES + INDEX_FEATURES))
_PASSAGES = 5
_RARE = 0.01
# So many questions are asked what became of them, and so many average ones are added.
_NEAREST = 20
_AVERAGE = 5
# The sources are dealt into folds so often: one dealing may be a lucky one.
_DEALS = 3
_FOLDS = 5
_INNER_FOLDS = 3
# The weight of the fit against the penalty of one: few questions, many features.
_FIT = 0.1
_SURE = 0.01
_ALIKE = 1e-3


class ArmLearner(StrEnum):
    """What expects the scores of the arms: the mean of the nearest questions, or a one-vs-rest logit."""

    NEAREST = "nearest questions"
    LOGISTIC = "logistic regression"


@dataclass(frozen=True, slots=True)
class ArmRouting:
    """What routing is worth on questions that it did not see: by sources in five folds, dealt three times.

    ``gain`` is the mean score of the arms that it chose minus that of ``single``, the arm that is hardest to
    beat on all questions; one that were chosen on the training folds is worse than the best where arms are
    nearly equal, and would flatter the router. ``ceiling`` is the mean score of the best arm of each question
    minus the same, ``retrieval`` the share of questions sent to an arm that retrieves.
    ``error`` is the debiased calibration error of what was expected of the chosen arm, and ``reliability``
    its table, of three choices a question.
    """

    learner: ArmLearner
    single: str
    gain: Estimate
    ceiling: Estimate
    retrieval: float
    error: float
    reliability: tuple[ReliabilityBin, ...]
    questions: int
    sources: int

    @property
    def shipped(self) -> bool:
        """Tell whether it earns its place: the lower bound of the gain is above 0."""
        return (self.gain.low or 0.0) > 0

    @property
    def sentence(self) -> str:
        """Say in words what it is worth, and what follows."""
        gain, ceiling = (_in_points(found) for found in (self.gain, self.ceiling))
        follows = "each question has its arm" if self.shipped else "the arm that was decided on answers all"
        return (
            f"Routing by {self.learner} gains {gain} over the best single arm ({self.single}) on "
            f"{self.questions} questions of {self.sources} sources, so {follows}; a perfect choice would "
            f"gain {ceiling}, and {self.retrieval:.0%} of the questions went to an arm that retrieves."
        )


@dataclass(frozen=True, slots=True)
class ArmRouterCard:
    """A router without its numbers: its arms and features, a hash of the data, and what it is worth."""

    arms: tuple[str, ...]
    features: tuple[str, ...]
    metric: str
    data: str
    routing: ArmRouting


@dataclass(frozen=True, slots=True, eq=False)
class ArmLogit:
    """A logistic regression an arm over standardised features.

    ``weights`` has the shape (features, arms), ``bias`` (arms,), ``means`` and ``scales`` (features,).
    """

    bias: Rows
    weights: Rows
    means: Rows
    scales: Rows

    def expected(self, rows: Rows) -> Rows:
        """Return what each arm is expected to score, shape (questions, arms)."""
        chances: Rows = 1 / (1 + np.exp(-(self.bias + (rows - self.means) / self.scales @ self.weights)))
        return chances


@dataclass(frozen=True, slots=True, eq=False)
class FittedArmRouter:
    """A card, the unit vectors of the questions that it was fitted to, and what each arm scored on them."""

    card: ArmRouterCard
    logit: ArmLogit
    vectors: Vectors
    scores: Rows

    def route(self, features: Sequence[float], vector: Vectors) -> ArmRoute:
        """Return the arm of a question: the one that is expected to score most, the first of equal ones."""
        near = _outcomes_near((self.vectors @ vector)[None, :].astype(np.float64), self.scores)
        (expected,) = near
        learner = self.card.routing.learner
        if learner is ArmLearner.LOGISTIC:
            (expected,) = self.logit.expected(np.concatenate([[features], near], axis=1))
        order = np.argsort(-expected, kind="stable")
        chances = tuple(ArmChance(self.card.arms[place], float(expected[place])) for place in order)
        first, second = chances[:2]
        reason = f"{learner}: {first.expected:.2f} expected, {second.expected:.2f} of {second.arm}"
        return ArmRoute(first.arm, reason, chances)

    def require_shapes(self) -> None:
        """Raise a ValueError for numbers that do not belong together."""
        arms, features, known = len(self.card.arms), len(self.card.features), len(self.vectors)
        numbers = (self.scores, self.logit.bias, self.logit.weights, self.logit.means, self.logit.scales)
        shapes = [(known, arms), (arms,), (features, arms), (features,), (features,)]
        if self.card.features not in (_names(self.card.arms, width) for width in _WIDTHS):
            raise ValueError("it goes by features of another version")
        if [one.shape for one in numbers] != shapes or not all(np.isfinite(one).all() for one in numbers):
            raise ValueError(f"its numbers are not those of {arms} arms and {features} features")


def arm_features(
    question: str, vector: Vectors, index: Index | None, among: Sequence[int] | None = None
) -> list[float]:
    """Return what is known of a question before any answer: see ``QUESTION_FEATURES`` and ``INDEX_FEATURES``.

    The vector is by the embedder of the index; without one only the question itself is read. ``among`` are
    the positions that may be found.
    """
    kind = next((place for place, pattern in enumerate(_PATTERNS) if pattern.search(question)), None)
    asked = [float(np.log1p(len(tokens(question)))), *(float(place == kind) for place in range(len(_KINDS)))]
    if index is None:
        return asked
    dense = index.search_dense(vector, _PASSAGES, among=among)
    cosines = [hit.score for hit in dense] or [0.0]
    words = [hit.score for hit in index.search_lexical(question, 2, among=among)]
    words = [*words, 0.0, 0.0][:2]
    texts = [chunk.text for chunk in index.chunks([hit.position for hit in dense])]
    shares = list(index.word_shares(question, among=among).values()) or [1.0]
    return [
        *asked,
        cosines[0],
        float(np.mean(cosines)),
        cosines[0] - cosines[1] if len(cosines) > 1 else 0.0,
        float(np.log1p(words[0])),
        float(np.log1p(words[0]) - np.log1p(words[1])),
        max(overlaps(question, texts), default=0.0),
        float(np.mean([0 < share <= _RARE for share in shares])),
        float(np.mean([share == 0 for share in shares])),
    ]


def fit_arm_router(
    table: ScoreTable,
    texts: Sequence[str],
    vectors: Vectors,
    features: Rows,
    *,
    retrieving: Collection[str],
    policy: Policy,
    learners: Sequence[ArmLearner] = tuple(ArmLearner),
) -> FittedArmRouter:
    """Fit a router to what each arm scored, and say what it is worth on questions that it did not see.

    The learner is chosen on inner folds. A question is never told by those of its own source. The same
    questions in another order give the same router. The arms of ``table`` are from simple to costly, which
    breaks ties; ``texts``, ``vectors`` of length 1, shape (questions, dimension), and ``features`` by
    ``arm_features``, shape (questions, features), are in its order. ``policy`` is level of the bounds,
    replicates and seed.
    """
    check_table(table)
    if len(set(table.sources)) < MIN_SOURCES:
        raise UsageError(
            f"questions of {len(set(table.sources))} sources, expected {MIN_SOURCES} or more",
            hint="questions of one document are not independent: ask of more documents",
        )
    order = sorted(range(len(texts)), key=lambda place: (texts[place], table.questions[place]))
    sources, scores = [table.sources[place] for place in order], table.values[order]
    # as they are kept, so that what is loaded chooses as what was fitted
    kept = vectors[order].astype(np.float16).astype(np.float32)
    known = _ArmCases(features[order], (kept @ kept.T).astype(np.float64), source_places(sources), scores)
    data = [f"{texts[place]}\0{table.sources[place]}\0{table.values[place].tolist()}" for place in order]
    card = ArmRouterCard(
        arms=table.arms,
        features=_names(table.arms, features.shape[1]),
        metric=table.metric,
        data=hash_text(table.metric, *table.arms, *data),
        routing=_routing(known, table.arms, sources, retrieving, policy, learners),
    )
    everything = np.arange(len(scores))
    learner = _better(known, everything, learners, policy.seed)
    card = replace(card, routing=replace(card.routing, learner=learner))
    return FittedArmRouter(card, _logit(known, everything), kept, scores)


def _names(arms: Sequence[str], width: int) -> tuple[str, ...]:
    """Return what the columns are, with so many of the features of a question."""
    return (*(QUESTION_FEATURES + INDEX_FEATURES)[:width], *(f"{arm} near by" for arm in arms))


@dataclass(frozen=True, slots=True, eq=False)
class _ArmCases:
    """Features, cosines, places of the sources, and scores of all questions, one row each."""

    features: Rows
    cosines: Rows
    sources: Places
    scores: Rows

    def rows(self, asked: Places, known: Places) -> tuple[Rows, Rows]:
        """Return how the nearest known questions of other sources fared, alone and behind the features."""
        cosines = self.cosines[np.ix_(asked, known)]
        own = self.sources[asked][:, None] == self.sources[known][None, :]
        near = _outcomes_near(np.where(own, -np.inf, cosines), self.scores[known])
        return near, np.concatenate([self.features[asked], near], axis=1)


def _outcomes_near(cosines: Rows, scores: Rows) -> Rows:
    """Return the mean scores of the nearest known questions, drawn to those of all; −inf is not near."""
    count = min(_NEAREST, cosines.shape[1])
    nearest = np.argpartition(-cosines, count - 1, axis=1)[:, :count]
    there = np.isfinite(np.take_along_axis(cosines, nearest, axis=1)).astype(np.float64)
    total = np.einsum("qn,qna->qa", there, scores[nearest])
    means: Rows = (total + _AVERAGE * scores.mean(0)) / (there.sum(1, keepdims=True) + _AVERAGE)
    return means


def _logit(cases: _ArmCases, known: Places) -> ArmLogit:
    """Return the fit to known questions; a score between 0 and 1 counts as that share of a right answer."""
    from sklearn.linear_model import LogisticRegression

    _, rows = cases.rows(known, known)
    means, scales = rows.mean(0), rows.std(0)
    scales[scales < _ALIKE] = 1.0  # what all questions have alike tells nothing
    rows = np.tile((rows - means) / scales, (2, 1))
    labels = np.repeat([1, 0], len(known))
    fits = []
    for scores in np.clip(cases.scores[known], _SURE, 1 - _SURE).T:
        fit = LogisticRegression(C=_FIT, max_iter=1_000)
        fits.append(fit.fit(rows, labels, sample_weight=np.concatenate([scores, 1 - scores])))
    # digits beyond these differ between machines
    parts = (np.array([fit.intercept_[0] for fit in fits]), np.array([fit.coef_[0] for fit in fits]).T)
    return ArmLogit(*(part.round(6) for part in (*parts, means, scales)))


def _expected(cases: _ArmCases, known: Places, asked: Places, learner: ArmLearner) -> Rows:
    near, rows = cases.rows(asked, known)
    return near if learner is ArmLearner.NEAREST else _logit(cases, known).expected(rows)


def _folds(sources: Places, count: int, seed: int) -> Iterator[NDArray[np.bool_]]:
    """Yield which questions are left out, every source once."""
    names, own = np.unique(sources, return_inverse=True)
    dealt = np.random.default_rng([seed, count]).permutation(len(names)) % count
    yield from (dealt[own] == fold for fold in range(count))


def _better(cases: _ArmCases, known: Places, learners: Sequence[ArmLearner], seed: int) -> ArmLearner:
    """Return the learner whose choices score more on inner folds."""

    def merit(learner: ArmLearner) -> float:
        total = 0.0
        for out in _folds(cases.sources[known], _INNER_FOLDS, seed):
            chosen = _expected(cases, known[~out], known[out], learner).argmax(1)
            total += float(cases.scores[known[out], chosen].sum())
        return total

    return max(learners, key=merit) if len(learners) > 1 else learners[0]


def _routing(
    cases: _ArmCases,
    arms: Sequence[str],
    sources: Sequence[str],
    retrieving: Collection[str],
    policy: Policy,
    learners: Sequence[ArmLearner],
) -> ArmRouting:
    """Return what routing is worth, by cross-fitting."""
    chosen = np.zeros((_DEALS, len(sources)), dtype=np.int64)
    sure = np.zeros(chosen.shape)
    for deal in range(_DEALS):
        for out in _folds(cases.sources, _FOLDS, policy.seed + deal):
            known, asked = np.flatnonzero(~out), np.flatnonzero(out)
            expected = _expected(cases, known, asked, _better(cases, known, learners, policy.seed + deal))
            chosen[deal, asked], sure[deal, asked] = expected.argmax(1), expected.max(1)
    routed = cases.scores[np.arange(len(sources)), chosen]
    columns = np.column_stack([cases.scores, routed.mean(0), cases.scores.max(1)])
    drawn = resample(columns, sources, replicates=policy.replicates, seed=policy.seed)
    # better than the truly best arm is what is better than each (Berger 1982)
    gains = [_estimate(drawn.difference(len(arms), arm), policy.level) for arm in range(len(arms))]
    single = min(range(len(arms)), key=lambda arm: (gains[arm].low, gains[arm].value))
    error = calibration_error(sure.ravel(), routed.ravel())
    assert error is not None, "there are questions"
    return ArmRouting(
        learner=learners[0],
        single=arms[single],
        gain=gains[single],
        ceiling=_estimate(drawn.difference(len(arms) + 1, single), policy.level),
        retrieval=sum(arms[place] in retrieving for place in chosen.ravel().tolist()) / chosen.size,
        error=error.error,
        reliability=reliability(sure.ravel(), routed.ravel()),
        questions=len(sources),
        sources=len(set(sources)),
    )


def _estimate(contrast: Contrast, level: float) -> Estimate:
    return Estimate(contrast.estimate, contrast.interval(level))


def _in_points(found: Estimate) -> str:
    assert found.interval is not None, "there are enough sources"
    return f"{points(found.value, sign=True)} points ({interval_text(found.interval)})"
