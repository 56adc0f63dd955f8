"""How a large index behaves: memory while it is built, latency and memory while it is searched.

Makes rows of short passages (one or two sentences, 30 to 40 tokens) from the texts given, each row a
document, and indexes them in a process of its own, whose highest memory is watched with that of its
children. A fresh process then searches: sentences of the corpus as questions, embedding included,
after some to warm up. The same is done with a quarter of the rows before, so that growth shows.

Targets at 100,000 chunks: p50 < 25 ms, p95 < 60 ms, searching below 900 MB, indexing below 2 GB.

    python tests/benchmarks/scale.py CORPUS.jsonl FOLDER...

Takes about ten minutes on two cores with bf16. ``--chunks`` sets the sizes, ``--keep FOLDER`` keeps
the index and searches one that is there already.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import shutil
import tempfile
import time
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from measure import (
    Run,
    Target,
    Values,
    note,
    percentile,
    print_json,
    print_table,
    print_verdicts,
    run_step,
    serve_steps,
)

if TYPE_CHECKING:
    from hybrid.index.sync import Stage

_DEFAULT_SOURCE = Path(__file__).resolve().parents[2] / "examples" / "postgres" / "pages"
_WARM_UP = 10
_P50_MS = 25.0
_P95_MS = 60.0
_SEARCH_MB = 900.0
_INDEX_MB = 2_048.0
_REPORT_SECONDS = 30.0
# Pairs of sentences that are embedded to know how far their vectors lie from the middle of the two.
_CALIBRATE = 500


# --- steps: each in a process of its own -----------------------------------------------------------


def _make(arguments: Values) -> Values:
    from corpus import write_passages

    made = write_passages(
        [Path(source) for source in arguments["sources"]],
        Path(arguments["folder"]),
        passages=arguments["chunks"],
        questions=arguments["questions"],
        seed=arguments["seed"],
        most=arguments["most"],
    )
    made_of = Path(arguments["folder"]).with_name("sentences.json")
    made_of.write_text(json.dumps(made.sentences, ensure_ascii=False), encoding="utf-8")
    return dataclasses.asdict(made) | {"sentences": len(made.sentences)}


class _Joining:
    """An embedder that makes the vector of two joined sentences of theirs, and embeds all else.

    The middle of the two is moved in a direction of chance, as far as it lies from the vectors that the model
    gives such pairs. Without it a million passages are hours of embedding, and search no other.
    """

    def __init__(self, own, sentences: list[str], seed: int) -> None:
        self.own, self.fingerprint, self.max_tokens = own, own.fingerprint, own.max_tokens
        self.count_tokens, self.token_spans = own.count_tokens, own.token_spans
        self.embed_queries = own.embed_queries
        self._place = {sentence: place for place, sentence in enumerate(sentences)}
        self._vectors = own.embed_documents(sentences)
        chance = np.random.default_rng(seed)
        pairs = chance.choice(len(sentences), size=(_CALIBRATE, 2))
        real = own.embed_documents([f"{sentences[one]} {sentences[other]}" for one, other in pairs])
        self.cosine = float((_unit(self._vectors[pairs].sum(axis=1)) * real).sum(axis=1).mean())
        self._away = (1 / self.cosine**2 - 1) ** 0.5

    def embed_documents(self, texts):
        vectors = np.empty((len(texts), self.fingerprint.dimension), dtype=np.float32)
        parts = [self._parts(text) for text in texts]
        real = [place for place, pair in enumerate(parts) if pair is None]
        if real:
            vectors[real] = self.own.embed_documents([texts[place] for place in real])
        made = [place for place, pair in enumerate(parts) if pair is not None]
        if made:
            middle = _unit(self._vectors[[parts[place] for place in made]].sum(axis=1))
            chance = np.random.default_rng(zlib.crc32(texts[made[0]].encode()))
            away = _unit(chance.standard_normal(middle.shape, dtype=np.float32))
            vectors[made] = _unit(middle + self._away * away)
        return vectors

    def _parts(self, text: str) -> tuple[int, int] | None:
        end = text.find(" ")
        while end > 0:
            one, other = self._place.get(text[:end]), self._place.get(text[end + 1 :])
            if one is not None and other is not None:
                return one, other
            end = text.find(" ", end + 1)
        return None


def _unit(vectors):
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def _index(arguments: Values) -> Values:
    begun = time.perf_counter()
    from hybrid import Assistant, load_settings

    assistant = Assistant("benchmark", settings=load_settings({"indexes": arguments["indexes"]}))
    joining = None
    if arguments["most"]:
        sentences = json.loads(Path(arguments["folder"]).with_name("sentences.json").read_text("utf-8"))
        joining = _Joining(assistant.embedder, sentences, arguments["seed"])
        note(f"  {len(sentences):,} sentences embedded, a pair's vector has a cosine of {joining.cosine:.3f}")
        assistant = Assistant("benchmark", settings=assistant.settings, embedder=joining)
        begun = time.perf_counter()
    ends: dict[str, float] = {}
    peaks: dict[str, float] = {}
    said = begun

    def progress(stage: Stage, done: int, total: int) -> None:
        nonlocal said
        now = time.perf_counter()
        ends[stage.value] = now
        peaks[stage.value] = _peak_mb()
        if now - said > _REPORT_SECONDS:
            said = now
            note(f"  {stage.value} {done:,} of {total:,}, {now - begun:.0f} s, {peaks[stage.value]:,.0f} MB")

    report = assistant.index(arguments["folder"], progress=progress)
    ended = time.perf_counter()
    dense = report.manifest.dense
    return {
        "seconds": ended - begun,
        "reading": ends["reading"] - begun,
        "embedding": ends["embedding"] - ends["reading"],
        "building": ended - ends["embedding"],
        "peaks": peaks,
        "chunks": report.manifest.counts.chunks,
        "embedded": report.embedded,
        "cosine_of_made": joining.cosine if joining else 1.0,
        "kind": dense.kind.value,
        "effort": dense.effort,
        "recall_at_10": dense.recall_at_10,
        "disk_mb": sum(path.stat().st_size for path in assistant.folder.rglob("*") if path.is_file()) / 1e6,
    }


def _search(arguments: Values) -> Values:
    begun = time.perf_counter()
    from hybrid import Assistant, load_settings

    assistant = Assistant("benchmark", settings=load_settings({"indexes": arguments["indexes"]}))
    *questions, first = arguments["questions"]
    assistant.search(first)
    opened = time.perf_counter() - begun
    after_first = _peak_mb()
    milliseconds = []
    for question in questions:
        begun = time.perf_counter()
        hits = assistant.search(question)
        milliseconds.append(1000 * (time.perf_counter() - begun))
        assert hits, question
    return {
        "first_search": opened,
        "first_mb": after_first,
        "milliseconds": milliseconds[_WARM_UP:],
    } | _parts(assistant, questions[_WARM_UP:])


def _parts(assistant, questions: list[str]) -> Values:
    """Time the parts of a search, each over all questions."""
    retriever = assistant.retriever
    depth = retriever.settings.candidates
    begun = time.perf_counter()
    # the questions themselves are remembered
    vectors = [retriever.embedder.embed_queries([f"{question}?"])[0] for question in questions]
    embedded = time.perf_counter()
    dense = [retriever.index.search_dense(vector, depth) for vector in vectors]
    near = time.perf_counter()
    lexical = [retriever.index.search_lexical(question, depth) for question in questions]
    worded = time.perf_counter()
    for vector, hits in zip(vectors, lexical, strict=True):
        retriever.index.cosines(vector, [hit.position for hit in hits])
    scored = time.perf_counter()
    for hits in dense:
        retriever.index.chunks([hit.position for hit in hits[: 2 * retriever.settings.k]])
    fetched = time.perf_counter()
    times = [embedded - begun, near - embedded, worded - near, scored - worded, fetched - scored]
    names = ["embed", "dense", "lexical", "cosines", "chunks"]
    return {"parts_ms": {name: 1000 * t / len(questions) for name, t in zip(names, times, strict=True)}}


def _peak_mb() -> float:
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


# --- the measurement -------------------------------------------------------------------------------


def _measure(arguments: argparse.Namespace, chunks: int, home: Path) -> tuple[Values, Run, Run]:
    """Make, index and search so many passages, unless the index is there from before."""
    script = Path(__file__)
    indexes, remembered = home / "indexes", home / "made.json"
    if remembered.is_file():
        known = json.loads(remembered.read_text(encoding="utf-8"))
        made, built = known["made"], Run(**known["built"])
    else:
        sources = [str(path.resolve()) for path in arguments.source]
        wanted = {
            "sources": sources,
            "folder": str(home / "folder"),
            "chunks": chunks,
            "seed": arguments.seed,
            "most": arguments.sentences,
        }
        made = run_step(script, "make", wanted | {"questions": arguments.questions + _WARM_UP + 1}).result
        note(f"{made['passages']:,} passages, {made['words'] / made['passages']:.1f} words each")
        own = {"folder": str(home / "folder"), "indexes": str(indexes)}
        built = run_step(script, "index", own | {"most": arguments.sentences, "seed": arguments.seed})
        remembered.write_text(
            json.dumps({"made": made, "built": dataclasses.asdict(built)}), encoding="utf-8"
        )
    note(f"indexed {built.result['chunks']:,} chunks in {built.seconds:.0f} s, peak {built.peak_mb:,.0f} MB")
    searched = run_step(script, "search", {"indexes": str(indexes), "questions": made["questions"]})
    return made, built, searched


def _print(sizes: list[int], results: list[tuple[Values, Run, Run]]) -> None:
    rows: list[tuple[str, ...]] = []
    for chunks, (made, built, searched) in zip(sizes, results, strict=True):
        done, times = built.result, searched.result["milliseconds"]
        rows.append(
            (
                f"{done['chunks']:,}",
                f"{done['seconds']:.0f}",
                f"{done['reading']:.0f} / {done['embedding']:.0f} / {done['building']:.0f}",
                f"{built.own_peak_mb:,.0f}",
                f"{built.peak_mb:,.0f}",
                f"{done['kind']} {done['effort']}",
                f"{done['recall_at_10']:.3f}",
                f"{done['disk_mb']:,.0f}",
                f"{percentile(times, 0.5):.1f}",
                f"{percentile(times, 0.95):.1f}",
                f"{searched.peak_mb:,.0f}",
                f"{searched.result['first_search']:.1f}",
            )
        )
        assert done["chunks"] >= chunks == made["passages"], "a passage was lost"
    built_as = ("index s", "read/embed/build", "own MB", "with children", "index", "recall@10", "disk MB")
    header = ("chunks", *built_as, "p50 ms", "p95 ms", "search MB", "first s")
    print_table(header, rows)
    parts = results[-1][2].result["parts_ms"]
    print_table(("part of a search", "ms"), [(name, f"{value:.2f}") for name, value in parts.items()])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("source", nargs="*", type=Path, default=[_DEFAULT_SOURCE], help="texts to cut up")
    parser.add_argument("--chunks", type=int, nargs="+", default=[25_000, 100_000], help="sizes, ascending")
    parser.add_argument("--questions", type=int, default=200)
    parser.add_argument(
        "--sentences",
        type=int,
        default=0,
        help="embed so many sentences, and make the vectors of joined pairs of theirs; 0 embeds all",
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, help="keep the indexes here, and use what is here already")
    arguments = parser.parse_args()

    sizes: list[int] = sorted(arguments.chunks)
    home = arguments.keep or Path(tempfile.mkdtemp(prefix="hybrid-scale-"))
    results: list[tuple[Values, Run, Run]] = []
    try:
        for chunks in sizes:
            folder = home.resolve() / str(chunks)
            folder.mkdir(parents=True, exist_ok=True)
            results.append(_measure(arguments, chunks, folder))
    finally:
        if arguments.keep is None:
            shutil.rmtree(home)

    _print(sizes, results)
    _, built, searched = results[-1]
    times = searched.result["milliseconds"]
    targets = [
        Target("search, p50 ms", percentile(times, 0.5), _P50_MS),
        Target("search, p95 ms", percentile(times, 0.95), _P95_MS),
        Target("peak memory of searching, MB", searched.peak_mb, _SEARCH_MB),
        Target("peak memory of indexing, MB", built.peak_mb, _INDEX_MB),
    ]
    print_verdicts(targets)
    print_json(
        {
            "benchmark": "scale",
            "sizes": [
                {
                    "chunks": chunks,
                    "recombined": made["recombined"],
                    "index": built.result | {"own_mb": built.own_peak_mb, "with_children_mb": built.peak_mb},
                    "search": {
                        "p50_ms": percentile(searched.result["milliseconds"], 0.5),
                        "p95_ms": percentile(searched.result["milliseconds"], 0.95),
                        "peak_mb": searched.peak_mb,
                        "first_search_s": searched.result["first_search"],
                        "parts_ms": searched.result["parts_ms"],
                    },
                }
                for chunks, (made, built, searched) in zip(sizes, results, strict=True)
            ],
            "targets": [dataclasses.asdict(target) | {"met": target.met} for target in targets],
        }
    )


if __name__ == "__main__":
    serve_steps({"make": _make, "index": _index, "search": _search})
    main()
