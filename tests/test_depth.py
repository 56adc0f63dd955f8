"""Between the command and the model lie few calls: what a reader has to go through to follow a question."""

import importlib.util
import sys
from pathlib import Path

import pytest

_SCRIPT = Path(__file__).parent / "benchmarks" / "depth.py"


@pytest.mark.slow
def test_from_the_command_to_the_model_it_is_not_far(tmp_path, tiny_embedder_folder):
    specification = importlib.util.spec_from_file_location("depth", _SCRIPT)
    # dataclasses look their module up
    depth = sys.modules["depth"] = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(depth)
    found = depth.depths(tmp_path, embedder=str(tiny_embedder_folder))
    assert [one.way for one in found] == ["rag, streamed", "rag, as JSON", "base, streamed", "base, as JSON"]
    for one in found:
        assert one.frames[0] == "cli/ask.py:ask"
        assert one.frames[-1].startswith("models/")
        # five of them put together what several threads ask of the model, three trace the stages of a stream
        assert one.calls <= 17, one
        assert one.files <= 9, one
