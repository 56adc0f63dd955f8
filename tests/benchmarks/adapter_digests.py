"""Golden adapters: the same data, settings and seed give the same bytes, before a change and after it.

Tunes a tiny generator with random weights (labels, plain text, rehearsal) and the default embedder (nine
pages of a manual) through the command line alone, and prints the digests of what was trained. So it runs over
any version of the package::

    python tests/benchmarks/adapter_digests.py                         # over the code that is here
    PYTHONPATH=/path/to/another/checkout python tests/benchmarks/adapter_digests.py

Bytes are the same on one machine, with one thread, in float32; between machines they need not be. With
``--keep FOLDER`` the domain stays there, to be opened by another version.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

_ROOT = Path(__file__).parents[2]
_PAGES = sorted((_ROOT / "examples" / "postgres" / "pages").glob("app-*.html"))[:9]
_ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "HF_HUB_OFFLINE": "1",
    "HYBRID_INDEXES": "indexes",
    "HYBRID_MODELS__DTYPE": "float32",
    "HYBRID_MODELS__DEVICE": "cpu",
    "HYBRID_MODELS__GENERATOR": "./tiny",
    "HYBRID_EFFORT": "quick",
    "HYBRID_ADAPTATION__EXAMPLES": "60",
    "HYBRID_ADAPTATION__EPOCHS": "2",
    "HYBRID_ADAPTATION__LEARNING_RATE": "5e-4",
    "HYBRID_ADAPTATION__MAX_TOKENS": "200",
}


def main() -> None:
    """Tune both kinds and print their digests."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--keep", type=Path, help="leave the domain in this folder")
    keep = parser.parse_args().keep
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(keep or scratch).resolve()
        (folder / "docs").mkdir(parents=True)
        for page in _PAGES:
            shutil.copy(page, folder / "docs" / page.name)
        rows = [
            {
                "question": f"is {('port', 'server')[n % 2]} {n * 37 % 101} a port",
                "answers": [("Yes", "No")[n % 2]],
                "options": ["Yes", "No"],
                "source": f"s{n}",
            }
            for n in range(60)
        ]
        lines = "".join(json.dumps(row) + "\n" for row in rows)
        (folder / "labels.jsonl").write_text(lines, encoding="utf-8")
        _tiny_generator(folder / "tiny")
        _hybrid(folder, "index", "docs", "--domain", "golden")
        learned = ["--learn", "label,text", "--data", "labels.jsonl"]
        for kind, options in (("generator", learned), ("embedder", [])):
            _hybrid(folder, "adapt", kind, "--no-check", "--name", kind, "--domain", "golden", *options)
            weights = folder / "indexes" / "golden" / "adapters" / kind / "adapter_model.safetensors"
            print(kind, hashlib.sha256(weights.read_bytes()).hexdigest(), flush=True)


def _tiny_generator(folder: Path) -> None:
    """Write the model that the tests use, in a process of its own, since it sets the seed of torch."""
    code = (
        "import sys; from pathlib import Path; import conftest; "
        "conftest._causal_model(Path(sys.argv[1]), template=conftest._TEMPLATE)"
    )
    environment = os.environ | {"PYTHONPATH": str(_ROOT / "tests")}
    subprocess.run([sys.executable, "-c", code, folder], env=environment, check=True)


def _hybrid(folder: Path, *arguments: str) -> None:
    code = os.environ.get("PYTHONPATH") or str(_ROOT)
    environment = os.environ | _ENVIRONMENT | {"PYTHONPATH": code}
    command = [sys.executable, "-P", "-m", "hybrid", *arguments]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)


if __name__ == "__main__":
    main()
