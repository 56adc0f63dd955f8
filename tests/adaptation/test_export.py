"""Tests of adapters that leave."""

import dataclasses
import errno
import json
import re
import shutil

import pytest
from transformers import AutoModelForCausalLM

from hybrid.adaptation.export import export, leave, merge, modelfile, scale
from hybrid.adaptation.store import read_card, write_card
from hybrid.adaptation.values import Destination
from hybrid.errors import AdapterError, ModelError, StorageError, UsageError
from hybrid.models.adapters import merged_weights
from hybrid.models.device import Placement
from hybrid.models.generator import TransformersGenerator


@pytest.fixture
def placed(tiny_generator_folder, make_adapter, tmp_path):
    """An adapter whose card and configuration name its base by a path, as with a local folder."""
    return make_adapter(
        tiny_generator_folder, tmp_path / "generator-001", base_name=str(tiny_generator_folder)
    )


def _logits(model):
    import torch

    with torch.inference_mode():
        return model(torch.arange(12)[None])[0]


def test_a_merged_model_is_loaded_by_transformers_alone(tiny_generator_folder, tiny_adapter_folder, tmp_path):
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    out = merge(tiny_adapter_folder, tiny_generator_folder, tmp_path / "merged")
    base = AutoModelForCausalLM.from_pretrained(tiny_generator_folder)
    wanted = _logits(PeftModel.from_pretrained(base, tiny_adapter_folder).eval())
    assert torch.allclose(_logits(AutoModelForCausalLM.from_pretrained(out)), wanted, atol=1e-4)
    ours, theirs = (AutoTokenizer.from_pretrained(folder) for folder in (out, tiny_generator_folder))
    assert ours("the port")["input_ids"] == theirs("the port")["input_ids"]
    assert ours.chat_template == theirs.chat_template
    assert not (out / "adapter_config.json").exists()


@pytest.mark.slow
@pytest.mark.filterwarnings(
    "ignore:Setting `save_embedding_layers`", "ignore:Model .* `tie_word_embeddings=True`"
)
@pytest.mark.parametrize(
    "options", [{"target_modules": ["embed_tokens"]}, {"trainable_token_indices": [40, 50]}, {}]
)
def test_tied_embeddings_are_saved_as_the_adapter_has_them(
    tiny_generator_folder, make_adapter, tmp_path, options
):
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(tiny_generator_folder)
    model.config.tie_word_embeddings = True
    model.tie_weights()
    base = tmp_path / "tied"
    model.save_pretrained(base)
    AutoTokenizer.from_pretrained(tiny_generator_folder).save_pretrained(base)
    adapter = make_adapter(base, tmp_path / "a", **options)
    out = merge(adapter, base, tmp_path / "merged")
    wanted = _logits(PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), adapter).eval())
    assert torch.allclose(_logits(AutoModelForCausalLM.from_pretrained(out)), wanted, atol=1e-4)


@pytest.mark.slow
def test_a_merged_embedder_is_loaded_by_sentence_transformers_alone(
    tiny_embedder_folder, tiny_embedder_adapter_folder, tmp_path
):
    import numpy as np
    from sentence_transformers import SentenceTransformer

    from hybrid.models.adapters import Swap, read_adapter
    from hybrid.models.resolve import weights_digest

    out = merge(tiny_embedder_adapter_folder, tiny_embedder_folder, tmp_path / "merged")
    base = SentenceTransformer(str(tiny_embedder_folder), device="cpu")
    swap = Swap(base[0].auto_model)
    files = read_adapter(tiny_embedder_adapter_folder, weights_digest(tiny_embedder_folder))
    texts = ["the port", "a server"]
    with swap.using(swap.merged(files)):
        wanted = base.encode(texts)
    merged = SentenceTransformer(str(out), device="cpu")
    assert np.allclose(merged.encode(texts), wanted, atol=1e-5)
    assert not np.allclose(merged.encode(texts), base.encode(texts), atol=1e-2)
    assert merged.prompts == base.prompts


