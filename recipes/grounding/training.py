"""Train alignment heads on labelled examples.

Takes examples and a token encoder, gives heads. What is frozen is computed once: the token vectors of every
text. Knows nothing about where examples come from, nor about calibration.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from hybrid.errors import TrainingFailed, UsageError
from hybrid.grounding.examples import LabelledClaim
from hybrid.grounding.head import AlignmentHead, HeadOutput, Read, Shape, batch_of, read
from hybrid.grounding.tokens import Lexicon, TokenEncoder, TokenVectors

LEAST_EXAMPLES = 50
# Claims of one evidence that are compared in one batch; more of them would see too little else.
_SISTERS = 12
_CELLS = 48 * 1_000


@dataclass(frozen=True, slots=True)
class TrainingSettings:
    """How heads are trained.

    ``evidence_tokens`` are read of an evidence that has more: the stretches that share most with the claim.
    ``token_weight`` is what the loss over tokens weighs beside that over claims, ``unsupported_weight`` what
    an unsupported token weighs beside a supported one, of which there are more.
    """

    epochs: int = 2
    rate: float = 1e-3
    batch: int = 48
    warmup: int = 50
    weight_decay: float = 0.02
    clip: float = 1.0
    token_weight: float = 0.5
    unsupported_weight: float = 3.0
    evidence_tokens: int = 640
    seed: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Lesson:
    """A read with its label; ``wrong`` flags the unsupported tokens of the claim, None where nobody knows."""

    read: Read
    supported: bool
    wrong: NDArray[np.bool_] | None


def lessons_of(
    examples: Sequence[LabelledClaim], encoder: TokenEncoder, lexicon: Lexicon, *, evidence_tokens: int
) -> list[Lesson]:
    """Return the examples as token vectors with their labels."""
    reads = read(
        [example.claim for example in examples],
        [example.evidence for example in examples],
        encoder,
        lexicon=lexicon,
        limit=evidence_tokens,
    )
    return [
        Lesson(item, example.supported, _wrong(example, item.claim))
        for item, example in zip(reads, examples, strict=True)
    ]


def train_head(
    lessons: Sequence[Lesson],
    lexicon: Lexicon,
    width: int,
    layers: int,
    settings: TrainingSettings,
    *,
    progress: Callable[[int, float, float], None] = lambda epoch, loss, seconds: None,
) -> AlignmentHead:
    """Train a head; the same seed and lessons give the same weights.

    Args:
        lessons: examples as token vectors.
        lexicon: of the encoder.
        width: of a token's vector in one layer.
        layers: how many layers a token's vector has.
        settings: how.
        progress: told the epoch, its mean loss, and the seconds since the beginning.

    Raises:
        UsageError: too few examples, or all of one label.
        TrainingFailed: the loss is not a number.
    """
    supported = sum(item.supported for item in lessons)
    if len(lessons) < LEAST_EXAMPLES or not 0 < supported < len(lessons):
        raise UsageError(
            f"{len(lessons)} examples, {supported} of them supported: expected {LEAST_EXAMPLES} or more, and "
            "both labels"
        )
    torch.manual_seed(settings.seed)
    head = AlignmentHead(Shape(layers, width), lexicon)
    optimiser = torch.optim.AdamW(head.parameters(), lr=settings.rate, weight_decay=settings.weight_decay)
    epochs = [
        list(batches(lessons, settings.batch, seed=settings.seed, epoch=n)) for n in range(settings.epochs)
    ]
    steps, step = sum(map(len, epochs)), 0
    begun = time.perf_counter()
    for epoch, own in enumerate(epochs):
        head.train()
        losses: list[float] = []
        for places in own:
            rate = settings.rate * min(1.0, (step + 1) / settings.warmup) * (1 - step / steps)
            for group in optimiser.param_groups:
                group["lr"] = rate
            items = [lessons[place] for place in places]
            loss = loss_of(head(batch_of([item.read for item in items])), items, settings)
            if not torch.isfinite(loss):
                raise TrainingFailed(f"the loss is {loss.item()} at step {step + 1}", hint="lower the rate")
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(head.parameters(), settings.clip)
            optimiser.step()
            losses.append(loss.item())
            step += 1
        progress(epoch + 1, float(np.mean(losses)), time.perf_counter() - begun)
    return head.eval()


def batches(lessons: Sequence[Lesson], size: int, *, seed: int, epoch: int) -> Iterator[list[int]]:
    """Yield places of lessons: sisters of one evidence together, groups of like length together."""
    chance = np.random.default_rng([seed, epoch])
    by_evidence: dict[str, list[int]] = {}
    for place, item in enumerate(lessons):
        by_evidence.setdefault(item.read.shared, []).append(place)
    groups: list[list[int]] = []
    for places in by_evidence.values():
        order = [places[n] for n in chance.permutation(len(places))]
        groups += [order[first : first + _SISTERS] for first in range(0, len(order), _SISTERS)]
    # near enough in length to waste little, and not always the same together
    lengths = [lessons[group[0]].read.length + 80 * chance.random() for group in groups]
    packed: list[list[int]] = [[]]
    for number in np.argsort(lengths, kind="stable"):
        for place in groups[number]:
            longest = lessons[place].read.length
            if packed[-1] and (len(packed[-1]) >= size or (len(packed[-1]) + 1) * longest > _CELLS):
                packed.append([])
            packed[-1].append(place)
    for number in chance.permutation(len(packed)):
        yield packed[number]


def loss_of(judged: HeadOutput, items: Sequence[Lesson], settings: TrainingSettings) -> torch.Tensor:
    """Return the loss over claims, and over tokens where people marked them."""
    labels = torch.tensor([float(item.supported) for item in items])
    loss = functional.binary_cross_entropy_with_logits(judged.support, labels)
    targets = torch.zeros_like(judged.unsupported)
    known = torch.zeros_like(judged.unsupported)
    for row, item in enumerate(items):
        if item.wrong is not None:
            targets[row, : len(item.wrong)] = torch.from_numpy(item.wrong).float()
            known[row, : len(item.wrong)] = 1
    if known.any():
        weight = torch.tensor(settings.unsupported_weight)
        tokens = functional.binary_cross_entropy_with_logits(
            judged.unsupported, targets, reduction="none", pos_weight=weight
        )
        loss = loss + settings.token_weight * (tokens * known).sum() / known.sum()
    return loss


def _wrong(example: LabelledClaim, claim: TokenVectors) -> NDArray[np.bool_] | None:
    if example.unsupported_spans is None:
        return None
    wrong = np.zeros(len(claim), np.bool_)
    for span in example.unsupported_spans:
        wrong |= (claim.places[:, 0] < span.end) & (span.start < claim.places[:, 1])
    return wrong
