"""How fast do engines write, and how faithfully? Tokens a CPU second on one thread, alone and eight at once.

python tests/benchmarks/engines.py [--precision q8_0|f16] [--rounds 2]   speed, bare libraries in the same run
python tests/benchmarks/engines.py --passages 1200                       prompts with so many tokens of pages
python tests/benchmarks/engines.py --fidelity                            all engines and precisions, and Q4_1
python tests/benchmarks/engines.py --compare                             `hybrid compare` on the 60 questions
python tests/benchmarks/engines.py --embedding                           reading texts: OpenVINO against ours
"""

from __future__ import annotations

import argparse
import copy
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from hybrid.config import DocumentSettings, Engine, EnginePrecision, ModelSettings
from hybrid.documents import read, scan
from hybrid.models.engines import EngineGenerator
from hybrid.models.fidelity import PROBES, held_against
from hybrid.models.gguf import Precision, Source, write_model
from hybrid.models.llamacpp import LlamaCppStepper
from hybrid.models.loading import generator_folder, load_embedder, load_generator
from hybrid.models.openvino import OpenVinoStepper, library
from hybrid.models.resolve import DEFAULT_GENERATOR, WEIGHTS_PACKAGES, fetch
from hybrid.questions.files import load_questions
from hybrid.types import Document, Message, MessageRole

EXAMPLE = Path(__file__).parents[2] / "examples" / "postgres"
NEW_TOKENS = 64
STEPPERS = {Engine.OPENVINO: OpenVinoStepper, Engine.LLAMACPP: LlamaCppStepper}


def settings(engine: Engine, precision: EnginePrecision) -> ModelSettings:
    return ModelSettings(engine=engine, precision=precision, device="cpu", offline=True)


def written(folder: Path, place: Path) -> dict[str, Path]:
    """Write the default generator in each precision; return the files by what they hold."""
    files = {}
    for precision in EnginePrecision:
        files[str(precision)] = place / f"{precision}.gguf"
        write_model(Source(folder), files[str(precision)], Precision(precision), name="measured")
    return files


def example_blocks() -> list[str]:
    """Return the blocks of twenty of the example pages."""
    wanted = DocumentSettings()
    pages = (read(file, wanted) for file in scan(EXAMPLE / "pages", wanted).files[:20])
    items = chain.from_iterable(batch.items for batch in chain.from_iterable(pages))
    documents = [item for item in items if isinstance(item, Document)]
    return [item.text[block.start : block.end] for item in documents for block in item.blocks]


# --- how faithful


def fidelity() -> None:
    generator = load_generator(settings(Engine.OPENVINO, EnginePrecision.F16))
    assert isinstance(generator, EngineGenerator)
    print("| file | engine | tokens of torch | nats a token less likely (95 %) | gate |")
    print("|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as place:
        files = written(generator_folder(DEFAULT_GENERATOR, offline=True), Path(place))
        shipped = WEIGHTS_PACKAGES[DEFAULT_GENERATOR].find()
        for name, file in (files | ({"q4_1, as it ships": shipped} if shipped else {})).items():
            for engine, stepper in STEPPERS.items():
                over = copy.copy(generator)
                over._stepper = stepper(file, ends=generator.ends, threads=1)
                found = held_against(generator.torch, over, "")
                gate = "refused" if found.against else "passed"
                print(
                    f"| {name} | {engine} | {found.agreement:.1%} | {abs(found.difference):.4f} "
                    f"({max(0, -found.high):.4f} to {-found.low:.4f}) | {gate} |",
                    flush=True,
                )


# --- how fast


def bare_torch(own: Any) -> Callable[[Sequence[list[int]]], int]:
    import torch

    def write(prompts: Sequence[list[int]]) -> int:
        width = max(map(len, prompts))
        ids = torch.tensor([[0] * (width - len(row)) + row for row in prompts])
        mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in prompts])
        with own.lent() as model, torch.inference_mode():
            said = model.generate(
                input_ids=ids, attention_mask=mask, max_new_tokens=NEW_TOKENS, do_sample=False, pad_token_id=0
            )
        ends = own.ends
        return sum(
            next((n for n, token in enumerate(row) if token in ends), NEW_TOKENS)
            for row in said[:, width:].tolist()
        )

    return write


