"""What training would be: examples as the model sees them, what a few steps take, and which rank serves."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psutil

from hybrid.adaptation.methods import attach, plan_for
from hybrid.adaptation.methods.encoding import encode, encode_pairs
from hybrid.adaptation.methods.generator import Base, GeneratorTask, tune_generator
from hybrid.adaptation.methods.loop import Schedule, fit
from hybrid.adaptation.methods.lora import load_base
from hybrid.adaptation.methods.preferences import PreferenceTask
from hybrid.adaptation.values import Example, Examples
from hybrid.config import AdaptationSettings, Method
from hybrid.errors import UsageError
from hybrid.models.device import Placement
from hybrid.models.dialogue import Dialogue
from hybrid.models.pretrained import load_tokenizer

_STEPS = 3
_RANKS_TRIED = (4, 16, 64)
_SHORT = 1 / 3  # of the training


@dataclass(frozen=True, slots=True)
class Trial:
    """What training takes: ``steps`` and ``tokens`` in all epochs, seconds, and megabytes of memory."""

    steps: int
    tokens: int
    seconds: float
    megabytes: float
    left_out: int


@dataclass(frozen=True, slots=True)
class Rendered:
    """An example as the model sees it: what is given, what it is to write, and how many tokens both have."""

    kind: str
    source: str
    given: str
    learned: str
    given_tokens: int
    learned_tokens: int


def render(examples: Sequence[Example], base: Base, *, max_tokens: int) -> list[Rendered]:
    """Return examples with their layout; the tokens of ``given`` are masked: no loss falls on them."""
    dialogue = Dialogue(load_tokenizer(base.folder))
    decode = dialogue.tokenizer.decode
    return [
        Rendered(
            str(item.example.kind),
            item.example.source,
            given=decode(item.ids[: item.start]),
            learned=decode(item.ids[item.start :]),
            given_tokens=item.start,
            learned_tokens=item.judged,
        )
        for item in encode(examples, dialogue, max_tokens=max_tokens).encoded
    ]


def try_out(
    base: Base,
    examples: Examples,
    settings: AdaptationSettings,
    placement: Placement,
    *,
    rehearsal: Sequence[Example] = (),
    over: Sequence[Path] = (),
) -> Trial:
    """Take a few steps and say what all of them would take; validation is not counted."""
    dialogue = Dialogue(load_tokenizer(base.folder))
    everything = encode([*examples.train, *rehearsal], dialogue, max_tokens=settings.max_tokens)
    pairs = encode_pairs(examples.preferences, dialogue, max_tokens=settings.max_tokens)
    left_out = sum(left.count for left in (*everything.left_out, *pairs.left_out))
    total = round((everything.tokens + pairs.tokens) * settings.epochs)
    plan = plan_for(settings, tokens=total, over=over)
    module = attach(load_base(base.folder, settings.method, placement), plan, settings)
    taught = GeneratorTask(module, dialogue, everything.encoded, [], [], settings, placement)
    task = PreferenceTask(taught, pairs.encoded, [], settings, reads=False) if pairs.encoded else taught
    batches = task.batches(0)
    steps = max(1, round(len(batches) * settings.epochs))
    # the longest ones, for the memory; their time is scaled by their tokens
    longest = sorted(batches, key=lambda parts: -sum(len(row.ids) for part in parts for row in part.rows))
    tried = _TriedTask(task, longest[:_STEPS])
    tokens = sum(len(row.ids) for parts in tried.chosen for part in parts for row in part.rows)
    begun = time.perf_counter()
    fit(tried, Schedule(plan.learning_rate, 1.0, looks=1), seed=settings.seed)
    seconds = time.perf_counter() - begun
    memory = psutil.Process().memory_info()
    return Trial(steps, total, seconds / tokens * total, memory.rss / 1e6, left_out)


def best_rank(
    base: Base,
    examples: Examples,
    settings: AdaptationSettings,
    *,
    placement: Placement,
    progress: Callable[[str], None] = lambda said: None,
) -> int:
    """Return the rank whose short training validates best; of equal ones the smallest.

    Raises:
        UsageError: there are no validation examples to tell by, or the method has no rank.
    """
    if settings.method in (Method.FULL, Method.IA3, Method.FUSION):
        raise UsageError(f"--method {settings.method} has no rank", hint="leave --rank out")
    if not examples.validation:
        raise UsageError(
            "a rank is chosen on validation examples, and there are none", hint="name one: --rank 16"
        )
    short = replace(settings, epochs=max(settings.epochs * _SHORT, _SHORT))
    found: dict[int, float] = {}
    for rank in _RANKS_TRIED:
        with tempfile.TemporaryDirectory() as folder:
            own = replace(short, rank=rank)
            made = tune_generator(base, examples, own, out=Path(folder) / "out", placement=placement)
        found[rank] = min(point.domain for point in made.fit.curve)
        progress(f"rank {rank}: validation loss {found[rank]:.4f}")
    return min(found, key=lambda rank: (found[rank], rank))


class _TriedTask:
    """A generator task with a few batches and no validation."""

    def __init__(self, task: GeneratorTask | PreferenceTask, chosen: Sequence[list[Any]]) -> None:
        self.module, self.digest, self.loss = task.module, task.digest, task.loss
        self.chosen = chosen

    def batches(self, epoch: int) -> Sequence[list[Any]]:
        """Return the chosen batches."""
        return self.chosen

    def validate(self) -> tuple[float, float | None]:
        """Return nothing: only the steps are of interest."""
        return float("nan"), None
