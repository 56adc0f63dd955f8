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

from hybrid.grounding.data.values import Example
from hybrid.grounding.folds import grouped_folds
from hybrid.grounding.head import AlignmentHead
from hybrid.grounding.intervals import Interval, resampled_aurocs
from hybrid.grounding.lexicon import lexicon_of
from hybrid.grounding.reading import judge
from hybrid.grounding.scorers.trained import LAYERS, SIGNALS, word_signals
from hybrid.grounding.stack import Stack, fit_stack
from hybrid.grounding.tokens import TokenEncoder
from hybrid.grounding.training import Lesson, TrainingSettings, lessons_of, train_head

Note = Callable[[str], None]
_FOLDS = 3


@dataclass(frozen=True, slots=True)
class Worth:
    """The AUROC of the stack on documents its heads never saw, and how much that is above words alone."""

    auroc: Interval
    above_words: Interval

    @property
    def shown(self) -> bool:
        """Tell whether the heads are worth having: the interval of what they add is above 0."""
        return self.above_words.low is not None and self.above_words.low > 0


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    """Heads that saw all examples, their stack, and the signals of each example by a head that did not."""

    heads: tuple[AlignmentHead, ...]
    stack: Stack
    signals: NDArray[np.float64]


def train_scorer(
    examples: Sequence[Example],
    encoder: TokenEncoder,
    settings: TrainingSettings,
    *,
    heads: int = 3,
    folds: int = _FOLDS,
    note: Note = lambda said: None,
) -> Trained:
    """Train heads and fit their stack; the same examples and settings give the same result.

    Args:
        examples: with their sources: no fold parts one.
        encoder: frozen.
        settings: of every head; the seed is that of the first.
        heads: how many are averaged, each of another seed.
        folds: how many parts the stack's examples are cut into.
        note: told what is being trained.

    Raises:
        UsageError: too few examples, or all of one label.
        TrainingFailed: the loss is not a number.
    """
    lexicon = lexicon_of(encoder.pieces)
    lessons = lessons_of(examples, encoder, lexicon, evidence_tokens=settings.evidence_tokens)
    width = encoder.width // len(LAYERS)

    def trained(chosen: Sequence[Lesson], seed: int, what: str) -> AlignmentHead:
        return train_head(
            chosen,
            lexicon,
            width,
            len(LAYERS),
            dataclasses.replace(settings, seed=seed),
            progress=lambda epoch, loss, seconds: note(
                f"{what}, epoch {epoch}: {loss:.3f} ({seconds:.0f} s)"
            ),
        )

    signals = np.zeros((len(examples), len(SIGNALS)))
    signals[:, 1:] = [word_signals(lesson.read, lexicon, len(LAYERS)) for lesson in lessons]
    supported = np.array([lesson.supported for lesson in lessons])
    places = np.arange(len(examples))
    parts = grouped_folds(supported, _groups(examples, folds), folds=folds, seed=settings.seed)
    for number in range(int(parts.max()) + 1):
        held = places[parts == number]
        head = trained(
            [lessons[place] for place in places[parts != number]], settings.seed, f"fold {number + 1}"
        )
        for row, judged in judge(head, [lessons[place].read for place in held]):
            signals[held[row], 0] = float(judged.support)
    stack = fit_stack(SIGNALS, signals, supported, evenly(examples))
    finished = tuple(
        trained(lessons, settings.seed + number, f"head {number + 1}") for number in range(heads)
    )
    return Trained(finished, stack, signals)


def worth(examples: Sequence[Example], trained: Trained, *, seed: int = 0) -> Worth:
    """Return what the heads add to the same stack of words alone, resampled by source.

    Raises:
        UsageError: all examples are of one label.
    """
    supported = np.array([not example.unsupported for example in examples])
    words = fit_stack(SIGNALS[1:], trained.signals[:, 1:], supported, evenly(examples))
    rows = np.stack([trained.stack.logits(trained.signals), words.logits(trained.signals[:, 1:])])
    found = resampled_aurocs(rows, supported, [example.source for example in examples], seed=seed)
    assert found is not None, "a stack is fitted on both labels"
    return Worth(found.interval([1.0, 0.0]), found.interval([1.0, -1.0]))


def _groups(examples: Sequence[Example], folds: int) -> list[str]:
    """Return what no fold parts: whole domains where there are enough, for it is new ones that will come."""
    domains = [example.domain for example in examples]
    return domains if len(set(domains)) >= folds else [example.source for example in examples]


def evenly(examples: Sequence[Example]) -> NDArray[np.float64]:
    """Return what each example weighs so that every domain weighs the same."""
    counts = Counter(example.domain for example in examples)
    return np.array([1 / counts[example.domain] for example in examples])
