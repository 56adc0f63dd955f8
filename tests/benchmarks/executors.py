"""What executors are worth: texts a second by workers, the same bytes, and what another processor changes.

Real pages in pieces of 600 letters are embedded by one plan. The rate is taken once every worker has done
a batch, so what a worker costs to begin stands apart. Beyond the cores there are, work is simulated: each
batch sleeps.
At last the same plan is embedded as a processor of another kind would (AVX2, float32), and the vectors are
held against these: cosines, and the ten best for the questions of the corpus.

    python tests/benchmarks/executors.py [--batches 6]
"""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hybrid.config import load_settings
from hybrid.distributed import Executor, executor_named
from hybrid.distributed.executors import Ended, Job, Work, carry_out
from hybrid.distributed.plan import BatchInput, cut
from hybrid.files import hash_text
from hybrid.index.embedding import BATCH, EmbedWork
from hybrid.models.loading import load_embedder
from hybrid.questions.files import load_questions

_CORPUS = Path(__file__).resolve().parents[2] / "examples" / "postgres"
_LETTERS = 600
_OTHER = {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2", "MKL_ENABLE_INSTRUCTIONS": "AVX2"}


@dataclass(frozen=True)
class Sleeping:
    """Work of a fixed duration."""

    seconds: float = 0.25
    name: str = "sleep"

    def open(self) -> Callable[[Sequence[str]], bytes]:
        return self._sleep

    def _sleep(self, texts: Sequence[str]) -> bytes:
        time.sleep(self.seconds)
        return hash_text(*texts).encode()


class Timed:
    """An executor that remembers when each batch ended."""

    def __init__(self, inner: Executor) -> None:
        self.inner, self.ends = inner, list[float]()

    def run(self, job: Job, batches):
        for ended in self.inner.run(job, batches):
            assert isinstance(ended, Ended)
            self.ends.append(time.perf_counter())
            yield ended


def measured(
    executor: str, work: Work, texts: Sequence[str], size: int
) -> tuple[float, float, str, list[bytes]]:
    """Return items a second once all have begun, all seconds, the digest of all shards, and these."""
    keys = [hash_text(text) for text in texts]

    def load(number: int) -> BatchInput:
        part = slice(number * size, (number + 1) * size)
        return BatchInput(number, tuple(keys[part]), tuple(texts[part]))

    timed = Timed(executor_named(executor))
    workers = getattr(timed.inner, "workers", 1)
    with tempfile.TemporaryDirectory() as folder:
        begun = time.perf_counter()
        carried = carry_out(cut(work.name, keys, size), Path(folder), work, load, timed)
        seconds = time.perf_counter() - begun
        bodies = [shard.body for shard in carried.shards()]
    rate = size * (len(timed.ends) - workers) / (timed.ends[-1] - timed.ends[workers - 1])
    return rate, seconds, hashlib.sha256(b"".join(bodies)).hexdigest()[:16], bodies


def show(kind: str, names: Sequence[str], work: Work, texts: Sequence[str], size: int) -> list[bytes]:
    """Print a row an executor; return the shards of the last one."""
    base, bodies = 0.0, []
    for name in names:
        rate, seconds, digest, bodies = measured(name, work, texts, size)
        workers = int(name.partition(":")[2] or 1)
        base = base or rate
        share = rate / base / workers
        print(f"{kind:<7} {name:<12} {rate:8.1f} {seconds:7.1f} {share:6.2f}  {digest}", flush=True)
    return bodies


def _vectors(bodies: Sequence[bytes], dimension: int):
    rows = np.frombuffer(b"".join(bodies), dtype="<f2").reshape(-1, dimension).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--batches", type=int, default=6)
    arguments = parser.parse_args()
    settings = load_settings().models
    embedder = load_embedder(settings)
    pages = [
        path.read_text(encoding="utf-8") for path in sorted((_CORPUS / "pages").rglob("*")) if path.is_file()
    ]
    texts = [page[first : first + _LETTERS] for page in pages for first in range(0, len(page), _LETTERS)]
    texts = sorted(texts[: arguments.batches * BATCH], key=lambda text: (-len(text), hash_text(text)))
    print("work    executor      items/s seconds  share  sha256 of all shards")
    import torch

    embedder.embed_documents(texts[:BATCH])
    begun = time.perf_counter()
    for first in range(0, 4 * BATCH, BATCH):
        embedder.embed_documents(texts[first : first + BATCH])
    plain = 4 * BATCH / (time.perf_counter() - begun)
    print(f"embed   {f'torch, {torch.get_num_threads()} threads':<16} {plain:4.1f}", flush=True)
    work = EmbedWork(embedder)
    show("embed", ["serial", "threads:2"], work, texts, BATCH)
    here = show("embed", ["processes:1", "processes:2"], work, texts, BATCH)
    show("sleep", ["processes:1", "processes:2", "processes:4"], Sleeping(), texts[:80], 2)
    few = texts[: 4 * BATCH]
    exact = EmbedWork(load_embedder(load_settings({"models": {"dtype": "float32"}}).models))
    size = embedder.fingerprint.dimension
    asked = embedder.embed_queries([one.text for one in load_questions(_CORPUS / "questions.jsonl")])
    *_, whole = measured("processes:1", exact, few, BATCH)
    os.environ |= _OTHER
    # such a processor has no bf16 instructions, so float32 is what it would choose
    *_, bodies = measured("processes:1", exact, few, BATCH)
    theirs = _vectors(bodies, size)
    for name, mine in ((settings.dtype, here[:4]), ("float32", whole)):
        told = _alike(_vectors(mine, size), theirs, asked)
        print(f"another processor (float32, AVX2) against this one ({name}): {told}", flush=True)


def _alike(mine, theirs, asked) -> str:
    cosines = (mine * theirs).sum(1)
    tops = [np.argsort(-(asked @ rows.T), axis=1, kind="stable")[:, :10] for rows in (mine, theirs)]
    same = np.mean([set(a) == set(b) for a, b in zip(*tops, strict=True)])
    order = np.mean([(a == b).all() for a, b in zip(*tops, strict=True)])
    return (
        f"cosine at least {cosines.min():.5f}, mean {cosines.mean():.6f}; "
        f"same ten {same:.0%}, in the same order {order:.0%} of {len(asked)} questions"
    )


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    # workers find the work by the name of its module, not of the script
    from tests.benchmarks import executors

    executors.main()
