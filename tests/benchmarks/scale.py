r"""How a large index behaves: memory while it is built, latency, recall and memory while it is searched.

Makes rows of short passages (one or two sentences, 30 to 40 tokens) from the texts given, each row a
document, and indexes them in a process of its own, whose highest memory is watched with that of its
children. A fresh process then searches: sentences of the corpus as questions, embedding included,
after some to warm up. Another one compares the ten nearest with an exact search over the kept vectors.
The same is done with fewer rows before, so that growth shows.

Targets at 100,000 chunks: p50 < 25 ms, p95 < 60 ms, searching below 900 MB, indexing below 2 GB; at a
million 40 ms, 100 ms and 2 GB for searching; recall@10 at least .95.

    python tests/benchmarks/scale.py CORPUS.jsonl FOLDER...
    python tests/benchmarks/scale.py FOLDER... --chunks 10000 100000 1000000 --sentences 20000 --split 100 \
        --keep DIR

The first takes about ten minutes on two cores with bf16. The second makes the vectors (``--sentences``) and
hands over chunks (``--split``): a million rows are half an hour of reading and splitting. ``--keep DIR``
keeps the indexes: a step that ended is not done again, but for the timed search, and one of indexing that
was killed goes on with what it had staged.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import shutil
import tempfile
import time
import zlib
from itertools import pairwise
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
    from hybrid.index.generations import Manifest, Stage

_DEFAULT_SOURCE = Path(__file__).resolve().parents[2] / "examples" / "postgres" / "pages"
_WARM_UP = 10
_INDEX_MB = 2_048.0
_RECALL = 0.95
_MILLION = 1_000_000
_BLOCK = 8_192
_REPORT_SECONDS = 30.0
# What ends with each step of building.
_BUILT = ("before building", "store", "vectors", "words")
# Of the inverted lists, how many are searched to see what more of them would find.
_PROBES = (8, 16, 32, 64, 128, 256, 384, 512, 768, 1024)
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

    def __init__(self, own, sentences: list[str], seed: int, remembered: Path) -> None:
        self.own, self.fingerprint, self.max_tokens = own, own.fingerprint, own.max_tokens
        self.count_tokens, self.token_spans = own.count_tokens, own.token_spans
        self.embed_queries = own.embed_queries
        self._place = {sentence: place for place, sentence in enumerate(sentences)}
        self._vectors = self._remembered(sentences, remembered)
        chance = np.random.default_rng(seed)
        pairs = chance.choice(len(sentences), size=(_CALIBRATE, 2))
        real = own.embed_documents([f"{sentences[one]} {sentences[other]}" for one, other in pairs])
        self.cosine = float((_unit(self._vectors[pairs].sum(axis=1)) * real).sum(axis=1).mean())
        self._away = (1 / self.cosine**2 - 1) ** 0.5

    def _remembered(self, sentences: list[str], path: Path):
        """Embed the sentences, once for all runs that go on with one another."""
        if not path.is_file():
            np.save(path, self.own.embed_documents(sentences))
        return np.load(path)

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
        joining = _Joining(
            assistant.embedder,
            sentences,
            arguments["seed"],
            Path(arguments["folder"]).with_name("sentences.npy"),
        )
        note(f"  {len(sentences):,} sentences embedded, a pair's vector has a cosine of {joining.cosine:.3f}")
        assistant = Assistant("benchmark", settings=assistant.settings, embedder=joining)
        begun = time.perf_counter()
    peaks: dict[str, float] = {}
    spent: dict[str, float] = {"": _cpu_seconds()}
    said = begun

    def progress(stage: Stage, done: int, total: int) -> None:
        nonlocal said
        now = time.perf_counter()
        step = _BUILT[done] if stage.value == "building" else stage.value
        peaks[step], spent[step] = _peak_mb(), _cpu_seconds()
        if now - said > _REPORT_SECONDS or stage.value == "building":
            said = now
            note(f"  {stage.value} {done:,} of {total:,}, {now - begun:.0f} s, {peaks[step]:,.0f} MB")

    if arguments["split"]:
        manifest = _given(assistant, Path(arguments["folder"]), arguments["split"], progress)
    else:
        manifest = assistant.index(arguments["folder"], progress=progress).manifest
    spends = list(spent.values())
    dense = manifest.dense
    return {
        "cpu_seconds": dict(zip(peaks, (b - a for a, b in pairwise(spends)), strict=True)),
        "peaks": peaks,
        "chunks": manifest.counts.chunks,
        "cosine_of_made": joining.cosine if joining else 1.0,
        "kind": dense.kind.value,
        "effort": dense.effort,
        "recall_at_10": dense.recall_at_10,
        "disk_mb": {
            path.name: sum(file.stat().st_size for file in (path, *path.rglob("*")) if file.is_file()) / 1e6
            for path in (*assistant.folder.iterdir(), *assistant.folder.glob("generations/*/*"))
        },
    }


def _given(assistant, folder: Path, split: int, progress) -> Manifest:
    """Index documents of so many passages each, a chunk each, so that nothing is read or split."""
    from hybrid.files import hash_file
    from hybrid.index.store import FileContent, FileState, IndexedDocument
    from hybrid.index.sync import apply_update
    from hybrid.types import Chunk, Document

    wanted = {path.name: FileState(hash_file(path), "") for path in sorted(folder.iterdir())}

    def load(sources):
        for source in sources:
            lines = (folder / source).read_text(encoding="utf-8").splitlines()
            texts, documents = [json.loads(line)["text"] for line in lines], []
            for first in range(0, len(texts), split):
                own, name, start = texts[first : first + split], f"{source}#{first // split + 1}", 0
                chunks = []
                for ordinal, text in enumerate(own):
                    chunks.append(Chunk(name, ordinal, start, start + len(text), text))
                    start += len(text) + 2
                tokens = tuple(len(text.split()) * 4 // 3 for text in own)
                documents.append(IndexedDocument(Document(name, "\n\n".join(own)), tuple(chunks), tokens))
            yield FileContent(source, tuple(documents), ())

    return apply_update(
        assistant.folder,
        wanted,
        load,
        assistant.embedder,
        folder=str(folder),
        chunks=assistant.settings.chunks,
        progress=progress,
    ).manifest


def _search(arguments: Values) -> Values:
    begun = time.perf_counter()
    from hybrid import Assistant, load_settings

    assistant = Assistant("benchmark", settings=load_settings({"indexes": arguments["indexes"]}))
    *questions, first = arguments["questions"]
    assistant.search(first)
    opened = time.perf_counter() - begun
    after_first = _peak_mb()
    milliseconds, of_processor = [], []
    for question in questions:
        begun, spent = time.perf_counter(), time.process_time()
        hits = assistant.search(question)
        milliseconds.append(1000 * (time.perf_counter() - begun))
        of_processor.append(1000 * (time.process_time() - spent))
        assert hits, question
    return {
        "first_search": opened,
        "first_mb": after_first,
        "milliseconds": milliseconds[_WARM_UP:],
        "cpu_ms": of_processor[_WARM_UP:],
    } | _parts(assistant, questions[_WARM_UP:])


def _exact(arguments: Values) -> Values:
    """Compare the ten nearest of the index with those of all kept vectors, in blocks of float32."""
    from contextlib import closing

    from hybrid import Assistant, load_settings
    from hybrid.index.database import VectorCache
    from hybrid.index.dense import DenseIndex
    from hybrid.index.generations import current, open_store, read_manifest

    assistant = Assistant("benchmark", settings=load_settings({"indexes": arguments["indexes"]}))
    asked = assistant.embedder.embed_queries(arguments["questions"])
    manifest = read_manifest(assistant.folder, current(assistant.folder))
    best, scores = np.zeros((len(asked), 0), dtype=np.int64), np.zeros((len(asked), 0), dtype=np.float32)
    start = 0
    with (
        closing(open_store(assistant.folder, manifest)) as store,
        closing(VectorCache(assistant.folder / "vectors.sqlite")) as cache,
    ):
        for block in store.vectors_in_order(cache, _BLOCK):
            places = np.broadcast_to(np.arange(start, start + len(block)), (len(asked), len(block)))
            best, scores = np.hstack([best, places]), np.hstack([scores, asked @ block.T])
            keep = np.argpartition(-scores, 9, axis=1)[:, :10]
            best, scores = np.take_along_axis(best, keep, 1), np.take_along_axis(scores, keep, 1)
            start += len(block)
    assert start == manifest.counts.chunks, "a chunk has no vector"

    efforts = {manifest.dense.effort: None} | dict.fromkeys(
        _PROBES if manifest.dense.kind.value == "ivf" else ()
    )
    by_effort = {}
    for effort in efforts:
        index = DenseIndex(
            assistant.folder / "generations" / manifest.generation / "dense.faiss",
            dataclasses.replace(manifest.dense, effort=effort),
            checksum=manifest.sha256["dense.faiss"],
        )
        index.search(asked[0], 10)
        begun = time.perf_counter()
        found = [{hit.position for hit in index.search(vector, 10)} for vector in asked]
        spent = time.perf_counter() - begun
        shares = [len(ten & set(row.tolist())) / 10 for ten, row in zip(found, best, strict=True)]
        by_effort[effort] = {"recall": float(np.mean(shares)), "ms": 1000 * spent / len(asked)}
    return {"recall_at_10": by_effort[manifest.dense.effort]["recall"], "by_effort": by_effort}


def _effort(arguments: Values) -> Values:
    """Choose anew how many lists or links of a kept index are searched, as building would now."""
    from contextlib import closing

    import faiss

    from hybrid.index.database import VectorCache
    from hybrid.index.dense import DenseKind, _raise_effort
    from hybrid.index.generations import current, open_store, read_manifest

    domain = Path(arguments["indexes"]) / "benchmark"
    manifest = read_manifest(domain, current(domain))
    if manifest.dense.kind is DenseKind.EXACT:
        return {}
    folder = domain / "generations" / manifest.generation
    index = faiss.read_index(str(folder / "dense.faiss"), faiss.IO_FLAG_MMAP_IFC)
    with (
        closing(open_store(domain, manifest)) as store,
        closing(VectorCache(domain / "vectors.sqlite")) as cache,
    ):

        def blocks():
            return store.vectors_in_order(cache, _BLOCK)

        report = _raise_effort(index, manifest.dense.kind, blocks, manifest.dense.vectors, 0)
    path = folder / "manifest.json"
    told = json.loads(path.read_text(encoding="utf-8"))
    told["dense"] |= {"effort": report.effort, "recall_at_10": report.recall_at_10}
    path.write_text(json.dumps(told, indent=2), encoding="utf-8")
    return {"effort": report.effort, "recall_at_10": report.recall_at_10}


def _parts(assistant, questions: list[str]) -> Values:
    """Time the parts of a search on the processor, each over all questions."""
    retriever = assistant.retriever
    depth = retriever.settings.candidates
    begun = time.process_time()
    # the questions themselves are remembered
    vectors = [retriever.embedder.embed_queries([f"{question}?"])[0] for question in questions]
    embedded = time.process_time()
    dense = [retriever.index.search_dense(vector, depth) for vector in vectors]
    near = time.process_time()
    lexical = [retriever.index.search_lexical(question, depth) for question in questions]
    worded = time.process_time()
    for vector, hits in zip(vectors, lexical, strict=True):
        retriever.index.cosines(vector, [hit.position for hit in hits])
    scored = time.process_time()
    for hits in dense:
        retriever.index.chunks([hit.position for hit in hits[: 2 * retriever.settings.k]])
    fetched = time.process_time()
    times = [embedded - begun, near - embedded, worded - near, scored - worded, fetched - scored]
    names = ["embed", "dense", "lexical", "cosines", "chunks"]
    return {"parts_ms": {name: 1000 * t / len(questions) for name, t in zip(names, times, strict=True)}}


def _cpu_seconds() -> float:
    """Return the processor time of this process and of its children that ended."""
    return sum(os.times()[:4])


def _peak_mb() -> float:
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


# --- the measurement -------------------------------------------------------------------------------


def _once(home: Path, step: str, arguments: Values) -> Run:
    """Run a step unless it ended here before; what it found is kept beside the index."""
    kept = home / f"{step}.json"
    if kept.is_file():
        return Run(**json.loads(kept.read_text(encoding="utf-8")))
    run = run_step(Path(__file__), step, arguments)
    kept.write_text(json.dumps(dataclasses.asdict(run)), encoding="utf-8")
    return run


def _measure(arguments: argparse.Namespace, chunks: int, home: Path) -> Values:
    """Make, index, search and compare so many passages; of these only the search is done every time."""
    folder = home / "folder"
    if not (home / "make.json").is_file():
        shutil.rmtree(folder, ignore_errors=True)
    wanted = {
        "sources": [str(path.resolve()) for path in arguments.source],
        "folder": str(folder),
        "chunks": chunks,
        "seed": arguments.seed,
        "most": arguments.sentences,
        "questions": arguments.questions + _WARM_UP + 1,
    }
    made = _once(home, "make", wanted).result
    note(f"{made['passages']:,} passages, {made['words'] / made['passages']:.1f} words each")
    own = {"folder": str(folder), "indexes": str(home / "indexes")}
    how = {"most": arguments.sentences, "seed": arguments.seed, "split": arguments.split}
    built = _once(home, "index", own | how)
    note(f"indexed {built.result['chunks']:,} chunks in {built.seconds:.0f} s, peak {built.peak_mb:,.0f} MB")
    assert built.result["chunks"] >= chunks == made["passages"], "a passage was lost"
    asked = {"indexes": str(home / "indexes"), "questions": made["questions"]}
    if arguments.effort:
        chosen = run_step(Path(__file__), "effort", asked).result
        note(f"effort {chosen}")
        (home / "exact.json").unlink(missing_ok=True)
        built.result.update(chosen)
        (home / "index.json").write_text(json.dumps(dataclasses.asdict(built)), encoding="utf-8")
    exact = _once(home, "exact", asked).result
    searched = run_step(Path(__file__), "search", asked)
    times = searched.result["milliseconds"]
    disk = built.result["disk_mb"]
    return {
        "chunks": built.result["chunks"],
        "recombined": made["recombined"],
        "kind": f"{built.result['kind']} {built.result['effort']}",
        "p50_ms": percentile(times, 0.5),
        "p95_ms": percentile(times, 0.95),
        "cpu_p50_ms": percentile(searched.result["cpu_ms"], 0.5),
        "cpu_p95_ms": percentile(searched.result["cpu_ms"], 0.95),
        "recall": exact["recall_at_10"],
        "recall_by_effort": exact["by_effort"],
        "recall_of_midpoints": built.result["recall_at_10"],
        "search_mb": searched.peak_mb,
        "first_s": searched.result["first_search"],
        "parts_ms": searched.result["parts_ms"],
        "seconds": built.seconds,
        "cpu_seconds": built.result["cpu_seconds"],
        "index_mb": built.own_peak_mb,
        "index_with_children_mb": built.peak_mb,
        "peaks_mb": built.result["peaks"],
        "disk_mb": disk,
        "generation_mb": disk["generations"],
        "cache_mb": disk["vectors.sqlite"],
    }


def _print(results: list[Values]) -> None:
    print_table(
        ("chunks", "index", "p50 ms", "p95 ms", "of a core p50", "p95", "recall@10", "search MB", "first s"),
        [
            (
                f"{one['chunks']:,}",
                one["kind"],
                f"{one['p50_ms']:.1f}",
                f"{one['p95_ms']:.1f}",
                f"{one['cpu_p50_ms']:.1f}",
                f"{one['cpu_p95_ms']:.1f}",
                f"{one['recall']:.3f}",
                f"{one['search_mb']:,.0f}",
                f"{one['first_s']:.1f}",
            )
            for one in results
        ],
    )
    steps = list(dict.fromkeys(step for one in results for step in one["cpu_seconds"]))
    print_table(
        (
            "chunks",
            "s",
            *(f"{step}, s of a core" for step in steps),
            "own MB",
            "with children",
            "index disk MB",
            "cache MB",
        ),
        [
            (
                f"{one['chunks']:,}",
                f"{one['seconds']:.0f}",
                *(f"{one['cpu_seconds'].get(step, 0):.0f}" for step in steps),
                f"{one['index_mb']:,.0f}",
                f"{one['index_with_children_mb']:,.0f}",
                f"{one['generation_mb']:,.0f}",
                f"{one['cache_mb']:,.0f}",
            )
            for one in results
        ],
    )
    largest = results[-1]
    print_table(
        ("part of a search, ms of a core", *(f"{one['chunks']:,}" for one in results)),
        [(name, *(f"{one['parts_ms'][name]:.2f}" for one in results)) for name in largest["parts_ms"]],
    )
    print_table(
        ("lists or links searched", "recall@10", "ms"),
        [(str(e), f"{at['recall']:.3f}", f"{at['ms']:.2f}") for e, at in largest["recall_by_effort"].items()],
    )


def _plot(results: list[Values]) -> str:
    """Return an SVG: how time, memory and disk grow with the chunks, both axes by powers of ten."""
    lines = (
        ("search p50, ms of a core", "#1f6feb", [one["cpu_p50_ms"] for one in results]),
        ("search p95, ms of a core", "#8250df", [one["cpu_p95_ms"] for one in results]),
        ("memory of searching, MB", "#bf3989", [one["search_mb"] for one in results]),
        ("disk of the index, MB", "#9a6700", [one["generation_mb"] for one in results]),
        ("processor time of indexing, s", "#1a7f37", [sum(one["cpu_seconds"].values()) for one in results]),
    )
    across = [np.log10(one["chunks"]) for one in results]
    top, low = float(np.ceil(max(np.log10(max(max(values), 10)) for _, _, values in lines))), 0.0

    def x(value: float) -> float:
        return 60 + 420 * (value - across[0]) / max(across[-1] - across[0], 1e-9)

    def y(value: float) -> float:
        return 310 - 280 * (value - low) / (top - low)

    drawn = [
        f'<line x1="60" x2="480" y1="{y(p):.0f}" y2="{y(p):.0f}" stroke="#d0d7de"/>'
        f'<text x="52" y="{y(p) + 4:.0f}" text-anchor="end">{10**p:,}</text>'
        for p in range(int(low), int(top) + 1)
    ]
    for place, one in zip(across, results, strict=True):
        drawn.append(f'<text x="{x(place):.0f}" y="330" text-anchor="middle">{one["chunks"]:,}</text>')
    ends = sorted(((y(np.log10(max(v[-1], 1))), name, colour, v) for name, colour, v in lines), reverse=True)
    at = 400.0
    for end, name, colour, values in ends:
        at = min(end + 4, at - 15)
        points = " ".join(
            f"{x(p):.1f},{y(np.log10(max(v, 1))):.1f}" for p, v in zip(across, values, strict=True)
        )
        drawn.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>')
        drawn.append(f'<text x="488" y="{at:.0f}" fill="{colour}">{name}: {values[-1]:,.0f}</text>')
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 720 345" font-family="sans-serif" '
        'font-size="12"><rect width="720" height="345" fill="white"/>' + "\n".join(drawn) + "</svg>\n"
    )


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
    parser.add_argument(
        "--split",
        type=int,
        default=0,
        help="hand over documents of so many passages, already split; 0 reads and splits each as a row",
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, help="keep the indexes here, and use what is here already")
    parser.add_argument("--effort", action="store_true", help="choose the effort of kept indexes anew")
    parser.add_argument("--plot", type=Path, help="write the growth with the chunks as an SVG")
    arguments = parser.parse_args()

    home = arguments.keep or Path(tempfile.mkdtemp(prefix="hybrid-scale-"))
    results: list[Values] = []
    try:
        for chunks in sorted(arguments.chunks):
            folder = home.resolve() / str(chunks)
            folder.mkdir(parents=True, exist_ok=True)
            results.append(_measure(arguments, chunks, folder))
    finally:
        if arguments.keep is None:
            shutil.rmtree(home)

    _print(results)
    if arguments.plot:
        arguments.plot.write_text(_plot(results), encoding="utf-8")
    largest = results[-1]
    p50, p95, searching = (25.0, 60.0, 900.0) if largest["chunks"] < _MILLION else (40.0, 100.0, 2_048.0)
    targets = [
        Target("search, p50 ms", largest["p50_ms"], p50),
        Target("search, p95 ms", largest["p95_ms"], p95),
        Target("recall@10 against exact search", largest["recall"], _RECALL, at_least=True),
        Target("peak memory of searching, MB", largest["search_mb"], searching),
        Target("peak memory of indexing, MB", largest["index_with_children_mb"], _INDEX_MB),
    ]
    print_verdicts(targets)
    print_json(
        {
            "benchmark": "scale",
            "sizes": results,
            "targets": [dataclasses.asdict(target) | {"met": target.met} for target in targets],
        }
    )


if __name__ == "__main__":
    serve_steps({"make": _make, "index": _index, "search": _search, "exact": _exact, "effort": _effort})
    main()
