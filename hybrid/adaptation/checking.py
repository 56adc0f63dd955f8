"""What a stored adapter gained and what it cost, measured into its card."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from hybrid.adaptation.examples.material import split_for
from hybrid.adaptation.examples.sifting import Sieve
from hybrid.adaptation.forgetting.collection import RetrievalSet
from hybrid.adaptation.forgetting.general import Suite
from hybrid.adaptation.forgetting.harness import measure_tasks
from hybrid.adaptation.forgetting.likelihood import Subject, TokenStretch, log_likelihoods
from hybrid.adaptation.forgetting.measurement import Model, measure
from hybrid.adaptation.forgetting.retrieval import Side, general_changes, made_change
from hybrid.adaptation.queries.pairs import held_out_pairs
from hybrid.adaptation.store import AdapterStore
from hybrid.adaptation.training.encoding import Encoded
from hybrid.adaptation.training.proof import gain_of, halve, worth
from hybrid.adaptation.values import Card, Change
from hybrid.config import Settings
from hybrid.index import Index
from hybrid.index.sync import Progress, reembed
from hybrid.models import Embedder
from hybrid.retrieval import Retriever
from hybrid.types import Question

# At most so many made queries of held-out documents tell a gain of retrieval.
_HELD_OUT_QUERIES = 300


class Measurable(Model, Protocol):
    """A generator that lends its model, with and without an adapter: ``TransformersGenerator``."""

    def adapted(self, folder: Path, *, strength: float = 1.0) -> Model:
        """Return the generator with the adapter of a folder."""
        ...


def check_generator(
    store: AdapterStore,
    name: str,
    generator: Measurable,
    suite: Suite,
    *,
    tasks: Sequence[str] = (),
    items: int | None = None,
    seed: int = 0,
    progress: Callable[[str], None] = lambda doing: None,
) -> Card:
    """Measure what an adapter made the generator forget, and write it into its card; return the card.

    Args:
        store: where the adapter is.
        name: of the adapter.
        generator: the one that it was made for, without an adapter.
        suite: what general ability is measured on.
        tasks: of lm-eval, measured as well.
        items: at most so many of each kind and task.
        seed: of the resampling, and of which items are drawn.
        progress: told what is being measured.

    Raises:
        AdapterError: there is no such adapter, or it cannot serve with the generator.
        ExtraMissing: tasks are named, and the harness is not installed.
        UsageError: a suite or a task that cannot be measured.
    """
    adapted = generator.adapted(store.folder(name))
    asked = suite if items is None else suite.sample(items, seed=seed)
    found = measure(generator, adapted, asked, seed=seed, progress=progress).changes
    if tasks:
        progress(f"lm-eval: {', '.join(tasks)}")
        found += measure_tasks(generator, adapted, tasks, items=items, seed=seed)
    return store.annotate(name, forgetting=found)


def gain_in_service(base: Subject, adapted: Subject, validation: Sequence[Encoded]) -> Change | None:
    """Return what an adapter gained, by the generator that serves it; None without examples to tell by.

    Args:
        base: the generator without the adapter.
        adapted: the same with it, at any strength.
        validation: examples; those that told when to stop are left out.
    """
    proof = halve(validation).proof
    if not proof:
        return None
    before, after = (
        worth(functools.partial(_losses, subject), proof, subject.dialogue) for subject in (base, adapted)
    )
    return gain_of(before, after, proof)


def _losses(subject: Subject, encoded: Sequence[Encoded]) -> list[float]:
    sums = log_likelihoods(subject, [TokenStretch(item.ids, item.start) for item in encoded])
    return [-value / item.completion_tokens for value, item in zip(sums, encoded, strict=True)]


def with_own(shipped: Suite, own: Suite) -> Suite:
    """Return a suite of one's own, with what ships for the kinds that it has no items of."""
    kinds = {
        kind: getattr(own, kind) or getattr(shipped, kind)
        for kind in ("passages", "pairs", "choices", "probes")
    }
    return dataclasses.replace(shipped, name=own.name, **kinds)


def check_embedder(
    store: AdapterStore,
    name: str,
    base: Embedder,
    tuned: Embedder,
    settings: Settings,
    *,
    general: Sequence[RetrievalSet],
    against: Sequence[Question] = (),
    progress: Progress | None = None,
) -> Card:
    """Measure what an embedder gained on held-out documents and lost elsewhere; return its card with that.

    The domain is embedded with both, if it is not yet; the generation in force stays in force.

    Args:
        store: where the adapter is.
        name: of the adapter.
        base: the embedder without it.
        tuned: the same with it.
        settings: of retrieval, and of adaptation, which say what was held out.
        general: collections from elsewhere.
        against: the question sets of the domain; queries that leak from them are left out.
        progress: told how far embedding is.
    """
    for embedder in (base, tuned):
        reembed(store.domain, embedder, progress=progress)
    before, after = (
        Side(Index.built_with(store.domain, embedder.fingerprint), embedder) for embedder in (base, tuned)
    )
    seed = settings.adaptation.seed
    split = split_for(before.index, settings, against, ())
    pairs = held_out_pairs(
        Retriever(before.index, base, settings.retrieval),
        split.held_out,
        count=_HELD_OUT_QUERIES,
        seed=seed,
        sieve=Sieve(against),
    )
    gain = made_change(before, after, pairs, seed=seed) if pairs else None
    return store.annotate(name, gain=gain, forgetting=general_changes(base, tuned, general, seed=seed))
