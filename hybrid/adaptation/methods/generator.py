"""Causal language models tuned on examples with rehearsal: the loss, and the strength."""

from __future__ import annotations

import contextlib
import re
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import torch
from torch import Tensor
from torch.nn import functional

from hybrid.adaptation.data.examples import require_examples
from hybrid.adaptation.methods import AdapterPlan, attach, parametrisation, plan_for
from hybrid.adaptation.methods.encoding import (
    Encoded,
    EncodedExamples,
    TokenBatch,
    Told,
    collate,
    encode,
    encode_all,
    first_tokens,
    gain_of,
    grouped,
    halve,
    logits_of,
    worth,
)
from hybrid.adaptation.methods.holding import Penalty, hold_weights
from hybrid.adaptation.methods.loop import Fit, Schedule, fit, is_main
from hybrid.adaptation.methods.lora import load_base, precision, resume_lora
from hybrid.adaptation.methods.preferences import RATE_SHARE, PreferenceTask, require_pairs
from hybrid.adaptation.values import Change, Example, Examples, Note, Steps, silent
from hybrid.config import AdaptationSettings, Method
from hybrid.errors import UsageError
from hybrid.files import hash_text
from hybrid.models.device import Placement, batches
from hybrid.models.dialogue import Dialogue
from hybrid.models.pretrained import load_tokenizer
from hybrid.models.resolve import weights_digest

# A step of more tokens is computed in parts: it bounds the memory.
_PART_TOKENS = 1_024
_MEASURE_ROWS = 16
# Training goes on beyond the budget, since a smaller strength brings it back; so far beyond, none does.
_HOPELESS = 4.0
# Of the budget on the few probe texts, so that the bound on the whole suite is inside it.
_WITHIN = 0.6
_STRENGTHS = (0.85, 0.7, 0.55, 0.4, 0.25)
# To look at what is held out takes as long as two steps of four examples.
_STEPS_APART = 8

# The number of a block in the name of a parameter, and what of the weights is not worth telling.
_BLOCK = re.compile(r"\.\d+\.")
_LITTLE = 0.02


@dataclass(frozen=True, slots=True)
class Base:
    """A model on disk, and the name that people know it by."""

    folder: Path
    name: str

    @property
    def digest(self) -> str:
        """Return the digest of its weights."""
        return weights_digest(self.folder)


@dataclass(frozen=True, slots=True)
class TunedGenerator:
    """An adapter that was trained and not yet stored; its strength is in its weights."""

    folder: Path
    plan: AdapterPlan
    fit: Fit
    strength: float
    gain: Change | None
    tokens: int
    untouched: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """Rows of a batch that are computed at once, and what each of their completion tokens weighs.

    With the first of a batch is paid what holds the weights.
    """

    rows: tuple[Encoded, ...]
    weight: float
    first: bool = False


