"""An embedder tuned by distilling the fused ranking into the dense one, and the strength of its change."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from hybrid.adaptation.methods import AdapterPlan
from hybrid.adaptation.methods.loop import Fit, Schedule, fit
from hybrid.adaptation.methods.lora import attach_lora, lora_layers, precision, save_lora
from hybrid.adaptation.methods.teaching import Lesson, VectorModel
from hybrid.adaptation.values import Pairs, QueryPair, Steps, silent
from hybrid.config import AdaptationSettings, Method
from hybrid.errors import UsageError
from hybrid.files import hash_text
from hybrid.models import Vectors
from hybrid.models.device import Placement
from hybrid.models.embedder import load_sentence_transformer, transformer_of

if TYPE_CHECKING:
    from torch import Tensor

# So many documents count: nDCG@10.
FIRST = 10
MIN_PAIRS = 8
_RANK = 16
_RATE = 5e-4
# What cosines are multiplied with before the softmax: the inverse of a temperature.
_SCALE = 20.0
# Of a text, as training sees it.
_MAX_TOKENS = 192
_WARMUP, _LOOKS = 0.1, 4
STRENGTHS_TRIED = (0.25, 0.5, 0.75, 1.0, 1.25)
# a similarity that is not compared
_NEVER = -1e4
_METHODS = (Method.LORA, Method.RSLORA, Method.DORA)


def pool_scores(
    queries: Vectors, passages: Vectors, own: Sequence[int], sources: Sequence[str]
) -> list[float]:
    """Return for each query the nDCG@10 of its own passage among those of other documents.

    ``own``: for each query the place of its passage. ``sources``: of the passages; others of the same source
    are nobody's rivals.
    """
    scores = queries @ passages.T
    names = np.array(sources)
    return [
        gain_below(len(set(names[(row > row[place]) & (names != names[place])])))
        for row, place in zip(scores, own, strict=True)
    ]


def gain_below(better: int) -> float:
    """Return the nDCG of the only relevant document below so many others."""
    return 1.0 / math.log2(better + 2) if better < FIRST else 0.0


@dataclass(frozen=True, slots=True)
class EmbedderSettings:
    """What there is to choose beside what all adapters have.

    ``batch`` queries are compared at once, in groups of ``neighbours`` whose passages are alike; with
    ``listed`` further passages each. ``hold`` is what general texts staying where they are weighs beside
    the ranking. ``prompts`` stand before queries and passages; empty are those that the model names.
    """

    batch: int = 32
    neighbours: int = 4
    listed: int = 32
    hold: float = 1.0
    held_texts: int = 8
    dense_weight: float = 0.5
    layers: float = 0.5
    prompts: tuple[str, str] = ("", "")


@dataclass(frozen=True, slots=True)
class TunedEmbedder:
    """An adapter that was trained and not yet stored; ``strength`` is already part of its weights."""

    folder: Path
    plan: AdapterPlan
    fit: Fit
    strength: float
    strengths: tuple[Strength, ...]


@dataclass(frozen=True, slots=True)
class Part:
    """A batch: the pairs in it, and the general texts that are held."""

    rows: tuple[int, ...]
    held: tuple[int, ...]


class EmbedderTask:
    """What an embedder is trained on: the dense ranking of every query towards the fused one.

    Compared are the passages of its batch and those that the teacher ranks first. A batch is made of
    neighbours, so that what it compares is hard to tell apart. General texts are held where the base puts
    them; every other one of ``general`` is only looked at.
    """

    def __init__(
        self,
        encoder: VectorModel,
        lesson: Lesson,
        check: Lesson | None,
        general: Sequence[str],
        base_general: Vectors,
        settings: EmbedderSettings,
        *,
        seed: int,
        placement: Placement,
    ) -> None:
        self.module = encoder
        self._lesson, self._check = lesson, check
        self._general, self._base_general = tuple(general), base_general
        self._settings, self._seed, self._placement = settings, seed, placement
        self._autocast = precision(encoder, placement)

    def moved(self) -> float:
        """Return how far the general texts that are not trained on have moved; 0 where there are none."""
        texts, base = self._general[1::2], self._base_general[1::2]
        found = torch.from_numpy(self.module.encode(texts, self.module.query_prompt))
        return float(moved(found, torch.from_numpy(base))) if texts else 0.0

    @cached_property
    def digest(self) -> str:
        """Return what decides the result: pairs, texts, settings, and what the weights were before."""
        said = [repr(pair) for lesson in (self._lesson, self._check) if lesson for pair in lesson.pairs]
        shapes = [f"{name}{tuple(p.shape)}" for name, p in self.module.named_parameters() if p.requires_grad]
        format_ = self._placement.dtype
        return hash_text(repr(self._settings), str(self._seed), format_, *shapes, *said, *self._general)

    def batches(self, epoch: int) -> list[list[Part]]:
        """Return the batches of an epoch, each with a few general texts."""
        settings = self._settings
        batches = self._lesson.batches(settings.batch, settings.neighbours, seed=self._seed, epoch=epoch)
        draw = np.random.default_rng([self._seed, epoch, 1])
        trained = len(self._general[::2])
        count = min(settings.held_texts if settings.hold else 0, trained)
        return [
            [Part(rows, tuple(2 * int(n) for n in draw.choice(trained, size=count, replace=False)))]
            for rows in batches
        ]

    def loss(self, module: Any, part: Part) -> Tensor:
        """Return the loss of a batch."""
        encoder, lesson = self.module, self._lesson
        pairs = [lesson.pairs[row] for row in part.rows]
        groups = [
            encoder.tokens([pair.query for pair in pairs], encoder.query_prompt),
            encoder.tokens([pair.passage for pair in pairs], encoder.passage_prompt),
        ]
        if part.held:
            held = [self._general[place] for place in part.held]
            groups.append(encoder.tokens(held, encoder.query_prompt))
        with self._autocast():
            vectors = module(groups)
        loss = self._compared(lesson, part.rows, vectors[0], vectors[1])
        if part.held:
            base = torch.from_numpy(self._base_general[list(part.held)]).to(vectors[2])
            loss = loss + self._settings.hold * moved(vectors[2], base)
        return loss

    def validate(self) -> tuple[float, float | None]:
        """Return the loss on validation pairs, and how far general texts have moved."""
        settings = self._settings
        away = self.moved() if self._general[1::2] else None
        if self._check is None:
            return float("nan"), away
        losses = []
        for rows in self._check.batches(settings.batch, settings.neighbours, seed=0, epoch=0):
            pairs = [self._check.pairs[row] for row in rows]
            queries = self.module.encode([pair.query for pair in pairs], self.module.query_prompt)
            passages = self.module.encode([pair.passage for pair in pairs], self.module.passage_prompt)
            vectors = (torch.from_numpy(part) for part in (queries, passages))
            losses.append(float(self._compared(self._check, rows, *vectors)))
        return float(np.mean(losses)), away

    def _compared(self, lesson: Lesson, rows: Sequence[int], queries: Tensor, passages: Tensor) -> Tensor:
        """Return the loss of the vectors of some pairs."""
        places, chosen = np.array([lesson.own[row] for row in rows]), list(rows)
        listed = lesson.listed.places[chosen]
        frozen = torch.from_numpy(lesson.passages[np.maximum(listed, 0)]).to(queries)
        student = torch.cat([queries @ passages.t(), torch.einsum("qd,qkd->qk", queries, frozen)], dim=1)
        taught = np.concatenate(
            [lesson.teacher.similarities(chosen, places.tolist()), lesson.listed.similarities[chosen]], axis=1
        )
        teacher = torch.from_numpy(taught).to(student)
        # a passage of the batch is compared by its own vector, not once more by that of the base
        others = torch.from_numpy((listed >= 0) & ~np.isin(listed, places)).to(student.device)
        apart = ~torch.eye(len(chosen), dtype=torch.bool, device=student.device)
        compared = torch.cat([apart, others], dim=1)
        # where the query was cut from a passage, words say too much about the two
        return listwise(student, teacher, compared, scale=_SCALE)


def listwise(student: Tensor, teacher: Tensor, compared: Tensor, *, scale: float) -> Tensor:
    """Return KL(teacher ‖ student) of the distributions over the compared passages, averaged over queries.

    A query with nothing to compare adds nothing.

    ``student``: similarities of shape (queries, passages). ``scale``: what similarities are multiplied with
    before the softmax, the inverse of a temperature.
    """
    own = (student * scale).masked_fill(~compared, _NEVER).log_softmax(-1)
    other = (teacher * scale).masked_fill(~compared, _NEVER).log_softmax(-1)
    apart = (other.exp() * (other - own)).masked_fill(~compared, 0.0).sum(-1)
    return apart.mean()


def moved(vectors: Tensor, base: Tensor) -> Tensor:
    """Return how far unit vectors are from where the base puts them: the mean of 1 − cosine."""
    return (1.0 - (vectors * base).sum(-1)).mean()


def tune_embedder(
    folder: Path,
    name: str,
    pairs: Pairs,
    adaptation: AdaptationSettings,
    *,
    out: Path,
    placement: Placement,
    settings: EmbedderSettings | None = None,
    general: Sequence[str] = (),
    state: Path | None = None,
    progress: Steps = silent,
) -> TunedEmbedder:
    """Train an adapter, choose its strength on validation, and save it with the strength in its weights.

    ``pairs``: for training and validation; without validation pairs the strength is 1. ``general``: texts
    about anything, which are held where the base puts them. ``state``: a folder in which an interrupted run
    is kept, to go on with.
    """
    settings = settings or EmbedderSettings()
    _refuse_unfit(pairs.train, adaptation.method)
    model = load_sentence_transformer(folder, placement)
    transformer_of(model)  # refused before anything is read
    encoder = VectorModel(model, max_tokens=_MAX_TOKENS, prompts=settings.prompts)
    taught = partial(Lesson, encoder=encoder, dense_weight=settings.dense_weight, listed=settings.listed)
    lesson = taught(pairs.train)
    check = taught(pairs.validation) if len(pairs.validation) >= MIN_PAIRS else None
    held = encoder.encode(general, encoder.query_prompt)
    rank = adaptation.rank or _RANK
    plan = AdapterPlan(adaptation.method, rank, 2 * rank, adaptation.learning_rate or _RATE)
    with torch.random.fork_rng():
        torch.manual_seed(adaptation.seed)
        tuned = attach_lora(
            transformer_of(model),
            plan,
            dropout=adaptation.dropout,
            layers=min(adaptation.layers, settings.layers),
            task=None,
        )
    task = EmbedderTask(
        encoder, lesson, check, general, held, settings, seed=adaptation.seed, placement=placement
    )
    schedule = Schedule(plan.learning_rate, adaptation.epochs, warmup=_WARMUP, looks=_LOOKS, patience=_LOOKS)
    done = fit(task, schedule, seed=adaptation.seed, state=state, progress=progress)
    done.require_better()
    # the change of a decomposed adapter is not in proportion to its weights
    tried = STRENGTHS_TRIED if plan.method is not Method.DORA else (1.0,)
    strengths = try_strengths(tuned, task, check, tried) if check is not None else ()
    strength = choose_strength(strengths)
    set_strength(tuned, strength, forever=True)
    save_lora(tuned, name, out)
    return TunedEmbedder(out, plan, done, strength, strengths)


def _refuse_unfit(pairs: Sequence[QueryPair], method: Method) -> None:
    if method not in _METHODS:
        raise UsageError(
            f"an embedder is not tuned by {method}", hint=f"expected one of: {', '.join(_METHODS)}"
        )
    if len(pairs) < MIN_PAIRS:
        raise UsageError(
            f"there are {len(pairs)} query-passage pairs to train on, expected {MIN_PAIRS} or more",
            hint="index more documents, or give pairs with --data FILE.jsonl",
        )
    if len({pair.passage for pair in pairs}) == 1:
        raise UsageError(
            f"all {len(pairs)} pairs have the same passage: there is nothing to tell apart",
            hint="give pairs of several passages",
        )


@dataclass(frozen=True, slots=True)
class Strength:
    """What a strength gave on validation: nDCG@10 of made queries, and how far general texts moved."""

    strength: float
    domain: float
    moved: float


def try_strengths(
    tuned: Any, task: EmbedderTask, lesson: Lesson, strengths: Sequence[float]
) -> tuple[Strength, ...]:
    """Return what each strength reaches, that of the base first; the adapter is left at full strength."""
    encoder = task.module
    # a passage is of the document of its pair; others are their own
    sources = [f"passage {place}" for place in range(len(lesson.texts))]
    for pair, place in zip(lesson.pairs, lesson.own, strict=True):
        sources[place] = pair.source or sources[place]
    found = []
    for strength in (0.0, *strengths):
        set_strength(tuned, strength)
        queries = encoder.encode([pair.query for pair in lesson.pairs], encoder.query_prompt)
        passages = encoder.encode(lesson.texts, encoder.passage_prompt)
        scores = pool_scores(queries, passages, lesson.own, sources)
        found.append(Strength(strength, float(np.mean(scores)), task.moved()))
    set_strength(tuned, 1.0)
    return tuple(found)


def choose_strength(strengths: Sequence[Strength]) -> float:
    """Return the best strength on validation, the smaller of two that are equal; 1 if none was tried."""
    tried = [item for item in strengths if item.strength > 0]
    if not tried:
        return 1.0
    return max(tried, key=lambda item: (item.domain, -item.strength)).strength


def set_strength(tuned: Any, strength: float, *, forever: bool = False) -> None:
    """Multiply the change that an adapter makes.

    ``forever``: put it into the weights instead, so that the adapter is saved with it.
    """
    for layer in lora_layers(tuned).values():
        for name in layer.lora_B:
            layer.set_scale(name, 1.0 if forever else strength)
            if forever:
                with torch.no_grad():
                    layer.lora_B[name].weight.mul_(strength)
