"""Selective answering with a guarantee (learn-then-test, conformal risk control), and the bound in force."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hybrid.arms import DomainArm, identity_digest
from hybrid.errors import UsageError
from hybrid.files import hash_text, read_stored, storage_errors, write_json
from hybrid.tracing.spans import only
from hybrid.types import Answer, Question, Where

if TYPE_CHECKING:
    from hybrid.evaluation.outcomes import Outcome
    from hybrid.evaluation.scores import Scores
    from hybrid.grounding.judge import Grounder

# The walk begins where a third of the answers is given: the first few alone leave no room for one mistake.
_START = 3
# An answer that is scored by overlap with a long gold is right from here on.
_RIGHT = 0.5


class Risk(StrEnum):
    """Which share of wrong answers is bounded: of the answers given, or of all questions."""

    ANSWERED = "answered"
    ALL = "all"


class AnswerScore(StrEnum):
    """What an answer is held by: its best passage, its reader, or the share of claims the judge supports."""

    RETRIEVAL = "retrieval"
    CONFIDENCE = "confidence"
    JUDGE = "judge"


@dataclass(frozen=True, slots=True)
class Graded:
    """A question that was asked: the score of its answer, None where none was given, and if that is right."""

    score: float | None
    right: bool
    source: str


@dataclass(frozen=True, slots=True)
class AnswerBound:
    """A threshold: what scores at least as much is answered, and the risk is then at most ``alpha``.

    ``delta`` is the chance that this is not so; of the risk over all questions only the mean is bounded, and
    it is not used. ``units`` are sources, ``needed`` how many answers of different sources it takes if none
    is wrong, ``given`` how many there were. ``answered`` is the share of the units that is still answered,
    ``bound`` what was reached: the upper confidence limit of the risk, or its conformal bound. Without a
    threshold nothing may be answered, ``answered`` is 0 and ``bound`` None.
    """

    risk: Risk
    alpha: float
    delta: float
    threshold: float | None
    units: int
    given: int
    needed: int
    answered: float
    bound: float | None

    @property
    def sentence(self) -> str:
        """Say in words what holds, or what is missing."""
        of = "the answers given" if self.risk is Risk.ANSWERED else "all questions"
        aim = f"at most {self.alpha:.1%} of {of} wrong"
        sure = f" (confidence {1 - self.delta:.0%})" if self.risk is Risk.ANSWERED else " (on average)"
        if self.threshold is not None:
            share = f"{self.answered:.0%} of {self.units} sources are answered"
            return (
                f"{aim}{sure}: answer from a score of {self.threshold:.4g}; {share}, bound {self.bound:.1%}"
            )
        if self.given < self.needed:
            return (
                f"{aim}{sure} cannot be shown: it takes {self.needed} answers of different sources without "
                f"a mistake, and there are {self.given}"
            )
        return f"{aim}{sure} cannot be shown: too many of the best answers of {self.given} sources are wrong"


def certify(
    items: Sequence[Graded], *, alpha: float, delta: float = 0.1, risk: Risk = Risk.ANSWERED, seed: int = 0
) -> AnswerBound:
    """Return the lowest threshold at which the risk is shown to be at most ``alpha``.

    *P(wrong | answered)* is not monotone in the threshold: learn-then-test (Angelopoulos et al. 2021,
    arXiv:2110.01052) with exact binomial p-values along descending thresholds, until one fails: a fixed
    sequence costs no power. Of every source one question is drawn. Questions of one source are not
    independent and these are, so that the binomial law is exact for a question drawn from a new source. The
    walk begins where the fewest answers that can pass are given, or a third of them, both known before a
    label is read. With thresholds that are scores of the sample this is exact where lower scores are not more
    often right; a score that ranks wrongly can exceed ``delta`` by a little.

    *P(wrong and answered)* falls with the threshold: conformal risk control (Angelopoulos et al. 2022,
    arXiv:2208.02814) on the share of each source's questions that is answered wrongly, in expectation. The
    order of the items changes nothing. The risk ``alpha``, and ``delta``, the chance that the bound does not
    hold, are above 0 and below 1; ``seed`` draws the question of each source.
    """
    if not (0 < alpha < 1 and 0 < delta < 1):
        raise UsageError(
            f"a risk of {alpha} with delta {delta}", hint="both lie between 0 and 1, such as 0.05 and 0.1"
        )
    if not all(math.isfinite(item.score) for item in items if item.score is not None):
        raise UsageError("a score is not finite", hint="give None where no answer was given")
    return (_tested if risk is Risk.ANSWERED else _conformal)(_by_source(items), alpha, delta, seed)


def choose(
    scores: Mapping[str, Sequence[Graded]],
    *,
    alpha: float,
    delta: float = 0.1,
    risk: Risk = Risk.ANSWERED,
    seed: int = 0,
) -> tuple[str, AnswerBound]:
    """Return the score that answers most at the bound, with its bound.

    It is chosen on a half of the sources, ties by the area under the risk-coverage curve, and certified on
    the other half, so that choosing does not break the guarantee. A single score keeps all sources. Scores
    have by name the same answers in the same order. ``seed`` also draws the halves; the rest is as for
    ``certify``.
    """
    from hybrid.confidence import aurc

    if not scores:
        raise UsageError("there is no score to hold the answers by", hint="name an arm that has one")
    names = sorted(scores)
    if len(names) == 1:
        return names[0], certify(scores[names[0]], alpha=alpha, delta=delta, risk=risk, seed=seed)
    sources = sorted({item.source for item in scores[names[0]]}, key=lambda one: hash_text(str(seed), one))
    first = frozenset(sources[: len(sources) // 2])

    def merit(name: str) -> tuple[float, float]:
        part = [item for item in scores[name] if item.source in first]
        found = certify(part, alpha=alpha, delta=delta, risk=risk, seed=seed)
        sure = [-math.inf if item.score is None else item.score for item in part]
        return found.answered, -(aurc(sure, [float(not item.right) for item in part]) or 0.0)

    best = max(names, key=merit)
    rest = [item for item in scores[best] if item.source not in first]
    return best, certify(rest, alpha=alpha, delta=delta, risk=risk, seed=seed)


def graded(
    questions: Sequence[Question], outcomes: Sequence[Outcome], scores: Sequence[Scores]
) -> dict[str, list[Graded]]:
    """Return the answers of one arm under each score that any of them has.

    An answer counts as right from a ``correct`` of one half; what failed was not given.
    """
    units = {question.id: question.unit for question in questions}
    found: dict[str, list[Graded]] = {str(name): [] for name in AnswerScore}
    for outcome, score in zip(outcomes, scores, strict=True):
        given = not (outcome.failed or outcome.abstained)
        values = {
            AnswerScore.RETRIEVAL: outcome.passages[0].score if outcome.passages else None,
            AnswerScore.CONFIDENCE: outcome.confidence,
            AnswerScore.JUDGE: score.groundedness,
        }
        for name, value in values.items():
            right = score.correct >= _RIGHT
            found[name].append(Graded(value if given else None, right, units[outcome.question]))
    return {name: items for name, items in found.items() if any(item.score is not None for item in items)}


def _by_source(items: Sequence[Graded]) -> dict[str, list[Graded]]:
    """Return the items of each source in an order of their own; of equal scores the wrong come first."""
    units: dict[str, list[Graded]] = {}
    for item in sorted(items, key=lambda one: (one.score is not None, one.score or 0.0, one.right)):
        units.setdefault(item.source, []).append(item)
    return units


def _tested(units: Mapping[str, Sequence[Graded]], alpha: float, delta: float, seed: int) -> AnswerBound:
    from scipy.stats import beta, binom

    drawn = [rows[_place(source, seed, len(rows))] for source, rows in units.items()]
    given = sorted(((one.score, one.right) for one in drawn if one.score is not None), reverse=True)
    needed = math.ceil(math.log(delta) / math.log1p(-alpha))
    wrong = np.cumsum([not right for _, right in given])
    kept, first = 0, max(needed, math.ceil(len(given) / _START))
    for count in range(first, len(given) + 1):
        if count < len(given) and given[count][0] == given[count - 1][0]:
            continue  # equal scores are answered together
        if binom.cdf(wrong[count - 1], count, alpha) > delta:
            break
        kept = count
    return AnswerBound(
        risk=Risk.ANSWERED,
        alpha=alpha,
        delta=delta,
        threshold=float(given[kept - 1][0]) if kept else None,
        units=len(units),
        given=len(given),
        needed=needed,
        answered=kept / len(units) if kept else 0.0,
        bound=float(beta.ppf(1 - delta, wrong[kept - 1] + 1, kept - wrong[kept - 1])) if kept else None,
    )


def _conformal(units: Mapping[str, Sequence[Graded]], alpha: float, delta: float, seed: int) -> AnswerBound:
    weighed = [
        (one.score, one.right, 1 / len(rows))
        for rows in units.values()
        for one in rows
        if one.score is not None
    ]
    given = sorted(weighed, reverse=True)
    risk = (np.cumsum([0.0 if right else weight for _, right, weight in given]) + 1) / (len(units) + 1)
    ends = [at for at in range(len(given)) if at + 1 == len(given) or given[at + 1][0] < given[at][0]]
    kept = max((at + 1 for at in ends if risk[at] <= alpha), default=0)
    return AnswerBound(
        risk=Risk.ALL,
        alpha=alpha,
        delta=delta,
        threshold=float(given[kept - 1][0]) if kept else None,
        units=len(units),
        given=sum(any(one.score is not None for one in rows) for rows in units.values()),
        needed=math.ceil(1 / alpha) - 1,
        answered=math.fsum(weight for _, _, weight in given[:kept]) / len(units) if kept else 0.0,
        bound=float(risk[kept - 1]) if kept else None,
    )


def _place(source: str, seed: int, count: int) -> int:
    """Draw one of so many questions of a source, whatever the other sources are."""
    digest = hashlib.sha256(f"{seed} {source}".encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8], "little") % count


_SCHEMA = 1
_FILE = Path("router") / "abstention.json"
_MEND = "make it again with `hybrid abstain QUESTIONS --risk ALPHA`, or remove the file to answer without it"


@dataclass(frozen=True, slots=True)
class ArmBound:
    """A bound and what it holds for: an arm, a digest of all that decides its answers, and a score."""

    arm: str
    identity: str
    score: AnswerScore
    bound: AnswerBound


@dataclass(frozen=True, slots=True)
class BoundArm:
    """An arm of a domain whose answers are held to its bound.

    ``grounder`` gives the judge of the domain; it is asked only if the bound goes by it.
    """

    arm: DomainArm
    bound: ArmBound
    grounder: Callable[[], Grounder]

    def answer_all(
        self, questions: Sequence[Question], *, where: Where = None, principals: Sequence[str] | None = None
    ) -> list[Answer]:
        """Answer every question as the arm does, or decline it and say why."""
        answers = self.arm.answer_all(questions, where=where, principals=principals)
        held = []
        for place, answer in enumerate(answers):
            with only([place], of=len(answers)):
                held.append(self._held(answer))
        return held

    def stream(
        self, question: Question, *, where: Where = None, principals: Sequence[str] | None = None
    ) -> Iterator[str | Answer]:
        """Return the text of the answer in one piece, and then the ``Answer``."""
        # whether it may be said is known only when it is all there
        (answer,) = self.answer_all([question], where=where, principals=principals)
        return iter((answer.text, answer))

    def _held(self, answer: Answer) -> Answer:
        if answer.abstained:
            return answer
        bound, score = self.bound.bound, self._score(answer, self.bound.score)
        assert bound.threshold is not None, "only a bound with a threshold is loaded"
        if score is not None and score >= bound.threshold:
            return answer
        found = "there is none" if score is None else f"it is {score:.3g}"
        of = "the answers given" if bound.risk is Risk.ANSWERED else "all questions"
        text = (
            f"I do not answer this: the {self.bound.score} score has to be at least {bound.threshold:.3g} "
            f"so that at most {bound.alpha:.1%} of {of} are answered wrongly, and {found}."
        )
        return replace(answer, text=text, abstained=True, citations=())

    def _score(self, answer: Answer, by: AnswerScore) -> float | None:
        if by is AnswerScore.CONFIDENCE:
            return answer.confidence
        if not answer.hits:
            return None
        if by is AnswerScore.RETRIEVAL:
            return answer.hits[0].score
        from hybrid.grounding.values import share_supported

        passages = [hit.chunk.text for hit in answer.hits]
        return share_supported(self.grounder().ground(answer.text, passages).verdicts)


def bound_arm(domain: Path, arm: DomainArm, grounder: Callable[[], Grounder]) -> DomainArm | BoundArm:
    """Return an arm as it answers for a domain: held to the bound in force, if that is of this arm.

    ``grounder`` gives the judge of the domain.
    """
    bound = load_bound(domain)
    if bound is None or bound.arm != arm.name:
        return arm
    if bound.identity != _digest(arm, bound.score, grounder):
        raise UsageError(
            f"the bound on wrong answers was made for another state of {bound.arm}: its index, models, "
            "settings or judge have changed since, and nothing is known of the answers now",
            hint=f"{_MEND} ({_FILE.as_posix()} in the folder of the domain)",
        )
    return BoundArm(arm, bound, grounder)


def fit_bound(
    arm: DomainArm,
    grounder: Callable[[], Grounder],
    answered: tuple[Sequence[Question], Sequence[Outcome], Sequence[Scores]],
    *,
    alpha: float,
    delta: float,
    risk: Risk,
    score: AnswerScore | None,
    seed: int,
) -> ArmBound:
    """Return the bound of an arm by what it answered, under the best score or the one named; none is kept.

    ``answered`` are the questions, what came of each, and how right that is. Without a ``score`` the best is
    chosen on a half of the sources; the rest is as for ``certify``.
    """
    scores = graded(*answered)
    if score is not None and score not in scores:
        raise UsageError(f"the arm {arm.name} has no {score} score", hint=f"it has {', '.join(scores)}")
    named = scores if score is None else {str(score): scores[score]}
    chosen, bound = choose(named, alpha=alpha, delta=delta, risk=risk, seed=seed)
    by = AnswerScore(chosen)
    return ArmBound(arm.name, _digest(arm, by, grounder), by, bound)


def _digest(arm: DomainArm, score: AnswerScore, grounder: Callable[[], Grounder]) -> str:
    """Return a digest of all that decides an answer and its score."""
    judge = grounder().scorer.name if score is AnswerScore.JUDGE else ""
    return identity_digest(arm.identity, judge)


def save_bound(domain: Path, bound: ArmBound) -> Path:
    """Put a bound in force for the domain; return its file."""
    path = domain / _FILE
    with storage_errors(str(path.parent)):
        path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, {"schema": _SCHEMA} | asdict(bound))
    return path


def load_bound(domain: Path) -> ArmBound | None:
    """Return the bound in force for the domain, None if there is none."""
    path = domain / _FILE
    found = read_stored(ArmBound, path, _SCHEMA, hint=_MEND)
    if found is None:
        return None
    if not math.isfinite(math.nan if found.bound.threshold is None else found.bound.threshold):
        raise UsageError(f"{path} is damaged: `bound.threshold` is not a number", hint=_MEND)
    return found
