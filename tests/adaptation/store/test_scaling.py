"""A weaker adapter is what lies between the base and the full one."""

import json
import shutil

import pytest
from transformers import AutoModelForCausalLM

from hybrid.adaptation.store.scaling import scale
from hybrid.errors import AdapterError, UsageError
from hybrid.models.adapters import merged_weights


@pytest.mark.parametrize("strength", [0.25, 0.5, 1.0])
@pytest.mark.parametrize(
    "options", [{}, {"use_rslora": True}, {"target_modules": ["embed_tokens", "up_proj"]}]
)
@pytest.mark.filterwarnings("ignore:Setting `save_embedding_layers`")
def test_the_saved_strength_is_that_of_serving(
    tiny_generator_folder, make_adapter, tmp_path, options, strength
):
    import torch

    adapter = make_adapter(tiny_generator_folder, tmp_path / "a", **options)
    model = AutoModelForCausalLM.from_pretrained(tiny_generator_folder)
    saved = merged_weights(model, scale(adapter, strength, tmp_path / "weaker")).tensors
    served = merged_weights(model, adapter, strength).tensors
    assert saved.keys() == served.keys()
    assert all(torch.allclose(saved[name], served[name], atol=1e-6) for name in saved)
    assert not (tmp_path / "weaker" / "card.json").exists()


def test_all_weights_are_scaled_towards_the_base(tiny_generator_folder, tmp_path):
    import torch
    from safetensors.torch import load_file, save_file

    own = load_file(tiny_generator_folder / "model.safetensors")
    name = "model.layers.0.mlp.up_proj.weight"
    (tmp_path / "full").mkdir()
    save_file({name: own[name] + 2}, tmp_path / "full" / "model.safetensors")
    with pytest.raises(UsageError, match="towards its base"):
        scale(tmp_path / "full", 0.5, tmp_path / "none")
    weaker = scale(tmp_path / "full", 0.5, tmp_path / "weaker", base=tiny_generator_folder)
    assert torch.allclose(load_file(weaker / "model.safetensors")[name], own[name] + 1)
    save_file({"other": own[name]}, tmp_path / "full" / "model.safetensors")
    with pytest.raises(AdapterError, match="1 tensors are not in"):
        scale(tmp_path / "full", 0.5, tmp_path / "weak", base=tiny_generator_folder)


@pytest.mark.parametrize("values", [{"use_dora": True}, {"peft_type": "IA3"}, {"bias": "all"}])
def test_what_is_not_linear_is_refused(tiny_adapter_folder, tmp_path, values):
    adapter = shutil.copytree(tiny_adapter_folder, tmp_path / "a")
    config = json.loads((adapter / "adapter_config.json").read_text())
    (adapter / "adapter_config.json").write_text(json.dumps(config | values))
    with pytest.raises(AdapterError, match="cannot be made weaker without training"):
        scale(adapter, 0.5, tmp_path / "weaker")


@pytest.mark.parametrize("strength", [0, -1, 3, float("nan")])
def test_a_strength_that_makes_no_sense_is_refused(tiny_adapter_folder, tmp_path, strength):
    with pytest.raises(UsageError, match="makes no sense"):
        scale(tiny_adapter_folder, strength, tmp_path / "weaker")
