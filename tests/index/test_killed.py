"""kill -9 at any moment: the old generation answers, and the resumed run ends as if nothing had been."""

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hybrid.assistant import Assistant
from hybrid.config import load_settings
from hybrid.index import Index
from hybrid.index.generations import current
from hybrid.testing import HashEmbedder

_CHILD = Path(__file__).with_name("killed_child.py")
_FILES = 200
_STAGES = ("start", "reading", "embedding", "building", "switch", "_clean")


def _write(folder, version):
    """Write the 200 files; between versions some change, some come, some go, two swap."""
    folder.mkdir(exist_ok=True)
    for number in range(_FILES):
        path = folder / f"{number:03}.txt"
        if number % 7 == version % 7:
            path.unlink(missing_ok=True)
            continue
        edition = version if number % 3 == 0 else 0
        path.write_text(
            f"common words of file {number} in edition {edition}.\n\n"
            + f"Its second paragraph number {number} says more about the topic{number % 11}. " * 3
        )
    first, second = folder / "010.txt", folder / "011.txt"
    if version % 2 and first.exists() and second.exists():
        one, other = first.read_text(), second.read_text()
        first.write_text(other)
        second.write_text(one)


def _run(domain, folder, stages, *, kill_in=None, delay=0.0):
    """Index in a child; return whether it was done before it was killed, so long after a stage began."""
    problems = stages.with_name("stderr")
    stages.unlink(missing_ok=True)
    command = [sys.executable, str(_CHILD), str(domain), str(folder), str(stages)]
    with problems.open("w") as stderr, subprocess.Popen(command, stderr=stderr) as child:
        if kill_in is not None:
            while child.poll() is None and kill_in not in _reached(stages):
                time.sleep(0.001)
            time.sleep(delay)
            child.kill()
        child.wait(timeout=60)
    assert child.returncode in ((0,) if kill_in is None else (0, -9)), problems.read_text()
    return child.returncode == 0


def _reached(stages):
    return ["start", *(stages.read_text().split() if stages.exists() else [])]


def _content(domain):
    index = Index.open(domain)
    try:
        index.verify()
        everything = range(index.manifest.counts.chunks)
        axes = HashEmbedder().embed_queries([f"axis {number}" for number in range(12)])
        lexical = index.search_lexical("common topic3 edition", 40)
        assert lexical
        assert index.search_dense(axes[0], 5)
        return index.chunks(everything), [index.cosines(axis, everything) for axis in axes], lexical
    finally:
        index.close()


@pytest.mark.slow
@pytest.mark.timeout(240)
@pytest.mark.parametrize("kills", [16, pytest.param(50, marks=pytest.mark.long)])
def test_indexing_killed_often_keeps_the_old_generation_and_ends_the_same(tmp_path, kills):
    chance = random.Random(11)
    domain, folder, stages = tmp_path / "indexes" / "manual", tmp_path / "docs", tmp_path / "stages"
    version = 1
    _write(folder, version)
    _run(domain, folder, stages)

    killed_in: list[str] = []
    longest = dict.fromkeys(_STAGES, 0.05) | {"start": 0.25}  # seconds; the first comes after the imports
    generation, content = current(domain), _content(domain)
    done = True
    while len(killed_in) < kills:
        if done:  # with another version there is something to do again
            version += 1
            _write(folder, version)
        # aimed at a stage, for on a busy machine no clock tells how far a child has come
        aim = _STAGES[len(killed_in) % len(_STAGES)]
        done = _run(domain, folder, stages, kill_in=aim, delay=chance.uniform(0, longest[aim]))
        after = _content(domain)
        if current(domain) == generation:
            assert after == content
        generation, content = current(domain), after
        if not done:
            killed_in.append(_reached(stages)[-1])
    assert set(_STAGES) - {"switch", "_clean"} <= set(killed_in)

    _run(domain, folder, stages)
    fresh = tmp_path / "indexes" / "fresh"
    _run(fresh, folder, stages)
    assert _content(domain) == _content(fresh)
    settings = load_settings(
        {"indexes": str(tmp_path / "indexes"), "chunks": {"max_tokens": 30}}, environment={}
    )
    embedder = HashEmbedder()
    report = Assistant("manual", settings=settings, embedder=embedder).index(folder)
    assert (report.embedded, report.plan.nothing_to_do) == (0, True)
