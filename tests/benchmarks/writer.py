"""How much of what a perfect writer says is shown: a set of questions asked by the command, of a server.

    python tests/benchmarks/writer.py FOLDER [--list]

FOLDER has `docs/` and `questions.jsonl`, as those in `tests/benchmarks/answers`. The server is a scripted one
on loopback: it writes the model answer of the set, names the first two passages, and is unsure where there is
no answer. What is lost is lost by retrieval, by the gate before the writer, or by the checks after it: it is
the upper limit of any writer. Each question is put to `hybrid chat`, behind the questions of its history.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import re
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from answer_rules import MEASURES, Asked, read_set, score
from measure import print_json, print_table

from hybrid.cli.app import run
from tests.scripted_server import Reply, ScriptedServer


def writing(questions: Sequence[Asked], asked: dict[str, Any]) -> Reply:
    """Return the model answer to what is asked, as JSON."""
    user = asked["messages"][-1]["content"]
    numbers = [int(number) for number in re.findall(r'<passage number="(\d+)"', user)]
    # a follow-up was made a question of its own, and begins or goes on with its words
    text = user.rsplit("Question:", 1)[-1].strip()
    same = [one for one in questions if one.text == text or (one.history and one.text.rstrip("?") in text)]
    known = bool(same) and same[0].answerable
    value = {"unsure": not known, "citations": numbers[:2], "answer": same[0].gold if known else ""}
    return Reply(json.dumps(value))


def said(command: Sequence[str], lines: Sequence[str]) -> list[dict[str, Any]]:
    """Run a command that is told lines, and return its lines of JSON."""
    written, before = io.StringIO(), sys.stdin
    sys.stdin = io.StringIO("".join(f"{line}\n" for line in lines))
    try:
        with contextlib.redirect_stdout(written):
            run(command)
    finally:
        sys.stdin = before
    return [json.loads(line) for line in written.getvalue().splitlines()]


def main() -> None:
    """Ask and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path, help="with docs/ and questions.jsonl")
    parser.add_argument("--list", action="store_true", help="print what was lost")
    options = parser.parse_args()
    questions = read_set(options.folder / "questions.jsonl")
    counts = dict.fromkeys(MEASURES, 0)
    with (
        tempfile.TemporaryDirectory() as folder,
        ScriptedServer(script=lambda asked: writing(questions, asked)) as server,
    ):
        os.environ |= {"HYBRID_MODELS__ENDPOINT": server.url, "HYBRID_MODELS__GENERATOR": "writer"}
        run(["index", str(options.folder / "docs"), "--indexes", folder, "--domain", "writer"])
        for one in questions:
            turns = [text for role, text in one.history if role == "user"]
            chat = ["chat", "--json", "--no-check", "--arm", "rag", "--indexes", folder, "--domain", "writer"]
            *_, answer = said(chat, [*turns, one.text])
            scored = score(one, answer["text"], abstained=answer["abstained"])
            for measure in MEASURES:
                counts[measure] += getattr(scored, measure)
            if options.list and not scored.fit:
                print(f"{one.id} {one.text}\n  {one.gold!r}\n  {answer['text']!r} {scored.why}")
                print(f"  left out: {answer['dropped_sentences']}")
    print_table(("questions", *MEASURES), [[str(len(questions)), *map(str, counts.values())]])
    print_json({"benchmark": "writer", "questions": len(questions), **counts})


if __name__ == "__main__":
    main()
