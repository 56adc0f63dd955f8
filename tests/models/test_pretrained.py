"""GGUF weights become a clean folder, once."""

import json
import os
import subprocess
import sys

import pytest

from hybrid.errors import ExtraMissing, ModelMissing
from hybrid.models import pretrained
from hybrid.models.resolve import DEFAULT_GENERATOR, fetch


def test_without_the_packages_that_read_gguf_the_extra_is_named(tmp_path, monkeypatch):
    (tmp_path / "model.gguf").write_bytes(b"GGUF")
    monkeypatch.setenv("HYBRID_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(pretrained, "find_spec", lambda name: None)
    with pytest.raises(ExtraMissing, match=r"model\.gguf needs: gguf, accelerate") as caught:
        pretrained.converted(tmp_path / "model.gguf")
    assert "hybrid-assistant[gguf]" in caught.value.hint


@pytest.mark.parametrize("content", [b"", b"GGUF", b"nothing of the kind" * 100])
def test_a_damaged_file_is_a_missing_model_and_leaves_nothing(tmp_path, monkeypatch, content):
    monkeypatch.setenv("HYBRID_CACHE", str(tmp_path / "cache"))
    (tmp_path / "model.gguf").write_bytes(content)
    with pytest.raises(ModelMissing, match="cannot be read as GGUF"):
        pretrained.converted(tmp_path / "model.gguf")
    assert [path.name for path in (tmp_path / "cache" / "models").iterdir()] == ["lock"]


@pytest.mark.real_model
@pytest.mark.slow
def test_the_converted_model_is_clean_and_can_be_saved(tmp_path):
    from transformers import AutoModelForCausalLM

    path = fetch(DEFAULT_GENERATOR)
    if path.suffix != ".gguf":
        pytest.skip("the hub's own weights are installed")
    folder = pretrained.converted(path)
    assert pretrained.converted(path) == folder
    assert "quantization_config" not in json.loads((folder / "config.json").read_text())
    model = AutoModelForCausalLM.from_pretrained(folder)
    assert not hasattr(model, "hf_quantizer") or model.hf_quantizer is None
    model.save_pretrained(tmp_path / "again")
    assert (tmp_path / "again" / "model.safetensors").is_file()


@pytest.mark.parametrize("cache", ["/dev/null/cache", "~nobody-of-this-name/cache"])
def test_without_a_cache_a_file_is_converted_for_this_process(tmp_path, monkeypatch, cache):
    monkeypatch.setenv("HYBRID_CACHE", cache)
    monkeypatch.setattr(pretrained, "_convert", _converted_at_once)
    (tmp_path / "model.gguf").write_bytes(b"GGUF")
    folder = pretrained.converted(tmp_path / "model.gguf")
    assert (folder / "config.json").is_file()
    assert pretrained.converted(tmp_path / "model.gguf") == folder


def _converted_at_once(path, target):
    target.mkdir()
    (target / "config.json").write_text("{}")


@pytest.mark.slow
def test_a_second_process_waits_for_the_first_and_takes_what_it_made(tmp_path):
    (tmp_path / "model.gguf").write_bytes(b"GGUF")
    script = f"""
import time
from pathlib import Path
from hybrid.models import pretrained
def convert(path, target):
    time.sleep(1)
    target.mkdir()
    (target / "config.json").write_text("{{}}")
    print("made", flush=True)
pretrained._convert = convert
assert (pretrained.converted(Path({str(tmp_path / "model.gguf")!r})) / "config.json").is_file()
"""
    environment = os.environ | {"HYBRID_CACHE": str(tmp_path / "cache")}
    started = [
        subprocess.Popen([sys.executable, "-c", script], env=environment, stdout=subprocess.PIPE)
        for _ in range(3)
    ]
    said = [process.communicate(timeout=120)[0] for process in started]
    assert [process.returncode for process in started] == [0, 0, 0]
    assert b"".join(said).count(b"made") == 1
