"""Tokens of examples and preference pairs, what a model finds of them, and the paired test of a change."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Any, Generic, TypeAlias, TypeVar

import numpy as np
import torch
from torch import Tensor

from hybrid.adaptation.data.examples import counted
from hybrid.adaptation.values import (
    NATS,
    RIGHTS,
    Change,
    Counting,
    Example,
    ExampleKind,
    Examples,
    PreferencePair,
    Sifted,
)
from hybrid.errors import UsageError
from hybrid.files import hash_text
from hybrid.models.device import batches, choose_placement
from hybrid.models.dialogue import Dialogue, left_padded
from hybrid.models.generator import TransformersGenerator
from hybrid.statistics import resample

# Their logits are 200 MB in float32 at a vocabulary of 49,152; more at once are no faster on a CPU.
_BATCH_TOKENS = 1_024
# Longer texts are read in pieces, each without what stands before it.
_PIECE_TOKENS = 512
# So many validation examples tell when to stop; the others, never looked at while training, prove the gain.
_STOP_EXAMPLES = 48
_PROOF_EXAMPLES = 200
_LEVEL = 0.95
_REPLICATES = 4_000


@dataclass(frozen=True, slots=True)
class TokenStretch:
    """The tokens of a text; those from ``start`` on are judged."""

    ids: tuple[int, ...]
    start: int

    @property
    def judged(self) -> int:
        """Return how many tokens are judged, or loss falls on."""
        return len(self.ids) - self.start


@dataclass(frozen=True, slots=True)
class Apart:
    """A text by two models: its nats under each, and KL(first ‖ second) in nats, summed over tokens."""

    before: float
    after: float
    divergence: float


def number_format(subject: TransformersGenerator) -> str:
    """Return the number format to measure in: the model's own, or bf16 where float32 would be slower."""
    with subject.lent() as module:
        parameter = next(module.parameters())
    if parameter.dtype != torch.float32:
        return str(parameter.dtype).removeprefix("torch.")
    return choose_placement(parameter.device.type).dtype


def pieces(subject: TransformersGenerator, text: str) -> list[TokenStretch]:
    """Return a plain text as stretches that fit: all of its tokens are judged, each once."""
    (ids,) = subject.dialogue.tokens([subject.dialogue.plain(text)])
    lead = _lead(subject.dialogue)
    size = min(_PIECE_TOKENS, subject.context_tokens) - len(lead)
    parts = [ids[first : first + size] for first in range(0, len(ids), size)]
    # a token that nothing stands before cannot be judged
    return [TokenStretch((*lead, *part), len(lead) or 1) for part in parts if len(lead) + len(part) > 1]


def continuation(subject: TransformersGenerator, before: str, text: str) -> TokenStretch:
    """Return a text of which only what comes after ``before`` is judged."""
    dialogue = subject.dialogue
    first, last = dialogue.tokens([dialogue.plain(before), dialogue.plain(text)])
    head = (*_lead(dialogue), *first)
    if not head:
        head, last = tuple(last[:1]), last[1:]
    stretch = TokenStretch((*head, *last), len(head))
    if not last or len(stretch.ids) > subject.context_tokens:
        raise UsageError(
            f"{text[:60]!r} has {len(last)} tokens to judge behind {len(head)}, expected 1 or more, and at "
            f"most {subject.context_tokens} together",
            hint="leave the item out of the suite",
        )
    return stretch


def log_likelihoods(subject: TransformersGenerator, stretches: Sequence[TokenStretch]) -> list[float]:
    """Return the log-likelihood of the judged tokens of each stretch, summed."""
    values = [0.0] * len(stretches)
    form = number_format(subject)
    for places in _places(stretches):
        for place, row in zip(places, _judged(subject, [stretches[p] for p in places], form), strict=True):
            values[place] = float(_logs(*row)[1].sum())
    return values


def compare(
    base: TransformersGenerator, adapted: TransformersGenerator, stretches: Sequence[TokenStretch]
) -> list[Apart]:
    """Return how two models with one tokenizer judge each stretch, and how far apart they are on it."""
    values = [Apart(0.0, 0.0, 0.0)] * len(stretches)
    form = number_format(base)
    for places in _places(stretches):
        batch = [stretches[place] for place in places]
        sides = (_judged(subject, batch, form) for subject in (base, adapted))
        for place, first, second in zip(places, *sides, strict=True):
            (logs, chosen), (others, other) = _logs(*first), _logs(*second)
            divergence = float((logs.exp() * (logs - others)).sum())
            values[place] = Apart(-float(chosen.sum()), -float(other.sum()), divergence)
    return values


