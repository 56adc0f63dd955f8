"""What tracing costs an answer: questions asked with and without it, in pairs of blocks.

The extractive reader is the fastest that there is, so it pays the largest share. Every stage is a span, kept
in one store as by a server. Wall clock is what users wait; CPU is all that the process spent until the last
span of a block is on disk. The interval resamples pairs. About two minutes on two cores.

    python tests/benchmarks/tracing.py [--rounds 12]
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from measure import Target, note, print_json, print_table, print_verdicts

from hybrid import Assistant, load_settings
from hybrid.questions.files import load_questions
from hybrid.tracing import traced
from hybrid.tracing.spans import SpanSink, TraceSpan, sent_to, span
from hybrid.tracing.store import TRACES_FILE, StoreSink, TraceStore

_EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "postgres"
_AT_MOST = 1.03
_DRAWS = 10_000
_BLOCK = 12
_UNTIL_WRITTEN = 0.3


class _Served:
    """A store that stays open when a block ends, as that of a server does."""

    def __init__(self, path: Path) -> None:
        self._sink = StoreSink(lambda: TraceStore(path), note)

    def add(self, spans: Sequence[TraceSpan]) -> None:
        """Take spans."""
        self._sink.add(spans)

    def close(self) -> None:
        """Stay open."""

    def stop(self) -> None:
        """Write what is left."""
        self._sink.close()


def _timed(assistant: Assistant, questions: Sequence[str], sinks: Sequence[SpanSink]) -> tuple[float, float]:
    """Return wall clock and CPU of asking all of them."""
    wall, cpu = time.perf_counter(), time.process_time()
    with sent_to(sinks):
        for question in questions:
            assistant.ask(question, arm="rag")
    wall = time.perf_counter() - wall
    time.sleep(_UNTIL_WRITTEN)
    return wall, time.process_time() - cpu


def _ratio(on: Sequence[float], off: Sequence[float]) -> tuple[float, float, float]:
    """Return the median ratio of a pair, and its 95 % interval."""
    ratios = np.array(on) / np.array(off)
    drawn = np.median(np.random.default_rng(0).choice(ratios, (_DRAWS, len(ratios))), axis=1)
    low, high = np.quantile(drawn, (0.025, 0.975))
    return float(np.median(ratios)), float(low), float(high)


def _per_call(call: Callable[[], object], times: int) -> float:
    """Return what a call takes, in microseconds."""
    begun = time.perf_counter()
    for _ in range(times):
        call()
    return (time.perf_counter() - begun) / times * 1e6


def _open_and_close() -> None:
    with span("stage"):
        pass


def main() -> None:
    """Ask, compare, say."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=12)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as folder:
        settings = replace(load_settings(environment={}), indexes=folder)
        assistant = Assistant("postgres", settings=settings)
        assistant.index(_EXAMPLE / "pages")
        questions = [one.text for one in load_questions(_EXAMPLE / "questions.jsonl")]
        _timed(assistant, questions, ())
        served = _Served(Path(folder) / TRACES_FILE)
        blocks = [questions[start : start + _BLOCK] for start in range(0, len(questions), _BLOCK)]
        times: dict[bool, list[tuple[float, float]]] = {True: [], False: []}
        chance = random.Random(0)
        for number in range(rounds):
            note(f"round {number + 1} of {rounds}")
            for block in blocks:
                for on in chance.sample((True, False), 2):
                    times[on].append(_timed(assistant, block, [served] if on else ()))
        served.stop()
        with TraceStore(Path(folder) / TRACES_FILE, read_only=True) as store:
            asked = len(list(store.asked()))
            spans = sum(map(len, store.traces())) / asked
        assert asked == rounds * len(questions), "none is lost"
        unwanted = _per_call(_open_and_close, 50_000)
        with traced(settings, note):
            kept = _per_call(_open_and_close, 2_000)
    rows, targets = [], []
    for kind, name in enumerate(("wall clock", "CPU")):
        on, off = ([own[kind] for own in times[tracing]] for tracing in (True, False))
        ratio, low, high = _ratio(on, off)
        usual = float(np.median(off)) / _BLOCK * 1e3
        rows.append((name, f"{usual:.2f} ms", f"{ratio:.4f}", f"{low:.4f} to {high:.4f}"))
        targets.append(Target(f"tracing, {name}", ratio, _AT_MOST))
    print_table(("an answer", "without", "with / without", "95 % interval"), rows)
    pairs = f"{rounds} rounds of {len(blocks)} pairs"
    print(f"{len(questions)} questions, {pairs}, {spans:.1f} spans an answer; a span takes", end=" ")
    print(f"{unwanted:.2f} µs where nobody wants it, {kept:.1f} µs where it is kept\n")
    print_verdicts(targets)
    print_json({target.name: target.measured for target in targets})


if __name__ == "__main__":
    main()
