"""Adapters made of adapters, each measured like any other: several merged, or one without some parts."""

from __future__ import annotations

import dataclasses
import shutil
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from hybrid.adaptation.checking import Bench
from hybrid.adaptation.methods.ablation import Ablation, Worth, ablate_deltas, without
from hybrid.adaptation.methods.deltas import Deltas, read_config, read_deltas, write_deltas
from hybrid.adaptation.methods.merging import Recipe, merge_deltas, search_weights
from hybrid.adaptation.store import AdapterStore, write_card
from hybrid.adaptation.values import AdapterKind, Card, Data, Setting
from hybrid.config import Method, Reader
from hybrid.errors import UsageError
from hybrid.files import hash_text
from hybrid.models.adapters import read_adapter


class Rework:
    """Adapters of a store taken apart and put together, in a folder that is gone at the end.

    Args:
        store: of the adapters.
        names: of those that are read; all are the generator's, made for one base.

    Raises:
        UsageError: they are not.
        AdapterError: one cannot be taken apart.
    """

    def __init__(self, store: AdapterStore, names: Sequence[str]) -> None:
        cards = [store.card(name) for name in names]
        bases = {(card.base_digest, card.kind) for card in cards}
        if len(bases) > 1 or cards[0].kind is not AdapterKind.GENERATOR:
            told = ", ".join(f"{card.name} of the {card.kind} {card.base}" for card in cards)
            raise UsageError(f"{told}: expected adapters of one generator")
        folders = [store.folder(name) for name in names]
        for folder, card in zip(folders, cards, strict=True):
            read_adapter(folder, card.base_digest, base=card.base)
        self.parts: tuple[Deltas, ...] = tuple(map(read_deltas, folders))
        self.card = cards[0] if len(cards) == 1 else _blend(cards)
        self._like = [read_config(folder) for folder in folders]
        self._store = store
        self._work = store.domain / "adapters" / f".{'+'.join(names)[:80]}.rework"

    def __enter__(self) -> Rework:
        return self

    def __exit__(self, *raised: object) -> None:
        shutil.rmtree(self._work, ignore_errors=True)

    def written(self, deltas: Deltas) -> Path:
        """Write changes as an adapter that can be measured; the one before is gone."""
        shutil.rmtree(self._work, ignore_errors=True)
        write_deltas(self._work, deltas, self._like)
        write_card(self._work, dataclasses.replace(self.card, weights=""))
        return self._work

    def keep(self, deltas: Deltas, bench: Bench, name: str, settings: Mapping[str, Setting]) -> Card:
        """Store changes as a new adapter, with what was measured of it in its card."""
        found = bench.assess(self.written(deltas), 1.0)
        card = dataclasses.replace(
            self.card,
            name="",
            settings={**self.card.settings, **settings},
            gain=found.gain,
            forgetting=found.general,
            parent=self.card.name,
            created=datetime.now(UTC).isoformat(timespec="seconds"),
        )
        return self._store.add(name or self._store.new_name(AdapterKind.GENERATOR), self._work, card)


def combine(
    rework: Rework,
    bench: Bench,
    recipe: Recipe,
    *,
    weights: Sequence[float] = (),
    name: str = "",
    note: Callable[[str], None],
) -> Card:
    """Merge adapters into one, store it with what was measured of it, and return its card.

    Args:
        rework: of the adapters.
        bench: measures what comes of it.
        recipe: how.
        weights: one for each; without them those of the least loss on validation are taken.
        name: of what comes of it; without it the next free one.
        note: told what is tried.
    """

    def loss(tried: Sequence[float]) -> float:
        folder = rework.written(merge_deltas(rework.parts, tried, recipe).deltas)
        found, _ = bench.losses(folder, general=False)
        note(f"weights {_told(tried)}: validation loss {found:.4f}")
        return found

    chosen = tuple(weights) or search_weights(len(rework.parts), loss)
    made = merge_deltas(rework.parts, chosen, recipe)
    settings: dict[str, Setting] = {
        "merged": recipe.by,
        "weights": _told(chosen),
        "density": recipe.density,
        "rank": max(len(delta.down) for delta in made.deltas.values()),
        "kept": round(made.kept, 4),
    }
    return rework.keep(made.deltas, bench, name, settings)


def ablate(
    rework: Rework, bench: Bench, *, keep: bool, progress: Callable[[Worth], None]
) -> tuple[Ablation, Card | None]:
    """Tell what each part of an adapter brings and costs; keep it without those that cost more, if wanted.

    Returns:
        What was measured, and the card of what was kept: None where that was not wanted, or every part pays.
    """
    (deltas,) = rework.parts

    def losses(some: Deltas | None) -> tuple[float, float]:
        return bench.losses(None if some is None else rework.written(some))

    found = ablate_deltas(deltas, losses, progress)
    if not keep or not found.unpaid:
        return found, None
    dropped = ", ".join(group.name for group in found.unpaid)
    return found, rework.keep(without(deltas, found.unpaid), bench, "", {"without": dropped})


def _told(weights: Sequence[float]) -> str:
    return ", ".join(f"{weight:g}" for weight in weights)


def _blend(cards: Sequence[Card]) -> Card:
    """Return the card of what comes of several adapters."""
    counts = sum((Counter(card.data.counts) for card in cards), Counter[str]())
    learned = [part for card in cards for part in str(card.settings.get("objectives", "reading")).split(", ")]
    quoting = any(card.reader is Reader.QUOTING for card in cards)
    return dataclasses.replace(
        cards[0],
        name=" + ".join(card.name for card in cards),
        method=Method.LORA,
        data=Data(
            hash_text(*(card.data.digest for card in cards)),
            "; ".join(dict.fromkeys(card.data.licence for card in cards)),
            dict(sorted(counts.items())),
        ),
        settings={"objectives": ", ".join(dict.fromkeys(learned))},
        curve=(),
        strength=1.0,
        reader=Reader.QUOTING if quoting else cards[0].reader,
        seconds=sum(card.seconds for card in cards),
    )