def _judged(
    subject: TransformersGenerator, rows: Sequence[TokenStretch], form: str
) -> list[tuple[Tensor, Tensor]]:
    """Return for each stretch the logits of its judged tokens, (judged, vocabulary), and these tokens."""
    with torch.inference_mode(), subject.lent() as module:
        parameter, wanted = next(module.parameters()), getattr(torch, form)
        batch = collate(rows, pad=rows[0].ids[0], device=str(parameter.device))
        same = parameter.dtype == wanted
        with contextlib.nullcontext() if same else torch.autocast(parameter.device.type, wanted):
            logits = logits_of(module, batch)
    there = batch.targets >= 0
    return [(row[kept], told[kept]) for row, told, kept in zip(logits, batch.targets, there, strict=True)]


def _logs(logits: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Return log-likelihoods of all tokens, and of those that stand there."""
    logs = logits.float().log_softmax(-1)
    return logs, logs.gather(-1, targets[:, None])[:, 0]


def logits_of(module: Any, batch: TokenBatch) -> Tensor:
    """Return the logits of the targets of a batch, shape (rows, kept, vocabulary)."""
    width, kept = batch.ids.shape[1], batch.targets.shape[1]
    # as places, not as a number: of a slice the output layer would be copied for each row
    columns = torch.arange(width - kept - 1, width - 1, device=batch.ids.device)
    options = {"position_ids": batch.positions, "logits_to_keep": columns, "use_cache": False}
    inner = module.get_base_model() if hasattr(module, "get_base_model") else module
    takes = inspect.signature(inner.forward).parameters
    known = {name: value for name, value in options.items() if name in takes}
    logits: Tensor = module(input_ids=batch.ids, attention_mask=batch.mask, **known).logits
    return logits if logits.shape[1] == kept else logits[:, -kept - 1 : -1]


def _lead(dialogue: Dialogue) -> tuple[int, ...]:
    """Return what stands before a text: the tokenizer's own first token if it puts one, else a line break.

    Without anything before it the first word could not be judged, and a chat model's token for the beginning
    of a turn announces a role, not a text.
    """
    (plain,) = dialogue.tokens(["a"])
    whole: list[int] = dialogue.tokenizer("a")["input_ids"]
    if whole != plain and whole[-len(plain) :] == plain:
        return tuple(whole[: -len(plain)])
    return tuple(dialogue.tokens(["\n"])[0])


def _places(stretches: Sequence[TokenStretch]) -> Iterator[list[int]]:
    return batches([len(each.ids) for each in stretches], rows=len(stretches), tokens=_BATCH_TOKENS)


@dataclass(frozen=True, slots=True)
class Encoded(TokenStretch):
    """The tokens of an example; those from ``start`` on are the completion, its end included."""

    example: Example

    @property
    def rehearses(self) -> bool:
        """Tell whether it keeps the model what it was."""
        return self.example.kind is ExampleKind.REHEARSAL

    @property
    def unit(self) -> str:
        """Return what it is drawn with: its document, or itself."""
        said = self.example
        return said.source or hash_text(said.completion, *(turn.content for turn in said.prompt))


@dataclass(frozen=True, slots=True)
class EncodedPair:
    """The better and the worse answer to one conversation, in tokens."""

    chosen: Encoded
    rejected: Encoded
    pair: PreferencePair

    @property
    def ids(self) -> tuple[int, ...]:
        """Return the tokens of both, one after the other."""
        return (*self.chosen.ids, *self.rejected.ids)

    @property
    def unit(self) -> str:
        """Return what it is drawn with."""
        return self.chosen.unit


Told: TypeAlias = Encoded | EncodedPair
_Of = TypeVar("_Of", bound=Told)
_Item = TypeVar("_Item")


@dataclass(frozen=True, slots=True)
class EncodedSet(Generic[_Of]):
    """What fits, in the given order, and what was left out."""

    encoded: tuple[_Of, ...]
    left_out: tuple[Sifted, ...]

    @property
    def tokens(self) -> int:
        """Return the length of all together."""
        return sum(len(item.ids) for item in self.encoded)


@dataclass(frozen=True, slots=True)
class TokenBatch:
    """Examples side by side.

    ``ids``, ``mask`` and ``positions`` have the shape (rows, width). ``targets`` has the shape (rows, kept):
    the tokens of the last ``kept`` columns, and −100 where no loss falls; its logits begin a column earlier.
    """

    ids: Tensor
    mask: Tensor
    positions: Tensor
    targets: Tensor


def encode(examples: Sequence[Example], dialogue: Dialogue, *, max_tokens: int) -> EncodedSet[Encoded]:
    """Return the tokens of the examples as they are served; what is too long is left out and counted.

    A prompt and its completion are tokenised apart, as they are when a generator answers. A plain text has no
    prompt: loss falls on all of its tokens but the first.
    """
    prompts = dialogue.tokens(
        [dialogue.prompt(example.prompt) if example.prompt else "" for example in examples]
    )
    replies = dialogue.tokens(
        [
            dialogue.reply(example.completion) if example.prompt else dialogue.plain(example.completion)
            for example in examples
        ]
    )
    kept: list[Encoded] = []
    dropped: list[str] = []
    for example, prompt, reply in zip(examples, prompts, replies, strict=True):
        ids = (*prompt, *reply, dialogue.end) if prompt else tuple(reply)
        start = len(prompt) or 1
        if len(ids) > max_tokens:
            dropped.append(f"longer than {max_tokens} tokens (adaptation.max_tokens)")
        elif not reply or len(ids) <= start:
            dropped.append("without a completion")
        else:
            kept.append(Encoded(ids, start, example))
    return EncodedSet(tuple(kept), tuple(counted(dropped)))


def as_example(pair: PreferencePair) -> Example:
    """Return the better answer as an example."""
    return Example(ExampleKind.INSTRUCTION, pair.prompt, pair.chosen, pair.source, pair.made)


def encode_pairs(
    pairs: Sequence[PreferencePair], dialogue: Dialogue, *, max_tokens: int
) -> EncodedSet[EncodedPair]:
    """Return the tokens of pairs as they are served; one of which a side is too long is left out."""
    kept: list[EncodedPair] = []
    dropped: list[str] = []
    for pair in pairs:
        better = as_example(pair)
        sides = [better, replace(better, completion=pair.rejected)]
        found = encode(sides, dialogue, max_tokens=max_tokens)
        if len(found.encoded) == 2:
            kept.append(EncodedPair(*found.encoded, pair))
        else:
            dropped.append(found.left_out[0].reason)
    return EncodedSet(tuple(kept), tuple(counted(dropped)))


@dataclass(frozen=True, slots=True)
class EncodedExamples:
    """The four parts of a training set in tokens."""

    train: EncodedSet[Encoded]
    validation: EncodedSet[Encoded]
    pairs: EncodedSet[EncodedPair]
    checks: EncodedSet[EncodedPair]

    @property
    def tokens(self) -> int:
        """Return the length of what is trained on."""
        return self.train.tokens + self.pairs.tokens


def encode_all(examples: Examples, dialogue: Dialogue, *, max_tokens: int) -> EncodedExamples:
    """Return the tokens of a training set, see ``encode`` and ``encode_pairs``."""
    train, checked = (
        encode(part, dialogue, max_tokens=max_tokens) for part in (examples.train, examples.validation)
    )
    pairs, checks = (
        encode_pairs(part, dialogue, max_tokens=max_tokens)
        for part in (examples.preferences, examples.checks)
    )
    return EncodedExamples(train, checked, pairs, checks)


def first_tokens(items: Sequence[_Item], lengths: Iterable[int], tokens: float) -> list[_Item]:
    """Return the first ones that together have so many tokens, or all."""
    before = accumulate(lengths, initial=0)
    return [item for item, total in zip(items, before, strict=False) if total < tokens]


def grouped(encoded: Sequence[Encoded], size: int, *, seed: int, epoch: int) -> list[list[Encoded]]:
    """Return batches of similar length in a random order, the same for the same seed and epoch.

    Lengths are compared only within stretches of a shuffled list, so that every epoch groups anew.
    """
    generator = np.random.default_rng([seed, epoch])
    order = [encoded[place] for place in generator.permutation(len(encoded))]
    stretch = size * 16
    batches: list[list[Encoded]] = []
    for begin in range(0, len(order), stretch):
        part = sorted(order[begin : begin + stretch], key=lambda item: len(item.ids))
        batches.extend(part[first : first + size] for first in range(0, len(part), size))
    return [batches[place] for place in generator.permutation(len(batches))]


def collate(rows: Sequence[TokenStretch], *, pad: int, device: str = "cpu") -> TokenBatch:
    """Return stretches as one batch, padded on the left.

    So all completions end at the same column, and logits are needed for the last ones only.
    """
    padded = left_padded([row.ids for row in rows], filler=pad, device=device)
    targets = left_padded([row.ids[row.start :] for row in rows], filler=-100, device=device).ids
    return TokenBatch(padded.ids, padded.mask, (padded.mask.cumsum(-1) - 1).clamp(min=0), targets)


# Gives for each example the mean loss of its completion tokens.
Losses: TypeAlias = Callable[[Sequence[Encoded]], list[float]]


def served_losses(subject: TransformersGenerator, encoded: Sequence[Encoded]) -> list[float]:
    """Return for each example the mean loss of its completion tokens, by the generator that serves."""
    sums = log_likelihoods(subject, encoded)
    return [-value / item.judged for value, item in zip(sums, encoded, strict=True)]


@dataclass(frozen=True, slots=True)
class Halves(Generic[_Of]):
    """Validation in two parts that share no document: for stopping, and for the proof."""

    stop: tuple[_Of, ...]
    proof: tuple[_Of, ...]


def halve(checked: Sequence[_Of]) -> Halves[_Of]:
    """Return what tells when to stop and what proves the gain; no document is in both."""
    stop: list[_Of] = []
    chosen: set[str] = set()
    for unit in sorted({item.unit for item in checked}, key=lambda unit: hash_text("half", unit)):
        if len(stop) >= min(_STOP_EXAMPLES, len(checked) // 2):
            break
        chosen.add(unit)
        stop.extend(item for item in checked if item.unit == unit)
    proof = [item for item in checked if item.unit not in chosen]
    return Halves(tuple(stop), tuple(proof[:_PROOF_EXAMPLES]))


def worth(losses: Losses, proof: Sequence[Told], dialogue: Dialogue) -> list[float]:
    """Return what the gain is measured by: rights where there are labels or pairs, else losses."""
    pairs = [item for item in proof if isinstance(item, EncodedPair)]
    if pairs:
        return [float(margin > 0) for margin in margins(losses, pairs)]
    single = [item for item in proof if isinstance(item, Encoded)]
    labelled = [item for item in single if item.example.options]
    if not labelled:
        return losses(single)
    examples = [item.example for item in labelled]
    asked = [replace(each, completion=option) for each in examples for option in each.options]
    encoded = encode(asked, dialogue, max_tokens=10**9).encoded
    found = zip(losses(encoded), encoded, strict=True)
    sums = iter(loss * item.judged for loss, item in found)
    # the likeliest of its options
    chosen = [min((next(sums), option) for option in each.options)[1] for each in examples]
    return [float(said == each.completion) for said, each in zip(chosen, examples, strict=True)]


def gain_of(before: Sequence[float], after: Sequence[float], proof: Sequence[Told]) -> Change | None:
    """Return how much better the adapter is, by ``worth``, on what it never looked at; None without any."""
    if not proof:
        return None
    if isinstance(proof[0], EncodedPair):
        units = [item.unit for item in proof]
        return paired_change("better answers preferred", before, after, units, RIGHTS)
    if labelled := [item.unit for item in proof if isinstance(item, Encoded) and item.example.options]:
        return paired_change("label accuracy", before, after, labelled, RIGHTS)
    units = [item.unit for item in proof]
    return paired_change("loss of held-out examples", before, after, units, NATS)


def paired_change(
    measure: str,
    before: Sequence[float],
    after: Sequence[float],
    sources: Sequence[str],
    counting: Counting,
    *,
    seed: int = 0,
) -> Change:
    """Return means, their difference, and its one-sided 95 % bounds, resampled by source.

    ``sources``: for each item what it was drawn with: items of one source are not independent.
    """
    scale = 100.0 if counting.unit == "points" else 1.0
    assert len(before) == len(after) == len(sources) > 0, "a change is measured on something"
    table = np.column_stack([np.asarray(before, dtype=np.float64), np.asarray(after, dtype=np.float64)])
    resampling = resample(table, sources, replicates=_REPLICATES, seed=seed)
    contrast = resampling.difference(1, 0)
    ends = contrast.interval(1 - _LEVEL, rare=counting.bounded)
    low, high = sorted((ends.low, ends.high))
    means = resampling.means
    return Change(
        measure=measure,
        before=float(means[0]) * scale,
        after=float(means[1]) * scale,
        change=contrast.estimate * scale,
        low=low * scale,
        high=high * scale,
        unit=counting.unit,
        items=len(before),
        higher_is_better=counting.higher_is_better,
    )


def margins(losses: Losses, pairs: Sequence[EncodedPair]) -> list[float]:
    """Return by how many nats a model finds the better answer of each pair likelier than the worse."""
    sides = [side for pair in pairs for side in (pair.chosen, pair.rejected)]
    nats = [loss * side.judged for loss, side in zip(losses(sides), sides, strict=True)]
    return [worse - better for better, worse in zip(nats[::2], nats[1::2], strict=True)]
