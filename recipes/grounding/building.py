"""From labelled sets to a folder that serves as a scorer: checked for leaks, trained, calibrated, or refused.

Takes sets and a frozen encoder, writes heads, their card, the calibration, and what each example was given by
heads and a stack that never saw its kind. Nothing is written if heads add nothing to what words alone tell.
"""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.torch import save_file

from hybrid.config import ModelSettings
from hybrid.errors import EXIT_GATE_FAILED
from hybrid.files import write_atomic, write_json
from hybrid.grounding.calibration import CALIBRATION, Calibration, CurveKind
from hybrid.grounding.examples import Dataset, LabelledClaim
from hybrid.grounding.head import AlignmentHead
from hybrid.grounding.metrics import ScorerLogits
from hybrid.grounding.scorers.names import SHIPPED, TRAINED
from hybrid.grounding.scorers.trained import CARD, ENCODER, LAYERS, WEIGHTS, Stack, frozen_encoder
from hybrid.grounding.service import CalibrationCard, calibrated, write_card
from hybrid.grounding.tokens import TokenEncoder
from hybrid.questions.splits import unit_hash
from recipes.grounding.leaks import Leaks, require_fair
from recipes.grounding.making import MADE
from recipes.grounding.recipe import MADE_SHARES, Kind, Note, Worth, train_scorer, worth
from recipes.grounding.training import TrainingSettings

