"""Direct preference optimisation (DPO: Rafailov et al. 2023, arXiv:2305.18290), in the one training loop."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.nn import functional

from hybrid.adaptation.data.files import LEAST_EXAMPLES
from hybrid.adaptation.forgetting.likelihood import Subject, TokenStretch, log_likelihoods
from hybrid.adaptation.forgetting.measure import paired_change
from hybrid.adaptation.training.encoding import Encoded, encode
from hybrid.adaptation.values import Change, Example, ExampleKind, PreferencePair, Sifted
from hybrid.config import AdaptationSettings
from hybrid.errors import UsageError
from hybrid.files import hash_text
from hybrid.generation.prompts import declines
from hybrid.models import Generator
from hybrid.models.dialogue import Dialogue

if TYPE_CHECKING:
    from torch import Tensor

    from hybrid.adaptation.training.generator import GeneratorTask

# Of the rate that suits examples: a preference moves the weights on until every pair is far apart.
RATE_SHARE = 0.2
_WRITTEN_TOKENS = 64


@dataclass(frozen=True, slots=True)
class EncodedPair:
    """The better and the worse answer to one conversation, in tokens."""

    chosen: Encoded
    rejected: Encoded

    @property
    def ids(self) -> tuple[int, ...]:
        """Return the tokens of both, one after the other."""
        return (*self.chosen.ids, *self.rejected.ids)


@dataclass(frozen=True, slots=True)
class EncodedPairs:
    """What fits, in the given order, and what was left out."""

    pairs: tuple[EncodedPair, ...]
    left_out: tuple[Sifted, ...]

    @property
    def tokens(self) -> int:
        """Return the length of all pairs together."""
        return sum(len(pair.ids) for pair in self.pairs)


@dataclass(frozen=True, slots=True)
class PairStep:
    """A pair in a batch of ``pairs``; the first part of a batch pays what the weights are held by."""

    pair: EncodedPair
    pairs: int
    first: bool

    @property
    def rows(self) -> tuple[Encoded, ...]:
        """Return both answers."""
        return self.pair.chosen, self.pair.rejected


def as_example(pair: PreferencePair) -> Example:
    """Return the better answer as an example."""
    return Example(ExampleKind.INSTRUCTION, pair.prompt, pair.chosen, pair.source, pair.made)


def encode_pairs(pairs: Sequence[PreferencePair], dialogue: Dialogue, *, max_tokens: int) -> EncodedPairs:
    """Return the tokens of pairs as they are served; one of which a side is too long is left out."""
    kept: list[EncodedPair] = []
    dropped: list[Sifted] = []
    for pair in pairs:
        better = as_example(pair)
        found = encode(
            [better, dataclasses.replace(better, completion=pair.rejected)], dialogue, max_tokens=max_tokens
        )
        if len(found.encoded) == 2:
            kept.append(EncodedPair(*found.encoded))
        else:
            dropped.append(found.left_out[0])
    reasons = sorted({left.reason for left in dropped})
    counts = [Sifted(reason, sum(left.reason == reason for left in dropped)) for reason in reasons]
    return EncodedPairs(tuple(kept), tuple(counts))


def dpo_loss(chosen: Tensor, rejected: Tensor, reference: Tensor, *, beta: float) -> Tensor:
    """Return −log σ(β·(margin − reference)) of each pair.

    Args:
        chosen: log-likelihoods of the better answers, shape (pairs,).
        rejected: those of the worse ones.
        reference: by how much the model that training began with finds the better one likelier, in nats.
        beta: how far a pair may be pulled apart; more keeps nearer to the reference.
    """
    return -functional.logsigmoid(beta * (chosen - rejected - reference))


class PreferenceTask:
    """What a generator is trained on where one answer is better than another.

    What the model says before training is the reference, read once: no second model is kept. Batches of pairs
    are held by the same rehearsal as those of examples, and both can be learned at once.

    Args:
        task: of the examples and of rehearsal; without examples it has as many batches as there are of pairs.
        train: pairs to train on.
        stop: pairs that tell when to stop.
        settings: ``beta``, and how many pairs a batch has.
        reads: the reference is read with it; False leaves it at 0, to try out what steps take.
    """

    def __init__(
        self,
        task: GeneratorTask,
        train: Sequence[EncodedPair],
        stop: Sequence[EncodedPair],
        settings: AdaptationSettings,
        *,
        reads: bool = True,
    ) -> None:
        self.module, self._task = task.module, task
        self._train, self._stop, self._settings = tuple(train), tuple(stop), settings
        every = [*self._train, *self._stop]
        margins = self.margins(every) if reads else [0.0] * len(every)
        self._reference = dict(zip((pair.ids for pair in every), margins, strict=True))

    @cached_property
    def digest(self) -> str:
        """Return what decides the result: the examples, the pairs, and what the reference says of them."""
        said = [f"{ids}:{margin:.3f}" for ids, margin in self._reference.items()]
        return hash_text(self._task.digest, str(len(self._train)), *said)

    def batches(self, epoch: int) -> list[list[Any]]:
        """Return the batches of an epoch: pairs, each a part, with examples and rehearsal among them."""
        size, order = self._settings.batch, np.random.default_rng([self._settings.seed, epoch, 2])
        shuffled = [self._train[place] for place in order.permutation(len(self._train))]
        groups = [shuffled[begin : begin + size] for begin in range(0, len(shuffled), size)]
        batches: list[list[Any]] = [[*parts] for parts in self._task.batches(epoch, least=len(groups))]
        for group, parts in zip(groups, batches, strict=False):
            alone = not parts
            parts += [PairStep(pair, len(group), alone and not place) for place, pair in enumerate(group)]
        return batches

    def loss(self, module: Any, part: Any) -> Any:
        """Return the share of a part in the loss of its batch."""
        if not isinstance(part, PairStep):
            return self._task.loss(module, part)
        chosen, rejected = self._task.likelihoods(module, part.rows)
        reference = torch.as_tensor(self._reference[part.pair.ids], device=chosen.device)
        loss = dpo_loss(chosen, rejected, reference, beta=self._settings.beta) / part.pairs
        return loss + self._task.held() if part.first else loss

    def validate(self) -> tuple[float, float | None]:
        """Return the loss on the pairs, and examples, that tell when to stop, and on general text."""
        examples, general = self._task.validate()
        if not self._stop:
            return examples, general
        margins = torch.tensor(self.margins(self._stop))
        reference = torch.tensor([self._reference[pair.ids] for pair in self._stop])
        none = torch.zeros_like(margins)
        loss = float(dpo_loss(margins, none, reference, beta=self._settings.beta).mean())
        return loss if examples != examples else loss + examples, general

    def margins(self, pairs: Sequence[EncodedPair]) -> list[float]:
        """Return by how many nats the model finds the better answer of each pair likelier than the worse."""
        sides = [side for pair in pairs for side in (pair.chosen, pair.rejected)]
        losses = self._task.losses(sides)
        nats = [loss * side.completion_tokens for loss, side in zip(losses, sides, strict=True)]
        return [worse - better for better, worse in zip(nats[::2], nats[1::2], strict=True)]


def margins_in_service(subject: Subject, pairs: Sequence[EncodedPair]) -> list[float]:
    """Return the same by the generator that serves."""
    sides = [side for pair in pairs for side in (pair.chosen, pair.rejected)]
    nats = log_likelihoods(subject, [TokenStretch(side.ids, side.start) for side in sides])
    return [better - worse for better, worse in zip(nats[::2], nats[1::2], strict=True)]


def preference_gain(
    before: Sequence[float], after: Sequence[float], pairs: Sequence[EncodedPair]
) -> Change | None:
    """Return how many more of the better answers are the likelier ones, by margins; None without pairs."""
    if not pairs:
        return None
    return paired_change(
        "better answers preferred",
        [float(margin > 0) for margin in before],
        [float(margin > 0) for margin in after],
        [pair.chosen.example.source or str(place) for place, pair in enumerate(pairs)],
        unit="points",
        higher_is_better=True,
        scale=100,
        bounded=True,
    )


@dataclass(frozen=True, slots=True)
class Compared:
    """Validation pairs in two parts that share no document: for stopping, and for the proof."""

    stop: tuple[EncodedPair, ...]
    proof: tuple[EncodedPair, ...]


def halve_pairs(pairs: Sequence[EncodedPair]) -> Compared:
    """Return what tells when to stop and what proves the gain."""

    def unit(pair: EncodedPair) -> str:
        return pair.chosen.example.source or hash_text(repr(pair.ids))

    order = sorted({unit(pair) for pair in pairs}, key=lambda source: hash_text("half", source))
    first = set(order[: len(order) // 2])
    return Compared(
        tuple(pair for pair in pairs if unit(pair) in first),
        tuple(pair for pair in pairs if unit(pair) not in first),
    )


def require_pairs(count: int, *, made_from: str) -> None:
    """Refuse so few pairs that nothing can be learned from them.

    Raises:
        UsageError: there are fewer than ``LEAST_EXAMPLES``.
    """
    if count < LEAST_EXAMPLES:
        raise UsageError(
            f"{made_from} gives {count} preference pairs, expected {LEAST_EXAMPLES} or more",
            hint="add documents, or rows with `prompt`, `chosen` and `rejected`",
        )


def with_own_mistakes(pairs: Sequence[PreferencePair], generator: Generator) -> list[PreferencePair]:
    """Return pairs whose worse answer is what the generator itself writes, wherever that is wrong.

    What nobody would write teaches little; pairs that are given stay as they are. Wrong is who answers where
    to decline is right, and declines where it is not, or leaves out the last line of the better answer.
    """
    made = [pair for pair in pairs if pair.made != "given"]
    found = [pair for pair in pairs if pair.made == "given"]
    written = generator.generate([pair.prompt for pair in made], max_new_tokens=_WRITTEN_TOKENS)
    for pair, said in zip(made, written, strict=True):
        answer = pair.chosen.rpartition("\n")[2].casefold()
        declined = declines(said.text)
        right = declined if declines(pair.chosen) else not declined and answer in said.text.casefold()
        found.append(pair if right or not said.text else dataclasses.replace(pair, rejected=said.text))
    return found
