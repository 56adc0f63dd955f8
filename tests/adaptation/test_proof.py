"""An adapter at an endpoint is active, silently inactive, or it cannot be told; each with the evidence."""

import json

import pytest

from hybrid.adaptation.proof import prove_active
from hybrid.doctor import Health
from hybrid.errors import RemoteError
from hybrid.models.device import Placement
from hybrid.models.fidelity import last_logarithms
from hybrid.models.generator import TransformersGenerator
from hybrid.trust import Endpoint
from hybrid.types import Message, MessageRole
from tests.scripted_server import Reply, ScriptedServer, refused


@pytest.fixture(scope="module")
def folder(make_kin, tmp_path_factory):
    return make_kin(tmp_path_factory.mktemp("kin") / "house-model")


@pytest.fixture(scope="module")
def base(folder):
    return TransformersGenerator(folder, name="base", placement=Placement("cpu", "float32", "test"))


@pytest.fixture(scope="module")
def adapter(folder, make_adapter, tmp_path_factory):
    return make_adapter(folder, tmp_path_factory.mktemp("a") / "mine", size=0.3)


@pytest.fixture(scope="module")
def other(folder, make_adapter, tmp_path_factory):
    """Another adapter under the same name."""
    return make_adapter(folder, tmp_path_factory.mktemp("b") / "mine", size=0.3, seed=9)


def _script(served, *, told=True):
    """Answer as an engine does that serves generators by their names."""

    def answer(asked):
        if asked.get("logprobs") and not told:
            return refused("unknown field: logprobs")
        generator = served[asked["model"]]
        turns = [Message(MessageRole(turn["role"]), turn["content"]) for turn in asked["messages"]]
        (said,) = generator.generate([turns], max_new_tokens=asked["max_tokens"])
        dialogue = generator.dialogue
        logs = last_logarithms(generator, dialogue.tokens([dialogue.prompt(turns)])[0], 1)[0]
        top = [
            {"token": dialogue.tokenizer.decode([token]), "logprob": float(logs[token])}
            for token in logs.argsort()[::-1][: asked.get("top_logprobs", 0)]
        ]
        choice = {"message": {"content": said.text}, "logprobs": {"content": [{"top_logprobs": top}]}}
        return Reply(body=json.dumps({"choices": [choice]}).encode())

    return answer


def _proved(base, adapter, served, *, told=True, **options):
    with ScriptedServer(script=_script(served, told=told), models=list(served)) as server:
        found = prove_active(base, adapter, Endpoint(server.url), base="base", **options)
        return found, server.requests


@pytest.mark.slow
@pytest.mark.parametrize("told", [True, False], ids=["logarithms", "texts"])
def test_an_adapter_that_serves_is_active(base, adapter, told):
    found, asked = _proved(base, adapter, {"base": base, "mine": base.adapted(adapter)}, told=told)
    assert found.verdict is Health.OK
    assert found.found.startswith("active: of 4 answers of mine 4 are nearer to the adapter here")
    assert ("by the logarithms" if told else "by their texts") in found.found
    assert {request["model"] for request in asked} == {"base", "mine"}


@pytest.mark.slow
@pytest.mark.parametrize("told", [True, False], ids=["logarithms", "texts"])
def test_a_name_behind_which_the_base_answers_is_inactive(base, adapter, told):
    found, _ = _proved(base, adapter, {"base": base, "mine": base}, told=told)
    assert found.verdict is Health.BAD
    assert found.found.startswith("inactive: mine and base answer alike; of 4 answers of mine 0")
    assert "hybrid adapters export --for vllm" in found.mend


@pytest.mark.slow
@pytest.mark.parametrize(("adapted", "verdict"), [(True, Health.OK), (False, Health.BAD)])
def test_the_only_model_of_a_server_is_asked_whatever_its_name(base, adapter, adapted, verdict):
    found, asked = _proved(base, adapter, {"m.gguf": base.adapted(adapter) if adapted else base})
    assert found.verdict is verdict
    assert {request["model"] for request in asked} == {"m.gguf"}


@pytest.mark.slow
def test_another_adapter_under_the_name_is_not_taken_for_it(base, adapter, other):
    found, _ = _proved(base, adapter, {"base": base, "mine": base.adapted(other)})
    assert found.verdict is not Health.OK
    assert "inactive: mine and base answer alike" not in found.found


@pytest.mark.slow
def test_an_adapter_that_says_what_the_base_says_cannot_be_told(base, folder, make_adapter, tmp_path):
    weak = make_adapter(folder, tmp_path / "mine", size=1e-6)
    found, asked = _proved(base, weak, {"base": base, "mine": base.adapted(weak)})
    assert found.verdict is Health.NOTE
    assert found.found == "cannot tell: on 8 questions the adapter says here what the base says"
    assert asked == []


def test_a_server_that_lists_others_is_told_with_what_it_lists(base, adapter):
    with (
        ScriptedServer(models=["base", "yours"]) as server,
        pytest.raises(RemoteError, match="lists no mine, but: base, yours"),
    ):
        prove_active(base, adapter, Endpoint(server.url), base="base")


def test_a_server_that_fails_is_no_verdict(base, adapter):
    with (
        ScriptedServer(refused("out of memory", 500), models=["base", "mine"]) as server,
        pytest.raises(RemoteError, match="gives no answer of mine"),
    ):
        prove_active(base, adapter, Endpoint(server.url), base="base")


@pytest.mark.slow
@pytest.mark.parametrize(("adapted", "verdict"), [(True, Health.OK), (False, Health.BAD)])
def test_llama_cpp_is_seen_through(base, adapter, folder, tmp_path, adapted, verdict):
    import xllamacpp

    from hybrid.models.gguf import Precision, Source, write_adapter, write_model

    write_model(Source(folder), tmp_path / "m.gguf", Precision.F16, name="tiny")
    write_adapter(Source(folder), adapter, tmp_path / "a.gguf", name="mine")
    params = xllamacpp.CommonParams()
    params.model.path, params.n_ctx, params.n_parallel = str(tmp_path / "m.gguf"), 512, 1
    params.warmup, params.verbosity = False, -1
    if adapted:
        params.lora_adapters = [xllamacpp.CommonAdapterLoraInfo(str(tmp_path / "a.gguf"), 1.0)]
    server = xllamacpp.Server(params)
    found = prove_active(base, adapter, Endpoint(f"{server.listening_address}/v1"), base="base")
    assert found.verdict is verdict
