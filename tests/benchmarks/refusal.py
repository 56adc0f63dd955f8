"""What adapters do to refusal on the pages of examples/postgres, and what preferences do about it.

    python tests/benchmarks/refusal.py --folder FOLDER [--only reading,preference]

Each adapter is trained, and measured before and after on questions of held-out pages with the passage that
answers them and without, on general questions, and on general text. ``self-training`` is measured on labels,
of examples/contracts: a third of them is labelled, the others are not. Seconds are of the clock, for all that
makes an adapter: its examples, what is sampled and judged, and training. What is in the folder is not made
again, so a run that was interrupted goes on.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import time
from collections.abc import Callable
from pathlib import Path

from hybrid import Assistant, load_settings
from hybrid.adaptation.data.material import reading_questions
from hybrid.adaptation.forgetting import changes as changes_of
from hybrid.adaptation.forgetting import domain_questions, general_questions, measure, refusal_changes
from hybrid.adaptation.methods.loop import best_of
from hybrid.adaptation.suites import Suite, shipped_suite
from hybrid.adaptation.values import Change, Declining, Measure
from hybrid.config import Reader
from hybrid.errors import TrainingFailed
from hybrid.generation.prompts import load_prompts
from hybrid.models.device import cpu_has_bf16
from hybrid.questions.files import load_questions

_EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
_SHOWN = (*Declining, Measure.TEXT)
# The name of the adapter that came of it, or of what it began with where that got no better.
Maker = Callable[[Assistant, str, argparse.Namespace], str]


def assistant_for(domain: str, options: argparse.Namespace) -> Assistant:
    """Return a domain, indexed."""
    values = {
        "indexes": str(options.folder),
        "models": {"dtype": "bfloat16" if cpu_has_bf16() else "float32", "offline": True},
        "adaptation": {
            "examples": options.examples,
            "epochs": options.epochs,
            "seed": options.seed,
            "layers": 0.34,
            "batch": 4,
        },
    }
    assistant = Assistant(domain, settings=load_settings(values, environment={}))
    assistant.index(_EXAMPLES / domain / {"postgres": "pages", "contracts": "corpus"}[domain])
    return assistant


def learned(objective: str, start: str = "") -> Maker:
    """Return what makes an adapter that learns something, or what it began with where that got no better."""

    def call(assistant: Assistant, name: str, _: argparse.Namespace) -> str:
        if name not in assistant.adapters.names():
            service = assistant.adaptation
            material = service.material([objective], start=start, note=told)
            try:
                service.tune_generator(material, name=name, start=start, progress=shown)
            except TrainingFailed as error:
                told(error)
                return start
        return name

    return call


def judged(assistant: Assistant, name: str, options: argparse.Namespace) -> str:
    """Learn from the judge; return the best adapter, empty where none is better than the base."""
    rounds = assistant.adaptation.improve(
        name=name, rounds=options.rounds, samples=options.samples, told=told, progress=shown
    )
    return best_of(rounds).name


def told(said: object) -> None:
    """Print a note."""
    print(f"[{time.strftime('%H:%M')}] {said}", flush=True)


def shown(step: int, steps: int, loss: float) -> None:
    """Print how far training is, now and then."""
    if step % 5 == 0 or step == steps:
        told(f"step {step} of {steps}, loss {loss:.3f}")


MAKERS: dict[str, tuple[Reader, Maker]] = {
    "reading": (Reader.QUOTING, learned("reading")),
    "preference": (Reader.QUOTING, learned("preference")),
    "reading-preference": (Reader.QUOTING, learned("preference", start="reading")),
    "judged": (Reader.GENERATOR, judged),
}


def measured(assistant: Assistant, name: str, options: argparse.Namespace) -> dict[str, object]:
    """Make an adapter and measure it; what was measured is kept in the folder."""
    kept = options.folder / f"{name}.json"
    if kept.is_file():
        found: dict[str, object] = json.loads(kept.read_text(encoding="utf-8"))
        return found
    reader, make = MAKERS[name]
    begun = time.perf_counter()
    adapter = make(assistant, name, options)
    seconds = time.perf_counter() - begun
    base = assistant.adaptation.tunable
    adapted = base.adapted(assistant.adapters.folder(adapter)) if adapter else base
    generation, suite = assistant.settings.generation, shipped_suite()
    made = reading_questions(
        assistant.retriever,
        assistant.settings,
        lambda split: split.held_out,
        against=(),
        count=options.items,
        reader=reader,
    )
    prompts = load_prompts(generation.language, generation.prompt)
    asked = [*domain_questions(made), *general_questions(suite, prompts)]
    changes = refusal_changes(base, adapted, asked, progress=told)
    texts = Suite("texts", suite.passages).sample(24)
    changes += changes_of(measure(base, adapted, texts, progress=told))[:1]
    card = assistant.adapters.card(adapter) if adapter else None
    found = {
        "reader": str(reader),
        "adapter": adapter,
        # what an interrupted run had trained before it went on is in the card
        "seconds": max(seconds, card.seconds if card else 0.0),
        "megabytes": megabytes(assistant, adapter),
        "gain": dataclasses.asdict(card.gain) if card and card.gain else None,
        "changes": [dataclasses.asdict(change) for change in changes],
    }
    kept.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    return found


def megabytes(assistant: Assistant, adapter: str) -> float:
    """Return what the weights of an adapter weigh, 0 without one."""
    weights = assistant.adapters.folder(adapter).glob("*.safetensors") if adapter else ()
    return sum(path.stat().st_size for path in weights) / 1e6


def gained(found: dict[str, object]) -> str:
    """Return what the card of an adapter says that it gained."""
    if not isinstance(found["gain"], dict):
        return "–"
    gain = Change(**found["gain"])
    told = "{:+.2f} ({:+.2f} to {:+.2f})".format(*gain.upwards).replace("-", "−")
    return f"{gain.measure}: {told} {gain.unit} better"


def cells(found: dict[str, object], *, before: bool) -> str:
    """Return the rates of a line of the table, for an adapter with the change and its 90 % interval."""
    changes = found["changes"]
    assert isinstance(changes, list), "as it was written"
    by_name = {change["measure"]: change for change in changes}
    texts = []
    for name in _SHOWN:
        change = by_name.get(str(name))
        if change is None:
            texts.append("–")
            continue
        digits = 2 if change["unit"] == "nats" else 0
        value = change["before" if before else "after"]
        bounds = f" ({change['low']:+.{digits}f} to {change['high']:+.{digits}f})"
        texts.append(f"{value:.{digits}f}{'' if before else bounds}")
    return " | ".join(texts)


def labels(options: argparse.Namespace) -> None:
    """Let the generator teach itself labels of contracts, a third of which it is given."""
    assistant = assistant_for("contracts", options)
    questions = load_questions(_EXAMPLES / "contracts" / "tuning.jsonl")
    given, rest = questions[::3], [question for place, question in enumerate(questions) if place % 3]
    begun = time.perf_counter()
    found = assistant.adaptation.self_train(
        given,
        [dataclasses.replace(question, answers=()) for question in rest],
        name="self-trained",
        rounds=options.rounds,
        progress=shown,
    )
    truth = {question.id: question.answers for question in rest}
    print("\n| round | own labels | of these right | clean set right | against the teacher | kept | ended |")
    print("|---|---|---|---|---|---|---|")
    for place, one in enumerate(found.rounds):
        right = sum(own.label in truth[own.question.id] for own in one.learned)
        change = one.change
        against = f"{change.change:+.1f} ({change.low:+.1f} to {change.high:+.1f})" if change else ""
        rights = f"{right / len(one.learned):.0%}" if one.learned else ""
        end = f"{one.kept} | {one.ended} |"
        print(f"| {place} | {len(one.learned)} | {rights} | {one.right:.0%} | {against} | {end}")
    print(f"\n{len(found.doubtful)} of {len(rest)} are left for a person")
    took, weight = time.perf_counter() - begun, megabytes(assistant, found.best.name)
    print(f"{took:.0f} seconds, {weight:.2f} MB", flush=True)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--folder", type=Path, required=True, help="where index and adapters are kept")
    parser.add_argument("--only", default=",".join([*MAKERS, "self-training"]), help="which, by name")
    parser.add_argument("--examples", type=int, default=120)
    parser.add_argument("--epochs", type=float, default=1.0)
    parser.add_argument("--items", type=int, default=20, help="questions of held-out pages")
    parser.add_argument("--rounds", type=int, default=2, help="with the judge, at most")
    parser.add_argument("--samples", type=int, default=4, help="answers that the judge chooses among")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    named = options.only.split(",")
    if pages := [name for name in named if name in MAKERS]:
        assistant = assistant_for("postgres", options)
        results = {name: measured(assistant, name, options) for name in pages}
        print("\n| | reader | gain | " + " | ".join(_SHOWN) + " | seconds | MB |")
        print("|---" * (len(_SHOWN) + 5) + "|")
        seen: set[object] = set()
        for name, found in results.items():
            reader = found["reader"]
            if reader not in seen:
                print(f"| base | {reader} | | {cells(found, before=True)} | | |")
                seen.add(reader)
            shown_of = f"{gained(found)} | {cells(found, before=False)}"
            print(f"| {name} | {reader} | {shown_of} | {found['seconds']:.0f} | {found['megabytes']:.2f} |")
    if "self-training" in named:
        labels(options)


if __name__ == "__main__":
    main()
