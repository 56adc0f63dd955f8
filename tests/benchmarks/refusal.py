"""What adapters do to refusal on the pages of examples/postgres, and what preferences do about it.

    python tests/benchmarks/refusal.py --folder FOLDER [--only reading,preference] [--json FILE]

Each adapter is trained, measured on questions of held-out pages with the passage that answers them and
without, on general questions and on general text, and judged by the gate. What is in the folder is not made
again, so a run that was interrupted goes on.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path

from hybrid import Assistant, load_settings
from hybrid.adaptation.values import Card, Change, Measure, Refusal
from hybrid.models.device import cpu_has_bf16

_EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
_SHOWN = (*Refusal, Measure.TEXT)


def assistant_for(folder: Path, options: argparse.Namespace) -> Assistant:
    """Return the domain, indexed."""
    values = {
        "indexes": str(folder),
        "models": {"dtype": "bfloat16" if cpu_has_bf16() else "float32", "offline": True},
        "adaptation": {
            "examples": options.examples,
            "epochs": options.epochs,
            "seed": options.seed,
            "layers": 0.34,
            "batch": 4,
        },
    }
    assistant = Assistant("postgres", settings=load_settings(values, environment={}))
    assistant.index(_EXAMPLES / "postgres" / "pages")
    return assistant


def learned(objective: str, start: str = "") -> Callable[[Assistant, str], Card]:
    """Return what makes an adapter that learns something, beginning with another one."""

    def call(assistant: Assistant, name: str) -> Card:
        service = assistant.adaptation
        material = service.material(objective.split(","), start=start, note=told)
        return service.tune_generator(material, name=name, start=start, progress=shown)

    return call


def told(said: str) -> None:
    """Print a note."""
    print(said, flush=True)


def shown(step: int, steps: int, loss: float) -> None:
    """Print how far training is, now and then."""
    if step % 10 == 0 or step == steps:
        print(f"step {step} of {steps}, loss {loss:.3f}", flush=True)


MAKERS: dict[str, Callable[[Assistant, str], Card]] = {
    "reading": learned("reading"),
    "preference": learned("preference"),
    "reading-preference": learned("preference", start="reading"),
}


def row(title: str, changes: dict[str, Change], *, before: bool) -> str:
    """Return a line of the table: the rate, and for an adapter the change with its 90 % interval."""
    cells = []
    for measure in _SHOWN:
        change = changes.get(measure)
        if change is None:
            cells.append("–")
        elif before:
            cells.append(f"{change.before:.2f}" if change.unit == "nats" else f"{change.before:.0f}")
        else:
            digits = 3 if change.unit == "nats" else 0
            bounds = f"{change.low:+.{digits}f} to {change.high:+.{digits}f}"
            value = f"{change.after:.2f}" if change.unit == "nats" else f"{change.after:.0f}"
            cells.append(f"{value} ({bounds})")
    return f"| {title} | " + " | ".join(cells) + " |"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--folder", type=Path, required=True, help="where index and adapters are kept")
    parser.add_argument("--only", default=",".join(MAKERS), help="which adapters, by name")
    parser.add_argument("--examples", type=int, default=120)
    parser.add_argument("--epochs", type=float, default=1.0)
    parser.add_argument("--items", type=int, default=40, help="of each kind that is measured")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    assistant = assistant_for(options.folder, options)
    cards: dict[str, Card] = {}
    for name in options.only.split(","):
        begun = time.perf_counter()
        if name not in assistant.adapters.names():
            MAKERS[name](assistant, name)
        if not assistant.adapters.card(name).forgetting:
            assistant.adaptation.check(name, items=options.items, note=told)
        cards[name] = assistant.adapters.card(name)
        told(f"{name}: {time.perf_counter() - begun:.0f} s; gain {cards[name].gain}")
    print("\n| | " + " | ".join(_SHOWN) + " | minutes | gate |")
    print("|---" * (len(_SHOWN) + 3) + "|")
    for place, (name, card) in enumerate(cards.items()):
        found = {change.measure: change for change in card.forgetting}
        if not place:
            print(row("base", found, before=True) + " | |")
        against = assistant.adapters.reasons(name).against
        verdict = "; ".join(one.partition(":")[0] for one in against) or "passes"
        print(row(name, found, before=False) + f" {card.seconds / 60:.1f} | {verdict} |", flush=True)
    if options.json:
        kept = {
            name: [str(change) for change in (card.gain, *card.forgetting)] for name, card in cards.items()
        }
        options.json.write_text(json.dumps(kept, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