def bare_openvino(file: Path, ends: frozenset[int]) -> Callable[[Sequence[list[int]]], int]:
    import numpy as np

    genai = library()
    from openvino import Tensor

    told = {"INFERENCE_NUM_THREADS": 1, "INFERENCE_PRECISION_HINT": "f32"}
    pipeline = genai.ContinuousBatchingPipeline(str(file), genai.SchedulerConfig(), "CPU", told)
    config = genai.GenerationConfig()
    config.max_new_tokens, config.do_sample = NEW_TOKENS, False
    config.stop_token_ids, config.eos_token_id = set(ends), min(ends)

    def write(prompts: Sequence[list[int]]) -> int:
        asked = [Tensor(np.array([row], dtype=np.int64)) for row in prompts]
        said = pipeline.generate(asked, [config] * len(asked))
        return sum(len([token for token in one.m_generation_ids[0] if token not in ends]) for one in said)

    return write


def bare_llamacpp(file: Path) -> Callable[[Sequence[list[int]]], int]:
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path, params.n_ctx, params.n_parallel = str(file), 8 * 1024, 8
    params.warmup, params.verbosity, params.cache_ram_mib = False, -1, 0
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
    server = xllamacpp.Server(params)

    def ask(row: list[int]) -> int:
        body = {"prompt": row, "n_predict": NEW_TOKENS, "temperature": 0, "cache_prompt": False}
        return int(server.handle_completions(body)["usage"]["completion_tokens"])

    def write(prompts: Sequence[list[int]]) -> int:
        with ThreadPoolExecutor(len(prompts)) as threads:
            return sum(threads.map(ask, prompts))

    return write


def speed(precision: EnginePrecision, rounds: int, count: int) -> None:
    import torch

    torch.set_num_threads(1)
    turns = [[Message(MessageRole.USER, prompt)] for prompt in (*PROBES, *PROBES)[:count]]
    ours: dict[str, Any] = {"torch": load_generator(settings(Engine.TORCH, precision))}
    ours |= {str(engine): load_generator(settings(engine, precision)) for engine in STEPPERS}
    own = ours["torch"]
    prompts = own.dialogue.tokens([own.dialogue.prompt(one) for one in turns])
    with tempfile.TemporaryDirectory() as place:
        file = Path(place) / "bare.gguf"
        write_model(
            Source(generator_folder(DEFAULT_GENERATOR, offline=True)), file, Precision(precision), name="bare"
        )
        bare = {
            "torch": bare_torch(own),
            "openvino": bare_openvino(file, own.ends),
            "llamacpp": bare_llamacpp(file),
        }

        def by_us(name: str) -> Callable[[Sequence[Any]], int]:
            return lambda part: sum(
                one.completion_tokens for one in ours[name].generate(part, max_new_tokens=NEW_TOKENS)
            )

        measured: dict[tuple[str, str, int], list[float]] = {}
        for turn in range(rounds + 1):
            for name in ours:
                for who, write, asked in (("ours", by_us(name), turns), ("bare", bare[name], prompts)):
                    for batch in (1, 8):
                        begun, tokens = time.process_time(), 0
                        # the first round only warms up
                        for first in range(0, len(asked) if turn else 1, batch):
                            tokens += write(asked[first : first + batch])
                        if turn:
                            rate = tokens / (time.process_time() - begun)
                            measured.setdefault((name, who, batch), []).append(rate)
                            print(f"{name}, {who}, {batch} at once: {rate:.1f}", file=sys.stderr, flush=True)
    print(f"precision {precision}, {rounds} rounds, medians, tokens a CPU second on one thread")
    print("| engine | alone | 8 at once | by torch, alone | 8 at once | bare library, alone | 8 at once |")
    print("|---|---|---|---|---|---|---|")
    found = {key: statistics.median(rates) for key, rates in measured.items()}
    for name in ours:
        cells = [f"{found[name, 'ours', batch]:.0f}" for batch in (1, 8)]
        cells += [f"{found[name, 'ours', batch] / found['torch', 'ours', batch]:.2f} ×" for batch in (1, 8)]
        for batch in (1, 8):
            ratio = found[name, "ours", batch] / found[name, "bare", batch]
            cells.append(f"{found[name, 'bare', batch]:.0f} ({ratio:.2f} × of it)")
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


