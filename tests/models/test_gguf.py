"""GGUF that we write: what llama.cpp reads of it is what the model says."""

import errno
import json
import os

import numpy as np
import pytest
import tokenizers
import torch

from hybrid.errors import ModelError, StorageError
from hybrid.models.device import Placement
from hybrid.models.fidelity import prove
from hybrid.models.generator import TransformersGenerator
from hybrid.models.gguf import Precision, Source, read_back, write_adapter, write_model

_LLAMA3 = {
    "rope_type": "llama3",
    "rope_theta": 10_000.0,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}
_QWEN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}|"
    r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_PROMPTS = ("What is a lathe, and 12345 of them?", "a\n\n  b's ßé 猫 {}", "def f(x):\n    return x")


def _split(pattern):
    return tokenizers.pre_tokenizers.Sequence(
        [
            tokenizers.pre_tokenizers.Split(tokenizers.Regex(pattern), "isolated"),
            tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )


def _digits():
    return tokenizers.pre_tokenizers.Sequence(
        [
            tokenizers.pre_tokenizers.Digits(individual_digits=True),
            tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )


def _generator(folder):
    return TransformersGenerator(folder, name="tiny", placement=Placement("cpu", "float32", "test"))


def _fields(path):
    from gguf import GGUFReader

    reader = GGUFReader(str(path))
    return {name: field.contents() for name, field in reader.fields.items()}, {
        tensor.name: tensor for tensor in reader.tensors
    }


@pytest.mark.slow
@pytest.mark.parametrize(
    ("family", "options"),
    [
        ("Llama", {}),
        ("Llama", {"rope_parameters": _LLAMA3, "tie_word_embeddings": True}),
        ("Llama", {"attention_bias": True, "mlp_bias": True, "num_key_value_heads": 4}),
        ("Llama", {"rope_parameters": {"rope_type": "linear", "factor": 2.0, "rope_theta": 5_000.0}}),
        ("Llama", {"fallback": True}),
        ("Llama", {"cut": _digits(), "template": None}),
        ("Mistral", {"sliding_window": 256, "head_dim": 32}),
        ("Qwen2", {"cut": _split(_QWEN)}),
        ("Qwen3", {"cut": _split(_QWEN), "head_dim": 32, "tie_word_embeddings": True}),
    ],
    ids=["llama", "llama3", "biases", "linear", "sentencepiece", "smollm", "mistral", "qwen2", "qwen3"],
)
def test_llama_cpp_says_of_the_file_what_torch_says_of_the_model(make_kin, tmp_path, family, options):
    folder = make_kin(tmp_path / "model", family, **options)
    write_model(Source(folder), tmp_path / "m.gguf", Precision.F32, name="tiny")
    found = prove(_generator(folder), Source(folder), tmp_path / "m.gguf", prompts=_PROMPTS, new_tokens=12)
    assert found.check == "compared in llama.cpp"
    assert found.prompts == 3
    # of 36 tokens of a model that knows nothing two may be near-ties
    assert found.agreement > 0.9
    assert found.typical < 0.02


@pytest.mark.slow
@pytest.mark.parametrize("options", [{}, {"use_rslora": True, "r": 8}], ids=["lora", "rslora"])
@pytest.mark.parametrize("family", ["Llama", "Qwen3"])
def test_an_adapter_beside_its_base_says_what_it_says_merged(
    make_kin, make_adapter, tmp_path, family, options
):
    folder = make_kin(tmp_path / "model", family)
    targets = ["q_proj", "k_proj", "o_proj", "down_proj"]
    adapter = make_adapter(folder, tmp_path / "a", target_modules=targets, size=0.1, **options)
    source = Source(folder)
    write_model(source, tmp_path / "m.gguf", Precision.F32, name="tiny")
    write_adapter(source, adapter, tmp_path / "a.gguf", name="a")
    generator = _generator(folder)
    told = {"prompts": _PROMPTS, "new_tokens": 12}
    found = prove(
        generator.adapted(adapter), source, tmp_path / "m.gguf", adapter=tmp_path / "a.gguf", **told
    )
    assert found.agreement > 0.95
    assert found.typical < 0.02
    with pytest.raises(ModelError, match="speaks otherwise"):
        prove(generator.adapted(adapter), source, tmp_path / "m.gguf", **told)


@pytest.fixture(scope="module")
def llama(make_kin, tmp_path_factory):
    return make_kin(tmp_path_factory.mktemp("llama") / "model", tie_word_embeddings=True)


@pytest.mark.parametrize("precision", list(Precision))
def test_what_is_written_is_read_back_within_its_precision(llama, tmp_path, precision):
    write_model(Source(llama), tmp_path / "m.gguf", precision, name="tiny")
    assert read_back(Source(llama), tmp_path / "m.gguf") <= {"f32": 0.0, "f16": 1e-3, "q8_0": 0.01}[precision]
    assert [path.name for path in tmp_path.iterdir()] == ["m.gguf"]


def test_tokenizer_template_and_ends_are_told(llama, tmp_path):
    write_model(Source(llama), tmp_path / "m.gguf", Precision.F16, name="the name")
    fields, tensors = _fields(tmp_path / "m.gguf")
    assert fields["general.name"] == "the name"
    assert fields["llama.attention.head_count_kv"] == 2
    assert fields["tokenizer.ggml.pre"] == "gpt-2"
    assert fields["tokenizer.ggml.tokens"][:3] == ["<unk>", "<|im_start|>", "<|im_end|>"]
    assert fields["tokenizer.ggml.token_type"][:5] == [3, 3, 3, 3, 1]
    assert fields["tokenizer.ggml.eos_token_id"] == 2
    assert "<|im_start|>" in fields["tokenizer.chat_template"]
    assert "output.weight" not in tensors


@pytest.mark.parametrize("key", ["model.embed_tokens.weight", "lm_head.weight"])
def test_tied_matrices_are_written_apart_where_an_adapter_changed_one(llama, tmp_path, key):
    own = Source(llama).read(next(p for p in Source(llama).placed if p.name == "token_embd.weight"))
    changed = {key: torch.from_numpy(own + 1)}
    write_model(Source(llama, changed), tmp_path / "m.gguf", Precision.F32, name="tiny")
    _, tensors = _fields(tmp_path / "m.gguf")
    read, written = (tensors[name].data for name in ("token_embd.weight", "output.weight"))
    assert np.array_equal(read, own + (key != "lm_head.weight"))
    assert np.array_equal(written, own + (key == "lm_head.weight"))


def test_shards_are_read_one_by_one(make_kin, llama, tmp_path):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    AutoModelForCausalLM.from_pretrained(llama).save_pretrained(tmp_path / "parts", max_shard_size="100KB")
    AutoTokenizer.from_pretrained(llama).save_pretrained(tmp_path / "parts")
    assert len(list((tmp_path / "parts").glob("*.safetensors"))) > 1
    for name, folder in (("one", llama), ("two", tmp_path / "parts")):
        write_model(Source(folder), tmp_path / f"{name}.gguf", Precision.F16, name="tiny")
    one, two = (_fields(tmp_path / f"{name}.gguf")[1] for name in ("one", "two"))
    assert one.keys() == two.keys()
    assert all(np.array_equal(one[name].data, two[name].data) for name in one)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"architectures": ["GPT2LMHeadModel"]}, "GPT2LMHeadModel is not one of LlamaForCausalLM"),
        ({"hidden_act": "gelu"}, "its activation is gelu"),
        ({"quantization_config": {"quant_method": "gptq", "bits": 4}}, "quantised already"),
        (
            {"rope_parameters": {"rope_type": "dynamic", "factor": 2.0, "rope_theta": 1e4}},
            "scaled by dynamic",
        ),
    ],
    ids=["architecture", "activation", "quantised", "rope"],
)
def test_other_models_are_refused_by_name(llama, tmp_path, values, said):
    config = json.loads((llama / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | values))
    with pytest.raises(ModelError, match=said):
        Source(tmp_path)


