"""Tune the generator to judge claims, yes or no, and hold it beside the scorer that ships.

    python tests/benchmarks/grounding_judge.py DATA [--examples N] [--words N] [--claims N] [--json FILE]

DATA is what ``recipes/grounding/public.py`` reads. The adapter learns SummEdits, SciFact and pairs made by
rules; it is asked about FactCheckGPT, COVID-Fact and Q², none of which it has seen, with as many words of
evidence as it learned with. ``trained + tuned judge`` adds what both say, each over its own spread. 4,000
examples take about 45 minutes on one core, the questions among them.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from grounding import Judges, told
from measure import note, print_table
from numpy.typing import NDArray

from hybrid.adaptation.methods.generator import Base, tune_generator
from hybrid.adaptation.store import AdapterStore
from hybrid.adaptation.values import AdapterKind, Card, Data, Example, ExampleKind, Examples
from hybrid.config import AdaptationSettings, Method, ModelSettings
from hybrid.generation.prompts import GroundingPrompt, load_grounding_prompt
from hybrid.grounding.evidence import SearchedPassage
from hybrid.grounding.examples import Dataset, LabelledClaim, labels_of, limited, sources_of
from hybrid.grounding.metrics import measured, resampled_aurocs
from hybrid.grounding.scorers.names import SHIPPED, GeneratorJudge
from hybrid.models.device import choose_placement, cpu_has_bf16
from hybrid.models.loading import generator_folder, load_generator
from hybrid.questions.splits import unit_hash
from recipes.grounding.public import labelled_sets, training_sets, unseen_sets

_TUNED, _UNTUNED, _SHIPS, _BOTH = "tuned judge", "untuned judge", "trained", "trained + tuned judge"
_VALIDATION = 96


def tuned(
    base: Base, examples: Examples, rehearsal: Sequence[Example], settings: AdaptationSettings, folder: Path
) -> tuple[Path, float]:
    """Train an adapter; return its folder and the seconds it took."""
    placement = choose_placement("auto", "auto")
    begun = time.perf_counter()
    made = tune_generator(
        base,
        examples,
        settings,
        out=folder / "built",
        placement=placement,
        rehearsal=rehearsal,
        progress=lambda step, steps, loss: (
            print(f"  step {step} of {steps}: {loss:.3f}", flush=True) if step % 20 == 0 else None
        ),
    )
    seconds = time.perf_counter() - begun
    card = Card(
        name="",
        kind=AdapterKind.GENERATOR,
        base=base.name,
        base_digest=base.digest,
        method=Method(settings.method),
        data=Data("", "CC BY 4.0", {"label": len(examples.train)}),
        curve=made.fit.curve,
        seconds=seconds,
        gain=made.gain,
    )
    store = AdapterStore(folder)
    name = store.new_name(AdapterKind.GENERATOR)
    store.add(name, made.folder, card)
    return store.folder(name), seconds


def cut(claim: str, evidence: Sequence[str], words: int) -> str:
    """Return the best sentences for a claim, in their order, so many words at most."""
    return SearchedPassage("\n".join(evidence), max_words=words).candidates(claim)[-1].text


def example_of(item: LabelledClaim, prompt: GroundingPrompt, words: int) -> Example:
    """Return a labelled claim as a question with two answers."""
    answers = prompt.yes, prompt.no
    asked = prompt.conversation(cut(item.claim, item.evidence, words), item.claim)
    return Example(ExampleKind.LABEL, asked, answers[not item.supported], item.source, options=answers)


def dealt(sets: Sequence[Dataset], count: int) -> list[LabelledClaim]:
    """Return so many examples, both labels and all sets in turn, in an order that says nothing."""
    heaps: list[list[LabelledClaim]] = []
    for each in sets:
        order = sorted(each.examples, key=lambda item: unit_hash("judge", item.id))
        heaps += [[item for item in order if item.supported is not wrong] for wrong in (False, True)]
    most = max(map(len, heaps))
    rounds = ([heap[n] for heap in heaps if n < len(heap)] for n in range(most))
    return [item for each in rounds for item in each][:count]


def shortened(claims: Sequence[LabelledClaim], words: int) -> list[LabelledClaim]:
    """Return the claims with one passage of so many words each."""
    return [
        dataclasses.replace(claim, evidence=(cut(claim.claim, claim.evidence, words),)) for claim in claims
    ]


def _standard(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray((logits - logits.mean()) / logits.std())


def main() -> int:
    """Run it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("--examples", type=int, default=4_000)
    parser.add_argument("--words", type=int, default=50, help="of evidence")
    parser.add_argument("--claims", type=int, default=600, help="of each set that is asked about")
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--layers", type=float, default=0.5)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    prompt = load_grounding_prompt("en")
    held = labelled_sets(options.data)[1]
    sets = [each for each in training_sets(options.data) if each.name != held.name]
    chosen = dealt(sets, options.examples + _VALIDATION)
    examples = [example_of(item, prompt, options.words) for item in chosen]
    model = ModelSettings(dtype="bfloat16" if cpu_has_bf16() else "float32")
    generator = load_generator(model)
    base = Base(generator_folder(model.generator, offline=True), model.generator)
    # what it forgets does not matter to a judge: the base writes the answers
    settings = AdaptationSettings(
        epochs=1, rehearsal=0.0, learning_rate=options.rate, layers=options.layers, max_tokens=400
    )
    parts = Examples(tuple(examples[_VALIDATION:]), tuple(examples[:_VALIDATION]))
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        adapter, seconds = tuned(base, parts, [], settings, Path(folder))
        note(f"tuned on {len(parts.train)} examples in {seconds:.0f} s")
        judges = {_UNTUNED: GeneratorJudge(generator), _TUNED: GeneratorJudge(generator.adapted(adapter))}
        shipped = Judges(SHIPPED)
        for each in (held, *unseen_sets(options.data)[:2]):
            claims = limited(each.examples, options.claims)
            asked = shortened(claims, options.words)
            said = {name: measured(name, judge, asked) for name, judge in judges.items()}
            kept = {claim.id for claim in claims}
            (table,) = shipped.tables(Dataset(each.name, tuple(e for e in each.examples if e.id in kept)))
            ours = table.logits[_SHIPS]
            logits = {name: score.logits for name, score in said.items()} | {_SHIPS: ours}
            logits[_BOTH] = _standard(ours) + _standard(said[_TUNED].logits)
            found = resampled_aurocs(list(logits.values()), labels_of(claims), sources_of(claims))
            assert found is not None, "both labels are there"
            for place, name in enumerate(logits):
                value = found.interval([float(place == at) for at in range(len(logits))])
                speed = said[name].pairs_per_second if name in said else None
                rows.append((each.name, len(claims), name, value, speed))
                note(f"{each.name}: {name} {value.value:.3f}")
    print_table(
        ("set", "n", "judge", "AUROC, 95 % interval", "pairs/s"),
        [
            (name, str(count), judge, told(value), "-" if speed is None else f"{speed:.1f}")
            for name, count, judge, value, speed in rows
        ],
    )
    if options.json:
        values = [(*row[:3], dataclasses.asdict(row[3]), row[4]) for row in rows]
        options.json.write_text(json.dumps({"seconds": seconds, "rows": values}, indent=2), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