def behind_passages(precision: EnginePrecision, passages: int, count: int) -> None:
    """Print what eight at once gain where each prompt has so many tokens of pages, others in each."""
    import torch

    torch.set_num_threads(1)
    ours: dict[str, Any] = {"torch": load_generator(settings(Engine.TORCH, precision))}
    # half the time of reading; no setting of ours, for texts would change
    ours["torch, bfloat16"] = load_generator(replace(settings(Engine.TORCH, precision), dtype="bfloat16"))
    ours |= {str(engine): load_generator(settings(engine, precision)) for engine in STEPPERS}
    blocks, turns = iter(example_blocks()), []
    for prompt in (*PROBES, *PROBES)[:count]:
        while ours["torch"].count_prompt_tokens([Message(MessageRole.USER, prompt)]) < passages:
            prompt = f"{next(blocks)}\n\n{prompt}"
        turns.append([Message(MessageRole.USER, prompt)])
    print(f"precision {precision}, prompts of {passages} tokens, tokens a CPU second on one thread")
    print("| engine | alone | 8 at once | gain |\n|---|---|---|---|", flush=True)
    for name, generator in ours.items():
        generator.generate(turns[:1], max_new_tokens=2)  # warms up
        rates = []
        for batch in (1, 8):
            begun, tokens = time.process_time(), 0
            for first in range(0, count, batch):
                said = generator.generate(turns[first : first + batch], max_new_tokens=NEW_TOKENS)
                tokens += sum(one.completion_tokens for one in said)
            rates.append(tokens / (time.process_time() - begun))
        print(f"| {name} | {rates[0]:.1f} | {rates[1]:.1f} | {rates[1] / rates[0]:.1f} × |", flush=True)


# --- an experiment


