"""Labels learned as labels, by a head on frozen hidden states, in seconds; and self-training on labels.

What varies in a prompt is read once, by itself, without what all prompts share.
The head is a logistic regression for each label set on the mean state after most of the blocks; how far it is
held down and how sure it may be is found by cross-validation over sources. No weight of the model is changed,
so nothing is forgotten.

In self-training a teacher labels what nobody labelled, and what is sure is learned, in rounds: pseudo-labels
(Lee 2013) with three filters. A label is learned if its calibrated confidence is high, if it is the only one
that conformal prediction leaves (Vovk et al. 2005), and if it is the same for other orders of the options and
another wording. A clean set that no pseudo-label touches decides.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import logit, softmax
from torch.nn import functional

from hybrid.adaptation.data.examples import require_examples
from hybrid.adaptation.methods import AdapterPlan
from hybrid.adaptation.methods.encoding import encode, gain_of, paired_change
from hybrid.adaptation.methods.generator import TunedGenerator
from hybrid.adaptation.methods.loop import Fit, Round, best_of, in_rounds
from hybrid.adaptation.values import RIGHTS, Example, ExampleKind, Examples, LossPoint, silent
from hybrid.config import AdaptationSettings, Method
from hybrid.errors import TrainingFailed, UsageError
from hybrid.files import hash_text
from hybrid.generation.prompts import Prompts
from hybrid.grounding.calibration import UNCALIBRATED, Calibration, fit_calibration
from hybrid.models import Generator
from hybrid.models.dialogue import Dialogue
from hybrid.models.generator import TransformersGenerator
from hybrid.models.labels import HeadSettings, LabelHead, LabelReading, LabelSet, PromptFrame, cut, find
from hybrid.questions.splits import unit_hash
from hybrid.types import Message, Question

if TYPE_CHECKING:
    from torch import Tensor

# Of a label set: with fewer examples its first line is no stem, and without a stem it is not learned.
_LEAST = 4
# So much of the examples must be of sets that can be learned.
_COVERED = 0.8
# Of the blocks: states above it turn to the next token.
_DEPTH = 0.87
_FOLDS = 4
# λ of λ/2·|w|², for features of mean square 1 over their number.
_PENALTIES = (0.003, 0.01, 0.03, 0.1, 0.3)
_ITERATIONS = 50
# So many validation examples prove the gain: the base is asked by likelihood, which takes its time.
_PROOF = 200
_FROZEN = "the head was fitted on frozen states"


@dataclass(frozen=True, slots=True)
class LabelRows:
    """What is taught or checked: tokens, the numbers of label set and right option, the source."""

    readings: tuple[LabelReading, ...]
    sets: tuple[int, ...]
    right: tuple[int, ...]
    sources: tuple[str, ...]


def label_sets(examples: Sequence[Example]) -> tuple[tuple[LabelSet, ...], PromptFrame] | None:
    """Return what a head can learn to tell, and how the prompts are laid out.

    None if something else than labels is taught, or options that are no fixed sets but each of a question.
    """
    if not examples or any(example.kind is not ExampleKind.LABEL for example in examples):
        return None
    asked = [LabelSet(_first_line(example), example.options) for example in examples]
    lines = Counter(asked)
    asked = [one if one.stem and lines[one] >= _LEAST else LabelSet("", one.options) for one in asked]
    counts = Counter(asked)
    known = {one for one, count in counts.items() if count >= _LEAST and len(set(one.options)) > 1}
    if sum(counts[one] for one in known) < _COVERED * len(examples):
        return None
    frames = [_frame(example) for example, one in zip(examples, asked, strict=True) if one in known]
    before = [one for one, _ in frames if one]
    between = _common_end(before) if before else ""
    sets = sorted(known, key=lambda one: (one.stem, one.options))
    return tuple(sets), PromptFrame(between, tuple(sorted({after for _, after in frames})))


def label_rows(
    examples: Sequence[Example],
    sets: Sequence[LabelSet],
    frame: PromptFrame,
    dialogue: Dialogue,
    *,
    tokens: int,
) -> LabelRows:
    """Return what is read of the examples, as it is read when they are asked; others are left out."""
    found = [(example, find(example.prompt, example.options, sets, frame)) for example in examples]
    known = [(example, asked) for example, asked in found if asked is not None]
    texts = [dialogue.plain(text) for _, asked in known for text in (asked.passages, asked.text)]
    ids = dialogue.tokens(texts)
    readings = [cut(*pair, tokens) for pair in zip(ids[::2], ids[1::2], strict=True)]
    rows = [(reading, *each) for reading, each in zip(readings, known, strict=True) if reading.text]
    return LabelRows(
        tuple(reading for reading, _, _ in rows),
        tuple(asked.labels for _, _, asked in rows),
        tuple(sets[asked.labels].options.index(example.completion) for _, example, asked in rows),
        tuple(example.source or hash_text(example.asked or repr(example.prompt)) for _, example, _ in rows),
    )


def head_settings(blocks: int, rows: LabelRows, *, tokens: int) -> HeadSettings:
    """Return how a head reads with a model of so many blocks."""
    shows = any(reading.passages for reading in rows.readings)
    return HeadSettings(max(1, round(_DEPTH * blocks)), shows, tokens, 1.0)


def fit_head(
    features: Tensor, rows: LabelRows, sets: Sequence[LabelSet], frame: PromptFrame, settings: HeadSettings
) -> tuple[LabelHead, float]:
    """Fit a head; return it with its loss on sources that were left out, in nats.

    Penalty and temperature are those that suit sources that were left out.

    ``features``: shape (rows, features).
    """
    centre = features.mean(0)
    scale = features.std(0).clamp(min=1e-4) * math.sqrt(features.shape[1])
    data = (features - centre) / scale
    known, right = torch.tensor(rows.sets), torch.tensor(rows.right)
    most = max(len(one.options) for one in sets)
    allowed = torch.tensor([[place < len(one.options) for place in range(most)] for one in sets])
    fold = torch.tensor([int(hash_text("fold", source)[:8], 16) % _FOLDS for source in rows.sources])
    found = []
    for penalty in _PENALTIES:
        logits = torch.zeros(len(data), most)
        for number in range(_FOLDS):
            out = fold == number
            weight, bias = _regress(data[~out], known[~out], right[~out], allowed, penalty)
            logits[out] = _logits(data[out], known[out], weight, bias, allowed)
        heat, loss = _temperature(logits, right)
        found.append((loss, penalty, heat))
    loss, penalty, heat = min(found)
    weight, bias = _regress(data, known, right, allowed, penalty)
    told = replace(settings, temperature=heat)
    return LabelHead(tuple(sets), frame, told, centre, scale, weight, bias), loss


def _regress(
    data: Tensor, known: Tensor, right: Tensor, allowed: Tensor, penalty: float
) -> tuple[Tensor, Tensor]:
    """Return weight (sets, options, features) and bias of a logistic regression for each set, by L-BFGS."""
    weight = torch.zeros(*allowed.shape, data.shape[1], requires_grad=True)
    bias = torch.zeros(allowed.shape, requires_grad=True)
    optimizer = torch.optim.LBFGS(
        [weight, bias],
        max_iter=_ITERATIONS,
        history_size=8,
        tolerance_change=1e-6,
        line_search_fn="strong_wolfe",
    )

    def closure() -> Any:
        optimizer.zero_grad()
        logits = _logits(data, known, weight, bias, allowed)
        loss: Any = functional.cross_entropy(logits, right, reduction="sum")
        # of two options with opposite weights the norm is that of one regression
        loss = loss + 0.5 * penalty * (weight.square().sum() + 1e-3 * bias.square().sum())
        loss.backward()
        return loss

    optimizer.step(closure)  # type: ignore[no-untyped-call]
    return weight.detach(), bias.detach()


def _logits(data: Tensor, known: Tensor, weight: Tensor, bias: Tensor, allowed: Tensor) -> Tensor:
    flat = data @ weight.flatten(0, 1).t()
    logits = flat.view(len(data), *allowed.shape)[torch.arange(len(data)), known] + bias[known]
    return logits.masked_fill(~allowed[known], -1e9)


def _temperature(logits: Tensor, right: Tensor) -> tuple[float, float]:
    """Return what the logits are divided by so that they are as sure as they are right, and the loss then."""
    tried = [2.0 ** (step / 4) for step in range(-8, 17)]
    losses = [float(functional.cross_entropy(logits / heat, right)) for heat in tried]
    best = min(range(len(tried)), key=losses.__getitem__)
    return tried[best], losses[best]


def tune_labels(
    base: TransformersGenerator, examples: Examples, settings: AdaptationSettings, *, out: Path
) -> TunedGenerator:
    """Learn labels on what the base tells of their texts, as it will be asked, and save the head."""
    found = label_sets(examples.train)
    require_examples(examples.train, made_from="the training data")
    if found is None:
        raise UsageError(
            "a label head needs examples of labels alone, of options that are the same for many",
            hint="tune the generator on them",
        )
    begun = time.perf_counter()
    sets, frame = found
    dialogue, limit = base.dialogue, settings.max_tokens
    rows = label_rows(examples.train, sets, frame, dialogue, tokens=limit)
    reading = head_settings(base.blocks, rows, tokens=limit)
    head, loss = fit_head(base.means(rows.readings, reading), rows, sets, frame, reading)
    head.save(out)
    done = Fit(0, (LossPoint(0, loss),), 0, _FROZEN, time.perf_counter() - begun)
    proof = encode(examples.validation, dialogue, max_tokens=limit).encoded[:_PROOF]
    asked = [item.example for item in proof]
    prompts, options = [one.prompt for one in asked], [one.options for one in asked]
    before = _rights(base, prompts, options, [(one.completion,) for one in asked])
    proved = label_rows(asked, sets, frame, dialogue, tokens=limit)
    found_likely = head.log_probabilities(base.means(proved.readings, reading), proved.sets)
    after = [
        float(max(logs, key=logs.__getitem__) == sets[number].options[right])
        for logs, number, right in zip(found_likely, proved.sets, proved.right, strict=True)
    ]
    tokens = sum(len(one.passages) + len(one.text) for one in rows.readings)
    return TunedGenerator(
        out, AdapterPlan(Method.LORA, 0, 0, 0.0), done, 1.0, gain_of(before, after, proof), tokens
    )


def _rights(
    policy: Generator,
    prompts: Sequence[Sequence[Message]],
    options: Sequence[Sequence[str]],
    right: Sequence[Sequence[str]],
) -> list[float]:
    """Return for each prompt whether the option that the generator finds likeliest is a right one, 1 or 0."""
    told = zip(policy.log_likelihoods(prompts, options), options, right, strict=True)
    return [float(own[int(np.argmax(logs))] in answers) for logs, own, answers in told]


def _first_line(example: Example) -> str:
    """Return the first line of what is asked, where more follows."""
    line, _, rest = (example.asked or example.prompt[-1].content).strip().partition("\n")
    return line.strip() if rest.strip() else ""


def _frame(example: Example) -> tuple[str, str]:
    """Return what stands before and after what is asked in the last turn."""
    whole = example.prompt[-1].content
    if not example.asked or example.asked not in whole:
        return "", ""
    before, _, after = whole.rpartition(example.asked)
    return before, after


def _common_end(texts: Sequence[str]) -> str:
    """Return the last paragraph of all texts, with the empty lines around it; empty if they differ there."""
    ends = {text[text.rstrip().rfind("\n\n") :] if "\n\n" in text.rstrip() else "" for text in texts}
    return ends.pop() if len(ends) == 1 else ""


Array = NDArray[np.float64]

CONFIDENCE = 0.95
# The share of right labels that conformal prediction may leave out.
_MISSED = 0.05
# Of the labelled questions: for the calibration, and for the clean set.
_CALIBRATION, _CLEAN = 0.2, 0.3
# Fewer questions in one of these say nothing.
_LEAST_LABELLED = 10
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


@dataclass(frozen=True, slots=True, kw_only=True)
class SelfRound(Round):
    """What a round came to: ``right`` is the share of the clean set, ``change`` against the teacher.

    ``learned`` are the pseudo-labels that it was trained on. The first round is the teacher by itself.
    """

    right: float
    learned: tuple[PseudoLabel, ...] = ()


@dataclass(frozen=True, slots=True)
class SelfTraining:
    """All rounds, the best of which is the last one that was kept, and what is left for a person to label."""

    rounds: tuple[SelfRound, ...]
    doubtful: tuple[PseudoLabel, ...]

    @property
    def best(self) -> SelfRound:
        """Return the round whose adapter is to be used."""
        return best_of(self.rounds)


def split_labelled(questions: Sequence[Question], *, seed: int) -> LabelledSplit:
    """Return the labelled questions in three parts, split by document."""
    parts: tuple[list[Question], ...] = ([], [], [])
    for question in questions:
        place = unit_hash(MADE, str(seed), question.unit)
        parts[1 if place < _CALIBRATION else 2 if place < _CALIBRATION + _CLEAN else 0].append(question)
    if any(len(part) < _LEAST_LABELLED for part in parts):
        sizes = ", ".join(str(len(part)) for part in parts)
        raise UsageError(
            f"{len(questions)} labelled questions give {sizes} to train, to calibrate and to decide by, "
            f"expected {_LEAST_LABELLED} of each or more",
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
    progress: Callable[[SelfRound], None] = silent,
) -> SelfTraining:
    """Label and learn in rounds while the clean set gets no worse.

    Every round trains anew, from the same beginning, on all that people labelled and on pseudo-labels of the
    best teacher so far, of which a share that grows with the rounds is taken. It is kept if it gets more of
    the clean set right than its teacher; else, or where nothing was sure enough or training got no better,
    the teacher stays, and the rounds end.

    ``learn``: trains on questions with answers as the round of a number; returns its name. ``confidence``:
    calibrated, from which on a pseudo-label is learned.
    """
    clean = labelled.clean
    asked = [prompts.choice(question.text, question.options) for question in clean]
    options, answers = [one.options for one in clean], [one.answers for one in clean]
    said: list[PseudoLabel] = []
    name = learn(labelled.train, 0)
    before = _rights(policy(name), asked, options, answers)

    def attempt(last: SelfRound, number: int) -> SelfRound:
        nonlocal said, before
        teacher = policy(last.name)
        said = Filter(teacher, labelled.calibration, prompts, confidence=confidence).label(unlabelled)
        cap = math.ceil(number / rounds * len(unlabelled))
        learned = most([one for one in said if not one.against], cap)
        if not learned:
            raise TrainingFailed(f"of {len(unlabelled)} own labels none is sure enough to be learned")
        own = [replace(one.question, answers=(one.label,), made=MADE) for one in learned]
        student = learn([*labelled.train, *own], number)
        after = _rights(policy(student), asked, options, answers)
        units = [question.unit for question in clean]
        change = paired_change("clean set right", before, after, units, RIGHTS)
        why = "" if change.change > 0 else "no more of the clean set is right"
        before, right = after, float(np.mean(after))
        return SelfRound(
            name=student, right=right, learned=tuple(learned), change=change, ended=why, kept=not why
        )

    first = SelfRound(name=name, right=float(np.mean(before)))
    done = in_rounds(first, attempt, rounds=rounds, progress=progress)
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


def _logit(share: float) -> float:
    return float(logit(np.clip(share, 1e-6, 1 - 1e-6)))
