"""The whole way from labelled sets to a scorer: heads by folds of kinds, and a stack that no kind regrets.

A kind is a set: its texts, its mistakes and how they were found. Heads of a fold never saw a kind, so what
they say of it is what to expect of kinds that are new. The stack is fitted on that, and chosen by the kind
that it serves worst (group robustness, Sagawa et al. 2020, by regret).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from scipy.optimize import minimize

from hybrid.errors import UsageError
from hybrid.files import hash_text
from hybrid.grounding.calibration import grouped_folds
from hybrid.grounding.examples import Dataset, Label, LabelledClaim
from hybrid.grounding.head import AlignmentHead, Shape, judge
from hybrid.grounding.metrics import Replicates, resampled_aurocs
from hybrid.grounding.scorers.trained import LAYERS, SIGNALS, Stack, word_signals
from hybrid.grounding.tokens import TokenEncoder, lexicon_of
from hybrid.grounding.values import Pair
from hybrid.questions.splits import unit_hash
from hybrid.statistics import Estimate
from recipes.grounding.making import MADE
from recipes.grounding.training import Lesson, TrainingSettings, lessons_of, train_head

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]
Note = Callable[[str], None]
# Parts that the domains of one set, or the documents of a single set, are dealt into.
_PARTS = 5
# What rules made teaches contradictions, and costs elsewhere: no share is best everywhere, see the ablation
# on the page of figures. The mean of heads with different shares comes near the best of them on each kind.
MADE_SHARES = (0.0, 0.25, 0.6)
_ENOUGH = 1_000
_BLOCK = 256
# A group is fitted on so many labels or more.
_LEAST = 20
# A weak pull towards 0: signals that say the same share their weight.
_RIDGE = 1e-2
# Regrets nearer to each other than this, in nats, weigh about alike.
_SOFT = 1e-2


@dataclass(frozen=True, slots=True)
class Worth:
    """The AUROC of the stack on kinds its heads never saw, and how much that is above words alone."""

    auroc: Estimate
    above_words: Estimate

    @property
    def shown(self) -> bool:
        """Tell whether the heads are worth having: the interval of what they add is above 0."""
        return self.above_words.low is not None and self.above_words.low > 0


@dataclass(frozen=True, slots=True, eq=False)
class Kind:
    """A set, and what is said of its examples as of a kind that is new.

    ``heads`` is by heads that never saw any of it, ``logits`` and ``words`` by stacks that never did either:
    of all signals, and of those of words alone. ``domain_heads`` and ``domain_logits`` are by heads that saw
    other domains of the set; the same where it has one.
    """

    dataset: Dataset
    heads: Array
    logits: Array
    words: Array
    domain_heads: Array
    domain_logits: Array

    @property
    def supported(self) -> Flags:
        """Return the labels."""
        return np.array([example.supported for example in self.dataset.examples])


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    """Heads that saw all that is taught, their stack, and what is to be expected of it, kind by kind."""

    heads: tuple[AlignmentHead, ...]
    stack: Stack
    kinds: tuple[Kind, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Fold:
    """Which examples heads are taught, and which they then judge as new."""

    name: str
    taught: Flags
    judged: Flags


def train_scorer(
    taught: Sequence[Dataset],
    encoder: TokenEncoder,
    settings: TrainingSettings,
    *,
    judged: Sequence[Dataset] = (),
    shares: Sequence[float] = MADE_SHARES,
    domains: bool = True,
    work: Path | None = None,
    note: Note = lambda said: None,
) -> Trained:
    """Train heads and fit their stack; the same sets and settings give the same result.

    Args:
        taught: sets that heads learn from, those made by rules among them; with sources, which no fold parts.
        encoder: frozen.
        settings: of every head; the seed is that of the first.
        judged: sets that no head learns from, such as those whose words give the labels away: kinds that the
            stack has to serve.
        shares: of what rules made, from 0 to 1, one for each head; each head has another seed.
        domains: whether domains of a set are left out in turn as well, beside whole sets.
        work: a folder where finished heads are kept, so that a run that was stopped goes on.
        note: told what is being trained.

    Raises:
        UsageError: too few examples, or all of one label.
        TrainingFailed: the loss is not a number.
    """
    school = _School(taught, encoder, settings, shares, work, note)
    of_kinds, of_domains = folds_of(taught, seed=settings.seed)
    by_kind = school.as_new(of_kinds)
    # what has one domain was judged as a kind
    by_domain = school.as_new(of_domains if domains else (), np.array(by_kind))
    heads = school.heads(np.ones(len(school.examples), np.bool_), "all")
    words = _words(school.examples)
    sets: list[_Signals] = []
    first = 0
    for each in taught:
        rows = slice(first, first + len(each.examples))
        first += len(each.examples)
        if any(example.task != MADE for example in each.examples):
            sets.append(_Signals.of(each, by_kind[rows], by_domain[rows], words[rows]))
    if not sets:
        # of what rules made alone: the folds are of documents
        sets = [_Signals.of(Dataset("made", tuple(school.examples)), by_kind, by_domain, words)]
    for each in judged:
        said = school.said_of(each, heads)
        sets.append(_Signals.of(each, said, said, _words(each.examples)))
    return Trained(heads, _stack(sets, SIGNALS), tuple(_kinds(sets)))


@dataclass(frozen=True, slots=True, eq=False)
class _Signals:
    """A set, and the signals of its examples by heads that never saw it, or never saw their domain."""

    dataset: Dataset
    of_kind: Array
    of_domain: Array

    @classmethod
    def of(cls, dataset: Dataset, by_kind: Array, by_domain: Array, words: Array) -> _Signals:
        return cls(dataset, np.column_stack([by_kind, words]), np.column_stack([by_domain, words]))


class _School:
    """Heads on parts of the examples that are taught; what is frozen is read once."""

    def __init__(
        self,
        taught: Sequence[Dataset],
        encoder: TokenEncoder,
        settings: TrainingSettings,
        shares: Sequence[float],
        work: Path | None,
        note: Note,
    ) -> None:
        self.examples = [example for each in taught for example in each.examples]
        self._encoder, self._settings, self._shares = encoder, settings, tuple(shares)
        self._work, self._note = work, note
        self._lexicon = lexicon_of(encoder.pieces)
        self._lessons = self._read(self.examples)

    def as_new(self, folds: Sequence[Fold], into: Array | None = None) -> Array:
        """Return what heads of each fold say of the examples that they never saw."""
        found = np.zeros(len(self.examples)) if into is None else into
        for fold in folds:
            places = np.flatnonzero(fold.judged)
            found[places] = self._said(self.heads(fold.taught, fold.name), [self._lessons[n] for n in places])
        return found

    def heads(self, chosen: Flags, what: str) -> tuple[AlignmentHead, ...]:
        """Return all heads, each of its share of the chosen examples."""
        places = np.flatnonzero(chosen)
        shares = shares_of_heads([self.examples[int(place)] for place in places], self._shares)
        return tuple(
            self._head([int(place) for place in places[own]], number, f"{what}, head {number + 1}")
            for number, own in enumerate(shares)
        )

    def said_of(self, dataset: Dataset, heads: tuple[AlignmentHead, ...]) -> Array:
        """Return what heads say of a set that none of them saw."""
        blocks = [dataset.examples[n : n + _BLOCK] for n in range(0, len(dataset.examples), _BLOCK)]
        # long evidence is large as token vectors: some at a time
        return np.concatenate([self._said(heads, self._read(block)) for block in blocks])

    def _read(self, examples: Sequence[LabelledClaim]) -> list[Lesson]:
        limit = self._settings.evidence_tokens
        return lessons_of(examples, self._encoder, self._lexicon, evidence_tokens=limit)

    def _said(self, heads: tuple[AlignmentHead, ...], lessons: Sequence[Lesson]) -> Array:
        support = np.zeros(len(lessons))
        for head in heads:
            for row, found in judge(head, [lesson.read for lesson in lessons]):
                support[row] += float(found.support) / len(heads)
        return support

    def _head(self, places: Sequence[int], number: int, what: str) -> AlignmentHead:
        settings = dataclasses.replace(self._settings, seed=self._settings.seed + number)
        shape = Shape(len(LAYERS), self._encoder.width // len(LAYERS))
        kept = None
        if self._work is not None:
            kept = (
                self._work / f"{_identity([self.examples[place] for place in places], settings)}.safetensors"
            )
        if kept is not None and kept.is_file():
            head = AlignmentHead(shape, self._lexicon)
            head.load_state_dict(load_file(kept), strict=True)
            return head.eval()
        head = train_head(
            [self._lessons[place] for place in places],
            self._lexicon,
            shape.width,
            shape.layers,
            settings,
            progress=_progress(self._note, what),
        )
        if kept is not None:
            kept.parent.mkdir(parents=True, exist_ok=True)
            tensors = {name: value.detach().contiguous() for name, value in head.state_dict().items()}
            save_file(tensors, kept.with_suffix(".part"))
            kept.with_suffix(".part").replace(kept)
        return head


def _progress(note: Note, what: str) -> Callable[[int, float, float], None]:
    return lambda epoch, loss, seconds: note(f"{what}, epoch {epoch}: {loss:.3f} ({seconds:.0f} s)")


def _identity(examples: Sequence[LabelledClaim], settings: TrainingSettings) -> str:
    """Return what a head is the same by: what it is taught, and how."""
    parts = ("\0".join([one.id, one.claim, *one.evidence, one.label]) for one in examples)
    return hash_text(repr(settings), *parts)[:20]


def _words(examples: Sequence[LabelledClaim]) -> Array:
    """Return the signals of words alone, shape (examples, signals)."""
    rows = [word_signals(Pair("\n".join(example.evidence), example.claim)) for example in examples]
    return np.array(rows).reshape(len(rows), len(SIGNALS) - 1)


def folds_of(sets: Sequence[Dataset], *, seed: int = 0) -> tuple[list[Fold], list[Fold]]:
    """Return the folds of kinds, and of domains within sets that have several.

    A set is left out with the pairs that rules made of the same domain. Where people labelled fewer than two
    sets there are no kinds to leave out: parts are domains, dealt in the order in which they appear so that
    sisters fall apart, or documents where there are too few domains.
    """
    examples = [example for each in sets for example in each.examples]
    of_set = np.repeat(np.arange(len(sets)), [len(each.examples) for each in sets])
    people = [n for n, each in enumerate(sets) if each.examples and each.examples[0].task != MADE]
    if len(people) < 2:
        parts = _dealt(examples, seed)
        return [Fold(f"fold {n + 1}", parts != n, parts == n) for n in range(int(parts.max()) + 1)], []
    kinds, domains = [], []
    for number in people:
        own = {example.domain for example in sets[number].examples}
        kin = np.array([example.task == MADE and example.domain in own for example in examples])
        mine = of_set == number
        kinds.append(Fold(f"without {sets[number].name}", ~mine & ~kin, mine))
        if len(own) > 1:
            parts = _dealt(sets[number].examples, seed)
            for part in range(int(parts.max()) + 1):
                held = mine.copy()
                held[mine] = parts == part
                names = sorted({example.domain for example, out in zip(examples, held, strict=True) if out})
                domains.append(Fold(f"without {', '.join(names)}", ~held, held))
    return kinds, domains


def _dealt(examples: Sequence[LabelledClaim], seed: int) -> NDArray[np.int64]:
    domains = list(dict.fromkeys(example.domain for example in examples))
    if len(domains) > 1:
        dealt = {domain: place % _PARTS for place, domain in enumerate(domains)}
        return np.array([dealt[example.domain] for example in examples])
    supported = [example.supported for example in examples]
    return grouped_folds(supported, [example.source for example in examples], folds=_PARTS, seed=seed)


def shares_of_heads(examples: Sequence[LabelledClaim], shares: Sequence[float]) -> list[Flags]:
    """Return which examples each head is taught: all that people labelled, and a share of what rules made.

    A single head is taught everything, and so are all where people labelled too few to teach one alone. Whole
    documents are left out, as pairs belong together.
    """
    people = np.array([example.task != MADE for example in examples])
    if len(shares) == 1 or int(people.sum()) < _ENOUGH:
        return [np.ones(len(examples), np.bool_)] * len(shares)
    places = np.array([unit_hash("made", example.source) for example in examples])
    return [np.asarray(people | (places < share), np.bool_) for share in shares]


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """Signals and labels that one stack has to serve: a kind, or one of its contrasts."""

    signals: Array
    supported: Flags


def _groups(dataset: Dataset, signals: Array) -> Iterator[Group]:
    """Yield a set as a group, or two where it has enough of both: against what is refuted, and the rest.

    What is refuted has the words of the evidence, what is on something else has not: together one would hide
    behind the other.
    """
    labels = [example.label for example in dataset.examples]
    supported = np.array([label is Label.SUPPORTED for label in labels])
    refuted = np.array([label is Label.REFUTED for label in labels])
    rest = ~supported & ~refuted
    parted = min(int(refuted.sum()), int(rest.sum())) >= _LEAST
    for part in (supported | refuted, supported | rest) if parted else (np.ones(len(labels), np.bool_),):
        yield Group(signals[part], supported[part])


def _stack(sets: Sequence[_Signals], names: tuple[str, ...]) -> Stack:
    columns = [SIGNALS.index(name) for name in names]
    return fit_stack(names, [one for each in sets for one in _groups(each.dataset, each.of_kind[:, columns])])


def _kinds(sets: Sequence[_Signals]) -> Iterator[Kind]:
    for number, one in enumerate(sets):
        others = [other for place, other in enumerate(sets) if place != number] or list(sets)
        whole = _stack(others, SIGNALS)
        yield Kind(
            one.dataset,
            heads=one.of_kind[:, 0],
            logits=whole.logits(one.of_kind),
            words=_stack(others, SIGNALS[1:]).logits(one.of_kind[:, 1:]),
            domain_heads=one.of_domain[:, 0],
            domain_logits=whole.logits(one.of_domain),
        )


def worth(kinds: Sequence[Kind], *, seed: int = 0) -> Worth:
    """Return what the heads add to the same stack of words alone, a mean over kinds, resampled by source."""
    parts = []
    for number, kind in enumerate(kinds):
        sources = [example.source for example in kind.dataset.examples]
        found = resampled_aurocs([kind.logits, kind.words], kind.supported, sources, seed=seed + number)
        assert found is not None, "a stack is fitted on both labels"
        parts.append(found)
    found = mean_over(parts)
    return Worth(found.interval([1.0, 0.0]), found.interval([1.0, -1.0]))


def mean_over(parts: Sequence[Replicates]) -> Replicates:
    """Return the AUROCs of each scorer averaged over sets, every set counting alike.

    The sets are resampled apart, so the interval is about new sources of these sets, not about new sets.
    Give every set a seed of its own.
    """
    return Replicates(
        np.mean([part.values for part in parts], axis=0),
        np.mean([part.drawn for part in parts], axis=0),
        tuple(pulls / len(parts) for part in parts for pulls in part.pulls),
    )


def fit_stack(names: tuple[str, ...], groups: Sequence[Group]) -> Stack:
    """Return the stack of least greatest regret over groups, whose weights are not negative.

    The regret of a group is how much greater its cross entropy is than with the weights that are best for it
    alone, both labels weighing alike. Each group has an intercept of its own while weights are fitted, for
    only the order within it matters; the stack gets their mean, and calibration the rest. The greatest is
    softened: regrets within a hundredth of a nat share the say.

    Args:
        names: of the signals.
        groups: signals of shape (claims, names), and labels.

    Raises:
        UsageError: a group with too few claims, or all of one label.
    """
    for group in groups:
        count, right = len(group.supported), int(group.supported.sum())
        if count < _LEAST or right in (0, count):
            raise UsageError(f"{count} labels, {right} supported: expected {_LEAST} or more of both")
    width = len(names)
    centre = np.mean([group.signals.mean(0) for group in groups], axis=0)
    spread = np.maximum(np.mean([group.signals.std(0) for group in groups], axis=0), 1e-9)
    scaled = [_Scaled.of(group, centre, spread) for group in groups]
    least = np.array([_minimised(each.loss, np.zeros(width + 1), width).fun for each in scaled])

    def regret(values: Array) -> tuple[float, Array]:
        weights, shifts = values[:width], values[width:]
        found = [each.entropy(weights, shift) for each, shift in zip(scaled, shifts, strict=True)]
        over = (np.array([value for value, _, _ in found]) - least) / _SOFT
        says = np.exp(over - over.max())
        total = says.sum()
        says /= total
        slope = sum(say * own for say, (_, own, _) in zip(says, found, strict=True)) + 2 * _RIDGE * weights
        pull = says * np.array([shift for _, _, shift in found])
        value = _SOFT * (float(np.log(total)) + float(over.max())) + _RIDGE * float(weights @ weights)
        return value, np.concatenate([slope, pull])

    found = _minimised(regret, np.zeros(width + len(groups)), width).x
    weights = found[:width] / spread
    return Stack(names, tuple(map(float, weights)), float(found[width:].mean() - weights @ centre))


@dataclass(frozen=True, slots=True, eq=False)
class _Scaled:
    """A group whose signals have the spread of one, and whose labels weigh alike."""

    signals: Array
    signs: Array
    shares: Array

    @classmethod
    def of(cls, group: Group, centre: Array, spread: Array) -> _Scaled:
        right = group.supported
        shares = np.where(right, 0.5 / right.sum(), 0.5 / (~right).sum())
        return cls((group.signals - centre) / spread, np.where(right, 1.0, -1.0), shares)

    def entropy(self, weights: Array, shift: float) -> tuple[float, Array, float]:
        """Return the cross entropy in nats, and how it changes with the weights and the shift."""
        margins = self.signs * (self.signals @ weights + shift)
        wrong = -self.signs * self.shares / (1 + np.exp(np.clip(margins, -500, 500)))
        return float(self.shares @ np.logaddexp(0, -margins)), wrong @ self.signals, float(wrong.sum())

    def loss(self, values: Array) -> tuple[float, Array]:
        """Return the entropy with a weak pull to 0, and its slope."""
        value, slope, shift = self.entropy(values[:-1], float(values[-1]))
        weights = values[:-1]
        return value + _RIDGE * float(weights @ weights), np.append(slope + 2 * _RIDGE * weights, shift)


def _minimised(loss: Callable[[Array], tuple[float, Array]], start: Array, width: int) -> Any:
    bounds = [(0.0, None)] * width + [(None, None)] * (len(start) - width)
    return minimize(loss, start, jac=True, bounds=bounds, method="L-BFGS-B")
