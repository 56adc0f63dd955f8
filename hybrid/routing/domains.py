"""Domain routing: the domain of a question, or none of these, by a conditional logit (McFadden 1974)."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from hybrid.errors import IndexMismatch, UsageError
from hybrid.files import checked, hash_text, of_schema, write_atomic
from hybrid.index.dense import Scored
from hybrid.models import Vectors
from hybrid.types import DomainChance, Route

Rows = NDArray[np.float64]

FEATURES = (
    "passages, where no questions are labelled",
    "passages, beside labelled questions",
    "labelled questions",
    "has labelled questions",
    "share of the words",
    "frequency of the words",
)
_NEAREST = 3
# More questions of a domain hardly move its nearest three.
_MOST_QUESTIONS = 200
_LEAST_QUESTIONS = 5
_FOLDS = 5
_PENALTY = 1e-3
_SCHEMA = 1
ROUTER_FILE = "ROUTER"
_FIT = "make it anew with: hybrid router fit; or remove the file"


class Routable(Protocol):
    """The index of a domain, as far as a router reads it."""

    def search_dense(self, vector: Vectors, k: int) -> list[Scored]:
        """Return the k nearest positions with their cosines."""

    def word_shares(self, text: str) -> Mapping[str, float]:
        """Return for each term of a text the share of the chunks that have it."""


@dataclass(frozen=True, slots=True)
class LabelledQuestion:
    """A question whose domain is known; those of one source are never held against each other."""

    text: str
    domain: str
    source: str = ""


@dataclass(frozen=True, slots=True)
class Reliability:
    """How a router did on questions that it was not fitted to, each also asked without its own domain.

    ``right``: the share of questions sent to their domain or, where it was taken away, to none, each domain
    counting the same.
    ``separation``: AUROC of in-domain against out-of-domain questions. ``error``: the debiased calibration
    error of the probability of what was chosen. All from 0 to 1.
    """

    questions: int
    right: float
    separation: float
    error: float


@dataclass(frozen=True, slots=True)
class RouterWeights:
    """What a router weighs: one weight a feature for all domains, so these come and go without a new fit."""

    bias: float
    weights: tuple[float, ...]
    means: tuple[float, ...]
    scales: tuple[float, ...]

    def require_shapes(self) -> None:
        """Raise a ValueError for numbers that are not one for each feature."""
        if {len(self.weights), len(self.means), len(self.scales)} != {len(FEATURES)}:
            raise ValueError(f"expected {len(FEATURES)} weights, means and scales")

    def probabilities(self, rows: Rows) -> Rows:
        """Return the probability of none, then of each domain, of features of shape (domains, features)."""
        scaled = (rows - np.array(self.means)) / np.array(self.scales)
        return _softmax(np.concatenate([[0.0], self.bias + scaled @ np.array(self.weights)]))


# What tests/benchmarks/routing.py fits to seven corpora with the default embedder (--documents 60).
UNFITTED = RouterWeights(
    bias=-4.454,
    weights=(2.957, 2.214, 0.749, 0.040, -0.260, 0.875),
    means=(0.106, 0.106, 0.072, 0.5, 0.530, 1.892),
    scales=(0.134, 0.134, 0.100, 0.5, 0.266, 0.948),
)


@dataclass(frozen=True, slots=True)
class LabelledDomain:
    """What a router was fitted to of a domain: a hash of its labelled questions, and who embedded them."""

    questions: str
    count: int
    embedder: str


@dataclass(frozen=True, slots=True)
class RouterCard:
    """A fitted router without its vectors: the weights, what they were fitted to, and how well that went."""

    weights: RouterWeights
    reliability: Reliability
    domains: Mapping[str, LabelledDomain]


@dataclass(frozen=True, slots=True, eq=False)
class FittedRouter:
    """A card, and the unit vectors of the labelled questions of each domain."""

    card: RouterCard
    labelled: Mapping[str, Vectors]


class DomainRouter:
    """Tell the domain of a question by nearest labelled questions, nearest passages, and words.

    Weights are fitted, or ``UNFITTED``; ``labelled`` are unit vectors of the labelled questions of a domain,
    shape (questions, dimension).
    """

    def __init__(self, weights: RouterWeights, labelled: Mapping[str, Vectors]) -> None:
        self._weights = weights
        self._labelled = labelled

    def route(self, question: str, vectors: Mapping[str, Vectors], domains: Mapping[str, Routable]) -> Route:
        """Return the domain, or none of them, with probability, margin and reason.

        ``vectors`` are those of the question by each domain's embedder; a domain without labelled questions
        is known by its passages.
        """
        names = list(domains)
        rows = features(question, vectors, domains, self._labelled)
        chances = self._weights.probabilities(rows)
        ranked = sorted(zip(["", *names], chances, strict=True), key=lambda one: (-one[1], one[0]))
        best, runner_up = ranked[0], ranked[1]
        return Route(
            domain=best[0],
            probability=float(best[1]),
            margin=float(best[1] - runner_up[1]),
            reason=_reason(dict(zip(names, rows, strict=True)), best[0] or runner_up[0], none=not best[0]),
            chances=tuple(DomainChance(name, float(chance)) for name, chance in ranked),
        )


def features(
    question: str,
    vectors: Mapping[str, Vectors],
    domains: Mapping[str, Routable],
    labelled: Mapping[str, Vectors],
) -> Rows:
    """Return what is known of a question before any answer, shape (domains, features), see ``FEATURES``."""
    shares = {name: domain.word_shares(question) for name, domain in domains.items()}
    terms = list(dict.fromkeys(term for found in shares.values() for term in found))
    common = np.array([np.mean([found.get(term, 0.0) for found in shares.values()]) for term in terms])
    weight = -np.log(common + 1e-4)
    rows = np.zeros((len(domains), len(FEATURES)))
    for row, (name, domain) in zip(rows, domains.items(), strict=True):
        nearest = domain.search_dense(vectors[name], _NEAREST)
        passages = float(np.mean([hit.score for hit in nearest])) if nearest else 0.0
        own = labelled.get(name)
        if own is None or not len(own):
            row[0] = passages
        else:
            row[1:4] = passages, np.sort(own @ vectors[name])[-_NEAREST:].mean(), 1.0
        if len(terms):
            there = np.array([shares[name].get(term, 0.0) for term in terms])
            row[4:] = np.array([there > 0, np.log1p(1_000 * there)]) @ weight / weight.sum()
    return rows


def fit_router(
    questions: Sequence[LabelledQuestion],
    vectors: Mapping[str, Vectors],
    domains: Mapping[str, Routable],
    *,
    embedders: Mapping[str, str],
) -> FittedRouter:
    """Fit a router to labelled questions.

    Every question is read without those of its own source among the labelled ones, once among all domains and
    once without its own: the second time it belongs to none. It is read so with the labels of all domains and
    without any, so that an unlabelled domain is weighed as well. Each domain counts the same: one with few
    questions is not given up for one with many. ``vectors`` are those of the questions by each domain's
    embedder, shape (questions, dimension), whose identity ``embedders`` tells; there are two domains at
    least.

    Raises:
        UsageError: less than two domains, a question of none of them, or too few questions of one.
    """
    # what a question that is only asked does not need
    from sklearn.metrics import roc_auc_score

    from hybrid.confidence import calibration_error

    questions, vectors = _bounded(questions, vectors)
    _require(questions, domains)
    shares = Counter(question.domain for question in questions)
    cases = [
        replace(case, weight=1 / shares[questions[place].domain])
        for place in range(len(questions))
        for case in _cases(place, questions, vectors, domains)
    ]
    sources = list(dict.fromkeys(question.source or question.text for question in questions))
    fold_of = {source: place % _FOLDS for place, source in enumerate(sources)}
    held = [fold_of[questions[case.question].source or questions[case.question].text] for case in cases]
    chosen, right, none, inside, counts = [], [], [], [], []
    for fold in range(_FOLDS):
        weights = _fitted([case for case, own in zip(cases, held, strict=True) if own != fold])
        for case in (case for case, own in zip(cases, held, strict=True) if own == fold and case.labelled):
            chances = weights.probabilities(case.rows)
            chosen.append(float(chances.max()))
            right.append(float(chances.argmax() == case.truth))
            none.append(1 - float(chances[0]))
            inside.append(case.truth > 0)
            counts.append(case.weight)
    error = calibration_error(chosen, right)
    assert error is not None, "every question is in a fold"
    reliability = Reliability(
        questions=len(questions),
        right=float(np.average(right, weights=counts)),
        separation=float(roc_auc_score(inside, none)),
        error=error.error,
    )
    own = {name: [place for place, one in enumerate(questions) if one.domain == name] for name in domains}
    labelled = {
        name: LabelledDomain(
            questions_hash([questions[place] for place in places]), len(places), embedders[name]
        )
        for name, places in own.items()
        if places
    }
    return FittedRouter(
        RouterCard(_fitted(cases), reliability, labelled),
        {name: vectors[name][own[name]] for name in labelled},
    )


def questions_hash(questions: Sequence[LabelledQuestion]) -> str:
    """Return a hash of the texts of labelled questions, whatever their order."""
    return hash_text(*sorted(question.text for question in questions[:_MOST_QUESTIONS]))


@dataclass(frozen=True, slots=True, eq=False)
class _RouterCase:
    """Features of a question among some domains; ``truth`` is 0 for none, else the place of its domain.

    ``weight`` is what it counts beside the others.
    """

    question: int
    rows: Rows
    truth: int
    labelled: bool
    weight: float = 1.0


def _cases(
    place: int,
    questions: Sequence[LabelledQuestion],
    vectors: Mapping[str, Vectors],
    domains: Mapping[str, Routable],
) -> list[_RouterCase]:
    asked = questions[place]
    own = {name: vectors[name][place] for name in domains}
    others = [
        number
        for number, one in enumerate(questions)
        if number != place and not (asked.source and one.source == asked.source)
    ]
    labelled = {
        name: vectors[name][[number for number in others if questions[number].domain == name]]
        for name in domains
    }
    rest = {name: domain for name, domain in domains.items() if name != asked.domain}
    truth = list(domains).index(asked.domain) + 1
    return [
        _RouterCase(place, features(asked.text, own, among, known), right, bool(known))
        for known in (labelled, {})
        for among, right in ((domains, truth), (rest, 0))
    ]


def _fitted(cases: Sequence[_RouterCase]) -> RouterWeights:
    """Return the weights of least weighted log loss with a small penalty, by L-BFGS."""
    from scipy.optimize import minimize
    from scipy.special import log_softmax

    most = max(len(case.rows) for case in cases)
    there = np.array([[place < len(case.rows) for place in range(most)] for case in cases])
    rows = np.zeros((*there.shape, len(FEATURES)))
    rows[there] = np.concatenate([case.rows for case in cases])
    means, scales = rows[there].mean(0), rows[there].std(0) + 1e-9
    rows = np.where(there[..., None], (rows - means) / scales, 0.0)
    right = [case.truth for case in cases]
    truth = np.eye(most + 1)[right]
    counts = np.array([case.weight for case in cases])
    counts /= counts.sum()

    def loss(found: Rows) -> tuple[float, Rows]:
        worth = np.where(there, found[0] + rows @ found[1:], -np.inf)
        logs = log_softmax(np.concatenate([np.zeros((len(cases), 1)), worth], axis=1), axis=1)
        chances = np.exp(logs)
        wrong = (chances - truth)[:, 1:] * counts[:, None]
        penalty = np.concatenate([[0.0], found[1:]])
        slope = np.concatenate([[wrong.sum()], np.einsum("cd,cdf->f", wrong, rows)])
        lost = -float(counts @ logs[np.arange(len(cases)), right])
        return lost + _PENALTY * float(penalty @ penalty), slope + 2 * _PENALTY * penalty

    best = minimize(loss, np.zeros(len(FEATURES) + 1), jac=True, method="L-BFGS-B").x
    weights, *standard = (tuple(map(float, part)) for part in (best[1:], means, scales))
    return RouterWeights(float(best[0]), weights, *standard)


def _bounded(
    questions: Sequence[LabelledQuestion], vectors: Mapping[str, Vectors]
) -> tuple[list[LabelledQuestion], dict[str, Vectors]]:
    """Return at most so many questions of a domain, the first ones, and their vectors."""
    seen: Counter[str] = Counter()
    kept = []
    for place, question in enumerate(questions):
        seen[question.domain] += 1
        if seen[question.domain] <= _MOST_QUESTIONS:
            kept.append(place)
    return [questions[place] for place in kept], {name: own[kept] for name, own in vectors.items()}


def _require(questions: Sequence[LabelledQuestion], domains: Mapping[str, Routable]) -> None:
    if len(domains) < 2:
        raise UsageError(f"a router takes two domains, found: {', '.join(domains) or 'none'}")
    counts = Counter(question.domain for question in questions)
    if strange := counts.keys() - domains.keys():
        raise UsageError(f"questions of no domain that is open: {', '.join(sorted(strange))}")
    few = {name: count for name, count in counts.items() if count < _LEAST_QUESTIONS}
    if few or not counts:
        found = ", ".join(f"{name} {count}" for name, count in few.items()) or "none"
        raise UsageError(
            f"too few labelled questions: {found}; expected {_LEAST_QUESTIONS} of a domain, better 20",
            hint="put a question set into indexes/DOMAIN/questions, or make one with: hybrid questions make",
        )


def save_router(indexes: Path, router: FittedRouter) -> None:
    """Write a fitted router as one file, which stands beside the domains."""
    from safetensors.numpy import save

    card = {"schema": _SCHEMA, **asdict(router.card)}
    tensors = {name: vectors.astype(np.float16) for name, vectors in router.labelled.items()}
    write_atomic(indexes / ROUTER_FILE, save(tensors, metadata={"router": json.dumps(card)}))


def load_router(indexes: Path) -> FittedRouter | None:
    """Return the fitted router of a folder of domains, None where there is none."""
    from safetensors import SafetensorError, safe_open

    path = indexes / ROUTER_FILE
    if not path.is_file():
        return None
    try:
        file: Any = safe_open(path, framework="numpy")
        told = of_schema(json.loads(file.metadata()["router"]), _SCHEMA, str(path), hint=_FIT)
        card = checked(RouterCard, told, f"the card in {path}", hint=_FIT)
        found = {name: file.get_tensor(name).astype(np.float32) for name in card.domains}
        card.weights.require_shapes()
    except (SafetensorError, UsageError, ValueError, KeyError, TypeError, AttributeError, OSError) as error:
        raise IndexMismatch(f"the router {path} cannot be read: {error}", hint=_FIT) from error
    return FittedRouter(card, found)


def require_router(card: RouterCard, embedders: Mapping[str, str], questions: Mapping[str, str]) -> None:
    """Refuse a router that no longer fits the domains that are there; those that are gone do not matter.

    ``embedders`` and ``questions`` are the identity of the embedder and the hash of the labelled questions of
    each domain now.
    """
    for name, told in card.domains.items():
        if name in embedders and embedders[name] != told.embedder:
            raise IndexMismatch(f"the router was made with another embedder of {name!r}", hint=_FIT)
        if name in questions and questions[name] != told.questions:
            raise IndexMismatch(f"the router was made with other labelled questions of {name!r}", hint=_FIT)


def _reason(rows: Mapping[str, NDArray[np.float64]], name: str, *, none: bool) -> str:
    """Return in words what speaks for a domain, the nearest one where it is none."""
    row = rows[name]
    passages = row[0] + row[1]
    parts = [f"passages {passages:.2f}", f"words {row[4]:.0%}"]
    if row[3]:
        parts.insert(0, f"labelled questions {row[2]:.2f}")
    near = f"nearest is {name}: " if none else ""
    return f"{near}{', '.join(parts)}"


def _softmax(values: Rows) -> Rows:
    powers: Rows = np.exp(values - values.max())
    chances: Rows = powers / powers.sum()
    return chances