def compare(arms: str, precision: EnginePrecision, rounds: int) -> None:
    environment = os.environ | {"OMP_NUM_THREADS": "1", "HYBRID_MODELS__PRECISION": precision}

    def hybrid(engine: str, *line: str) -> tuple[float, float]:
        before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
        told = environment | {"HYBRID_MODELS__ENGINE": engine}
        subprocess.run(
            [sys.executable, "-m", "hybrid", *line], env=told, check=True, stdout=subprocess.DEVNULL
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return spent, time.monotonic() - begun

    questions = str(EXAMPLE / "questions.jsonl")
    print(f"`hybrid compare --arms {arms}` on the 60 questions, one thread; engines at {precision}")
    print("| engine | CPU seconds | wall seconds |")
    print("|---|---|---|")
    with tempfile.TemporaryDirectory() as place:
        indexed = Path(place) / "indexed"
        hybrid("torch", "index", str(EXAMPLE / "pages"), "--domain", "pages", "--indexes", str(indexed))
        for turn in range(rounds):
            for engine in ("torch", "openvino"):
                # a domain of its own each time: what was answered before is not asked again
                own = Path(place) / f"{engine}-{turn}"
                shutil.copytree(indexed, own)
                cpu, wall = hybrid(engine, "compare", questions, "--arms", arms, "--indexes", str(own))
                print(f"| {engine} | {cpu:.0f} | {wall:.0f} |", flush=True)


# --- reading texts


def embedding(rounds: int, texts: int = 32) -> None:
    """Print how fast texts of the example pages are read, how near their vectors are, what they find."""
    import openvino
    import torch
    from transformers import AutoModel, AutoTokenizer

    torch.set_num_threads(1)
    model = ModelSettings(offline=True)
    embedder = load_embedder(model)
    parts = [text for text in example_blocks() if len(text) > 300]
    questions = [question.text for question in load_questions(EXAMPLE / "questions.jsonl")]
    folder = fetch(model.embedder, offline=True)
    tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    bare = AutoModel.from_pretrained(folder, trust_remote_code=False).eval()

    def padded(batch: Sequence[str]) -> Any:
        # ours packs texts of any length; a library gets them padded to the longest of the batch
        return tokenizer(list(batch), padding=True, truncation=True, max_length=256, return_tensors="pt")

    network = openvino.convert_model(bare, example_input=dict(padded(parts[:texts])))

    def pooled(states: Any, mask: Any) -> Any:
        mean = (states * mask[..., None]).sum(1) / mask.sum(1, keepdims=True)
        return mean / np.linalg.norm(mean, axis=1, keepdims=True)

    readers: dict[str, Callable[[Sequence[str]], Any]] = {"ours": embedder.embed_documents}
    for precision in ("f32", "bf16"):
        options = {"INFERENCE_PRECISION_HINT": precision, "INFERENCE_NUM_THREADS": 1, "NUM_STREAMS": 1}
        request = openvino.Core().compile_model(network, "CPU", options).create_infer_request()

        def infer(batch: Sequence[str], request: Any = request) -> Any:
            given = padded(batch)
            request.infer({name: value.numpy() for name, value in given.items()})
            return pooled(request.get_output_tensor(0).data, given["attention_mask"].numpy())

        readers[f"openvino, {precision}"] = infer
    print("| reader | texts a CPU second | by ours | smallest cosine | the same ten | in order |")
    print("|---|---|---|---|---|---|")
    first: dict[str, Any] = {}
    for name, reader in readers.items():
        times = []
        for turn in range(rounds + 1):
            batch = [f"{turn}. {part}" for part in parts[:texts]]
            begun = time.process_time()
            reader(batch)
            times.append(time.process_time() - begun)
        seconds = statistics.median(times[1:])
        vectors = np.vstack([reader(parts[at : at + texts]) for at in range(0, len(parts), texts)])
        best = np.argsort(-reader(questions) @ vectors.T, axis=1, kind="stable")[:, :10]
        first = first or {"seconds": seconds, "vectors": vectors, "best": best}
        near = float((vectors * first["vectors"]).sum(axis=1).min())
        same = np.mean([set(one) == set(other) for one, other in zip(best, first["best"], strict=True)])
        ordered = (best == first["best"]).all(axis=1).mean()
        print(
            f"| {name} | {texts / seconds:.0f} | {first['seconds'] / seconds:.2f} × | {near:.4f}"
            f" | {same:.2f} | {ordered:.2f} |"
        )
    print(f"{len(parts)} blocks, {len(questions)} questions")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--precision", type=EnginePrecision, default=ModelSettings().precision)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--prompts", type=int, default=8, help="of the measurement of speed")
    parser.add_argument("--passages", type=int, default=0, help="tokens of pages in each prompt")
    parser.add_argument("--fidelity", action="store_true")
    parser.add_argument("--compare", action="store_true")
    parser.add_argument("--embedding", action="store_true")
    parser.add_argument("--arms", default="base,rag")
    options = parser.parse_args()
    if options.fidelity:
        fidelity()
    elif options.passages:
        behind_passages(options.precision, options.passages, options.prompts)
    elif options.embedding:
        embedding(options.rounds)
    elif options.compare:
        compare(options.arms, options.precision, options.rounds)
    else:
        speed(options.precision, options.rounds, options.prompts)


if __name__ == "__main__":
    main()