class GeneratorTask:
    """What a generator is trained on.

    The loss is the mean over the completion tokens that are taught, and beside it the mean over those that
    are rehearsed: together in one mean, long texts of rehearsal would drown labels of one token. With
    ``divergence``, its weight, rehearsal is held by the KL divergence from the base instead of by its text:
    what the base would say there, not one thing that it said. Without, it weighs as its share of the tokens.
    """

    def __init__(
        self,
        module: Any,
        dialogue: Dialogue,
        train: Sequence[Encoded],
        stop: Sequence[Encoded],
        probe: Sequence[Encoded],
        settings: AdaptationSettings,
        placement: Placement,
        hold: Penalty | None = None,
    ) -> None:
        self.module = module
        self._train, self._stop, self._probe = tuple(train), tuple(stop), tuple(probe)
        self._settings, self._placement = settings, placement
        self._autocast = precision(module, placement)
        self._pad = int(dialogue.tokenizer.pad_token_id or dialogue.end)
        self._hold = hold

    @cached_property
    def digest(self) -> str:
        """Return what decides the result: the tokens, the settings, and what the weights were before."""
        tokens = [
            repr((item.ids, item.start)) for part in (self._train, self._stop, self._probe) for item in part
        ]
        shapes = [f"{name}{tuple(p.shape)}" for name, p in self.module.named_parameters() if p.requires_grad]
        return hash_text(repr(self._settings), self._placement.dtype, *shapes, *tokens)

    def batches(self, epoch: int, *, least: int = 0) -> list[list[Step]]:
        """Return the batches of an epoch, so many at least, each in parts that fit into memory."""
        taught = [item for item in self._train if not item.rehearses]
        groups = grouped(taught, self._settings.batch, seed=self._settings.seed, epoch=epoch)
        groups += [[] for _ in range(least - len(groups))]
        # every step is held, so rehearsal is dealt out: by length it would make up batches of its own
        held = [item for item in self._train if item.rehearses]
        order = np.random.default_rng([self._settings.seed, epoch, 1]).permutation(len(held))
        for place, number in enumerate(order):
            groups[place % len(groups)].append(held[number])
        return [_parts(group, self._held) for group in groups]

    def loss(self, module: Any, part: Step) -> Any:
        """Return the share of a part in the loss of its batch."""
        if self._settings.divergence and part.rows[0].rehearses:
            # the whole loss of these rows: their text is only where the two are compared
            loss = self._divergence(module, part.rows).sum() * part.weight
        else:
            loss = -self.likelihoods(module, part.rows).sum() * part.weight
        return loss + self.held() if part.first else loss

    def held(self) -> Any:
        """Return what the weights pay for having moved, which is added once a batch."""
        return 0.0 if self._hold is None else self._hold()

    def likelihoods(self, module: Any, rows: Sequence[Encoded]) -> Any:
        """Return the log-likelihood of each completion, summed over its tokens, with gradients; (rows,)."""
        batch = collate(rows, pad=self._pad, device=self._placement.device)
        logits, targets = self._logits(module, batch).flatten(0, 1).float(), batch.targets.flatten()
        losses = functional.cross_entropy(logits, targets, ignore_index=-100, reduction="none")
        return -losses.view(batch.targets.shape).sum(-1)

    @cached_property
    def _held(self) -> float:
        """Return what rehearsal weighs beside what is taught."""
        share = self._settings.rehearsal
        return self._settings.divergence or share / (1 - share)

    def validate(self) -> tuple[float, float | None]:
        """Return the loss on the examples that tell when to stop, and on general text."""
        stop = _mean(self.losses(self._stop), self._stop) if self._stop else float("nan")
        return stop, self.general()

    def general(self) -> float | None:
        """Return the loss on general text alone, None where there is none to look at."""
        return _mean(self.losses(self._probe), self._probe) if self._probe else None

    def losses(self, encoded: Sequence[Encoded]) -> list[float]:
        """Return for each example the mean loss of its completion tokens, in nats."""
        values = [0.0] * len(encoded)
        lengths = [len(item.ids) for item in encoded]
        for places in batches(lengths, rows=_MEASURE_ROWS, tokens=_MEASURE_ROWS * max(lengths, default=0)):
            with torch.inference_mode():
                found = self.likelihoods(self.module, [encoded[place] for place in places])
            for place, value in zip(places, found.tolist(), strict=True):
                values[place] = -value / encoded[place].judged
        return values

    def _divergence(self, module: Any, rows: Sequence[Encoded]) -> Any:
        """Return KL(base ‖ adapted) at every kept position, shape (rows, kept)."""
        batch = collate(rows, pad=self._pad, device=self._placement.device)
        own = self._logits(module, batch).float().log_softmax(-1)
        with torch.no_grad(), self.module.disable_adapter():
            other = self._logits(self.module, batch).float().log_softmax(-1)
        return (other.exp() * (other - own)).sum(-1) * (batch.targets >= 0)

    def _logits(self, module: Any, batch: TokenBatch) -> Tensor:
        with self._autocast():
            return logits_of(module, batch)


