"""Tune a tiny generator; started by ``accelerate launch`` as one of several processes."""

import json
import os
import sys
from pathlib import Path

from hybrid.adaptation.methods.generator import Base, tune_generator
from hybrid.adaptation.values import Example, ExampleKind, Examples
from hybrid.config import AdaptationSettings
from hybrid.models.device import Placement
from hybrid.types import Message, MessageRole


def labels(count, offset=0):
    """The label is whether the word is a port."""
    rows = []
    for n in range(offset, offset + count):
        yes = n % 2 == 0
        prompt = (Message(MessageRole.USER, f"is {'port' if yes else 'server'} {n} a port"),)
        completion, options = ("yes" if yes else "no"), ("yes", "no")
        rows.append(Example(ExampleKind.LABEL, prompt, completion, f"s{n}", options=options))
    return tuple(rows)


def main():
    base, out = Path(sys.argv[1]), Path(sys.argv[2])
    settings = AdaptationSettings(
        rank=4, learning_rate=1e-2, epochs=10, batch=4, rehearsal=0.0, max_tokens=120
    )
    steps = []
    made = tune_generator(
        Base(base, "tiny"),
        Examples(labels(40), labels(48, 100)),
        settings,
        out=out / "adapter",
        placement=Placement("cpu", "float32", "test"),
        progress=lambda step, total, loss: steps.append(total),
    )
    told = {"after": made.gain.after, "steps": steps[-1], "curve": [p.domain for p in made.fit.curve]}
    (out / f"rank-{os.environ.get('RANK', '0')}.json").write_text(json.dumps(told))


if __name__ == "__main__":
    main()
