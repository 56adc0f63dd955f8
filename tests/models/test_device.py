"""Where to compute, in which format, and what figures were taken with."""

import platform

import numpy
import pytest
import torch

from hybrid.errors import ConfigError, ModelError
from hybrid.models import device
from hybrid.models.device import batch_room, choose_placement, describe_machine, versions


@pytest.fixture
def machine(monkeypatch):
    def call(*, cuda=False, mps=False, bf16=False):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: bf16)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
        monkeypatch.setattr(device, "cpu_has_bf16", lambda: bf16)

    return call


@pytest.mark.parametrize(
    ("there", "exact", "expected"),
    [
        ({}, False, ("cpu", "float32")),
        ({"bf16": True}, False, ("cpu", "bfloat16")),
        ({"bf16": True}, True, ("cpu", "float32")),
        ({"cuda": True, "bf16": True}, False, ("cuda", "bfloat16")),
        ({"cuda": True}, False, ("cuda", "float16")),
        ({"mps": True}, False, ("mps", "float32")),
        ({"cuda": True, "mps": True, "bf16": True}, True, ("cuda", "bfloat16")),
    ],
)
def test_auto_takes_what_the_machine_is_best_at(machine, there, exact, expected):
    machine(**there)
    found = choose_placement(exact=exact)
    assert (found.device, found.dtype) == expected
    assert found.reason
    assert str(found.torch_dtype()) == f"torch.{found.dtype}"


def test_what_is_set_is_taken(machine):
    machine(cuda=True, bf16=True)
    found = choose_placement("cpu", "float16")
    assert (found.device, found.dtype) == ("cpu", "float16")
    assert choose_placement("cuda:1").device == "cuda:1"


@pytest.mark.parametrize("name", ["cuda", "cuda:3", "mps", "tpu"])
def test_a_device_that_is_not_there_is_a_model_error(machine, name):
    machine()
    with pytest.raises(ModelError, match="this machine has: cpu"):
        choose_placement(name)


def test_an_unknown_format_is_a_config_error():
    with pytest.raises(ConfigError, match="int3"):
        choose_placement("cpu", "int3")


def test_versions_are_those_that_run():
    found = versions()
    assert found["python"] == platform.python_version()
    assert found["numpy"] == numpy.__version__
    assert all(found.values())


def test_the_machine_has_texts_only():
    machine = describe_machine()
    assert "threads of" in machine["compute"]
    assert machine["memory"].endswith("GiB")
    assert all(isinstance(value, str) for value in machine.values())


@pytest.mark.parametrize(("free", "room"), [(1 << 30, 1), (9 << 30, 2), (140 << 30, 16)])
def test_batches_are_as_large_as_the_free_memory_of_a_card_allows(monkeypatch, free, room):
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda place: (free, 141 << 30))
    assert batch_room("cuda:0") == room
    assert batch_room("cpu") == 1
