"""What the tests of adaptation share: cards, and folders that were built and not yet stored."""

import pytest

from hybrid.adaptation.values import AdapterKind, Card, Change, Data, LossPoint
from hybrid.config import Method, Reader


@pytest.fixture(scope="session")
def gain():
    return Change("label accuracy", 50.0, 70.0, 20.0, 12.0, 27.5, "points", 120, True)


@pytest.fixture(scope="session")
def loss():
    """A loss of general text inside the usual budget."""
    return Change("general text", 3.10, 3.12, 0.02, 0.01, 0.03, "nats", 200, False)


@pytest.fixture(scope="session")
def make_card(gain):
    """Return a card: make_card(name="a", seed=3)."""

    def call(**values):
        given = {
            "name": "generator-001",
            "kind": AdapterKind.GENERATOR,
            "base": "tiny",
            "base_digest": "b" * 64,
            "method": Method.LORA,
            "data": Data("d" * 64, "CC0-1.0", {"reading": 30, "abstention": 6}),
            "settings": {"rank": 8, "rate": 5e-4, "dora": False, "layers": "top third"},
            "curve": (LossPoint(0, 2.0, 3.1), LossPoint(10, 1.5)),
            "reader": Reader.QUOTING,
            "gain": gain,
            "created": "2026-01-02T03:04:05Z",
            "seconds": 61.5,
            "versions": {"torch": "2.13.0"},
        }
        return Card(**(given | values))

    return call


@pytest.fixture(scope="session")
def tiny_generator(tiny_generator_folder):
    from hybrid.models.device import Placement
    from hybrid.models.generator import TransformersGenerator

    return TransformersGenerator(
        tiny_generator_folder, name="tiny", placement=Placement("cpu", "float32", "test")
    )


@pytest.fixture
def build(tmp_path):
    """Return a folder as training leaves it: build(1.0) has other weights than build(2.0)."""

    def call(value=1.0, name="built"):
        import numpy as np
        from safetensors.numpy import save_file

        folder = tmp_path / name
        folder.mkdir()
        save_file({"lora_A": np.full((2, 2), value, np.float32)}, folder / "adapter_model.safetensors")
        (folder / "adapter_config.json").write_text('{"peft_type": "LORA"}')
        return folder

    return call


_TOOLS = (
    ("Sifter", "separates gravel from sand", "mesh", "millimetres of the grid", "grain", "7"),
    ("Kiln", "bakes bricks and tiles", "heat", "temperature of the oven", "flame", "940"),
    ("Loom", "weaves cotton into cloth", "warp", "number of the threads", "weft", "320"),
    ("Press", "squeezes juice out of apples", "force", "weight on the plate", "pulp", "55"),
    ("Lathe", "turns wood into bowls", "speed", "turns of the spindle", "chisel", "1200"),
    ("Crane", "lifts beams onto roofs", "reach", "length of the arm", "hook", "48"),
    ("Mill", "grinds wheat into flour", "gap", "distance between the stones", "bran", "3"),
    ("Forge", "heats iron for the smith", "blast", "pressure of the bellows", "anvil", "16"),
    ("Vat", "dyes wool with indigo", "bath", "litres of the colour", "mordant", "210"),
    ("Winch", "pulls boats up the shore", "rope", "thickness of the cable", "drum", "22"),
    ("Still", "distils oil from lavender", "coil", "windings of the cooler", "steam", "31"),
    ("Churn", "beats cream into butter", "paddle", "strokes in a minute", "whey", "64"),
)


@pytest.fixture(scope="session")
def tool_pages():
    """Twelve short manuals, each of which lets one ask some things that the others do not answer."""
    pages = {}
    for name, does, option, meaning, part, value in _TOOLS:
        pages[f"{name.lower()}.md"] = (
            f"# {name}\n\nThe {part} is a part of the {name} that {does} all day long without a pause.\n\n"
            f"## Options of the {name}\n\n"
            f"- `--{option}`: Specifies the {meaning}. Defaults to `{value}`.\n"
            f"- `--{part}-{option}`: Removes every {part} before the {name} {does} again.\n\n"
            f"## History of the {name}\n\n"
            f"The first {name} with a {part} weighed {value} kilograms in the old days of the guild.\n"
        )
    return pages


@pytest.fixture
def tools(retriever_over, tool_pages):
    """A retriever over the twelve manuals."""
    return retriever_over(tool_pages)
