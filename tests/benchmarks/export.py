"""How faithful is GGUF that we write? llama.cpp against torch (float32), 40 prompts, by precision.

python tests/benchmarks/export.py [--adapter FOLDER]
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

from hybrid.models.adapters import Swap, read_adapter
from hybrid.models.device import Placement
from hybrid.models.fidelity import PROBES, prove
from hybrid.models.generator import TransformersGenerator
from hybrid.models.gguf import Precision, Source, write_model
from hybrid.models.loading import generator_folder
from hybrid.models.pretrained import load_causal
from hybrid.models.resolve import DEFAULT_GENERATOR, weights_digest

QUESTIONS = Path(__file__).parents[2] / "examples" / "postgres" / "questions.jsonl"


def prompts(count: int) -> list[str]:
    """Return the probes of the exporter, then questions on PostgreSQL."""
    asked = [json.loads(line)["question"] for line in QUESTIONS.read_text().splitlines()]
    return [*PROBES, *asked][:count]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--adapter", type=Path, help="of the default generator; merged")
    parser.add_argument("--prompts", type=int, default=40)
    options = parser.parse_args()
    folder = generator_folder(DEFAULT_GENERATOR, offline=True)
    generator = TransformersGenerator(
        folder, name=DEFAULT_GENERATOR, placement=Placement("cpu", "float32", "")
    )
    changed = {}
    if options.adapter:
        files = read_adapter(options.adapter, weights_digest(folder))
        changed = dict(Swap(load_causal(folder, dtype="auto").eval()).merged(files).tensors)
        generator = generator.adapted(options.adapter)
    source = Source(folder, changed)
    print("| precision | MB | tokens alike | texts alike | median nats | largest |")
    print("|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as place:
        for precision in Precision:
            file = Path(place) / f"{precision}.gguf"
            write_model(source, file, precision, name="measured")
            found = prove(generator, source, file, prompts=prompts(options.prompts))
            print(
                f"| {precision} | {file.stat().st_size / 1e6:.0f} | {found.agreement:.1%} "
                f"| {found.texts} of {found.prompts} | {found.typical:.3f} | {found.largest:.3f} |",
                flush=True,
            )
            file.unlink()


if __name__ == "__main__":
    main()