@pytest.mark.parametrize(
    ("cut", "said"),
    [
        (tokenizers.pre_tokenizers.Whitespace(), "it cuts texts by Whitespace"),
        (_split(r"\w+"), r"cuts texts by \\w\+, bytes"),
    ],
    ids=["words", "pattern"],
)
def test_a_tokenizer_that_llama_cpp_does_not_have_is_refused(make_kin, tmp_path, cut, said):
    folder = make_kin(tmp_path / "model", cut=cut)
    with pytest.raises(ModelError, match=said):
        write_model(Source(folder), tmp_path / "m.gguf", Precision.F16, name="tiny")
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_a_tokenizer_of_another_kind_is_refused(tiny_generator_folder, tmp_path):
    with pytest.raises(ModelError, match="its kind is WordPiece, expected BPE"):
        write_model(Source(tiny_generator_folder), tmp_path / "m.gguf", Precision.F16, name="tiny")


def test_a_full_disk_leaves_nothing_behind_and_what_was_there(llama, tmp_path, monkeypatch):
    def no_space(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    (tmp_path / "m.gguf").write_text("before")
    monkeypatch.setattr(os, "fsync", no_space)
    with pytest.raises(StorageError, match="no space left"):
        write_model(Source(llama), tmp_path / "m.gguf", Precision.F16, name="tiny")
    assert [path.read_text() for path in tmp_path.iterdir()] == ["before"]


@pytest.mark.slow
def test_without_llama_cpp_the_tensors_are_read_back_and_that_is_said(llama, tmp_path, monkeypatch):
    import hybrid.models.fidelity as fidelity

    write_model(Source(llama), tmp_path / "m.gguf", Precision.Q8_0, name="tiny")
    monkeypatch.setattr(fidelity, "find_spec", lambda name: None)
    found = prove(_generator(llama), Source(llama), tmp_path / "m.gguf")
    assert found.told.startswith("tensors read back, within 0.")
    assert "the text was not compared" in found.told
    own = next(p for p in Source(llama).placed if p.name == "blk.0.ffn_up.weight")
    other = {own.key: torch.from_numpy(Source(llama).read(own) * 2)}
    with pytest.raises(ModelError, match="other tensors than the model"):
        prove(_generator(llama), Source(llama, other), tmp_path / "m.gguf")


@pytest.mark.slow
@pytest.mark.real_model
@pytest.mark.parametrize(("precision", "least"), [("f16", 0.98), ("q8_0", 0.9)])
def test_the_default_model_is_faithful(tmp_path, precision, least):
    from hybrid.models.loading import generator_folder
    from hybrid.models.resolve import DEFAULT_GENERATOR

    folder = generator_folder(DEFAULT_GENERATOR, offline=True)
    write_model(Source(folder), tmp_path / "m.gguf", Precision(precision), name=DEFAULT_GENERATOR)
    found = prove(_generator(folder), Source(folder), tmp_path / "m.gguf", new_tokens=12)
    assert found.agreement >= least
    assert found.typical < 0.15


@pytest.mark.slow
@pytest.mark.parametrize("adds", [True, False])
@pytest.mark.parametrize("begun", [True, False])
def test_a_text_begins_once_whoever_begins_it(make_kin, tmp_path, adds, begun):
    from transformers import AutoTokenizer

    chat = "{% for m in messages %}<|endoftext|>{{ m.content }}{% endfor %}"
    folder = make_kin(tmp_path / "model", template=("{{ bos_token }}" if begun else "") + chat)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    if adds:
        tokenizer.backend_tokenizer.post_processor = tokenizers.processors.TemplateProcessing(
            single="<|im_start|> $A", special_tokens=[("<|im_start|>", 1)]
        )
        tokenizer.save_pretrained(folder)
    assert (AutoTokenizer.from_pretrained(folder)("a")["input_ids"][0] == 1) is adds
    write_model(Source(folder), tmp_path / "m.gguf", Precision.F32, name="tiny")
    fields, _ = _fields(tmp_path / "m.gguf")
    assert fields["tokenizer.ggml.add_bos_token"] is (adds and begun)
    found = prove(_generator(folder), Source(folder), tmp_path / "m.gguf", prompts=_PROMPTS, new_tokens=8)
    assert found.agreement > 0.95
