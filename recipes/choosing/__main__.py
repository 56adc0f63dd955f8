"""Train the chooser of answer sentences that ships: from public data to weights and card.

    python -m recipes.choosing DATA --out FOLDER [--work FOLDER] [--limit N]

DATA holds ``evouna``, ``medquad``, ``begin``, ``q2_wow``, ``cuad``, ``factcheck_gpt``, ``pubmedqa``,
``scifact`` and ``corpora/haystack_mdx``. What a stage learned is kept in the work folder, and a stage that is
there is not run again. About 40 minutes on one core. ``--limit`` takes so many lessons of each stage, for a
trial.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file

from hybrid.models.choosing import CARD, WEIGHTS
from hybrid.models.resolve import fetch, weights_digest
from recipes.choosing.sets import AGAIN, BROAD, NEAR, Drill, broad, near
from recipes.choosing.training import BATCH, FIRST, RANK, SCALE, Learner, Run, train

ENCODER = "sentence-transformers/all-MiniLM-L6-v2"
_LEFT_OUT = 50
# Steps: the first run was ended when near lessons had been made, the second so that its rate could fall.
_STEPS = (300, 180, 80)
_LICENCES = ("Apache-2.0", "CC BY 4.0", "MIT", "ODC-By")


def main(arguments: list[str] | None = None) -> int:
    """Run it."""
    parser = argparse.ArgumentParser(
        prog="python -m recipes.choosing",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--work", type=Path, help="where finished stages are kept")
    parser.add_argument("--limit", type=int, default=100_000)
    options = parser.parse_args(arguments)
    work = options.work or options.out
    work.mkdir(parents=True, exist_ok=True)
    folder = fetch(ENCODER, offline=True)
    learner = Learner(folder)
    sets = broad(options.data) | near(options.data)
    left_out = {kind: sets[kind][:_LEFT_OUT] for kind in ("pubmedqa", "scifact")}
    for number, stage in enumerate(stages(sets, options.limit)):
        kept = work / f"stage{number}.pt"
        if kept.is_file():
            learner.load_state_dict(torch.load(kept, weights_only=True), strict=True)
            continue
        train(
            learner,
            stage,
            lambda step, loss: print(step, f"{loss:.2f}", flush=True) if step % 20 == 0 else None,
        )
        torch.save(learner.state_dict(), kept)
        print({kind: learner.hits(lessons) for kind, lessons in left_out.items()}, flush=True)
    options.out.mkdir(parents=True, exist_ok=True)
    save_file(learner.tensors(), options.out / WEIGHTS)
    card = {
        "version": "hybrid-chooser-1",
        "licence": "Apache-2.0",
        "encoder": ENCODER,
        "encoder_digest": weights_digest(folder),
        "marks": learner.marks,
        "scale": SCALE,
        "rank": RANK,
        "first_layer": FIRST,
        "made": {"broad": BROAD, "near": NEAR, "again": AGAIN, "steps": _STEPS, "licences": _LICENCES},
    }
    (options.out / CARD).write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")
    return 0


def stages(sets: dict[str, list[Drill]], limit: int) -> list[Run]:
    """Return the broad lessons, and then the near ones with broad ones that were not seen."""
    first = [lesson for kind, most in BROAD.items() for lesson in sets[kind][:most]]
    second = [lesson for kind, most in NEAR.items() for lesson in sets[kind][_LEFT_OUT:][:most]]
    second += [lesson for kind, (begin, end) in AGAIN.items() for lesson in sets[kind][begin:end]]
    random.Random(1).shuffle(first)  # noqa: S311
    random.Random(7).shuffle(second)  # noqa: S311
    rest = second[_STEPS[1] * BATCH :][: _STEPS[2] * BATCH]
    return [
        Run(first[:limit], 6e-4, 1, segments=True, stop=_STEPS[0]),
        Run(second[:limit], 5e-4, 3, warmup=10, stop=_STEPS[1]),
        Run(rest[:limit], 4e-4, 3, warmup=5),
    ]


if __name__ == "__main__":
    sys.exit(main())
