"""How many calls lie between `hybrid ask` and the model, and over how many files of the package.

    python tests/benchmarks/depth.py [--json]

Counted are the frames of the package on the stack, from the command's own function down to the one that runs
the transformers model, at its first token: with the answer streamed and as one JSON document.
"""

from __future__ import annotations

import argparse
import contextlib
import inspect
import io
import json
import os
import sys
import tempfile
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import hybrid
from hybrid.cli.app import run

_PACKAGE = Path(hybrid.__file__).parent
_QUESTION = "Which port is the default of the server?"
_TEXT = "The default port of the server is 5432. It restarts every night at two.\n"
ARMS = ("rag", "base")


@dataclass(frozen=True, slots=True)
class Depth:
    """The calls of one way to ask, as ``file:function``, outermost first."""

    way: str
    frames: tuple[str, ...]

    @property
    def calls(self) -> int:
        """Return how many functions are on the stack."""
        return len(self.frames)

    @property
    def files(self) -> int:
        """Return over how many files they are spread."""
        return len({frame.split(":")[0] for frame in self.frames})


def depths(folder: Path, *, embedder: str = "", generator: str = "") -> list[Depth]:
    """Ask by every arm, streamed and as JSON, and return what was on the stack.

    Args:
        folder: an empty one, for documents, index and weights.
        embedder: a small model instead of that of the settings.
        generator: a small causal model instead of one of random weights that is made here.
    """
    documents = folder / "documents"
    documents.mkdir()
    (documents / "port.txt").write_text(_TEXT, encoding="utf-8")
    settings = {
        "HYBRID_INDEXES": str(folder / "indexes"),
        "HYBRID_DOCUMENTS__WORKERS": "1",
        "HYBRID_MODELS__GENERATOR": generator or str(_tiny_generator(folder / "generator")),
        "HYBRID_MODELS__OFFLINE": "true",
        "HYBRID_GENERATION__ABSTAIN_BELOW": "0",
        "HYBRID_GENERATION__MAX_NEW_TOKENS": "2",
    } | ({"HYBRID_MODELS__EMBEDDER": embedder} if embedder else {})
    with mock.patch.dict(os.environ, settings):
        _quietly("index", str(documents), "--domain", "depth")
        return [
            Depth(
                f"{arm}, {shown}",
                _frames("ask", _QUESTION, "-d", "depth", "--arm", arm, *extra, "--no-check"),
            )
            for arm in ARMS
            for shown, flags in (("streamed", ()), ("as JSON", ("--json",)))
            for extra in [(*flags, "--reader", "generator")]
        ]


def _frames(*arguments: str) -> tuple[str, ...]:
    """Return the frames of the package, from the command on, when the model is first run."""
    from transformers import LlamaForCausalLM

    seen: list[tuple[str, ...]] = []
    forward = LlamaForCausalLM.forward

    def watched(self: object, *given: object, **named: object) -> object:
        if not seen:
            seen.append(tuple(_of_package()))
        return forward(self, *given, **named)

    # the generator looks up which arguments the model takes
    watched.__signature__ = inspect.signature(forward)  # type: ignore[attr-defined]
    with mock.patch.object(LlamaForCausalLM, "forward", watched):
        _quietly(*arguments)
    assert seen, "the model was not run"
    return seen[0]


def _of_package() -> Iterator[str]:
    stack = [frame for frame in traceback.extract_stack() if Path(frame.filename).is_relative_to(_PACKAGE)]
    commands = [
        place for place, frame in enumerate(stack) if frame.name == "ask" and "/cli/" in frame.filename
    ]
    for frame in stack[commands[0] :]:
        yield f"{Path(frame.filename).relative_to(_PACKAGE)}:{frame.name}"


def _quietly(*arguments: str) -> None:
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        code = run(list(arguments))
    if code:
        raise SystemExit(f"{' '.join(arguments)} ended with {code}:\n{said.getvalue()}")


def _tiny_generator(folder: Path) -> Path:
    """Write a causal model of two layers and random weights whose words are letters."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    letters = [chr(code) for code in range(33, 127)]
    vocabulary = {token: place for place, token in enumerate(["<unk>", "<s>", "</s>", *letters])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    special = {"unk_token": "<unk>", "bos_token": "<s>", "eos_token": "</s>"}
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, **special).save_pretrained(folder)
    torch.manual_seed(3)
    config = LlamaConfig(
        vocab_size=len(vocabulary),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        max_position_embeddings=4096,
        bos_token_id=1,
        eos_token_id=2,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    return folder


def main() -> None:
    """Measure, and write a line for each way to ask."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="as one JSON document")
    as_json = parser.parse_args().json
    with tempfile.TemporaryDirectory() as folder:
        found = depths(Path(folder))
    if as_json:
        rows = [
            {"way": one.way, "calls": one.calls, "files": one.files, "frames": one.frames} for one in found
        ]
        sys.stdout.write(json.dumps(rows, indent=2) + "\n")
        return
    for one in found:
        print(f"{one.way:14} {one.calls:2} calls over {one.files:2} files: {' > '.join(one.frames)}")


if __name__ == "__main__":
    main()