HELD_OUT = "held_out.jsonl"


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
    judged: Sequence[Dataset] = (),
    heads: int = len(MADE_SHARES),
    work: Path | None = None,
    licence: str = "",
    created: str = "",
    note: Note = lambda said: None,
) -> Built:
    """Train a scorer of labelled sets and write it, if its heads add something to words.

    Args:
        sets: to teach heads, each with both labels, and not to be told apart by overlap or length alone.
        encoder: frozen; the scorer belongs to it.
        settings: of the training.
        out: the folder to write.
        judged: sets that teach no head, and that the stack has to serve.
        heads: how many are averaged.
        work: where finished heads are kept, so that a run that was stopped goes on.
        licence: of the weights, for the card.
        created: when, for the card.
        note: told what is being done.

    Raises:
        UsageError: a set gives its labels away, or there are too few examples.
        TrainingFailed: the loss is not a number.
    """
    leaks: dict[str, Leaks] = {}
    for each in sets:
        leaks[each.name] = require_fair(each.examples)
        note(f"{each.name}: {len(each.examples)} examples")
    shares = [MADE_SHARES[number % len(MADE_SHARES)] for number in range(heads)]
    trained = train_scorer(sets, encoder, settings, judged=judged, shares=shares, work=work, note=note)
    found = worth(trained.kinds, seed=settings.seed)
    claims, logits = evened(trained.kinds)
    card = calibrated(
        claims,
        ScorerLogits(TRAINED, logits),
        method=CurveKind.PLATT,
        data=", ".join(kind.dataset.name for kind in trained.kinds),
        created=created,
        seed=settings.seed,
    )
    # words follow the probability
    card = dataclasses.replace(card, threshold=even_logit(card.calibration))
    if found.shown:
        made = {
            "sets": {each.name: len(each.examples) for each in (*sets, *judged)},
            "licences": sorted({one.licence for each in sets for one in each.examples if one.licence}),
            "settings": dataclasses.asdict(settings),
            "shares_of_made": shares,
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
        write_atomic(out / HELD_OUT, _lines(trained.kinds))
    return Built(leaks, found, card)


def built_on_disk(
    sets: Sequence[Dataset],
    settings: TrainingSettings,
    *,
    out: Path,
    heads: int,
    judged: Sequence[Dataset] = (),
    work: Path | None = None,
    licence: str = "",
) -> int:
    """Build with the encoder that the scorer is read with, print what came of it, return the exit code."""
    encoder = frozen_encoder(ModelSettings(device="cpu", offline=True))
    built = build(
        sets,
        encoder,
        settings,
        out=out,
        judged=judged,
        heads=heads,
        work=work,
        licence=licence,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        note=lambda said: print(said, file=sys.stderr, flush=True),
    )
    found = built.worth
    for name, leaks in built.leaks.items():
        print(f"{name}: AUROC of overlap {leaks.overlap:.3f}, of length {leaks.length:.3f}")
    for label, part in (("AUROC on kinds not seen", found.auroc), ("above words", found.above_words)):
        print(f"{label:<28} {part.value:+.3f} ({part.low:+.3f} to {part.high:+.3f})")
    print(f"calibration: {built.calibration.calibration}, threshold {built.calibration.threshold:.3f}")
    print(f"stored {out}" if found.shown else "not stored: it adds nothing to what words tell")
    return 0 if found.shown else EXIT_GATE_FAILED


def evened(kinds: Sequence[Kind]) -> tuple[list[LabelledClaim], NDArray[np.float64]]:
    """Return examples and logits of which every kind gives as many, and as many of both labels.

    How often claims of a new kind are carried nobody knows; sets were made with a third or with two thirds.
    Of what rules made there is nothing where people labelled anything: its mistakes are all of words that
    are there, which real ones are not, and a curve that is fitted on it doubts what is sound.
    """
    people = [kind for kind in kinds if any(one.task != MADE for one in kind.dataset.examples)] or kinds
    sides = [np.flatnonzero(kind.supported == side) for kind in people for side in (True, False)]
    least = min(map(len, sides))
    chosen: list[LabelledClaim] = []
    logits: list[float] = []
    for number, side in enumerate(sides):
        kind = people[number // 2]
        examples = kind.dataset.examples
        for place in sorted(side.tolist(), key=lambda n: unit_hash("even", examples[n].id))[:least]:
            chosen.append(examples[place])
            logits.append(float(kind.logits[place]))
    return chosen, np.array(logits)


def even_logit(curve: Calibration) -> float:
    """Return the logit whose probability is one half; 0 of a curve that is flat."""
    return -curve.intercept / curve.slope if curve.slope > 0 else 0.0


def save_trained(
    folder: Path,
    heads: Sequence[AlignmentHead],
    stack: Stack,
    encoder_digest: str,
    *,
    version: str,
    licence: str,
    made: dict[str, Any],
) -> None:
    """Write heads in half precision, and a card with what they belong to and what they were made of.

    Args:
        folder: made if it is not there.
        heads: of one shape.
        stack: over ``SIGNALS``.
        encoder_digest: of the weights of the encoder that they were trained on.
        version: stands in the scorer's name beside every figure.
        licence: of the weights.
        made: what the card says of data and settings.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {
        f"{number}.{name}": value.detach().half().contiguous()
        for number, head in enumerate(heads)
        for name, value in head.state_dict().items()
    }
    save_file(tensors, folder / WEIGHTS)
    card = {
        "version": version,
        "licence": licence,
        "encoder": ENCODER,
        "encoder_digest": encoder_digest,
        "layers": list(LAYERS),
        "shape": dataclasses.asdict(heads[0].shape),
        "heads": len(heads),
        "stack": {
            "weights": dict(zip(stack.names, stack.weights, strict=True)),
            "intercept": stack.intercept,
        },
        "made": made,
    }
    write_json(folder / CARD, card)


def held_out_of(weights: Path) -> Path:
    """Return the file of what was said of each labelled example by heads that never saw its domain.

    It lies beside weights; of those that ship it is kept here, for no user reads it.
    """
    return (Path(__file__).parent if weights == SHIPPED else weights) / HELD_OUT


def _lines(kinds: Sequence[Kind]) -> str:
    """Return a line for each example: what was said that never saw its kind, and that never saw its domain.

    The latter where a set has several domains; else it is the same.
    """
    lines: list[str] = []
    for kind in kinds:
        columns = {"kind": kind.logits, "kind_head": kind.heads}
        if not np.array_equal(kind.heads, kind.domain_heads):
            columns |= {"logit": kind.domain_logits, "head": kind.domain_heads}
        for place, example in enumerate(kind.dataset.examples):
            said = {name: round(float(values[place]), 3) for name, values in columns.items()}
            lines.append(json.dumps({"id": example.id} | said) + "\n")
    return "".join(lines)
