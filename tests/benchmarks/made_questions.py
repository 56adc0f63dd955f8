"""Does `hybrid questions make` ask what a person would ask? A sample of made sets, judged by hand.

Indexes two corpora, makes a set of each, draws a sample of it, and counts what was judged of it by hand in
``made_questions.jsonl``: sensible is a question that somebody could ask who does not see the passage, that
has one answer, and whose gold gives that answer. Unjudged ones are printed as lines to judge.

    python tests/benchmarks/made_questions.py DATA                       # the sample that was judged
    python tests/benchmarks/made_questions.py DATA --seed 7 --judge      # another one, to read
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
from collections import Counter
from pathlib import Path

from hybrid import Assistant, Question, load_settings
from hybrid.questions.making import MakingSettings

CORPORA = {"postgres": "corpora/postgres_html", "haystack": "corpora/haystack_mdx"}
JUDGED = Path(__file__).with_suffix(".jsonl")
_COUNT = 150
_SEED = 9119


def sample(data: Path, size: int, seed: int) -> list[tuple[str, Question]]:
    """Make a set of each corpus, and return so many questions of each, drawn at random."""
    drawn = []
    with tempfile.TemporaryDirectory() as indexes:
        settings = load_settings({"indexes": indexes, "models": {"offline": True}}, environment={})
        for name, folder in CORPORA.items():
            assistant = Assistant(name, settings=settings)
            assistant.index(data / folder)
            wanted = MakingSettings(_COUNT, unanswerable=0.0, seed=seed)
            made = assistant.questions.make(wanted, closed_book=False).questions
            quoting = sum("quotes its evidence" in question.slices for question in made)
            print(f"{name}: {len(made)} questions, {quoting} of them in the words of their evidence")
            print(
                "   " + ", ".join(f"{count} {kind}" for kind, count in Counter(q.made for q in made).items())
            )
            drawn += [(name, question) for question in random.Random(seed).sample(made, min(size, len(made)))]
    return drawn


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("--sample", type=int, default=50, help="questions of each corpus")
    parser.add_argument("--seed", type=int, default=_SEED)
    parser.add_argument("--judge", action="store_true", help="print what was not judged, as JSON lines")
    arguments = parser.parse_args()
    rows = (
        [json.loads(line) for line in JUDGED.read_text(encoding="utf-8").splitlines()]
        if JUDGED.exists()
        else []
    )
    said = {(row["corpus"], row["question"], row["gold"]): row["sensible"] for row in rows}
    drawn = sample(arguments.data, arguments.sample, arguments.seed)
    for name in CORPORA:
        own = [said.get((name, q.text, q.answers[0])) for corpus, q in drawn if corpus == name]
        judged = [one for one in own if one is not None]
        print(f"{name}: {len(own)} drawn, {len(judged)} judged, {sum(judged)} of them sensible")
    for corpus, question in drawn if arguments.judge else ():
        if (corpus, question.text, question.answers[0]) not in said:
            row = {"corpus": corpus, "made": question.made, "question": question.text}
            print(
                json.dumps(row | {"gold": question.answers[0], "source": question.source}, ensure_ascii=False)
            )


if __name__ == "__main__":
    main()
