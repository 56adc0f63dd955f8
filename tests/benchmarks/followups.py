"""Are the passages found that a follow-up asks for, with the conversation before it and without?

python tests/benchmarks/followups.py [--indexes FOLDER] [--generator]
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections import defaultdict
from pathlib import Path

from measure import Target, note, print_json, print_table, print_verdicts

from hybrid import Assistant, load_settings
from hybrid.generation.prompts import load_followup_prompt
from hybrid.routing.followups import rewritten, standalone
from hybrid.types import Message, MessageRole

_EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "postgres"
_LEAST = 0.80


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--indexes", type=Path, help="keep the index here, and take it if it is there")
    parser.add_argument("--generator", action="store_true", help="also in the words of the default generator")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        settings = load_settings({"indexes": str(options.indexes or folder), "models": {"offline": True}})
        assistant = Assistant("postgres", settings=settings)
        if not (assistant.folder / "CURRENT").is_file():
            assistant.index(_EXAMPLE / "pages")
        ways = ["alone", "with history", *(["by the generator"] if options.generator else [])]
        found: dict[str, list[list[bool]]] = defaultdict(list)
        for line in (_EXAMPLE / "followups.jsonl").read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            history = [Message(MessageRole(turn["role"]), turn["content"]) for turn in row["history"]]
            whole = standalone(row["question"], history)
            texts = [row["question"], whole]
            if options.generator:
                prompt = load_followup_prompt(settings.generation.language)
                texts.append(rewritten(row["question"], history, assistant.generator, prompt))
                note(f"{row['question']} -> {texts[-1]}")
            hits = [_found(assistant, text, row) for text in texts]
            found[row["kind"]].append(hits)
            if not hits[1]:
                note(f"{row['kind']}: {whole!r} does not find {row['source']}")
    everything = [pair for pairs in found.values() for pair in pairs]
    rows = [
        (
            kind,
            str(len(pairs)),
            *(f"{sum(pair[place] for pair in pairs) / len(pairs):.2f}" for place in range(len(ways))),
        )
        for kind, pairs in [*sorted(found.items()), ("all", everything)]
    ]
    print_table(("kind", "questions", *ways), rows)
    share = sum(hits[1] for hits in everything) / len(everything)
    print_verdicts([Target("right passage found with history", share, _LEAST, at_least=True)])
    print_json({"benchmark": "followups", "rows": [list(row) for row in rows]})


def _found(assistant: Assistant, question: str, row: dict) -> bool:
    wanted = " ".join(row["evidence"].split())
    return any(
        hit.chunk.source == row["source"] and wanted in " ".join(hit.chunk.text.split())
        for hit in assistant.search(question)
    )


if __name__ == "__main__":
    main()
