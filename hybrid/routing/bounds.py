"""Selective answering in force: the bound of an arm of a domain, and the arm that is held to it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from hybrid.arms import DomainArm, identity_digest
from hybrid.errors import UsageError
from hybrid.files import read_stored, storage_errors, write_json
from hybrid.routing.abstention import AnswerBound, AnswerScore, Risk, choose, graded
from hybrid.tracing.spans import only
from hybrid.types import Answer, Question, Where

if TYPE_CHECKING:
    from hybrid.evaluation.outcomes import Outcome
    from hybrid.evaluation.scores import Scores
    from hybrid.grounding.judge import Grounder

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
