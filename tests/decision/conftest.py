"""What decisions are made of: tables with few words, simulated domains, the replayed outcomes."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

from hybrid.decision.values import Policy
from hybrid.decision.verdict import decide
from hybrid.evaluation.scores import ScoreTable

_FOLDER = Path(__file__).parent


@pytest.fixture(scope="session")
def domains():
    """The simulator, a module that benchmarks import too."""
    name = "simulated_domains"
    specification = importlib.util.spec_from_file_location(name, _FOLDER / "domains.py")
    module = sys.modules[name] = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def torchhub():
    return _FOLDER.parent / "golden" / "torchhub.csv"


@pytest.fixture(scope="session")
def make_table():
    """Make a table: make_table({"base": [0, 1], "rag": [1, 1]}, sources=…, slices=…)."""

    def call(columns, *, sources=None, slices=(), judged=(), gold=None):
        values = np.column_stack([np.asarray(column, dtype=float) for column in columns.values()])
        count = len(values)
        return ScoreTable(
            metric="score",
            arms=tuple(columns),
            questions=tuple(f"q{row}" for row in range(count)),
            sources=tuple(sources) if sources is not None else tuple(f"s{row:04d}" for row in range(count)),
            values=values,
            slices=tuple(slices),
            judged=tuple(judged),
            gold=gold,
        )

    return call


@pytest.fixture(scope="session")
def rule():
    """Decide with a margin of 2 points and few replicates: rule(table, costs=…, measures=…, gates=…)."""

    def call(table, *, costs=None, measures=None, **policy):
        chosen = Policy(**{"replicates": 1_000, "margin": 0.02} | policy)
        return decide(table, costs=costs or {}, measures=measures or {}, policy=chosen)

    return call


@pytest.fixture(scope="session")
def right():
    """Mark the first so many of ``of`` questions as right: right(30, of=100)."""

    def call(count, *, of):
        return [1.0] * count + [0.0] * (of - count)

    return call
