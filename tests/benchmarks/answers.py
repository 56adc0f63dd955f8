"""Would you forward this answer? All questions of a set, asked of its documents and scored by rules.

    python tests/benchmarks/answers.py FOLDER [--out FILE] [--list] [--gold]

FOLDER has `docs/` and `questions.jsonl`, as those in `tests/benchmarks/answers`. The documents are indexed
with default settings in a folder of their own, each question is asked alone, a follow-up with its `history`.
`answer_rules.py` says what is right, concise, misleading, declined and fit. With `--gold` nothing is asked:
the model answers of the set, declining everything and quoting all evidence show what the rules are worth.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, median

from answer_rules import MEASURES, Asked, Scored, read_set, score
from measure import note, print_json, print_table

from hybrid import Assistant, load_settings
from hybrid.types import Message, MessageRole

_HEADER = ("kind", "questions", "answerable", *(measure.replace("_", " ") for measure in MEASURES))


@dataclass(frozen=True, slots=True)
class Answered:
    """A question, what was said and what it is worth."""

    asked: Asked
    text: str
    abstained: bool
    seconds: float

    @property
    def scored(self) -> Scored:
        """Return what the rules say of it."""
        return score(self.asked, self.text, abstained=self.abstained)

    def line(self) -> str:
        """Return it as a line of JSON, as other scorers read it."""
        row = {"id": self.asked.id, "answer": self.text, "abstained": self.abstained}
        return json.dumps(row | {"seconds": round(self.seconds, 3)}, ensure_ascii=False)


def answered(docs: Path, questions: Sequence[Asked]) -> list[Answered]:
    """Index the documents and ask every question alone."""
    with tempfile.TemporaryDirectory() as folder:
        assistant = Assistant(
            "answers", settings=load_settings({"indexes": folder, "models": {"offline": True}})
        )
        report = assistant.index(docs)
        note(f"{report.seconds:.1f} s to index")
        assistant.search("warm")
        return [_ask(assistant, asked) for asked in questions]


def _ask(assistant: Assistant, asked: Asked) -> Answered:
    history = [Message(MessageRole(role), content) for role, content in asked.history]
    begun = time.perf_counter()
    answer = assistant.ask(asked.text, history=history)
    return Answered(asked, answer.text, answer.abstained, time.perf_counter() - begun)


def rows(answers: Sequence[Answered]) -> list[list[str]]:
    """Return the lines of the table: each kind, and all."""
    kinds = dict.fromkeys(each.asked.kind for each in answers)
    parts = {kind: [each for each in answers if each.asked.kind == kind] for kind in kinds}
    return [_row(kind, part) for kind, part in {**parts, "all": list(answers)}.items()]


def _row(kind: str, answers: Sequence[Answered]) -> list[str]:
    answerable = sum(each.asked.answerable for each in answers)
    counts = [sum(getattr(each.scored, measure) for each in answers) for measure in MEASURES]
    return [kind, *map(str, (len(answers), answerable, *counts))]


def _listed(answers: Sequence[Answered]) -> None:
    for each in answers:
        scored = each.scored
        mark = "ok" if scored.fit else "  "
        print(f"{mark} {each.asked.id} {each.asked.kind}: {each.asked.text}  {scored.why}")
        print(f"     {each.text!r}")
    print()


def _of_the_rules(folder: Path, questions: Sequence[Asked]) -> None:
    evidence = {
        row["id"]: "\n".join(row["evidence"])
        for row in map(json.loads, (folder / "questions.jsonl").read_text(encoding="utf-8").splitlines())
    }
    ways = {
        "model answers": [Answered(asked, asked.gold, False, 0.0) for asked in questions],
        "all declined": [Answered(asked, "", True, 0.0) for asked in questions],
        "all evidence": [Answered(asked, "\n".join(evidence.values()), False, 0.0) for asked in questions],
    }
    print_table(("answers", *_HEADER[1:]), [_row(way, each) for way, each in ways.items()])


def main() -> None:
    """Ask and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path, help="with docs/ and questions.jsonl")
    parser.add_argument("--out", type=Path, help="write the answers here, as JSON Lines")
    parser.add_argument("--list", action="store_true", help="print each answer with what is wrong with it")
    parser.add_argument("--gold", action="store_true", help="ask nothing, score the model answers")
    options = parser.parse_args()
    questions = read_set(options.folder / "questions.jsonl")
    if options.gold:
        _of_the_rules(options.folder, questions)
        return
    answers = answered(options.folder / "docs", questions)
    if options.out:
        options.out.write_text("".join(f"{each.line()}\n" for each in answers), encoding="utf-8")
    if options.list:
        _listed(answers)
    table = rows(answers)
    print_table(_HEADER, table)
    said = [each.scored.words for each in answers if not each.abstained]
    milliseconds = [1000 * each.seconds for each in answers]
    words = mean(said) if said else 0.0
    print(
        f"{words:.1f} words an answer that is given; {median(milliseconds):.0f} ms a question (median), ",
        end="",
    )
    print(f"{mean(milliseconds):.0f} ms (mean)\n")
    print_json({"benchmark": "answers", "rows": table, "words": words, "milliseconds": mean(milliseconds)})


if __name__ == "__main__":
    main()
