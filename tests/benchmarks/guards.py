"""Does a change leave alone what users rely on? What the command answers, before and after, in one file.

Everything is asked through ``python -m hybrid``, so that the same script runs on an older checkout (put it
first on ``PYTHONPATH``): answers, citations and verdicts on both example domains, a replayed decision on the
golden table, retrieval on a BEIR folder. About four minutes on two cores.

    python tests/benchmarks/guards.py --out after.json [--against before.json] [--beir FOLDER]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from measure import environment, note

_ROOT = Path(__file__).resolve().parents[2]
_DOMAINS = {"postgres": "pages", "contracts": "corpus"}
_WRITTEN = 8  # questions of the first domain that the generator answers too
# what is measured by the clock, or names a folder of this run
_UNSTEADY = ("seconds", "trace", "experiment", "folder", "report", "p50", "p95")


def _hybrid(folder: Path, *arguments: str, asked: str = "") -> str:
    """Run the command below a folder of its own; return what it wrote to stdout."""
    done = subprocess.run(
        [sys.executable, "-m", "hybrid", *arguments],
        cwd=folder,
        env=environment(),
        input=asked,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"hybrid {' '.join(arguments)} ended with {done.returncode}\n{done.stderr}")
    return done.stdout


def _answers(folder: Path, domain: str, questions: Sequence[str], *flags: str) -> list[Any]:
    asked = "\n".join(" ".join(question.split()) for question in questions)
    lines = _hybrid(folder, "chat", "--domain", domain, "--json", *flags, asked=asked + "\n").splitlines()
    return [json.loads(line) for line in lines]


def _steady(value: Any) -> Any:
    """Return a document without what the clock decides."""
    if isinstance(value, dict):
        return {key: _steady(inner) for key, inner in value.items() if key not in _UNSTEADY}
    return [_steady(inner) for inner in value] if isinstance(value, list) else value


def _collected(folder: Path, beir: Path | None) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for domain, pages in _DOMAINS.items():
        example = _ROOT / "examples" / domain
        note(f"answers of {domain}")
        _hybrid(folder, "index", str(example / pages), "--domain", domain)
        lines = (example / "questions.jsonl").read_text(encoding="utf-8").splitlines()
        questions = [json.loads(line)["question"] for line in lines]
        found[domain] = _answers(folder, domain, questions, "--arm", "rag")
        if domain == "postgres":
            found["written"] = _answers(
                folder, domain, questions[:_WRITTEN], "--arm", "rag", "--reader", "generator"
            )
    note("the golden decision")
    golden = str(_ROOT / "tests" / "golden" / "torchhub.csv")
    found["decision"] = json.loads(_hybrid(folder, "decide", "--from", golden, "--json"))
    if beir is not None:
        note("retrieval")
        said = _hybrid(folder, "bench", "retrieval", str(beir.resolve()), "--split", "validation", "--json")
        found["retrieval"] = json.loads(said)["rows"]
    return found


def _differences(place: str, before: Any, after: Any) -> Iterator[str]:
    """Yield where two documents differ; numbers may by the last bits."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key in sorted(before.keys() | after.keys()):
            yield from _differences(f"{place}.{key}", before.get(key), after.get(key))
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for at, (one, other) in enumerate(zip(before, after, strict=True)):
            yield from _differences(f"{place}[{at}]", one, other)
    elif isinstance(before, float) and isinstance(after, float):
        if abs(before - after) > 1e-4:
            yield f"{place}: {before} -> {after}"
    elif before != after:
        yield f"{place}: {before!r} -> {after!r}"


def main() -> None:
    """Collect, write, compare."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--against", type=Path, help="what an older checkout wrote")
    parser.add_argument("--beir", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = _steady(_collected(Path(folder), arguments.beir))
    arguments.out.write_text(json.dumps(found, indent=1, ensure_ascii=False), encoding="utf-8")
    if arguments.against is None:
        return
    before = json.loads(arguments.against.read_text(encoding="utf-8"))
    for part in found:
        differences = list(_differences(part, before.get(part), found[part]))
        print(f"{part}: {'equal' if not differences else f'{len(differences)} differences'}")
        for line in differences[:20]:
            print(f"  {line[:200]}")


if __name__ == "__main__":
    main()
