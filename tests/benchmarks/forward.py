"""Would one forward this answer? Write 100 of them for a person to read, count what that person judged.

    python tests/benchmarks/forward.py DATA --out SHEET [--work FOLDER]
    python tests/benchmarks/forward.py SHEET --judged FILE [FILE OF ANOTHER READER]

The first asks the default reader 30 questions of `examples/postgres`, 20 of `report_questions.jsonl`, 20 of
TAT-QA (spans), 20 of `answers/town` and 10 of XQuAD, the same each time, and writes what was said with its
places, but no gold; the other questions of postgres come last. The second prints the shares by set, and how
far two readers agree (Cohen 1960): a judgement has `id`, `right`, `why`, and `forward` where it is one of the
hundred.

`forward_sheet.jsonl` and the judgements quote TAT-QA (Zhu et al. 2021, CC BY 4.0) and XQuAD (Artetxe et al.
2020, CC BY-SA 4.0).
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import mean
from typing import Any, TypeVar

from answer_facts import postgres, reports, tables, xquad
from answer_rules import read_set
from measure import Target, note, print_json, print_table, print_verdicts

from hybrid import Answer, Assistant, Settings, load_settings
from hybrid.cli.console import cited
from hybrid.evaluation.outcomes import Outcome
from hybrid.evaluation.scoring import answer_text
from hybrid.types import Message, MessageRole

_TOWN = Path(__file__).parent / "answers" / "town"
_FACTS = {"postgres": (postgres, 30), "reports": (reports, 20), "tables": (tables, 20), "xquad": (xquad, 10)}
_OF_TOWN = 20
_SEED = 16
_WHOLE = "postgres"

Row = dict[str, Any]
T = TypeVar("T")


def sheet(data: Path, work: Path) -> list[Row]:
    """Ask the sample of every set, and return the lines of the sheet."""
    settings = load_settings({"indexes": str(work / "indexes"), "models": {"offline": True}})
    rows, rest = [], []
    for name, (load, size) in _FACTS.items():
        facts = load(data, work)
        drawn = _shuffled(facts.questions)
        assistant = _indexed(name, settings, facts.documents)
        asked = drawn if name == _WHOLE else drawn[:size]
        answers = assistant.ask_all([question.text for question in asked], arm="rag")
        lines = [_line(name, each.id, each.text, said) for each, said in zip(asked, answers, strict=True)]
        rows += lines[:size]
        rest += lines[size:]
    assistant = _indexed("town", settings, _TOWN / "docs")
    for each in _shuffled(read_set(_TOWN / "questions.jsonl"))[:_OF_TOWN]:
        history = [Message(MessageRole(role), content) for role, content in each.history]
        said = assistant.ask(each.text, history=history)
        rows.append(_line("town", each.id, each.text, said) | ({"history": each.history} if history else {}))
    return rows + rest


def _shuffled(questions: Sequence[T]) -> list[T]:
    return random.Random(_SEED).sample(questions, len(questions))


def _indexed(name: str, settings: Settings, documents: Path) -> Assistant:
    assistant = Assistant(name, settings=settings)
    report = assistant.index(documents)
    note(f"{name}: {report.seconds:.0f} s for {report.embedded} new chunks")
    return assistant


def _line(name: str, question_id: str, text: str, said: Answer) -> Row:
    places = [f"[{citation.number}] {cited(citation)}" for citation in said.citations]
    row = {"id": question_id, "set": name, "question": text, "answer": said.text, "places": places}
    return row | ({"declined": True} if said.abstained else {})


def shares(asked: Sequence[Row], judged: Sequence[Row]) -> list[list[str]]:
    """Return the lines of the table: each set, and all."""
    sets = {row["id"]: row for row in asked}
    if unknown := [row["id"] for row in judged if row["id"] not in sets]:
        raise SystemExit(f"judged, but not in the sheet: {', '.join(unknown)}")
    names = [*dict.fromkeys(row["set"] for row in asked), "all"]
    parts = [[row for row in judged if name in ("all", sets[row["id"]]["set"])] for name in names]
    return [
        [
            name,
            *_share([row["forward"] for row in part if "forward" in row]),
            *_share([row["right"] for row in part]),
            _words([sets[row["id"]] for row in part]),
        ]
        for name, part in zip(names, parts, strict=True)
    ]


def agreement(one: Sequence[Row], other: Sequence[Row], measure: str) -> tuple[float, float]:
    """Return the share of the answers that two readers judged alike, and Cohen's kappa."""
    pairs = {row["id"]: row[measure] for row in one if measure in row}
    again = {row["id"]: row[measure] for row in other if measure in row}
    if pairs.keys() != again.keys():
        raise SystemExit("the two readers did not judge the same answers")
    alike = mean(pairs[each] == again[each] for each in pairs)
    yes, no = (mean(read.values()) for read in (pairs, again))
    chance = yes * no + (1 - yes) * (1 - no)
    return alike, 1.0 if chance == 1 else (alike - chance) / (1 - chance)


def _share(values: Sequence[bool]) -> tuple[str, str]:
    return str(len(values)), f"{mean(values):.2f}" if values else "-"


def _words(rows: Sequence[Row]) -> str:
    """Return the mean length of the answers that are given, without their marks."""
    given = [Outcome("", "rag", row["id"], row["answer"]) for row in rows if "declined" not in row]
    return f"{mean(len(answer_text(each).split()) for each in given):.1f}" if given else "-"


def _read(path: Path) -> list[Row]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def main() -> None:
    """Write a sheet, or print what was judged."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("path", type=Path, help="the folder with tatqa, corpora and xquad_en, or a sheet")
    parser.add_argument("--out", type=Path, help="write the sheet here")
    parser.add_argument(
        "--judged", type=Path, nargs="+", help="print the shares of these readers' judgements"
    )
    parser.add_argument("--work", type=Path, help="keep files and indexes here")
    options = parser.parse_args()
    if (options.out is None) == (options.judged is None):
        parser.error("name --out, to ask, or --judged, to count")
    if options.judged:
        readers = [_read(path) for path in options.judged]
        tables = [shares(_read(options.path), judged) for judged in readers]
        for table in tables:
            print_table(("set", "read", "forward", "read for right", "right", "words"), table)
        if len(readers) == 2:
            alike = [
                (name, *map("{:.2f}".format, agreement(*readers, name))) for name in ("forward", "right")
            ]
            print_table(("two readers", "alike", "kappa"), alike)
        forwarded = [mean(row["forward"] for row in judged if "forward" in row) for judged in readers]
        print_verdicts([Target("forward", min(forwarded), 0.60, at_least=True)])
        print_json({"benchmark": "forward", "rows": tables})
        return
    with tempfile.TemporaryDirectory() as temporary:
        rows = sheet(options.path, (options.work or Path(temporary)).resolve())
    lines = [json.dumps(row, ensure_ascii=False) for row in rows]
    options.out.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


if __name__ == "__main__":
    main()