def test_merging_into_another_base_is_refused_and_leaves_nothing(
    tiny_plain_generator_folder, tiny_adapter_folder, tmp_path
):
    card = read_card(tiny_adapter_folder)
    folder = shutil.copytree(tiny_adapter_folder, tmp_path / "a")
    write_card(folder, dataclasses.replace(card, base_digest="f" * 64))
    with pytest.raises(AdapterError, match="was made for tiny"):
        merge(folder, tiny_plain_generator_folder, tmp_path / "merged")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["out", "out.zip", "out.tar", "out.tar.gz", "out.tgz"])
def test_an_export_is_what_peft_loads_and_names_no_path(placed, tiny_generator_folder, tmp_path, name):
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    out = export(placed, tmp_path / name)
    folder = out
    if out.is_file():
        shutil.unpack_archive(out, tmp_path / "unpacked")
        folder = tmp_path / "unpacked" / "generator-001"
    assert sorted(path.name for path in folder.iterdir()) == [
        "adapter_config.json",
        "adapter_model.safetensors",
        "card.json",
    ]
    for path in folder.glob("*.json"):
        assert str(tiny_generator_folder.parent) not in path.read_text()
    assert read_card(folder).base == tiny_generator_folder.name
    base, same = (AutoModelForCausalLM.from_pretrained(tiny_generator_folder) for _ in range(2))
    assert torch.equal(
        _logits(PeftModel.from_pretrained(base, folder).eval()),
        _logits(PeftModel.from_pretrained(same, placed).eval()),
    )


@pytest.mark.parametrize("suffix", ["zip", "tar.gz"])
def test_archives_of_one_adapter_are_the_same_bytes(placed, tmp_path, suffix):
    first, second = (export(placed, tmp_path / f"{name}.{suffix}") for name in ("one", "two"))
    assert first.read_bytes() == second.read_bytes()


def test_an_export_takes_nothing_along_that_is_not_the_adapters(placed, tmp_path):
    (placed / "notes.txt").write_text("private")
    out = export(placed, tmp_path / "out")
    assert not (out / "notes.txt").exists()


def test_an_adapter_of_all_weights_is_exported_too(tiny_adapter_folder, tmp_path):
    folder = tmp_path / "full"
    folder.mkdir()
    shutil.copy(tiny_adapter_folder / "card.json", folder)
    (folder / "model.safetensors").write_bytes(b"any")
    out = export(folder, tmp_path / "out")
    assert sorted(path.name for path in out.iterdir()) == ["card.json", "model.safetensors"]


@pytest.mark.parametrize("name", ["out", "out.zip"])
def test_what_is_there_is_not_overwritten(placed, tmp_path, name):
    (tmp_path / name).write_text("mine")
    with pytest.raises(UsageError, match="is there already"):
        export(placed, tmp_path / name)
    assert (tmp_path / name).read_text() == "mine"


def test_a_full_disk_leaves_nothing_behind(placed, tmp_path, monkeypatch):
    def no_space(*_args, **_kwargs):
        raise OSError(errno.ENOSPC, "No space left on device")

    before = sorted(tmp_path.iterdir())
    monkeypatch.setattr(shutil, "copyfile", no_space)
    with pytest.raises(StorageError, match="no space left"):
        export(placed, tmp_path / "out.zip")
    assert sorted(tmp_path.iterdir()) == before


def test_the_card_beside_a_merged_model_tells_where_it_comes_from(placed, tiny_generator_folder, tmp_path):
    out = merge(placed, tiny_generator_folder, tmp_path / "merged")
    told = json.loads((out / "adapter-card.json").read_text())
    assert (told["name"], told["base"]) == ("generator-001", tiny_generator_folder.name)


# --- weaker
@pytest.mark.slow
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


@pytest.mark.parametrize("values", [{"use_dora": True}, {"peft_type": "LOHA"}, {"bias": "all"}])
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
