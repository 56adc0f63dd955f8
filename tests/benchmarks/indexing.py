"""How fast a folder becomes an index, against the bare model and against two frameworks.

One run measures, in fresh processes whose order turns from round to round:

- ``hybrid``: ``Assistant.index`` as a user calls it, from files to the generation in force: reading,
  splitting, SQLite, FAISS, tantivy, checksums, fsync;
- ``bare model``: nothing but ``encode`` of sentence-transformers on the same chunk texts, sorted by
  length, in the number format that we use, with the batch size that was fastest on a sample;
- ``LangChain`` and ``LlamaIndex``: their vector index with FAISS and the same embedder, everything
  else at its default. First as they read and split the folder on their own; their default chunks are
  longer than what this embedder takes, and the rest is cut off without a word: the column ``seen``
  says how much of the text is in the vectors. Then with *our chunks* given to them: the same work for
  all, except that the two neither read, nor split, nor build a lexical index.

Rates leave out the start of the process and the loading of libraries and weights, which stand beside
them. Targets: at least 2x either framework, at least 90 % of the bare model. Against the frameworks'
own splitting the ratio is given both for characters of the source and for tokens that were embedded.

    python tests/benchmarks/indexing.py --peers-venv /tmp/peers FOLDER...

makes the environment of the peers on the first call (about 2 GB). Without ``--peers-venv`` only the
bare model is compared.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from measure import (
    Run,
    Target,
    Values,
    median_ratio,
    note,
    print_json,
    print_table,
    print_verdicts,
    run_step,
    serve_steps,
)

if TYPE_CHECKING:
    from hybrid.index.sync import Stage

_HERE = Path(__file__).resolve().parent
_DEFAULT_FOLDER = _HERE.parents[1] / "examples" / "postgres" / "pages"
_BATCHES = (8, 16, 32, 64, 128, 256)
_TUNING_SAMPLE = 512
_PEERS = {"LangChain": "langchain", "LlamaIndex": "llamaindex"}
_OWN, _OURS = ", own splitting", ", our chunks"
_FASTER_THAN_PEERS = 2.0
_SHARE_OF_BARE = 0.9


@dataclass(frozen=True, slots=True)
class System:
    """One of the columns: which step of which script in which environment."""

    name: str
    script: Path
    step: str
    python: str
    arguments: Values


# --- steps: each in a process of its own -----------------------------------------------------------


def _prepare(arguments: Values) -> Values:
    from corpus import write_texts

    from hybrid import load_settings
    from hybrid.models.loading import load_embedder
    from hybrid.models.resolve import fetch

    settings = load_settings().models
    embedder = load_embedder(settings)
    made = write_texts(
        [Path(source) for source in arguments["sources"]],
        Path(arguments["folder"]),
        chunks=arguments["chunks"],
        embedder=embedder,
    )
    # a text that occurs twice is embedded once
    distinct = list(dict.fromkeys(made.texts))
    for name, texts in (("all.json", made.texts), ("distinct.json", distinct)):
        Path(arguments["texts"], name).write_text(json.dumps(texts), encoding="utf-8")
    return {
        "files": made.files,
        "characters": made.characters,
        "chunks": len(made.texts),
        "distinct": len(distinct),
        "tokens": sum(embedder.count_tokens(made.texts)) + 2 * len(made.texts),
        "model": str(fetch(settings.embedder, offline=True)),
    }


def _hybrid(arguments: Values) -> Values:
    begun = time.perf_counter()
    from hybrid import Assistant, load_settings

    assistant = Assistant("benchmark", settings=load_settings({"indexes": arguments["out"]}))
    assistant.embedder.embed_documents(["warm up"])
    loaded = time.perf_counter()
    ends: dict[str, float] = {}

    def progress(stage: Stage, done: int, total: int) -> None:
        ends[stage.value] = time.perf_counter()

    report = assistant.index(arguments["folder"], progress=progress)
    ended = time.perf_counter()
    read, embedded, built = (ends[name] for name in ("reading", "embedding", "building"))
    return {
        "load": loaded - begun,
        "seconds": ended - loaded,
        "chunks": report.manifest.counts.chunks,
        "embedded": report.embedded,
        "reading": read - loaded,
        "embedding": embedded - read,
        "building": built - embedded,
        "ending": ended - built,
    }


def _tune(arguments: Values) -> Values:
    """Try the batch sizes on a sample that is spread over all lengths."""
    model = _bare_model(arguments["model"])
    texts = sorted(_read_texts(arguments["texts"]), key=len)
    sample = texts[:: max(len(texts) // _TUNING_SAMPLE, 1)]
    rates = {}
    for batch in _BATCHES:
        begun = time.perf_counter()
        model.encode(sample, batch_size=batch, show_progress_bar=False)
        rates[batch] = len(sample) / (time.perf_counter() - begun)
    return {"batch": max(rates, key=lambda batch: rates[batch]), "rates": rates}


def _bare(arguments: Values) -> Values:
    begun = time.perf_counter()
    model = _bare_model(arguments["model"])
    texts = sorted(_read_texts(arguments["texts"]), key=len, reverse=True)
    loaded = time.perf_counter()
    model.encode(texts, batch_size=arguments["batch"], show_progress_bar=False)
    ended = time.perf_counter()
    return {"load": loaded - begun, "seconds": ended - loaded, "chunks": arguments["chunks"]}


def _bare_model(path: str):
    from sentence_transformers import SentenceTransformer

    from hybrid import load_settings
    from hybrid.models.device import choose_placement

    settings = load_settings().models
    placement = choose_placement(settings.device, settings.dtype)
    model = SentenceTransformer(
        path,
        device=placement.device,
        model_kwargs={"dtype": placement.torch_dtype(), "use_safetensors": True},
    )
    model.encode(["warm up"], show_progress_bar=False)
    return model


def _read_texts(path: str) -> list[str]:
    texts: list[str] = json.loads(Path(path).read_text(encoding="utf-8"))
    return texts


# --- the environment of the peers ------------------------------------------------------------------


def _peers_python(venv: Path) -> str:
    """Return the interpreter of the peers, after installing them if it is not there yet."""
    python = venv / "bin" / "python"
    done = venv / "installed"
    pins = _HERE / "peers.txt"
    if python.is_file() and (
        done.is_file() and done.read_text(encoding="utf-8") == pins.read_text(encoding="utf-8")
    ):
        return str(python)
    note(f"installing the peers into {venv}; this takes a few minutes and about 2 GB")
    subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)
    # torch first and as tested here: left to itself pip may choose a build with gigabytes of CUDA
    torch = f"torch=={version('torch').partition('+')[0]}"
    for wanted in ([torch], [torch, "-r", str(pins)]):
        command = [str(python), "-m", "pip", "install", "--quiet", *wanted]
        subprocess.run(command, check=True, stdout=sys.stderr)
    done.write_text(pins.read_text(encoding="utf-8"), encoding="utf-8")
    return str(python)


# --- the measurement -------------------------------------------------------------------------------


def _systems(arguments: argparse.Namespace, made: Values, work: Path, batch: int) -> list[System]:
    ours = Path(__file__)
    folder = str(work / "folder")
    distinct = str(work / "distinct.json")
    bare = {"texts": distinct, "model": made["model"], "batch": batch, "chunks": made["chunks"]}
    systems = [
        System("hybrid", ours, "hybrid", sys.executable, {"folder": folder}),
        System("bare model", ours, "bare", sys.executable, bare),
    ]
    if arguments.peers_venv is None:
        return systems
    python = _peers_python(arguments.peers_venv)
    peers = _HERE / "indexing_peers.py"
    for suffix, texts in ((_OWN, ""), (_OURS, str(work / "all.json"))):
        for name, step in _PEERS.items():
            values = {"folder": folder, "texts": texts, "model": made["model"]}
            systems.append(System(name + suffix, peers, step, python, values))
    return systems


def _tokens(systems: list[System], made: Values, work: Path) -> dict[str, Values]:
    """Return for every system how many tokens its chunks have, and how many of them the model saw."""
    counts = {system.name: {"tokens": made["tokens"], "seen": made["tokens"]} for system in systems}
    peer = next((system for system in systems if system.name.endswith(_OWN)), None)
    if peer is not None:
        values = {"folder": str(work / "folder"), "texts": "", "model": made["model"]}
        own = run_step(peer.script, "count", values, python=peer.python).result
        counts |= {name + _OWN: count for name, count in own.items()}
    return counts


def _measure(systems: list[System], rounds: int, work: Path) -> dict[str, list[Run]]:
    """Run every system once a round, each round beginning with another one."""
    runs: dict[str, list[Run]] = {system.name: [] for system in systems}
    for number in range(rounds):
        turn = number % len(systems)
        for system in systems[turn:] + systems[:turn]:
            with tempfile.TemporaryDirectory(dir=work) as out:
                values = system.arguments | {"out": out}
                run = run_step(system.script, system.step, values, python=system.python)
            runs[system.name].append(run)
            note(f"round {number + 1}: {system.name}: {run.result['seconds']:.1f} of {run.seconds:.1f} s")
    return runs


def _row(name: str, runs: list[Run], characters: int, count: Values) -> tuple[str, ...]:
    seconds = median(run.result["seconds"] for run in runs)
    chunks = runs[0].result["chunks"]
    return (
        name,
        f"{chunks:,}",
        f"{seconds:.1f}",
        f"{median(run.result['load'] for run in runs):.1f}",
        f"{median(run.seconds for run in runs):.1f}",
        f"{chunks / seconds:.1f}",
        f"{characters / seconds:,.0f}",
        f"{count['seen'] / seconds:,.0f}",
        f"{count['seen'] / count['tokens']:.0%}",
        f"{max(run.peak_mb for run in runs):,.0f}",
    )


def _targets(runs: dict[str, list[Run]], counts: dict[str, Values]) -> list[Target]:
    def ratio(name: str) -> float:
        return median_ratio(*([run.result["seconds"] for run in runs[system]] for system in (name, "hybrid")))

    targets = [Target("share of the bare model", ratio("bare model"), _SHARE_OF_BARE, at_least=True)]
    for name in _PEERS:
        if name + _OURS not in runs:
            continue
        own, ours = ratio(name + _OWN), ratio(name + _OURS)
        tokens = counts["hybrid"]["seen"] / counts[name + _OWN]["seen"]
        for what, measured in (
            (f"{name}{_OURS}: chunks/s", ours),
            (f"{name}{_OWN}: tokens/s", own * tokens),
            (f"{name}{_OWN}: characters/s", own),
        ):
            targets.append(Target(f"times {what}", measured, _FASTER_THAN_PEERS, at_least=True))
    return targets


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "folder", nargs="*", type=Path, default=[_DEFAULT_FOLDER], help="where texts come from"
    )
    parser.add_argument("--chunks", type=int, default=5_000, help="files are taken until they give so many")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--peers-venv", type=Path, help="environment of LangChain and LlamaIndex, made if missing"
    )
    arguments = parser.parse_args()

    with tempfile.TemporaryDirectory() as scratch:
        work = Path(scratch)
        sources = [str(path.resolve()) for path in arguments.folder]
        wanted = {
            "sources": sources,
            "folder": str(work / "folder"),
            "texts": scratch,
            "chunks": arguments.chunks,
        }
        made = run_step(Path(__file__), "prepare", wanted).result
        note(f"{made['files']} files, {made['characters']:,} characters, {made['chunks']:,} chunks")
        tuned = run_step(
            Path(__file__), "tune", {"texts": str(work / "distinct.json"), "model": made["model"]}
        ).result
        note(
            f"bare model, chunks a second by batch size: { {k: round(v) for k, v in tuned['rates'].items()} }"
        )
        systems = _systems(arguments, made, work, tuned["batch"])
        runs = _measure(systems, arguments.rounds, work)
        counts = _tokens(systems, made, work)

    for run in runs["hybrid"]:
        assert run.result["chunks"] == made["chunks"], "the peers were given other chunks"
        assert run.result["embedded"] == made["distinct"]
    rates = ("chunks/s", "characters/s", "tokens/s")
    header = ("system", "chunks", "s", "loading s", "process s", *rates, "seen", "peak MB")
    print_table(header, [_row(name, done, made["characters"], counts[name]) for name, done in runs.items()])
    stages = ("reading", "embedding", "building", "ending")
    print_table(
        ("stage of hybrid", "s"),
        [(stage, f"{median(run.result[stage] for run in runs['hybrid']):.2f}") for stage in stages],
    )
    targets = _targets(runs, counts)
    print_verdicts(targets)
    print_json(
        {
            "benchmark": "indexing",
            "corpus": {key: made[key] for key in ("files", "characters", "chunks", "distinct", "tokens")},
            "bare_chunks_per_second_by_batch": tuned["rates"],
            "rounds": arguments.rounds,
            "runs": {
                name: [run.result | {"process": run.seconds} for run in done] for name, done in runs.items()
            },
            "targets": [dataclasses.asdict(target) | {"met": target.met} for target in targets],
        }
    )


if __name__ == "__main__":
    serve_steps({"prepare": _prepare, "hybrid": _hybrid, "tune": _tune, "bare": _bare})
    main()
