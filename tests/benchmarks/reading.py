"""Tune a generator to read: what retrieval gives with and without an adapter, on documents it never saw.

    python tests/benchmarks/reading.py [--seeds 0] [--json FILE]      the pages of examples/postgres

Of the pages, those that the 60 questions rest on are held out as a whole, and a fifth of the others;
questions are the 60 and those made from that fifth. Compared are the generating reader, the quoting reader
without an adapter (the same prompt), plain tuning on answers with retrieval, and tuning on reading.
Counterfactual: the answer in the passage is exchanged for another one; right is who gives that.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path

from hybrid import Assistant, load_settings
from hybrid.adaptation.data.material import Objective, split_for
from hybrid.adaptation.data.reading import SWAPPED, ReadingLesson
from hybrid.adaptation.methods.encoding import paired_change
from hybrid.adaptation.values import RIGHTS
from hybrid.comparison import Comparison
from hybrid.config import Settings
from hybrid.models.device import cpu_has_bf16
from hybrid.questions.files import load_questions
from hybrid.questions.making import MakingSettings, make_questions, spread
from hybrid.questions.sets import deep_search, read_candidates
from hybrid.types import Question

_EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "postgres"
_READ = "both:generator_adapter=reading-{seed}"
_PLAIN = "both:generator_adapter=plain-{seed}"


def settings_for(folder: Path, seed: int, effort: str) -> Settings:
    """Return the settings of a run; both arms in the format in which this machine is fastest."""
    values: dict[str, object] = {
        "indexes": str(folder),
        "effort": effort,
        "models": {"dtype": "bfloat16" if cpu_has_bf16() else "float32", "offline": True},
        "adaptation": {"seed": seed},
    }
    return load_settings(values, environment={})


def tune(assistant: Assistant, name: str, objective: Objective, apart: Sequence[Question]) -> None:
    """Make an adapter unless it is there from an earlier run."""
    if name in assistant.adapters.names():
        return
    service = assistant.adaptation
    material = service.material([objective], against=apart, apart=apart)
    print(f"{name}: {dict(material.data.counts)}", flush=True)
    card = service.tune_generator(material, name=name)
    print(f"{name}: {card.seconds:.0f} s, {card.gain}", flush=True)


def unseen_questions(assistant: Assistant, apart: Sequence[Question], count: int) -> list[Question]:
    """Make questions from the documents that are held out and that no given question rests on."""
    index = assistant.retriever.index
    own = {question.unit for question in apart}
    sources = sorted(split_for(index, assistant.settings, [], []).held_out - own)
    made = make_questions(
        spread(sources, lambda source: read_candidates(index, source), seed=1),
        MakingSettings(count, unanswerable=0.2, hold_out=0.0, seed=1),
        search=deep_search(assistant.retriever),
        counter=assistant.embedder,
    )
    return list(made.questions)


def follows_the_passage(assistant: Assistant, adapter: str, questions: Sequence[Question]) -> tuple[int, int]:
    """Return how often the exchanged answer is given, and how many were asked."""
    lesson = ReadingLesson(
        assistant.retriever,
        assistant.settings.generation,
        seed=1,
        without=0.0,
        near_miss=0.0,
        swaps=1.0,
    )
    examples = [example for example in lesson.examples(questions) if example.made == SWAPPED]
    generator = assistant.adaptation.tunable.adapted(assistant.adapters.folder(adapter))
    written = generator.generate([example.prompt for example in examples], max_new_tokens=96)
    wanted = [example.completion.rpartition("\n")[2].lower() for example in examples]
    right = sum(want in text.text.lower() for want, text in zip(wanted, written, strict=True))
    return right, len(examples)


def pages(options: argparse.Namespace, folder: Path) -> list[dict[str, object]]:
    """Run the example domain."""
    asked = load_questions(_EXAMPLE / "questions.jsonl")
    results: list[dict[str, object]] = []
    for seed in map(int, options.seeds.split(",")):
        assistant = Assistant("postgres", settings=settings_for(folder, seed, options.effort))
        assistant.index(_EXAMPLE / "pages")
        tune(assistant, f"reading-{seed}", Objective.READING, asked)
        tune(assistant, f"plain-{seed}", Objective.INSTRUCTION, asked)
        unseen = unseen_questions(assistant, asked, options.questions)
        arms = [
            "rag:reader=generator",
            "rag:reader=quoting",
            _PLAIN.format(seed=seed),
            _READ.format(seed=seed),
        ]
        for name, questions in (("60 questions", asked), ("unseen pages", unseen)):
            found = assistant.compare(questions, arms=",".join(arms), name=f"{name}, seed {seed}")
            results.append(show(found, f"{name} ({len(questions)}), seed {seed}", arms[1]))
        right, count = follows_the_passage(assistant, f"reading-{seed}", unseen)
        print(f"counterfactual: {right} of {count}", flush=True)
        results.append({"counterfactual": right, "of": count, "seed": seed})
    return results


def show(found: Comparison, title: str, against: str) -> dict[str, object]:
    """Print the arms of a comparison, and the difference of each to one of them."""
    print(f"\n{title}\n| arm | correct | groundedness | declined, unanswerable | declined, answerable |")
    print("|---|---|---|---|---|")
    rows = {}
    for summary in found.summaries:
        correct, grounded = summary.mean("correct"), summary.mean("groundedness")
        declined = summary.abstention
        rows[summary.arm] = {
            "correct": correct.mean,
            "groundedness": grounded.mean,
            "declined_unanswerable": declined.recall,
            "declined_answerable": declined.false_rate,
        }
        cells = [correct.mean, grounded.mean, declined.recall, declined.false_rate]
        print(f"| {summary.arm} | " + " | ".join("–" if c is None else f"{c:.2f}" for c in cells) + " |")
    table, differences = found.table, {}
    assert table is not None, "all arms were asked all questions"
    before = table.values[:, table.arms.index(against)]
    for place, arm in enumerate(table.arms):
        if arm == against:
            continue
        change = paired_change("correct", list(before), list(table.values[:, place]), table.sources, RIGHTS)
        differences[arm] = dataclasses.asdict(change)
        print(
            f"{arm} − {against}: {change.change:+.1f} ({change.low:+.1f} to {change.high:+.1f})", flush=True
        )
    return {"title": title, "arms": rows, "differences": differences}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seeds", default="0")
    parser.add_argument("--questions", type=int, default=120, help="made from pages that are held out")
    parser.add_argument("--effort", default="standard")
    parser.add_argument("--folder", type=Path, help="where to keep index and adapters; default: nowhere")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        results = pages(options, folder)
    if options.json:
        options.json.write_text(json.dumps(results, indent=2, default=str) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
