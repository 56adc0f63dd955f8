"""Self-training on labels: a teacher labels what nobody labelled, and what is sure is learned, in rounds.

After pseudo-labels (Lee 2013) with three filters: a label is learned if its calibrated confidence is high, if
it is the only one that conformal prediction leaves (Vovk et al. 2005), and if it is the same for other orders
of the options and another wording. Every round may learn some more. A clean set that no pseudo-label touches
decides.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import logit, softmax

from hybrid.adaptation.methods.encoding import paired_change
from hybrid.adaptation.values import Change
from hybrid.errors import UsageError
from hybrid.generation.prompts import Prompts
from hybrid.grounding.calibration import UNCALIBRATED, Calibration, fit_calibration
from hybrid.models import Generator
from hybrid.questions.splits import unit_hash
from hybrid.types import Question

Array = NDArray[np.float64]

CONFIDENCE = 0.95
# The share of right labels that conformal prediction may leave out.
_MISSED = 0.05
# Of the labelled questions: for the calibration, and for the clean set.
_CALIBRATION, _CLEAN = 0.2, 0.3
# Fewer questions in one of these say nothing.
_LEAST = 10
_REWORDED = "Read this and decide.\n\n{}"
MADE = "self-training"


@dataclass(frozen=True, slots=True)
class LabelledSplit:
    """Labelled questions in three parts that share no document."""

    train: tuple[Question, ...]
    calibration: tuple[Question, ...]
    clean: tuple[Question, ...]


@dataclass(frozen=True, slots=True)
class PseudoLabel:
    """What the teacher says of a question: the likeliest label, how sure, and why it is not learned."""

    question: Question
    label: str
    confidence: float
    against: str = ""


@dataclass(frozen=True, slots=True)
class SelfRound:
    """What a round came to: ``right`` is the share of the clean set, ``change`` against the teacher, paired.

    ``learned`` are the pseudo-labels that it was trained on. The first round is the teacher by itself.
    """

    name: str
    right: float
    learned: tuple[PseudoLabel, ...] = ()
    change: Change | None = None
    kept: bool = True


@dataclass(frozen=True, slots=True)
class SelfTraining:
    """All rounds, the best of which is the last one that was kept, and what is left for a person to label."""

    rounds: tuple[SelfRound, ...]
    doubtful: tuple[PseudoLabel, ...]

    @property
    def best(self) -> SelfRound:
        """Return the round whose adapter is to be used."""
        return [one for one in self.rounds if one.kept][-1]


def split_labelled(questions: Sequence[Question], *, seed: int) -> LabelledSplit:
    """Return the labelled questions in three parts, split by document.

    Raises:
        UsageError: a part would have too few to tell anything by.
    """
    parts: tuple[list[Question], ...] = ([], [], [])
    for question in questions:
        place = unit_hash(MADE, str(seed), question.unit)
        parts[1 if place < _CALIBRATION else 2 if place < _CALIBRATION + _CLEAN else 0].append(question)
    if any(len(part) < _LEAST for part in parts):
        sizes = ", ".join(str(len(part)) for part in parts)
        raise UsageError(
            f"{len(questions)} labelled questions give {sizes} to train, to calibrate and to decide by, "
            f"expected {_LEAST} of each or more",
            hint="label some more: a hundred are a sensible beginning",
        )
    return LabelledSplit(*map(tuple, parts))


def probabilities(teacher: Generator, questions: Sequence[Question], prompts: Prompts) -> list[Array]:
    """Return what the teacher gives each option in each view of a question, shape (views, options).

    Views show the options as they are, turned round, and behind another wording.
    """
    asked, options = [], []
    for question in questions:
        own = list(question.options)
        turned = own[len(own) // 2 :] + own[: len(own) // 2]
        for text, shown in (
            (question.text, own),
            (question.text, own[::-1]),
            (_REWORDED.format(question.text), turned),
        ):
            asked.append(prompts.choice(text, shown))
            options.append(own)
    shares = [softmax(row) for row in teacher.log_likelihoods(asked, options)]
    return [np.stack(shares[place : place + 3]) for place in range(0, len(shares), 3)]


class Filter:
    """What may be learned of what a teacher says, by labelled questions that it was not trained on."""

    def __init__(
        self, teacher: Generator, questions: Sequence[Question], prompts: Prompts, *, confidence: float
    ) -> None:
        self._teacher, self._prompts, self._least = teacher, prompts, confidence
        shares = [views.mean(0) for views in probabilities(teacher, questions, prompts)]
        right = [np.isin(question.options, question.answers) for question in questions]
        sure = [bool(hits[row.argmax()]) for row, hits in zip(shares, right, strict=True)]
        # where all are alike there is no curve to fit: the teacher is taken at its word
        alike = len(set(sure)) == 1
        logits = [_logit(row.max()) for row in shares]
        self._calibration: Calibration = UNCALIBRATED if alike else fit_calibration(logits, sure)
        missed = sorted(1 - row[hits].max() for row, hits in zip(shares, right, strict=True))
        place = math.ceil((len(missed) + 1) * (1 - max(_MISSED, 1 / (len(missed) + 1)))) - 1
        self._strange = missed[min(place, len(missed) - 1)]

    def label(self, questions: Sequence[Question]) -> list[PseudoLabel]:
        """Return what the teacher says of questions that nobody labelled."""
        found = []
        for question, views in zip(
            questions, probabilities(self._teacher, questions, self._prompts), strict=True
        ):
            mean = views.mean(0)
            (sure,) = self._calibration.probabilities([_logit(mean.max())])
            possible = int((1 - mean <= self._strange).sum())
            against = ""
            if len(set(views.argmax(1).tolist())) > 1:
                against = "another label for another order or wording"
            elif sure < self._least:
                against = f"confidence {sure:.2f}"
            elif possible != 1:
                against = f"{possible} labels are possible"
            found.append(PseudoLabel(question, question.options[mean.argmax()], float(sure), against))
        return found


def most(labels: Sequence[PseudoLabel], count: int) -> list[PseudoLabel]:
    """Return at most so many of the surest, of every label alike, so that none grows over the others."""
    each: Counter[str] = Counter()
    share = math.ceil(count / max(len({one.label for one in labels}), 1))
    found: list[PseudoLabel] = []
    for one in sorted(labels, key=lambda one: (-one.confidence, one.question.id)):
        if each[one.label] < share and len(found) < count:
            each[one.label] += 1
            found.append(one)
    return found


def self_train(
    policy: Callable[[str], Generator],
    learn: Callable[[Sequence[Question], int], str],
    labelled: LabelledSplit,
    unlabelled: Sequence[Question],
    prompts: Prompts,
    *,
    rounds: int = 3,
    confidence: float = CONFIDENCE,
    progress: Callable[[SelfRound], None] = lambda done: None,
) -> SelfTraining:
    """Label and learn in rounds while the clean set gets no worse.

    Every round trains anew, from the same beginning, on all that people labelled and on pseudo-labels of the
    best teacher so far, of which a share that grows with the rounds is taken. It is kept if it gets more of
    the clean set right than its teacher; else the teacher stays, and the rounds end.

    ``learn``: trains on questions with answers as the round of a number; returns its name. ``confidence``:
    calibrated, from which on a pseudo-label is learned.
    """
    name = learn(labelled.train, 0)
    before = _rights(policy(name), labelled.clean, prompts)
    done = [SelfRound(name, float(np.mean(before)))]
    progress(done[0])
    said: list[PseudoLabel] = []
    for number in range(1, rounds + 1):
        said = Filter(policy(name), labelled.calibration, prompts, confidence=confidence).label(unlabelled)
        cap = math.ceil(number / rounds * len(unlabelled))
        learned = most([one for one in said if not one.against], cap)
        if not learned:
            break
        own = [replace(one.question, answers=(one.label,), made=MADE) for one in learned]
        student = learn([*labelled.train, *own], number)
        after = _rights(policy(student), labelled.clean, prompts)
        units = [question.unit for question in labelled.clean]
        change = paired_change("clean set right", before, after, units, bounded=True)
        kept = change.change > 0
        done.append(SelfRound(student, float(np.mean(after)), tuple(learned), change, kept))
        progress(done[-1])
        if not kept:
            break
        name, before = student, after
    taught = {one.question.id for each in done if each.kept for one in each.learned}
    doubtful = [one for one in said if one.question.id not in taught]
    return SelfTraining(tuple(done), tuple(sorted(doubtful, key=lambda one: one.confidence)))


def for_review(doubtful: Sequence[PseudoLabel]) -> list[Question]:
    """Return what a person is to look at, with the likeliest label, for ``hybrid questions review``."""
    return [
        replace(
            one.question,
            answers=(one.label,),
            slices=(*one.question.slices, one.against or "not needed"),
            made=MADE,
        )
        for one in doubtful
    ]


def _rights(policy: Generator, questions: Sequence[Question], prompts: Prompts) -> list[float]:
    asked = [prompts.choice(question.text, question.options) for question in questions]
    values = policy.log_likelihoods(asked, [question.options for question in questions])
    return [
        float(question.options[int(np.argmax(row))] in question.answers)
        for question, row in zip(questions, values, strict=True)
    ]


def _logit(share: float) -> float:
    return float(logit(np.clip(share, 1e-6, 1 - 1e-6)))
