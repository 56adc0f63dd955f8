"""Does the quoting reader answer better with the adapter of ``recipes/reader``, on corpora that it never saw?

    python tests/benchmarks/reader.py DATA --work FOLDER [--sets postgres,xquad,reports] [--limits 60,100,60]

FOLDER is that of the recipe, with its adapter. The 60 questions of ``examples/postgres``, English ones of
XQuAD and those of agencies' reports are asked in one batch each: of the extractive reader, of the quoting
reader with the bare generator, and of the quoting reader with the adapter, which sees the same passages.
Answers are kept in FOLDER/measured, and not asked for again. The promise is a difference of ten points.
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from statistics import mean

from answer_facts import FactSet, postgres, reports, spread, xquad
from measure import Target, note, print_json, print_table, print_verdicts

from hybrid import Assistant, load_settings
from hybrid.adaptation.data.examples import load_examples
from hybrid.adaptation.methods.encoding import paired_change
from hybrid.adaptation.values import RIGHTS, ExampleKind
from hybrid.evaluation.outcomes import Outcome
from hybrid.evaluation.scoring import correct
from hybrid.models.device import cpu_has_bf16
from hybrid.types import Question
from recipes.reader.sets import SIZES
from recipes.reader.training import NAME, Shape, parted, settings_for

_SETS = {"postgres": postgres, "xquad": xquad, "reports": reports}
_BARE, _TUNED = "quoting", "quoting with the adapter"
_ARMS = {
    "extractive": "rag",
    _BARE: "rag:reader=quoting",
    _TUNED: f"both:reader=quoting:generator_adapter={NAME}",
}
_LEAST = 10.0


def domain(name: str, facts: FactSet, work: Path, tokens: int) -> Assistant:
    """Return the domain of a set, with the adapter in its store; all arms in the fastest format here."""
    values: dict[str, object] = {
        "indexes": str(work / "measured"),
        "models": {"dtype": "bfloat16" if cpu_has_bf16() else "float32", "offline": True},
        "generation": {"passage_tokens": tokens},
    }
    assistant = Assistant(name, settings=load_settings(values, environment={}))
    report = assistant.index(facts.documents)
    note(f"{name}: {report.seconds:.0f} s for {report.embedded} new chunks")
    made, own = work / "out", work / "measured" / name / "adapters" / NAME
    if made.is_dir() and not own.exists():
        shutil.copytree(made, own)
    return assistant


def outcomes(assistant: Assistant, questions: Sequence[Question], arm: str, kept: Path) -> list[Outcome]:
    """Return what an arm says, as experiments score it; asked once."""
    if not kept.is_file():
        answers = assistant.ask_all([question.text for question in questions], arm=_ARMS[arm])
        rows = [
            {"id": question.id, "text": answer.text, "abstained": answer.abstained}
            for question, answer in zip(questions, answers, strict=True)
        ]
        kept.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    said = {row["id"]: row for row in map(json.loads, kept.read_text(encoding="utf-8").splitlines())}
    return [Outcome("", arm, one.id, said[one.id]["text"], said[one.id]["abstained"]) for one in questions]


def sentences_found(work: Path) -> tuple[int, int]:
    """Return in how many held-out examples the right sentence is quoted, and how many there are."""
    made = [load_examples(path) for name in SIZES if (path := work / f"{name}.jsonl").is_file()]
    checked = parted([one for own in made for one in own], 0).validation
    asked = [one for one in checked if one.kind is ExampleKind.READING]
    assistant = Assistant(NAME, settings=settings_for(work, Shape()))
    generator = assistant.adaptation.tunable.adapted(work / "out")
    written = generator.generate([one.prompt for one in asked], max_new_tokens=96)
    pairs = zip(asked, written, strict=True)
    return sum(text.text.startswith(one.completion.partition("\n")[0]) for one, text in pairs), len(asked)


def line(arm: str, questions: Sequence[Question], said: Sequence[Outcome]) -> list[str]:
    """Return the line of an arm: how often it is right, and declines what has an answer or none."""
    pairs = list(zip(questions, said, strict=True))
    cells = [mean(correct(question, outcome) for question, outcome in pairs)]
    for answerable in (True, False):
        own = [outcome.abstained for question, outcome in pairs if question.answerable is answerable]
        cells.append(mean(own) if own else float("nan"))
    return [arm, str(len(pairs)), *(f"{cell:.2f}" for cell in cells)]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("data", type=Path, help="with corpora and xquad_en")
    parser.add_argument("--work", type=Path, required=True, help="the folder of the recipe")
    parser.add_argument("--sets", default=",".join(_SETS))
    parser.add_argument("--limits", default="60,100,60", help="at most so many questions of each")
    parser.add_argument("--passage-tokens", type=int, default=120, help="most of a passage that is read")
    parser.add_argument("--arms", default=",".join(_ARMS), help="some of them, to be asked now")
    parser.add_argument(
        "--examples", action="store_true", help="read held-out examples of the recipe as well"
    )
    options = parser.parse_args()
    rows, targets, arms = [], [], options.arms.split(",")
    if options.examples:
        note(
            "the right sentence is quoted in {} of {} held-out examples".format(
                *sentences_found(options.work)
            )
        )
    for name, limit in zip(options.sets.split(","), map(int, options.limits.split(",")), strict=True):
        facts = _SETS[name](options.data, options.work)
        assistant = domain(name, facts, options.work, options.passage_tokens)
        questions = spread(facts.questions, limit)
        asked = f"{limit} by {options.passage_tokens}"
        found = {
            arm: outcomes(
                assistant, questions, arm, options.work / "measured" / f"{name}, {arm}, {asked}.jsonl"
            )
            for arm in arms
        }
        rows += [[name, *line(arm, questions, said)] for arm, said in found.items()]
        if {_BARE, _TUNED} <= found.keys():
            before, after = (
                [correct(question, outcome) for question, outcome in zip(questions, found[arm], strict=True)]
                for arm in (_BARE, _TUNED)
            )
            units = [question.unit for question in questions]
            change = paired_change("correct", before, after, units, RIGHTS)
            note(f"{name}: {change.change:+.1f} points ({change.low:+.1f} to {change.high:+.1f})")
            targets.append(Target(f"{name}, points", change.change, _LEAST, at_least=True))
    print_table(("set", "reader", "questions", "correct", "declined, answerable", "unanswerable"), rows)
    if targets:
        print_verdicts(targets)
    print_json({"benchmark": "reader", "rows": rows})


if __name__ == "__main__":
    main()
