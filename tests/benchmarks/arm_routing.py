"""Whether a router of the arms gains anything over the best single arm: published outcomes, and made-up ones.

A published table has no index, so a router knows the length and the kind of a question, and how the arms did
on the nearest questions of other sources (MiniLM). Each learner alone, then the one chosen on inner folds.
Made-up outcomes are drawn for questions about PostgreSQL and of Gorilla: in the first set an arm is as often
right whatever is asked, in the second retrieval answers the one subject and the adapter the other.

    python tests/benchmarks/arm_routing.py [--evouna JSONL] [--limit 3020] [--json]
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from measure import note, print_json, print_table

from hybrid import load_settings
from hybrid.decision.replay import read_table
from hybrid.decision.values import Policy
from hybrid.decision.wording import interval_text, points
from hybrid.evaluation.scores import ScoreTable
from hybrid.models.loading import load_embedder
from hybrid.questions.files import load_questions
from hybrid.routing.arms import ArmLearner, ArmRouting, arm_features, fit_arm_router
from hybrid.statistics import Estimate

_ARMS = ("adapter", "plain_adapter_bm25", "plain_adapter_dense", "both_bm25", "both_dense")
_GOLDEN = Path(__file__).resolve().parents[1] / "golden"


@dataclasses.dataclass(frozen=True)
class Asked:
    """A table with the texts of its questions, and which of its arms retrieve."""

    name: str
    table: ScoreTable
    texts: list[str]
    retrieving: frozenset[str]


def gorilla() -> Asked:
    """Return the published answers of Gorilla on TorchHub but those with the right document given."""
    table = read_table(_GOLDEN / "torchhub.csv", arms=_ARMS, metric="correct")
    texts = (_GOLDEN / "torchhub_questions.txt").read_text(encoding="utf-8").splitlines()
    retrieving = frozenset(arm for arm in table.arms if arm != "adapter")
    return Asked("Gorilla, TorchHub", table, [texts[int(name)] for name in table.questions], retrieving)


def evouna(path: Path, limit: int) -> Asked:
    """Return what people judged of five systems on Natural Questions; two of them retrieve."""
    rows: dict[str, dict[str, float]] = {}
    texts: dict[str, str] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        rows.setdefault(str(row["id"]), {})[row["model"]] = float(row["correct"])
        texts[str(row["id"])] = row["question"]
    arms = ("fid", "gpt35", "chatgpt", "newbing", "gpt4")
    names = tuple(name for name, scores in rows.items() if len(scores) == len(arms))[:limit]
    values = np.array([[rows[name][arm] for arm in arms] for name in names])
    table = ScoreTable("correct", arms, names, names, values)
    return Asked("EVOUNA, NQ", table, [texts[name] for name in names], frozenset({"fid", "newbing"}))


def made_up(*, pays: bool) -> Asked:
    """Return questions of two subjects with drawn outcomes of two arms."""
    pages = load_questions(_GOLDEN.parents[1] / "examples" / "postgres" / "questions.jsonl")
    known = gorilla()
    texts = [*(one.text for one in pages), *known.texts[: len(pages)]]
    sources = (*(one.unit for one in pages), *known.table.sources[: len(pages)])
    first = np.arange(len(texts))[:, None] < len(pages)
    chances = np.where(first, [0.8, 0.2], [0.2, 0.8]) if pays else np.array([0.7, 0.6])
    drawn = (np.random.default_rng(0).random((len(texts), 2)) < chances).astype(np.float64)
    table = ScoreTable("correct", ("rag", "adapter"), tuple(map(str, range(len(texts)))), sources, drawn)
    name = "made up: an arm a subject" if pays else "made up: alike everywhere"
    return Asked(name, table, texts, frozenset({"rag"}))


def routed(asked: Asked, level: float) -> Iterator[tuple[str, ArmRouting]]:
    """Yield what routing is worth with each learner, and with the one that is chosen."""
    embedder = load_embedder(load_settings({"models": {"offline": True}}).models)
    # the model has no prefixes, and documents are read in batches
    vectors = embedder.embed_documents(asked.texts)
    features = np.array(
        [arm_features(text, vector, None) for text, vector in zip(asked.texts, vectors, strict=True)]
    )
    for learners in ([ArmLearner.NEAREST], [ArmLearner.LOGISTIC], list(ArmLearner)):
        begun = time.perf_counter()
        router = fit_arm_router(
            asked.table,
            asked.texts,
            vectors,
            features,
            retrieving=asked.retrieving,
            policy=Policy(level=level),
            learners=learners,
        )
        name = str(learners[0]) if len(learners) == 1 else f"chosen ({router.card.routing.learner})"
        note(f"{asked.name}, {name}: {time.perf_counter() - begun:.1f} s")
        yield name, router.card.routing


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--evouna", type=Path)
    parser.add_argument("--limit", type=int, default=3_020)
    parser.add_argument("--level", type=float, default=0.05)
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    tables = [gorilla(), *([evouna(chosen.evouna, chosen.limit)] if chosen.evouna else [])]
    tables += [made_up(pays=False), made_up(pays=True)]
    found = [(asked, *row) for asked in tables for row in routed(asked, chosen.level)]
    if chosen.json:
        print_json(
            {
                "rows": [
                    {"table": asked.name, "learner": name} | dataclasses.asdict(one)
                    for asked, name, one in found
                ]
            }
        )
        return
    print_table(
        (
            "table",
            "questions, sources",
            "best arm",
            "router",
            "gain",
            "ceiling",
            "retrieval",
            "ECE",
            "verdict",
        ),
        [
            (
                asked.name,
                f"{one.questions}, {one.sources}",
                f"{one.single} {points(asked.table.values[:, asked.table.arms.index(one.single)].mean())}",
                name,
                _told(one.gain),
                _told(one.ceiling),
                f"{one.retrieval:.0%}",
                f"{one.error:.3f}",
                "router" if one.shipped else "constant",
            )
            for asked, name, one in found
        ],
    )


def _told(found: Estimate) -> str:
    assert found.interval is not None
    interval = interval_text(found.interval).rpartition("interval ")[2]
    return f"{points(found.value, sign=True)} [{interval.replace(' to ', ', ')}]"


if __name__ == "__main__":
    main()
