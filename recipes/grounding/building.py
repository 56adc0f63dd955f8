"""From labelled sets to a folder that serves as a scorer: checked for leaks, trained, calibrated, or refused.

Takes sets and a frozen encoder, writes heads, their card, the calibration, and what each example was given by
heads that never saw its domain. Nothing is written if heads add nothing to what words alone tell.
"""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hybrid.config import ModelSettings
from hybrid.errors import EXIT_GATE_FAILED
from hybrid.files import write_atomic
from hybrid.grounding.calibration import CALIBRATION, CurveKind
from hybrid.grounding.examples import Dataset, Example
from hybrid.grounding.labelled import ScorerLogits, labelled
from hybrid.grounding.scorers.names import SHIPPED, TRAINED
from hybrid.grounding.scorers.trained import frozen_encoder, save_trained
from hybrid.grounding.service import CalibrationCard, calibrated, write_card
from hybrid.grounding.tokens import TokenEncoder
from recipes.grounding.leaks import Leaks, require_fair
from recipes.grounding.making import MADE
from recipes.grounding.recipe import Note, Trained, Worth, evenly, train_scorer, worth
from recipes.grounding.training import TrainingSettings

HELD_OUT = "held_out.jsonl"
# Of supported claims of domains that are new, at most so many are shown as not supported.
FALSE_ALARMS = 0.1


@dataclass(frozen=True, slots=True)
class Built:
    """What came of it: how far each set leaks, what the heads are worth, the calibration."""

    leaks: dict[str, Leaks]
    worth: Worth
    calibration: CalibrationCard


def build(
    sets: Sequence[Dataset],
    encoder: TokenEncoder,
    settings: TrainingSettings,
    *,
    out: Path,
    heads: int = 3,
    licence: str = "",
    created: str = "",
    note: Note = lambda said: None,
) -> Built:
    """Train a scorer of labelled sets and write it, if its heads add something to words.

    Args:
        sets: each with both labels, and not to be told apart by overlap or length alone.
        encoder: frozen; the scorer belongs to it.
        settings: of the training.
        out: the folder to write.
        heads: how many are averaged.
        licence: of the weights, for the card.
        created: when, for the card.
        note: told what is being done.

    Raises:
        UsageError: a set gives its labels away, or there are too few examples.
        TrainingFailed: the loss is not a number.
    """
    leaks: dict[str, Leaks] = {}
    examples: list[Example] = []
    for each in sets:
        leaks[each.name] = require_fair(each.examples)
        note(f"{each.name}: {len(each.examples)} examples")
        examples += each.examples
    kept = _judged_by_people(examples)
    weights = stack_weights([len(each.examples) for each in sets], kept)
    trained = train_scorer(examples, encoder, settings, weights=weights, heads=heads, note=note)
    found = worth(examples, trained, seed=settings.seed)
    card = calibrated(
        labelled([examples[place] for place in kept]),
        ScorerLogits(TRAINED, trained.held_out[kept]),
        method=CurveKind.PLATT,
        threshold=tolerant_threshold(examples, trained.held_out, FALSE_ALARMS),
        data=", ".join(each.name for each in sets),
        created=created,
        seed=settings.seed,
    )
    if found.shown:
        made = {
            "sets": {each.name: len(each.examples) for each in sets},
            "licences": sorted({example.licence for example in examples if example.licence}),
            "examples": len(examples),
            "settings": dataclasses.asdict(settings),
            "auroc": found.auroc.flat(),
            "above_words": found.above_words.flat(),
            "created": created,
        }
        save_trained(
            out,
            trained.heads,
            trained.stack,
            encoder.embedder.fingerprint.weights,
            version=out.name,
            licence=licence,
            made=made,
        )
        write_card(out / CALIBRATION, card)
        write_atomic(out / HELD_OUT, _lines(examples, trained, kept))
    return Built(leaks, found, card)


def built_on_disk(
    sets: Sequence[Dataset], settings: TrainingSettings, *, out: Path, heads: int, licence: str = ""
) -> int:
    """Build with the encoder that the scorer is read with, print what came of it, return the exit code."""
    encoder = frozen_encoder(ModelSettings(device="cpu", offline=True))
    built = build(
        sets,
        encoder,
        settings,
        out=out,
        heads=heads,
        licence=licence,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        note=lambda said: print(said, file=sys.stderr, flush=True),
    )
    found = built.worth
    for name, leaks in built.leaks.items():
        print(f"{name}: AUROC of overlap {leaks.overlap:.3f}, of length {leaks.length:.3f}")
    for label, part in (("AUROC on domains not seen", found.auroc), ("above words", found.above_words)):
        print(f"{label:<28} {part.value:+.3f} ({part.low:+.3f} to {part.high:+.3f})")
    print(f"calibration: {built.calibration.calibration}, threshold {built.calibration.threshold:.3f}")
    print(f"stored {out}" if found.shown else "not stored: it adds nothing to what words tell")
    return 0 if found.shown else EXIT_GATE_FAILED


def stack_weights(sizes: Sequence[int], kept: Sequence[int]) -> NDArray[np.float64]:
    """Return what each example weighs in the stack: all sets alike, and only those examples that are kept.

    What rules made is easy for heads: beside it nothing else would get a weight.
    """
    of_set = np.repeat(np.arange(len(sizes)), sizes)
    counts = np.bincount(of_set[list(kept)], minlength=len(sizes))
    weights = np.zeros(len(of_set))
    weights[list(kept)] = 1 / counts[of_set[list(kept)]]
    return weights


def _judged_by_people(examples: Sequence[Example]) -> list[int]:
    """Return the places of examples that no rule made; all if there are none of both labels."""
    places = [place for place, each in enumerate(examples) if each.task != MADE]
    sides = {examples[place].unsupported for place in places}
    return places if len(sides) == 2 else list(range(len(examples)))


def held_out_of(weights: Path) -> Path:
    """Return the file of what was said of each labelled example by heads that never saw its domain.

    It lies beside weights; of those that ship it is kept here, for no user reads it.
    """
    return (Path(__file__).parent if weights == SHIPPED else weights) / HELD_OUT


def _lines(examples: Sequence[Example], trained: Trained, places: Sequence[int]) -> str:
    """Return a line for each place: what the stack and the head said that never saw its domain."""
    rows = (
        {
            "id": examples[place].id,
            "logit": round(float(trained.held_out[place]), 4),
            "head": round(float(trained.signals[place, 0]), 4),
        }
        for place in places
    )
    return "".join(json.dumps(row) + "\n" for row in rows)


def tolerant_threshold(
    examples: Sequence[Example], logits: NDArray[np.float64], false_alarms: float
) -> float:
    """Return the logit below which so large a share of supported claims lies, all domains weighing alike."""
    right = np.array([not example.unsupported for example in examples])
    weights = evenly([example for example in examples if not example.unsupported])
    order = np.argsort(logits[right])
    below = np.cumsum(weights[order]) / weights.sum()
    return float(logits[right][order][int(np.searchsorted(below, false_alarms))])
