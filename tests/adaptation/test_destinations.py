"""Adapters that leave: what each destination refuses, what is merged instead, what is written."""

import dataclasses
import json
import re
import shutil

import pytest

from hybrid.adaptation.destinations import leave, modelfile
from hybrid.adaptation.store import read_card, write_card
from hybrid.adaptation.values import Destination
from hybrid.errors import AdapterError, ModelError, UsageError
from hybrid.models.device import Placement
from hybrid.models.generator import TransformersGenerator


@pytest.fixture(scope="module")
def base(make_kin, tmp_path_factory):
    return make_kin(tmp_path_factory.mktemp("kin") / "house-model")


@pytest.fixture(scope="module")
def adapter(base, make_adapter, tmp_path_factory):
    return make_adapter(base, tmp_path_factory.mktemp("a") / "generator-001", base_name="org/model", size=0.1)


@pytest.fixture
def take(base):
    """Let an adapter leave; return where to, and what was said."""

    def call(adapter, out, destination, **options):
        said = []

        def generator():
            return TransformersGenerator(base, name="tiny", placement=Placement("cpu", "float32", "test"))

        path = leave(
            adapter, lambda: base, out, destination, generator=generator, note=said.append, **options
        )
        return path, said

    return call


def _changed(adapter, folder, **values):
    """Return a copy whose configuration says something else."""
    copy = shutil.copytree(adapter, folder / adapter.name)
    config = json.loads((copy / "adapter_config.json").read_text())
    (copy / "adapter_config.json").write_text(json.dumps(config | values))
    return copy


# --- vLLM


@pytest.mark.slow
def test_vllm_gets_the_adapter_and_the_line_that_starts_it(adapter, take, tmp_path):
    out, said = take(adapter, tmp_path / "away", Destination.VLLM)
    assert (out / "adapter_model.safetensors").is_file()
    assert (
        "vllm serve org/model --enable-lora --lora-modules generator-001=./away --max-lora-rank 8\n"
        in (out / "LAUNCH.md").read_text()
    )
    assert said == []


@pytest.mark.slow
@pytest.mark.parametrize(("rank", "taken"), [(8, 8), (9, 16), (257, 320), (512, 512)])
def test_the_rank_is_one_that_vllm_takes(adapter, take, tmp_path, rank, taken):
    out, _ = take(_changed(adapter, tmp_path, r=rank), tmp_path / "away", Destination.VLLM)
    assert f"--max-lora-rank {taken}\n" in (out / "LAUNCH.md").read_text()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"use_dora": True}, "DoRA"),
        ({"modules_to_save": ["lm_head"]}, "modules_to_save"),
        ({"trainable_token_indices": [40]}, "trainable_token_indices"),
        ({"bias": "lora_only"}, "bias"),
        ({"rank_pattern": {"q_proj": 2}}, "rank_pattern"),
        ({"target_modules": ["embed_tokens"]}, "layers outside of the blocks"),
        ({"r": 600}, "rank 600 above 512"),
    ],
    ids=["dora", "modules", "tokens", "bias", "ranks", "embedding", "rank"],
)
@pytest.mark.filterwarnings("ignore:Setting `save_embedding_layers`")
def test_what_vllm_does_not_load_is_merged_and_that_is_said(base, make_adapter, take, tmp_path, options, why):
    adapter = make_adapter(base, tmp_path / "mine", **options)
    if options.get("modules_to_save"):
        _scale(adapter, "lm_head")
    out, said = take(adapter, tmp_path / "away", Destination.VLLM)
    assert said == [f"merged into the base, since vllm does not load: {why}"]
    assert (out / "model.safetensors").is_file()
    assert not (out / "adapter_config.json").exists()
    assert "vllm serve ./away --served-model-name mine\n" in (out / "LAUNCH.md").read_text()


def _scale(adapter, part):
    from safetensors.torch import load_file, save_file

    file = adapter / "adapter_model.safetensors"
    tensors = load_file(file)
    assert any(part in name for name in tensors)
    save_file({name: value * 1.5 if part in name else value for name, value in tensors.items()}, file)
    write_card(adapter, dataclasses.replace(read_card(adapter), weights=""))


# --- GGUF and Ollama


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["f32", "f16"])
def test_gguf_is_one_file_of_base_and_adapter_whose_text_was_compared(adapter, take, tmp_path, precision):
    from hybrid.models.gguf import Precision

    out, (said,) = take(adapter, tmp_path / "m.gguf", Destination.GGUF, precision=Precision(precision))
    assert out.is_file()
    assert re.match(r"compared in llama\.cpp: (9\d|100)\.\d% of the likeliest tokens and \d of 8 texts", said)
    assert [path.name for path in tmp_path.iterdir()] == ["m.gguf"]