def tune_generator(
    base: Base,
    examples: Examples,
    settings: AdaptationSettings,
    *,
    out: Path,
    placement: Placement,
    rehearsal: Sequence[Example] = (),
    probe: Sequence[Example] = (),
    over: Sequence[Path] = (),
    start: Path | None = None,
    state: Path | None = None,
    progress: Steps = silent,
) -> TunedGenerator:
    """Train an adapter and save it, with the gain on validation examples that training never looked at.

    ``rehearsal``: what is mixed in to keep the model what it was; as much of it as the settings say. By the
    first of it EWC tells what the base needs. ``probe``: general texts whose loss may not rise by more than
    the budget. ``start``: the folder of an adapter to begin with, instead of one that does nothing.
    ``state``: a folder in which an interrupted run is kept, to go on with.
    """
    dialogue = Dialogue(load_tokenizer(base.folder))
    limit = settings.max_tokens
    given = encode_all(examples, dialogue, max_tokens=limit)
    _require_enough(given, examples)
    mixed = encode(rehearsal, dialogue, max_tokens=limit).encoded
    share = given.tokens * settings.rehearsal / (1 - settings.rehearsal)
    taught = [*given.train.encoded, *first_tokens(mixed, (len(item.ids) for item in mixed), share)]
    checked, compared = halve(given.validation.encoded), halve(given.checks.encoded)
    pairs = given.pairs.encoded
    plan = plan_for(settings, tokens=round(given.tokens * settings.epochs), over=over)
    if pairs and not settings.learning_rate:
        plan = replace(plan, learning_rate=RATE_SHARE * plan.learning_rate)
    way, module = parametrisation(settings.method), load_base(base.folder, settings.method, placement)
    torch.manual_seed(settings.seed)  # an adapter begins at random
    module = way.attach(module, plan, settings) if start is None else resume_lora(module, start, base.digest)
    general = encode(probe, dialogue, max_tokens=limit).encoded
    hold = hold_weights(module, settings, mixed, base.digest, placement)
    task = GeneratorTask(module, dialogue, taught, checked.stop, general, settings, placement, hold)
    module.eval()
    preferring = PreferenceTask(task, pairs, compared.stop, settings) if pairs else None
    proof: Sequence[Told] = compared.proof if preferring else checked.proof
    # virtual tokens change what is said before they are trained
    with module.disable_adapter() if start is None else contextlib.nullcontext():
        before = worth(task.losses, proof, dialogue)
    schedule = Schedule(
        plan.learning_rate,
        settings.epochs,
        apart=_STEPS_APART,
        drift=settings.stop_nats or _HOPELESS * settings.budget_nats,
        upper_first=settings.upper_first,
    )
    done = fit(preferring or task, schedule, seed=settings.seed, state=state, progress=progress)
    strength = weaken(task, way.neutral(module), done, _WITHIN * settings.budget_nats)
    gain = gain_of(before, worth(task.losses, proof, dialogue), proof)
    if is_main():
        way.save(module, base.name, out)
    return TunedGenerator(out, plan, done, strength, gain, given.tokens, not_adapted(module))


def _require_enough(given: EncodedExamples, examples: Examples) -> None:
    """Raise a UsageError where too little is short enough."""
    if examples.preferences:
        require_pairs(len(given.pairs.encoded))
    else:
        require_examples(
            [item.example for item in given.train.encoded],
            made_from="the training data",
            checked=len(examples.validation),
            left_out=given.train.left_out,
        )


