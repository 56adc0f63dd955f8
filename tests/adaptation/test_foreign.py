"""Adapters that plain PEFT wrote: what is taken in says what PEFT says, everything else is refused."""

import json
import shutil

import pytest
import torch

from hybrid.adaptation.foreign import BaseModel, kind_of, take_in
from hybrid.adaptation.store import read_card
from hybrid.adaptation.values import AdapterKind
from hybrid.config import Method
from hybrid.errors import AdapterError, UsageError
from hybrid.models.resolve import weights_digest

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
def base(tiny_generator_folder):
    return BaseModel(AdapterKind.GENERATOR, "tiny", weights_digest(tiny_generator_folder))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Setting `save_embedding_layers`")
@pytest.mark.parametrize("options", KINDS.values(), ids=KINDS.keys())
def test_what_is_taken_in_says_what_peft_says(
    plain, base, tiny_generator, tiny_generator_folder, tmp_path, options
):
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    folder = plain(**options)
    card, notes = take_in(folder, base, tmp_path / "ours")
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


def test_the_method_and_the_name_of_its_base_are_on_the_card(plain, base, tmp_path):
    folder = plain({"base_model_name_or_path": "org/Large"}, use_rslora=True)
    card, notes = take_in(folder, base, tmp_path / "ours")
    assert card.method is Method.RSLORA
    assert card.settings["base named by its maker"] == "org/Large"
    assert "names org/Large as its base, and shall serve with tiny" in notes[1]


REFUSED = {
    "another method": ({"peft_type": "IA3"}, "only LoRA", "merge"),
    "pissa": ({"init_lora_weights": "pissa_niter_4"}, "on a base that was changed before", "path_initial"),
    "experts": ({"target_parameters": ["mlp.experts.gate_up_proj"]}, "`target_parameters` cannot", "merge"),
    "code": ({"megatron_config": {"a": 1}}, "`megatron_config` cannot", "merge"),
    "layers twice": ({"layer_replication": [[0, 2], [1, 2]]}, "`layer_replication` cannot", "merge"),
    "activated": ({"alora_invocation_tokens": [1, 2]}, "`alora_invocation_tokens` cannot", "merge"),
    "biases": ({"lora_bias": True}, "`lora_bias` cannot", "merge"),
    "of tomorrow": ({"use_quantum": True}, "`use_quantum` cannot", "merge"),
    "pattern": ({"alpha_pattern": {"(a+)+$": 3}}, "is a pattern", "plain names"),
    "alpha": ({"lora_alpha": None}, "a number as `lora_alpha`", "again"),
}


@pytest.mark.parametrize(("changed", "message", "hint"), REFUSED.values(), ids=REFUSED.keys())
def test_what_cannot_be_served_is_refused_with_what_to_do(plain, base, tmp_path, changed, message, hint):
    with pytest.raises(AdapterError, match=message) as caught:
        take_in(plain(changed), base, tmp_path / "ours")
    assert hint in caught.value.hint
    assert not (tmp_path / "ours").exists()


@pytest.mark.slow
def test_pickles_are_not_read_and_the_hint_converts_them(plain, base, tmp_path):
    import subprocess
    import sys

    from safetensors.torch import load_file

    folder = plain()
    weights = load_file(folder / "adapter_model.safetensors")
    torch.save(weights, folder / "adapter_model.bin")
    (folder / "adapter_model.safetensors").unlink()
    with pytest.raises(AdapterError, match="is pickled") as caught:
        take_in(folder, base, tmp_path / "ours")
    command = caught.value.hint.partition("python ")[2]
    subprocess.run(["bash", "-c", f"{sys.executable} {command}"], check=True, cwd=tmp_path)
    assert load_file(folder / "adapter_model.safetensors").keys() == weights.keys()


def test_only_weights_and_settings_are_copied(plain, base, tmp_path):
    folder = plain()
    for name in ("optimizer.pt", "training_args.bin", "README.md", "tokenizer.json"):
        (folder / name).write_bytes(b"x")
    take_in(folder, base, tmp_path / "ours")
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


@pytest.mark.parametrize("text", ["{broken", "[1]"])
def test_a_damaged_configuration_is_an_error(plain, text):
    folder = plain()
    (folder / "adapter_config.json").write_text(text)
    with pytest.raises(AdapterError, match="JSON"):
        kind_of(folder)


def test_damaged_weights_are_an_error(plain, base, tmp_path):
    folder = plain()
    path = folder / "adapter_model.safetensors"
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(AdapterError, match="is damaged"):
        take_in(folder, base, tmp_path / "ours")
