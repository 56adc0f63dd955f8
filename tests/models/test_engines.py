"""Engines beside torch: written once, held against torch, refused where they say something else."""

import dataclasses
import json
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from safetensors.torch import load_file

import hybrid.models.engines as engines
from hybrid.arms import ArmAdapters, DomainArms, OwnModels, parse_arm
from hybrid.config import Engine, EnginePrecision, ModelSettings, Settings, load_settings
from hybrid.doctor import Health, diagnose
from hybrid.errors import ConfigError, ExtraMissing, ModelError, RemoteError
from hybrid.models.cancelling import GivenUp, Patience
from hybrid.models.fidelity import EngineFidelity, gate_prompts, held_against
from hybrid.models.gguf import Precision, Source
from hybrid.models.loading import load_generator
from hybrid.testing import HashEmbedder, ScriptedGenerator
from hybrid.types import Message, MessageRole
from tests.scripted_server import Reply, ScriptedServer, refused

_BOTH = pytest.mark.parametrize("engine", ["openvino", "llamacpp"])
_FAITHFUL = EngineFidelity("1", 40, 1.0, -0.001, -0.002, 0.0)


def _ask(number):
    return [Message(MessageRole.USER, f"Question {'very ' * number}long, number {number}?")]


@pytest.fixture
def own_place(monkeypatch, tmp_path):
    monkeypatch.setenv("HYBRID_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "engines"


@pytest.fixture
def few_prompts(monkeypatch):
    monkeypatch.setattr("hybrid.models.fidelity.gate_prompts", lambda: gate_prompts()[:4])


# --- what may be set


def test_an_endpoint_and_an_engine_of_this_machine_are_one_too_many():
    with pytest.raises(ConfigError, match=r"`models.engine` is openvino, and `models.endpoint` is http"):
        load_generator(ModelSettings(engine=Engine.OPENVINO, endpoint="http://127.0.0.1:1/v1"))
    with pytest.raises(ConfigError, match=r"`models.endpoint` is empty"):
        load_generator(ModelSettings(engine=Engine.ENDPOINT))
    remote = load_generator(ModelSettings(engine=Engine.ENDPOINT, endpoint="http://127.0.0.1:1/v1"))
    assert remote is load_generator(ModelSettings(endpoint="http://127.0.0.1:1/v1"))


def test_an_endpoint_is_asked_for_an_adapter_by_its_name():
    said = {"house": "It is 80.", "house-adapter": "It is 5432."}

    def script(asked):
        name = asked["model"]
        return Reply(said[name]) if name in said else refused(f"The model `{name}` does not exist.", 404)

    with ScriptedServer(script=script, models=list(said)) as server:

        def asked(name):
            generator = load_generator(
                ModelSettings(engine=Engine.ENDPOINT, endpoint=server.url, generator=name)
            )
            (written,) = generator.generate([_ask(1)], max_new_tokens=9)
            return generator, written.text

        (base, plain), (adapter, adapted) = asked("house"), asked("house-adapter")
        with pytest.raises(RemoteError, match="`gone` does not exist"):
            asked("gone")
        *_, whole = adapter.stream(_ask(1), max_new_tokens=9)
        assert whole.text == adapted
    assert (plain, adapted) == ("It is 80.", "It is 5432.")
    assert (base.name, adapter.name) == ("house", "house-adapter")
    assert base.digest != adapter.digest  # so answers of the one are not taken for the other's
    assert [request["model"] for request in server.requests[:2]] == ["house", "house-adapter"]


@pytest.mark.parametrize(("key", "value"), [("precision", "q4_1"), ("engine", "vulkan")])
def test_what_no_engine_has_is_refused(key, value):
    with pytest.raises(ConfigError, match=rf"`models.{key}` is '{value}'"):
        load_settings({"models": {key: value}}, environment={})


@_BOTH
def test_an_engine_that_is_not_installed_names_its_extra(engine, in_engine, monkeypatch):
    monkeypatch.setattr(engines, "find_spec", lambda name: None)
    with pytest.raises(ExtraMissing) as failed:
        in_engine(engine)
    assert f'pip install "hybrid-assistant[{engine}]"' in failed.value.hint
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    settings = load_settings({"models": {"engine": engine}}, environment={})
    found = {one.name: one for one in diagnose(settings)}
    assert found[f"engine {engine}"].verdict is Health.BAD
    assert engine in found[f"engine {engine}"].mend


def test_an_arm_with_another_engine_takes_no_generator_of_ones_own(tmp_path, monkeypatch):
    own, other = ScriptedGenerator(["mine"]), ScriptedGenerator(["the engine's"])
    monkeypatch.setattr("hybrid.arms.load_generator", lambda models: other)
    arms = DomainArms(tmp_path, Settings(), OwnModels(HashEmbedder(), own), lambda spec: ArmAdapters())
    usual = arms.serving(parse_arm("base", Settings()))
    engine = arms.serving(parse_arm("base:engine=openvino", Settings()))
    assert [arm.answerer.generator() for arm in (usual, engine)] == [own, other]


def test_forty_prompts_are_asked_and_no_two_are_alike():
    assert len(set(gate_prompts())) == 40


@pytest.mark.parametrize(
    ("found", "passes"),
    [
        (_FAITHFUL, True),
        (dataclasses.replace(_FAITHFUL, agreement=0.89), False),
        (dataclasses.replace(_FAITHFUL, low=-0.06), False),
    ],
)
def test_the_gate_asks_for_tokens_and_for_a_difference_inside_the_margin(found, passes):
    assert (found.against == "") is passes


# --- what is written, once


@pytest.mark.slow
@_BOTH
def test_weights_are_written_once_and_held_against_torch_once(
    engine, in_engine, own_place, few_prompts, monkeypatch
):
    generator = in_engine(engine)
    assert not own_place.exists()
    first = generator.generate([_ask(1)], max_new_tokens=8)
    assert first == generator.torch.generate([_ask(1)], max_new_tokens=8)
    (folder,) = own_place.iterdir()
    assert {path.name for path in folder.iterdir()} == {"fidelity.json", "lock", "model.gguf"}
    told = json.loads((folder / "fidelity.json").read_text())
    assert (told["prompts"], told["agreement"] > 0.9) == (4, True)

    def again(*_, **__):
        raise AssertionError("written or measured again")

    monkeypatch.setattr(engines, "write_model", again)
    with monkeypatch.context() as stays:
        stays.setattr(engines, "held_against", again)
        assert in_engine(engine).generate([_ask(1)], max_new_tokens=8) == first
    # another version of the engine may compute something else
    monkeypatch.setattr(engines, "version", lambda name: "0.1")
    monkeypatch.setattr(engines, "held_against", lambda *_: dataclasses.replace(_FAITHFUL, version="0.1"))
    in_engine(engine).generate([_ask(1)], max_new_tokens=8)
    assert json.loads((folder / "fidelity.json").read_text())["version"] == "0.1"


@pytest.mark.slow
@_BOTH
def test_an_engine_that_says_something_else_is_refused_and_stays_refused(
    engine, in_engine, own_place, few_prompts, monkeypatch
):
    def spoilt(folder, changed):
        key = "model.layers.0.mlp.down_proj.weight"
        return Source(folder, {key: -load_file(folder / "model.safetensors")[key]})

    monkeypatch.setattr(engines, "Source", spoilt)
    with pytest.raises(ModelError, match=r"kin says something else .* expected at least 90%") as failed:
        in_engine(engine, "q8_0").generate([_ask(1)], max_new_tokens=8)
    assert failed.value.hint == "set models.engine = torch, or models.precision = f16"
    monkeypatch.setattr(engines, "held_against", None)
    with pytest.raises(ModelError, match="says something else"):
        in_engine(engine, "q8_0").generate([_ask(1)], max_new_tokens=8)


@pytest.mark.slow
@_BOTH
def test_an_adapter_is_merged_and_has_a_file_of_its_own(
    engine, in_engine, kin_adapter, own_place, few_prompts
):
    base = in_engine(engine)
    tuned = base.adapted(kin_adapter)
    asked = [_ask(number) for number in range(4)]
    said = tuned.generate(asked, max_new_tokens=8)
    # when requests meet in llama.cpp decides near-ties of a model that knows nothing
    alike = [one == own for one, own in zip(said, tuned.torch.generate(asked, max_new_tokens=8), strict=True)]
    assert sum(alike) >= len(asked) - 1
    assert said != base.generate(asked, max_new_tokens=8)
    assert len(list(own_place.iterdir())) == 2
    assert tuned.name == f"kin + {kin_adapter.name}"
    options = [["yes", "no"]]
    assert tuned.log_likelihoods(asked[:1], options) == tuned.torch.log_likelihoods(asked[:1], options)


@pytest.mark.slow
def test_engine_and_precision_are_part_of_the_identity(in_engine):
    each = [in_engine(engine, precision) for engine in ("openvino", "llamacpp") for precision in Precision]
    assert len({one.digest for one in [*each, each[0].torch]}) == len(each) + 1


def test_what_may_be_set_is_what_can_be_written():
    assert {str(one) for one in EnginePrecision} < {str(one) for one in Precision}


@pytest.mark.slow
def test_a_model_that_cannot_be_written_says_what_to_set(in_engine, tiny_generator_folder, own_place):
    generator = in_engine("llamacpp", folder=tiny_generator_folder)
    with pytest.raises(ModelError, match=r"cannot be computed by llamacpp: .* WordPiece") as failed:
        generator.generate([_ask(1)], max_new_tokens=8)
    assert failed.value.hint == "set models.engine = torch"


_WRITER = """
import sys
from pathlib import Path
from hybrid.config import Engine
from hybrid.models.device import Placement
from hybrid.models.engines import EngineGenerator
from hybrid.models.generator import TransformersGenerator
from hybrid.models.gguf import Precision
from hybrid.types import Message, MessageRole
from tests.scripted_server import Reply, ScriptedServer, refused
folder = Path(sys.argv[1])
own = TransformersGenerator(folder, name="kin", placement=Placement("cpu", "float32", "test"))
made = EngineGenerator(
    folder, name="kin", engine=Engine.LLAMACPP, precision=Precision.F16, torch=lambda: own
)
print(made.generate([[Message(MessageRole.USER, "Which port?")]], max_new_tokens=8)[0].text)
"""


@pytest.mark.slow
def test_two_processes_at_once_write_one_file(in_engine, tiny_kin_folder, own_place):
    in_engine("llamacpp")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", _WRITER, str(tiny_kin_folder)]
    both = [subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = [one.communicate(timeout=120)[0] for one in both]
    assert [one.returncode for one in both] == [0, 0]
    assert said[0] == said[1] != ""
    (folder,) = own_place.iterdir()
    assert {path.name for path in folder.iterdir()} == {"fidelity.json", "lock", "model.gguf"}


# --- several that ask


@pytest.mark.slow
@_BOTH
def test_who_leaves_is_let_go_and_the_others_go_on(engine, in_engine):
    generator = in_engine(engine)
    (alone,) = generator.generate([_ask(1)], max_new_tokens=12)
    patience, ended = Patience(), []

    def leave():
        with patience.held(), pytest.raises(GivenUp):
            generator.generate([_ask(number) for number in range(8)], max_new_tokens=400)
        ended.append(True)

    leaving = threading.Thread(target=leave)
    leaving.start()
    patience.give_up()
    leaving.join(10)
    assert ended == [True]
    *pieces, whole = generator.stream(_ask(1), max_new_tokens=12)
    assert ("".join(pieces), whole) == (alone.text, alone)


@pytest.mark.slow
def test_what_threads_ask_of_openvino_at_any_time_is_answered_as_it_is_alone(in_engine):
    generator = in_engine("openvino")
    alone = [generator.generate([_ask(number)], max_new_tokens=12)[0] for number in range(8)]
    with ThreadPoolExecutor(8) as threads:
        found = list(
            threads.map(lambda n: list(generator.stream(_ask(n % 8), max_new_tokens=12))[-1], range(24))
        )
    assert found == [alone[number % 8] for number in range(24)]


# --- telemetry

_TELEMETRY = """
import socket, sys
def refuse(*_): raise AssertionError("the network was asked for")
socket.socket.connect = socket.getaddrinfo = refuse
from hybrid.models.openvino import library
library().GenerationConfig()
import openvino.tools.ovc.telemetry_utils as used
print("openvino_telemetry" in sys.modules, used.tm.__name__)
"""


@pytest.mark.slow
def test_the_telemetry_of_openvino_is_not_even_imported():
    pytest.importorskip("openvino_genai", reason="the extra openvino is not installed")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    told = subprocess.run(
        [sys.executable, "-c", _TELEMETRY], env=environment, capture_output=True, text=True, check=True
    )
    assert told.stdout.split() == ["False", "openvino.tools.ovc.telemetry_stub"]


# --- the real model


@pytest.mark.slow
@pytest.mark.real_model
def test_the_default_model_says_in_openvino_what_it_says_in_torch(few_prompts, monkeypatch, tmp_path):
    pytest.importorskip("openvino_genai", reason="the extra openvino is not installed")
    monkeypatch.setattr(engines, "cached", lambda part, name: tmp_path / part / name)
    told = ModelSettings(engine=Engine.OPENVINO, precision="f16", device="cpu", offline=True)
    generator = load_generator(told)
    together = generator.generate([_ask(number) for number in range(4)], max_new_tokens=12)
    assert together[2:3] == generator.generate([_ask(2)], max_new_tokens=12)
    assert held_against(generator.torch, generator, "").agreement > 0.97
