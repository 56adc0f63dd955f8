"""Tests of adapters from elsewhere and at endpoints."""

import json
import shutil

import pytest
import torch

from hybrid.adaptation.elsewhere import kind_of, named, prove_active, take_in
from hybrid.adaptation.methods.generator import Base
from hybrid.adaptation.store import read_card
from hybrid.adaptation.values import AdapterKind
from hybrid.config import Method
from hybrid.doctor import Health
from hybrid.errors import AdapterError, RemoteError, UsageError
from hybrid.models.device import Placement
from hybrid.models.fidelity import last_logarithms
from hybrid.models.generator import TransformersGenerator
from hybrid.trust import Endpoint
from hybrid.types import Message, MessageRole
from tests.scripted_server import Reply, ScriptedServer, refused

KINDS = {
    "usual": {},
    "rslora": {"use_rslora": True},
    "dora": {"use_dora": True},
    "ranks": {"rank_pattern": {"q_proj": 2, "layers.1.self_attn.v_proj": 8}, "alpha_pattern": {"v_proj": 3}},
    "pattern": {"target_modules": r".*layers\.[01]\.(self_attn|mlp)\.(q|up)_proj"},
    "all linear": {"target_modules": "all-linear"},
    "one layer": {"layers_to_transform": [1], "target_modules": ["q_proj", "v_proj"]},
    "head": {"modules_to_save": ["lm_head"]},
    "embeddings": {"target_modules": ["embed_tokens", "q_proj"]},
}


@pytest.fixture
def plain(tiny_generator_folder, make_adapter, tmp_path):
    """Return a folder as PEFT leaves it, without a card: plain(use_dora=True, changed={"r": 3})."""

    def call(changed=(), **options):
        shutil.rmtree(tmp_path / "theirs", ignore_errors=True)
        folder = make_adapter(tiny_generator_folder, tmp_path / "theirs", **options)
        (folder / "card.json").unlink()
        path = folder / "adapter_config.json"
        config = (
            json.loads(path.read_text()) | {"base_model_name_or_path": "org/Tiny-bnb-4bit"} | dict(changed)
        )
        path.write_text(json.dumps(config))
        return folder

    return call


@pytest.fixture
def here(tiny_generator_folder):
    return Base(tiny_generator_folder, "tiny")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Setting `save_embedding_layers`")
@pytest.mark.parametrize("options", KINDS.values(), ids=KINDS.keys())
def test_what_is_taken_in_says_what_peft_says(
    plain, here, tiny_generator, tiny_generator_folder, tmp_path, options
):
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    folder = plain(**options)
    card, notes = take_in(folder, AdapterKind.GENERATOR, here, tmp_path / "ours")
    theirs = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(tiny_generator_folder), folder)
    ids = torch.arange(40)[None]
    with tiny_generator.adapted(tmp_path / "ours").lent() as module, torch.inference_mode():
        ours = module(ids).logits
        assert torch.allclose(ours, theirs(ids).logits, atol=1e-4)
    with tiny_generator.lent() as module, torch.inference_mode():
        assert not torch.allclose(ours, module(ids).logits, atol=1e-2)
    assert read_card(tmp_path / "ours") == card
    assert (card.data.licence, card.gain, card.forgetting) == ("not stated", None, ())
    # a copy in four bits is of the same name
    assert len(notes) == 1


SCALES = {
    "usual": {"target_modules": ["k_proj", "v_proj", "down_proj"], "feedforward_modules": ["down_proj"]},
    "pattern": {"target_modules": r".*\.(k|down)_proj", "feedforward_modules": r".*\.1\..*down_proj"},
    "head": {"target_modules": ["v_proj"], "feedforward_modules": [], "modules_to_save": ["lm_head"]},
}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Setting `save_embedding_layers`")
@pytest.mark.parametrize("options", SCALES.values(), ids=SCALES.keys())
def test_scales_that_are_taken_in_say_what_peft_says(
    here, tiny_generator, tiny_generator_folder, tmp_path, options
):
    from peft import IA3Config, get_peft_model
    from transformers import AutoModelForCausalLM

    base = AutoModelForCausalLM.from_pretrained(tiny_generator_folder)
    theirs = get_peft_model(base, IA3Config(task_type="CAUSAL_LM", **options)).eval()
    torch.manual_seed(1)
    for name, parameter in theirs.named_parameters():
        if "ia3_l" in name:
            torch.nn.init.uniform_(parameter, 0.2, 2.0)
    theirs.save_pretrained(tmp_path / "theirs")
    card, _ = take_in(tmp_path / "theirs", AdapterKind.GENERATOR, here, tmp_path / "ours")
    ids = torch.arange(40)[None]
    with tiny_generator.adapted(tmp_path / "ours").lent() as module, torch.inference_mode():
        ours = module(ids).logits
        assert torch.allclose(ours, theirs(ids).logits, atol=1e-4)
    with tiny_generator.lent() as module, torch.inference_mode():
        assert not torch.allclose(ours, module(ids).logits, atol=1e-2)
    assert card.method is Method.IA3
    assert card == read_card(tmp_path / "ours")


def test_the_method_and_the_name_of_its_base_are_on_the_card(plain, here, tmp_path):
    folder = plain({"base_model_name_or_path": "org/Large"}, use_rslora=True)
    card, notes = take_in(folder, AdapterKind.GENERATOR, here, tmp_path / "ours")
    assert card.method is Method.RSLORA
    assert card.settings["base named by its maker"] == "org/Large"
    assert "names org/Large as its base, and shall serve with tiny" in notes[1]


