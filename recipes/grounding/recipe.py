"""The whole way from labelled examples to a scorer: heads on folds for an honest stack, then heads on all.

Takes examples and an encoder, gives heads and their stack. The stack is fitted on what heads say of documents
that they never saw, so that it trusts them no more than they deserve. Knows nothing about files.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from hybrid.errors import UsageError
from hybrid.grounding.calibration import grouped_folds
from hybrid.grounding.examples import Example
from hybrid.grounding.head import AlignmentHead, judge
from hybrid.grounding.metrics import resampled_aurocs
from hybrid.grounding.scorers.trained import LAYERS, SIGNALS, Stack, word_signals
from hybrid.grounding.tokens import TokenEncoder, lexicon_of
from hybrid.grounding.values import Pair
from hybrid.questions.splits import unit_hash
from hybrid.statistics import Estimate
from recipes.grounding.making import MADE
from recipes.grounding.training import TrainingSettings, lessons_of, train_head

Array = NDArray[np.float64]
Note = Callable[[str], None]
_FOLDS = 5
# What rules made teaches contradictions, and costs elsewhere: a head that sees none of it is the best on
# whole pages and the worst on refuted claims of new kinds, and no share is best everywhere. The mean of heads
# with different shares comes near the best of them on each set.
_MADE_SHARES = (0.0, 0.25, 0.6)
_ENOUGH = 1_000
# A stack is fitted on so many labels or more.
_LEAST = 20
# A weak pull towards 0: signals that say the same share their weight.
_RIDGE = 1e-3


@dataclass(frozen=True, slots=True)
class Worth:
    """The AUROC of the stack on documents its heads never saw, and how much that is above words alone."""

    auroc: Estimate
    above_words: Estimate

    @property
    def shown(self) -> bool:
        """Tell whether the heads are worth having: the interval of what they add is above 0."""
        return self.above_words.low is not None and self.above_words.low > 0


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    """Heads that saw all examples, and their stack.

    ``signals`` of an example are by a head that never saw its fold, ``held_out`` is the logit that a stack
    which never saw it either makes of them: what to expect of domains that are new. ``parts`` are the folds,
    ``weights`` what each example weighed in the stack.
    """

    heads: tuple[AlignmentHead, ...]
    stack: Stack
    signals: Array
    held_out: Array
    parts: NDArray[np.int64]
    weights: Array


def train_scorer(
    examples: Sequence[Example],
    encoder: TokenEncoder,
    settings: TrainingSettings,
    *,
    weights: Array | None = None,
    heads: int = 3,
    folds: int = _FOLDS,
    note: Note = lambda said: None,
) -> Trained:
    """Train heads and fit their stack; the same examples and settings give the same result.

    Args:
        examples: with their sources: no fold parts one.
        encoder: frozen.
        settings: of every head; the seed is that of the first.
        weights: what each example weighs in the stack, from 0; None for all domains alike.
        heads: how many are averaged, each of another seed and with another share of what rules made.
        folds: how many parts the stack's examples are cut into.
        note: told what is being trained.

    Raises:
        UsageError: too few examples, or all of one label.
        TrainingFailed: the loss is not a number.
    """
    lexicon = lexicon_of(encoder.pieces)
    lessons = lessons_of(examples, encoder, lexicon, evidence_tokens=settings.evidence_tokens)
    width = encoder.width // len(LAYERS)

    def trained(chosen: NDArray[np.bool_], what: str) -> tuple[AlignmentHead, ...]:
        """Return all heads, each of its share of the chosen examples."""
        places = np.flatnonzero(chosen)
        shares = shares_of_heads([examples[int(place)] for place in places], heads)
        return tuple(
            train_head(
                [lessons[place] for place in places[own]],
                lexicon,
                width,
                len(LAYERS),
                dataclasses.replace(settings, seed=settings.seed + number),
                progress=_progress(note, f"{what}, head {number + 1}"),
            )
            for number, own in enumerate(shares)
        )

    signals = np.zeros((len(examples), len(SIGNALS)))
    signals[:, 1:] = [
        word_signals(lesson.read, _pair(example), lexicon, len(LAYERS))
        for lesson, example in zip(lessons, examples, strict=True)
    ]
    supported = np.array([lesson.supported for lesson in lessons])
    parts = folds_of(examples, folds, seed=settings.seed)
    for number in range(int(parts.max()) + 1):
        held = np.flatnonzero(parts == number)
        for head in trained(parts != number, f"fold {number + 1}"):
            for row, judged in judge(head, [lessons[place].read for place in held]):
                signals[held[row], 0] += float(judged.support) / heads
    weights = evenly(examples) if weights is None else weights
    return Trained(
        trained(np.ones(len(examples), np.bool_), "all"),
        fit_stack(SIGNALS, signals, supported, weights),
        signals,
        _held_out(SIGNALS, signals, supported, weights, parts),
        parts,
        weights,
    )


def _progress(note: Note, what: str) -> Callable[[int, float, float], None]:
    return lambda epoch, loss, seconds: note(f"{what}, epoch {epoch}: {loss:.3f} ({seconds:.0f} s)")


def _pair(example: Example) -> Pair:
    """Return the texts of an example, all of its evidence as one, as its token vectors are."""
    return Pair("\n".join(example.evidence), example.claim)


def worth(examples: Sequence[Example], trained: Trained, *, seed: int = 0) -> Worth:
    """Return what the heads add to the same stack of words alone, resampled by source.

    Raises:
        UsageError: all examples are of one label.
    """
    supported = np.array([not example.unsupported for example in examples])
    words = _held_out(SIGNALS[1:], trained.signals[:, 1:], supported, trained.weights, trained.parts)
    rows = np.stack([trained.held_out, words])
    found = resampled_aurocs(rows, supported, [example.source for example in examples], seed=seed)
    assert found is not None, "a stack is fitted on both labels"
    return Worth(found.interval([1.0, 0.0]), found.interval([1.0, -1.0]))


def shares_of_heads(examples: Sequence[Example], heads: int) -> list[NDArray[np.bool_]]:
    """Return which examples each head is taught: all that people labelled, and a share of what rules made.

    A single head is taught everything, and so are all where people labelled too few to teach one alone. Whole
    documents are left out, as pairs belong together.
    """
    people = np.array([example.task != MADE for example in examples])
    if heads == 1 or int(people.sum()) < _ENOUGH:
        return [np.ones(len(examples), np.bool_)] * heads
    places = np.array([unit_hash("made", example.source) for example in examples])
    return [
        np.asarray(people | (places < _MADE_SHARES[number % len(_MADE_SHARES)]), np.bool_)
        for number in range(heads)
    ]


def folds_of(examples: Sequence[Example], folds: int, *, seed: int = 0) -> NDArray[np.int64]:
    """Return the fold of each example: whole domains where there are enough, for it is new ones that come.

    Domains are dealt in the order in which they first appear, so that those of one set fall apart and a new
    domain is judged by what was learned from its sisters. With fewer domains than folds no source is parted.
    """
    domains = list(dict.fromkeys(example.domain for example in examples))
    if len(domains) >= folds:
        dealt = {domain: place % folds for place, domain in enumerate(domains)}
        return np.array([dealt[example.domain] for example in examples])
    supported = [not example.unsupported for example in examples]
    return grouped_folds(supported, [example.source for example in examples], folds=folds, seed=seed)


def _held_out(
    names: tuple[str, ...],
    signals: Array,
    supported: NDArray[np.bool_],
    weights: Array,
    parts: NDArray[np.int64],
) -> Array:
    """Return the logit of each example by a stack that was fitted on the other folds."""
    logits = np.zeros(len(signals))
    for number in range(int(parts.max()) + 1):
        held = parts == number
        own = weights[~held]
        # all that weighs anything may be in one fold
        stack = fit_stack(names, signals[~held], supported[~held], own if own.any() else None)
        logits[held] = stack.logits(signals[held])
    return logits


def evenly(examples: Sequence[Example]) -> Array:
    """Return what each example weighs so that every domain weighs the same."""
    counts = Counter(example.domain for example in examples)
    return np.array([1 / counts[example.domain] for example in examples])


def fit_stack(
    names: tuple[str, ...], signals: Array, supported: NDArray[np.bool_], rows: Array | None = None
) -> Stack:
    """Return the stack of greatest likelihood whose weights are not negative.

    Args:
        names: of the signals.
        signals: shape (claims, names).
        supported: the labels.
        rows: what each claim weighs, so that large sets do not drown small ones; None for all alike.

    Raises:
        UsageError: too few claims, or all of one label.
    """
    count = len(supported)
    if count < _LEAST or supported.all() or not supported.any():
        raise UsageError(
            f"{count} labels, {int(supported.sum())} supported: expected {_LEAST} or more of both"
        )
    shares = np.full(count, 1 / count) if rows is None else np.asarray(rows, np.float64) / np.sum(rows)
    centre, spread = signals.mean(0), np.maximum(signals.std(0), 1e-9)
    scaled = (signals - centre) / spread
    signs = np.where(supported, 1.0, -1.0)

    def loss(values: Array) -> tuple[float, Array]:
        margins = signs * (scaled @ values[:-1] + values[-1])
        wrong = -signs * shares / (1 + np.exp(np.clip(margins, -500, 500)))
        value = float(shares @ np.logaddexp(0, -margins) + _RIDGE * values[:-1] @ values[:-1])
        return value, np.append(wrong @ scaled + 2 * _RIDGE * values[:-1], wrong.sum())

    bounds = [(0.0, None)] * len(names) + [(None, None)]
    found = minimize(loss, np.zeros(len(names) + 1), jac=True, bounds=bounds, method="L-BFGS-B").x
    weights = found[:-1] / spread
    return Stack(names, tuple(map(float, weights)), float(found[-1] - weights @ centre))