def not_adapted(module: Any) -> str:
    """Return what of adapted blocks has no adapter, such as the experts of a mixture, with its share.

    Empty where it is next to nothing, or where the method is not one of single layers.
    """
    sizes = {name: p.numel() for name, p in module.named_parameters() if not p.requires_grad}
    adapted = {found[0] for name in sizes if ".base_layer." in name and (found := _BLOCK.search(name))}
    left: Counter[str] = Counter()
    for name, size in sizes.items():
        if ".base_layer." not in name and (found := _BLOCK.search(name)) and found[0] in adapted:
            left[name[found.end() :].removesuffix(".weight")] += size
    share = left.total() / max(sum(sizes.values()), 1)
    large = sorted(name for name, size in left.items() if size > _LITTLE * left.total())
    return f"{', '.join(large)} ({share:.0%} of the weights)" if share > _LITTLE else ""


def weaken(task: GeneratorTask, neutral: Mapping[str, Tensor], done: Fit, allowed: float) -> float:
    """Scale the change down until general text loses no more than is allowed; return the strength.

    It costs no training, and keeps more of the gain than of the loss, which grows with the square of a small
    change. What does not pass at any strength is left as it was trained, for the gate to refuse, and so is
    what does not change in proportion to its parameters: for that ``neutral`` is empty.
    """
    first, kept = done.curve[0].general, done.kept.general
    if first is None or kept is None or kept <= first + allowed or not neutral:
        return 1.0
    parameters = dict(task.module.named_parameters())
    trained = {name: parameters[name].detach().clone() for name in neutral}
    for strength in (*_STRENGTHS, 1.0):
        for name, value in neutral.items():
            parameters[name].data.copy_(value + (trained[name] - value) * strength)
        general = task.general()
        if general is not None and general <= first + allowed:
            return strength
    return 1.0


def _parts(group: Sequence[Encoded], held: float) -> list[Step]:
    """Split a batch so that no part has more tokens than fit; rehearsal stays apart."""
    parts: list[Step] = []
    for rehearses, weight in ((False, 1.0), (True, held)):
        rows = [item for item in group if item.rehearses is rehearses]
        tokens = sum(item.judged for item in rows)
        lengths = [len(item.ids) for item in rows]
        for places in batches(lengths, rows=len(rows), tokens=_PART_TOKENS):
            part = tuple(rows[place] for place in places)
            parts.append(Step(part, weight / tokens, first=not parts))
    return parts


def _mean(values: Sequence[float], encoded: Sequence[Encoded]) -> float:
    """Return the mean over all completion tokens."""
    return float(np.average(values, weights=[item.judged for item in encoded]))


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
    train = (*examples.train, *rehearsal)
    given = encode_all(replace(examples, train=train), dialogue, max_tokens=settings.max_tokens)
    total = round(given.tokens * settings.epochs)
    plan = plan_for(settings, tokens=total, over=over)
    module = attach(load_base(base.folder, settings.method, placement), plan, settings)
    taught = GeneratorTask(module, dialogue, given.train.encoded, [], [], settings, placement)
    pairs = given.pairs.encoded
    task = PreferenceTask(taught, pairs, [], settings, reads=False) if pairs else taught
    batches = task.batches(0)
    steps = max(1, round(len(batches) * settings.epochs))
    # the longest ones, for the memory; their time is scaled by their tokens
    longest = sorted(batches, key=lambda parts: -sum(len(row.ids) for part in parts for row in part.rows))
    tokens = sum(len(row.ids) for parts in longest[:_STEPS] for part in parts for row in part.rows)
    begun = time.perf_counter()
    optimizer = torch.optim.AdamW([p for p in module.parameters() if p.requires_grad])
    for parts in longest[:_STEPS]:
        for part in parts:
            task.loss(module, part).backward()
        optimizer.step()
        optimizer.zero_grad()
    seconds = time.perf_counter() - begun
    memory = psutil.Process().memory_info()
    return Trial(steps, total, seconds / tokens * total, memory.rss / 1e6)


def best_rank(
    base: Base,
    examples: Examples,
    settings: AdaptationSettings,
    *,
    placement: Placement,
    progress: Note = silent,
) -> int:
    """Return the rank whose short training validates best; of equal ones the smallest."""
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