REFUSED = {
    "another method": ({"peft_type": "LOHA"}, "only LoRA and IA3", "merge"),
    "pissa": ({"init_lora_weights": "pissa_niter_4"}, "on a base that was changed before", "path_initial"),
    "experts": ({"target_parameters": ["mlp.experts.gate_up_proj"]}, "`target_parameters` cannot", "merge"),
    "code": ({"megatron_config": {"a": 1}}, "`megatron_config` cannot", "merge"),
    "layers twice": ({"layer_replication": [[0, 2], [1, 2]]}, "`layer_replication` cannot", "merge"),
    "activated": ({"alora_invocation_tokens": [1, 2]}, "`alora_invocation_tokens` cannot", "merge"),
    "biases": ({"lora_bias": True}, "`lora_bias` cannot", "merge"),
    "of tomorrow": ({"use_quantum": True}, "`use_quantum` cannot", "merge"),
    "pattern": ({"alpha_pattern": {"(a+)+$": 3}}, "is a pattern", "plain names"),
    "alpha": ({"lora_alpha": None}, "a number as `lora_alpha`", "again"),
    "no number": ({"lora_alpha": float("nan")}, "a number as `lora_alpha`, found nan", "again"),
    "another rank": ({"r": 16}, "tells the rank 16, and .* weights of rank 4", "again"),
}


@pytest.mark.parametrize(("changed", "message", "hint"), REFUSED.values(), ids=REFUSED.keys())
def test_what_cannot_be_served_is_refused_with_what_to_do(plain, here, tmp_path, changed, message, hint):
    with pytest.raises(AdapterError, match=message) as caught:
        take_in(plain(changed), AdapterKind.GENERATOR, here, tmp_path / "ours")
    assert hint in caught.value.hint
    assert not (tmp_path / "ours").exists()


@pytest.mark.slow
def test_pickles_are_not_read_and_the_hint_converts_them(plain, here, tmp_path):
    import subprocess
    import sys

    from safetensors.torch import load_file

    folder = plain()
    weights = load_file(folder / "adapter_model.safetensors")
    torch.save(weights, folder / "adapter_model.bin")
    (folder / "adapter_model.safetensors").unlink()
    with pytest.raises(AdapterError, match="is pickled") as caught:
        take_in(folder, AdapterKind.GENERATOR, here, tmp_path / "ours")
    command = caught.value.hint.partition("python ")[2]
    subprocess.run(["bash", "-c", f"{sys.executable} {command}"], check=True, cwd=tmp_path)
    assert load_file(folder / "adapter_model.safetensors").keys() == weights.keys()


def test_only_weights_and_settings_are_copied(plain, here, tmp_path):
    folder = plain()
    for name in ("optimizer.pt", "training_args.bin", "README.md", "tokenizer.json"):
        (folder / name).write_bytes(b"x")
    take_in(folder, AdapterKind.GENERATOR, here, tmp_path / "ours")
    assert {path.name for path in (tmp_path / "ours").iterdir()} == {
        "adapter_config.json",
        "adapter_model.safetensors",
        "card.json",
    }


def test_a_folder_without_an_adapter_says_where_one_is(plain, tiny_generator_folder, tmp_path):
    plain()
    with pytest.raises(AdapterError, match=r"has no adapter_config\.json") as caught:
        kind_of(tmp_path)
    assert "theirs" in caught.value.hint
    with pytest.raises(AdapterError) as caught:
        kind_of(tiny_generator_folder)
    assert "whole model" in caught.value.hint
    with pytest.raises(UsageError, match="no folder"):
        kind_of(tmp_path / "nowhere")


@pytest.mark.parametrize("file", ["adapter_config.json", "adapter_model.safetensors"])
def test_a_pointer_of_git_lfs_is_told(plain, here, tmp_path, file):
    folder = plain()
    (folder / file).write_text(f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 9\n")
    with pytest.raises(AdapterError, match=f"{file} is a pointer of git-lfs"):
        take_in(folder, AdapterKind.GENERATOR, here, tmp_path / "ours")


def test_what_does_not_fit_is_told_by_the_name_of_its_folder(
    plain, here, tiny_wide_generator_folder, tmp_path
):
    built, folder = tmp_path / "ours", plain()
    take_in(folder, AdapterKind.GENERATOR, here, built)
    wide = TransformersGenerator(
        tiny_wide_generator_folder, name="wide", placement=Placement("cpu", "float32", "test")
    )
    card = json.loads((built / "card.json").read_text())
    (built / "card.json").write_text(json.dumps(card | {"base_digest": wide.base_weights}))
    with pytest.raises(AdapterError, match=f"{folder} cannot be merged") as caught, named(built, folder):
        wide.adapted(built)
    assert "made for this model" in caught.value.hint


@pytest.mark.parametrize("text", ["{broken", "[1]"])
def test_a_damaged_configuration_is_an_error(plain, text):
    folder = plain()
    (folder / "adapter_config.json").write_text(text)
    with pytest.raises(AdapterError, match="JSON"):
        kind_of(folder)


def test_damaged_weights_are_an_error(plain, here, tmp_path):
    folder = plain()
    path = folder / "adapter_model.safetensors"
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(AdapterError, match="is damaged"):
        take_in(folder, AdapterKind.GENERATOR, here, tmp_path / "ours")


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