@pytest.mark.slow
def test_a_file_that_speaks_otherwise_than_the_model_does_not_leave(
    adapter, base, take, tmp_path, monkeypatch
):
    from hybrid.models.gguf import Source

    monkeypatch.setattr(Source, "turned", lambda self, key, value: value)
    with pytest.raises(ModelError, match="speaks otherwise than the model"):
        take(adapter, tmp_path / "m.gguf", Destination.GGUF)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize("dora", [False, True], ids=["beside", "merged"])
def test_ollama_gets_weights_template_and_stop_words(base, make_adapter, take, tmp_path, dora):
    adapter = make_adapter(base, tmp_path / "mine", use_dora=dora, size=0.1)
    out, said = take(adapter, tmp_path / "away", Destination.OLLAMA)
    names = ["Modelfile", "model.gguf"] if dora else ["Modelfile", "adapter.gguf", "model.gguf"]
    assert sorted(path.name for path in out.iterdir()) == names
    assert said[-1].startswith("compared in llama.cpp")
    assert (said[:-1] == ["merged into the base, since ollama does not load: DoRA"]) is dora
    assert ("ADAPTER ./adapter.gguf\n" in (out / "Modelfile").read_text()) is not dora


@pytest.mark.slow
def test_a_modelfile_says_what_the_template_says(base):
    told = modelfile(base, apart=False)
    frames = [
        '{{ if eq .Role "system" }}<|im_start|>system\n{{ .Content }}<|im_end|>\n',
        '{{ else if eq .Role "user" }}<|im_start|>user\n{{ .Content }}<|im_end|>\n',
        '{{ else if eq .Role "assistant" }}<|im_start|>assistant\n{{ .Content }}<|im_end|>\n',
    ]
    template = "{{ range .Messages }}" + "".join(frames) + "{{ end }}{{ end }}<|im_start|>assistant\n"
    assert f'FROM ./model.gguf\nTEMPLATE """{template}"""\n' in told
    assert 'SYSTEM """Be brief."""\n' in told
    assert 'PARAMETER stop "<|im_end|>"\nPARAMETER num_ctx 512\n' in told


@pytest.mark.slow
@pytest.mark.parametrize(
    "template",
    [
        None,
        "{{ messages[0].content }}",
        "{% for m in messages %}{{ m.role }}: {{ m.content }}{{ loop.index }}\n{% endfor %}",
        "{% if messages|length > 3 %}{{ raise_exception('too long') }}{% endif %}{{ messages[0].content }}",
    ],
    ids=["none", "first turn", "numbers", "raises"],
)
def test_a_template_that_is_more_than_frames_is_refused_for_ollama(make_kin, tmp_path, template):
    folder = make_kin(tmp_path / "model", template=template)
    with pytest.raises(AdapterError, match="cannot be told to Ollama"):
        modelfile(folder, apart=False)


# --- what can go nowhere, or only somewhere


@pytest.mark.slow
def test_a_kind_of_our_own_is_refused_for_peft(adapter, take, tmp_path):
    own = _changed(adapter, tmp_path, peft_type="BOTTLENECK")
    with pytest.raises(AdapterError, match="of the kind BOTTLENECK, which is this package's own"):
        take(own, tmp_path / "away", Destination.PEFT)
    assert not (tmp_path / "away").exists()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["IA3", "PROMPT_TUNING"])
def test_kinds_of_peft_leave_in_its_format(adapter, take, tmp_path, kind):
    out, said = take(_changed(adapter, tmp_path, peft_type=kind), tmp_path / "away", Destination.PEFT)
    assert json.loads((out / "adapter_config.json").read_text())["peft_type"] == kind
    assert said == []


@pytest.mark.slow
def test_a_label_head_goes_with_its_adapter_and_to_no_other_engine(adapter, take, tmp_path):
    mine = shutil.copytree(adapter, tmp_path / adapter.name)
    (mine / "head.safetensors").write_bytes(b"head")
    (mine / "head.json").write_text("{}")
    out, _ = take(mine, tmp_path / "away", Destination.PEFT)
    assert (out / "head.safetensors").read_bytes() == b"head" and (out / "head.json").is_file()
    with pytest.raises(AdapterError, match="tells labels by a head"):
        take(mine, tmp_path / "vllm", Destination.VLLM)


@pytest.mark.slow
@pytest.mark.parametrize("destination", [Destination.GGUF, Destination.VLLM, Destination.OLLAMA])
def test_an_embedder_leaves_for_no_engine_of_generators(
    tiny_embedder_adapter_folder, take, tmp_path, destination
):
    with pytest.raises(AdapterError, match=f"of the embedder, and {destination} is for generators"):
        take(tiny_embedder_adapter_folder, tmp_path / "away", destination)


@pytest.mark.slow
@pytest.mark.parametrize("destination", list(Destination))
def test_no_destination_overwrites_what_is_there(adapter, take, tmp_path, destination):
    (tmp_path / "out").write_text("mine")
    with pytest.raises(UsageError, match="is there already"):
        take(adapter, tmp_path / "out", destination)
    assert (tmp_path / "out").read_text() == "mine"
