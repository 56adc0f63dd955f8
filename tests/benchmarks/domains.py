"""What several open domains cost: memory beside one of them, and what routing adds to embedding a question.

Each figure is of a process of its own, which answers (or routes) questions of all its domains once before
anything is measured. The memory of several domains is held against that of the largest one alone, times 1.3,
and their indexes on disk. What routing adds is the median of the times of questions that were not asked
before, less the median of those that are only embedded; and from four threads at once the same answers have
to come as from one.

    python tests/benchmarks/domains.py INDEXES      a folder of domains, such as routing.py --indexes keeps
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median

import psutil
from measure import Target, Values, note, print_json, print_table, print_verdicts, run_step, serve_steps

from hybrid import Assistants, load_settings
from hybrid.index.generations import domains as indexed_domains

_QUESTIONS = Path(__file__).with_name("routing_questions.jsonl")
_MEMORY, _MILLISECONDS = 1.3, 5.0
_WARM, _MIXED, _THREADS = 5, 200, 4


def _opened(values: Values) -> Assistants:
    settings = load_settings({"models": {"offline": True}})
    return Assistants(values["indexes"], values["domains"], settings=settings)


def answered(values: Values) -> Values:
    """Answer the same questions in every domain, and return the resident megabytes after it."""
    with _opened(values) as assistants:
        for name in assistants.domains:
            for question in values["questions"]:
                assistants.ask(question, domain=name)
        return {"megabytes": psutil.Process().memory_info().rss / 2**20}


def routed(values: Values) -> Values:
    """Return the median milliseconds of embedding a question, and of routing another one."""
    with _opened(values) as assistants:
        embed = assistants[assistants.domains[0]].embedder.embed_queries
        for question in values["questions"][:_WARM]:
            assistants.route(question)
        fresh = values["questions"][_WARM:]
        times: dict[str, list[float]] = {"embed": [], "route": []}
        for place, question in enumerate(fresh):
            begun = time.perf_counter()
            if place % 2:
                assistants.route(question)
            else:
                embed([question])
            times["route" if place % 2 else "embed"].append(1_000 * (time.perf_counter() - begun))
        return {name: median(found) for name, found in times.items()}


def mixed(values: Values) -> Values:
    """Ask the same questions one at a time and from several threads, and compare the answers."""
    asked = [values["questions"][place % len(values["questions"])] for place in range(_MIXED)]
    with _opened(values) as assistants:
        assistants.ask(asked[0])
        begun = time.perf_counter()
        one = [assistants.ask(question).text for question in asked]
        serial = time.perf_counter() - begun
        begun = time.perf_counter()
        with ThreadPoolExecutor(_THREADS) as pool:
            several = list(pool.map(lambda question: assistants.ask(question).text, asked))
        return {
            "equal": sum(a == b for a, b in zip(one, several, strict=True)),
            "serial": serial,
            "threads": time.perf_counter() - begun,
        }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("indexes", type=Path)
    options = parser.parse_args()
    names = list(indexed_domains(options.indexes))
    if len(names) < 2:
        sys.exit(f"{options.indexes} holds {len(names)} domains, expected two at least")
    sizes = {name: _megabytes(options.indexes / name) for name in names}
    largest = max(names, key=lambda name: sizes[name])
    questions = [json.loads(line)["question"] for line in _QUESTIONS.read_text("utf-8").splitlines()]
    values = {"indexes": str(options.indexes.resolve()), "domains": names, "questions": questions}
    few = {**values, "questions": questions[:10]}
    note("memory")
    alone = run_step(Path(__file__), "answered", {**few, "domains": [largest]}).result["megabytes"]
    all_of_them = run_step(Path(__file__), "answered", few).result["megabytes"]
    note("routing")
    times = run_step(Path(__file__), "routed", values).result
    note("threads")
    threads = run_step(Path(__file__), "mixed", values).result
    others = sum(size for name, size in sizes.items() if name != largest)
    print_table(
        ("what", "measured"),
        [
            (f"MB, {largest} alone (index {sizes[largest]:.0f} MB)", f"{alone:.0f}"),
            (f"MB, all {len(names)} (other indexes {others:.0f} MB)", f"{all_of_them:.0f}"),
            ("ms, a question embedded", f"{times['embed']:.2f}"),
            ("ms, a question routed", f"{times['route']:.2f}"),
            (f"s, {_MIXED} questions one at a time", f"{threads['serial']:.1f}"),
            (f"s, from {_THREADS} threads", f"{threads['threads']:.1f}"),
        ],
    )
    print_verdicts(
        [
            Target("MB of all domains", all_of_them, _MEMORY * alone + others),
            Target("ms that routing adds", times["route"] - times["embed"], _MILLISECONDS),
            Target("answers equal from threads", threads["equal"], _MIXED, at_least=True),
        ]
    )
    print_json({"benchmark": "domains", "alone": alone, "all": all_of_them, **times, **threads})


def _megabytes(domain: Path) -> float:
    """Return the size of the generation in force."""
    now = domain / "generations" / (domain / "CURRENT").read_text(encoding="utf-8").strip()
    return sum(path.stat().st_size for path in now.rglob("*") if path.is_file()) / 2**20


if __name__ == "__main__":
    serve_steps({"answered": answered, "routed": routed, "mixed": mixed})
    main()
