"""Are figures of tables found, read and cited? TAT-QA's questions over pages of reports with a table each.

    python tests/benchmarks/tables.py DATA [--indexes FOLDER] [--passages] [--misses]

DATA is a folder with `docs/*.html` and `questions.jsonl` (Zhu et al. 2021, CC BY 4.0). All pages are in one
index, read as a user's files are, and all questions are asked of one process whose answer is a span. Counted
is whether a passage is of the right page, the gold stands in the passages, and in an answer of at most 30
words; and what the process holds in memory after each hundred questions.
"""

from __future__ import annotations

import argparse
import json
import re
import tempfile
from collections import defaultdict
from pathlib import Path

from measure import Target, note, print_json, print_table, print_verdicts

from hybrid import Assistant, load_settings
from hybrid.text.words import contains

_KINDS = ("table", "table-text", "text")
_AT_LEAST = {"table": 0.88, "text": 0.94}
_WORDS = 30
_AT_ONCE = 100
_SIGN = re.compile(r"(?<=[$€£(])\s+|\s+(?=[%)])")


def held(gold: str, text: str) -> bool:
    """Tell whether a gold answer stands in a text, whatever the blanks beside a currency are."""
    return contains(_SIGN.sub("", text), _SIGN.sub("", gold))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--indexes", type=Path, help="keep the index here, and take it if it is there")
    parser.add_argument("--passages", action="store_true", help="search only, answer nothing")
    parser.add_argument("--misses", action="store_true", help="name what is not found")
    options = parser.parse_args()
    lines = (options.data / "questions.jsonl").read_text(encoding="utf-8").splitlines()
    asked = [row for row in map(json.loads, lines) if row["answer_type"] == "span"]
    asked.sort(key=lambda row: row["id"])  # so that the kinds are mixed
    with tempfile.TemporaryDirectory() as folder:
        settings = load_settings({"indexes": str(options.indexes or folder), "models": {"offline": True}})
        assistant = Assistant("tables", settings=settings)
        if not (assistant.folder / "CURRENT").is_file():
            assistant.index(options.data / "docs")
        found: dict[str, list[tuple[bool, ...]]] = defaultdict(list)
        memory: list[int] = []
        for begun in range(0, len(asked), _AT_ONCE):
            for row in asked[begun : begun + _AT_ONCE]:
                found[row["answer_from"]].append(_measured(assistant, row, options))
            memory.append(_resident_mb())
            note(f"{begun + _AT_ONCE} questions, {memory[-1]} MB")
    shares = {
        kind: [sum(row[place] for row in rows) / len(rows) for place in range(4)]
        for kind, rows in found.items()
    }
    print_table(
        ("from", "questions", "right page", "in the passages", "in the answer", f"in {_WORDS} words"),
        [(kind, str(len(found[kind])), *(f"{share:.2f}" for share in shares[kind])) for kind in _KINDS],
    )
    print_table(("questions", "MB"), [(str(_AT_ONCE * (n + 1)), str(mb)) for n, mb in enumerate(memory)])
    print_verdicts(
        [
            Target(f"gold in the passages, {kind}", shares[kind][1], least, at_least=True)
            for kind, least in _AT_LEAST.items()
        ]
    )
    print_json({"shares": shares, "memory_mb": memory})


def _measured(assistant: Assistant, row: dict, options: argparse.Namespace) -> tuple[bool, ...]:
    """Return whether page, passages, answer and short answer are right."""
    if options.passages:
        said, hits = "", tuple(assistant.search(row["question"]))
    else:
        answer = assistant.ask(row["question"], arm="rag")
        said, hits = answer.text, answer.hits
    page = any(hit.chunk.source == row["source"] for hit in hits)
    there, right = (
        any(held(gold, text) for gold in row["answers"] for text in texts)
        for texts in ([hit.chunk.embedded_text for hit in hits], [said])
    )
    if options.misses and not (there if options.passages else right):
        kind = "unread" if there else "page" if page else "no page"
        note(f"{row['answer_from']} {row['source']} {kind}: {row['question']} {row['answers']} {said}")
    return page, there, right, right and len(said.split()) <= _WORDS


def _resident_mb() -> int:
    import psutil

    return int(psutil.Process().memory_info().rss / 1024**2)


if __name__ == "__main__":
    main()
