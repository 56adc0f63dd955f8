"""What is missing in a folder of weights is never drawn at random, whoever loads it."""

import json
import shutil

import pytest
from safetensors.torch import load_file, save_file

from hybrid.adaptation.methods.lora import load_base
from hybrid.config import Method, ModelSettings
from hybrid.errors import ModelError, ModelMissing
from hybrid.grounding.scorers.classifier import Checkpoint, Head
from hybrid.models.device import Placement
from hybrid.models.embedder import (
    CrossEncoderReranker,
    SentenceTransformerEmbedder,
    load_sentence_transformer,
)
from hybrid.models.generator import TransformersGenerator
from hybrid.models.loading import load_generator
from hybrid.models.pretrained import load_causal
from hybrid.types import Message, MessageRole

_CPU = Placement("cpu", "float32", "test")


def _without(part):
    return lambda weights: {name: value for name, value in weights.items() if part not in name}


def _renamed(weights):
    return {f"language_{name}": value for name, value in weights.items()}


def _cut(part):
    def change(weights):
        return {name: value[:-1].clone() if part in name else value for name, value in weights.items()}

    return change


def _embed(folder):
    return SentenceTransformerEmbedder(folder, name="m", placement=lambda: _CPU).embed_queries(["a"])


def _generate(folder):
    TransformersGenerator(folder, name="m", placement=_CPU)


def _rerank(folder):
    CrossEncoderReranker(folder, name="m", placement=_CPU)


def _score(folder):
    Checkpoint(folder, head=Head.PAIR, placement=_CPU)


def _train(folder):
    load_base(folder, Method.LORA, _CPU)


def _train_embedder(folder):
    model = load_sentence_transformer(folder, _CPU)
    return model.encode(["a"], prompt_name="query", normalize_embeddings=True)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "load", "change", "tensor"),
    [
        ("tiny_embedder_folder", _embed, _without("layer.1.output"), "encoder.layer.1.output.LayerNorm.bias"),
        ("tiny_embedder_folder", _embed, _renamed, "embeddings.LayerNorm.weight"),
        ("tiny_embedder_folder", _embed, _cut("layer.0.output.dense.bias"), "layer.0.output.dense.bias"),
        (
            "tiny_embedder_folder",
            _train_embedder,
            _without("layer.1.output"),
            "layer.1.output.LayerNorm.bias",
        ),
        ("tiny_generator_folder", _generate, _without("lm_head"), "lm_head.weight"),
        ("tiny_generator_folder", _generate, _without(".layers.1."), "model.layers.1."),
        ("tiny_generator_folder", _generate, _renamed, "model.layers.0."),
        (
            "tiny_generator_folder",
            _generate,
            _cut("layers.0.mlp.up_proj"),
            "model.layers.0.mlp.up_proj.weight",
        ),
        ("tiny_generator_folder", _train, _without("lm_head"), "lm_head.weight"),
        ("tiny_reranker_folder", _rerank, _without("classifier"), "classifier.weight"),
        ("tiny_reranker_folder", _rerank, _without("layer.1.output"), "layer.1.output.dense.weight"),
        ("tiny_classifier_folder", _score, _without("classifier"), "classifier.weight"),
        ("tiny_classifier_folder", _score, _cut("classifier.weight"), "classifier.weight"),
    ],
)
def test_missing_tensors_are_named_and_refused(request, tmp_path, model, load, change, tensor):
    folder = shutil.copytree(request.getfixturevalue(model), tmp_path / "model")
    load(folder)
    weights = change(load_file(folder / "model.safetensors"))
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(ModelMissing) as caught:
        load(folder)
    assert caught.value.exit_code == 5
    assert tensor in str(caught.value) and str(folder) in str(caught.value)
    assert "at random" in caught.value.hint or "config.json" in caught.value.hint


def _damaged(weights):
    return {
        name: value.clone().fill_(float("nan")) if value.ndim > 1 else value
        for name, value in weights.items()
    }


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "load"),
    [
        ("tiny_embedder_folder", _embed),
        (
            "tiny_reranker_folder",
            lambda folder: CrossEncoderReranker(folder, name="m", placement=_CPU).score("a", ["b"]),
        ),
    ],
    ids=["embedder", "reranker"],
)
def test_what_is_no_number_neither_finds_nor_ranks(request, tmp_path, model, load):
    folder = shutil.copytree(request.getfixturevalue(model), tmp_path / "model")
    load(folder)
    weights = _damaged(load_file(folder / "model.safetensors"))
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(ModelError, match="m computes what is no number") as caught:
        load(folder)
    assert caught.value.exit_code == 5


_POINTER = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 90868376\n".encode()
DAMAGES = {
    "pointer": ("model.safetensors", lambda content: _POINTER, "safetensors is a pointer of git-lfs"),
    "cut": ("model.safetensors", lambda content: content[: len(content) // 2], "cannot be loaded as a"),
    "empty": ("model.safetensors", lambda content: b"", "cannot be loaded as a"),
    "a page": ("model.safetensors", lambda content: b"<!DOCTYPE html><title>404</title>", "cannot be loaded"),
    "words": ("tokenizer.json", lambda content: _POINTER, "tokenizer.json is a pointer of git-lfs"),
    "cut words": ("tokenizer.json", lambda content: content[: len(content) // 2], "cannot be loaded as a"),
    "configuration": ("config.json", lambda content: b"{", "cannot be loaded as a"),
}


@pytest.mark.slow
@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize(
    ("model", "load"),
    [
        ("tiny_embedder_folder", _embed),
        ("tiny_generator_folder", _generate),
        ("tiny_reranker_folder", _rerank),
    ],
    ids=["embedder", "generator", "reranker"],
)
def test_a_damaged_file_of_a_model_is_told(request, tmp_path, model, load, damage):
    folder = shutil.copytree(request.getfixturevalue(model), tmp_path / "model")
    name, change, message = DAMAGES[damage]
    (folder / name).write_bytes(change((folder / name).read_bytes()))
    with pytest.raises(ModelMissing, match=message) as caught:
        load(folder)
    assert str(folder) in str(caught.value) and caught.value.hint


def test_what_a_generator_says_of_its_end_may_be_damaged(tiny_generator_folder, tmp_path):
    folder = shutil.copytree(tiny_generator_folder, tmp_path / "model")
    (folder / "generation_config.json").write_text("{")
    with pytest.raises(ModelMissing, match="cannot be loaded as a causal language model"):
        TransformersGenerator(folder, name="m", placement=_CPU).generate(
            [[Message(MessageRole.USER, "port?")]], max_new_tokens=2
        )


def test_an_embedder_without_the_settings_of_its_pooling_is_told(tiny_embedder_folder, tmp_path):
    folder = shutil.copytree(tiny_embedder_folder, tmp_path / "model")
    (pooling,) = folder.glob("1_*/config.json")
    pooling.unlink()
    with pytest.raises(ModelMissing, match="cannot be loaded as a sentence-transformers model"):
        _embed(folder)
    modules = json.loads((folder / "modules.json").read_text())
    (folder / "modules.json").write_text(json.dumps(modules[:1]))
    with pytest.raises(ModelMissing, match=r"gives no vector of a text .* names no pooling"):
        _embed(folder)


@pytest.mark.parametrize(
    ("model", "load"), [("tiny_embedder_folder", _embed), ("tiny_generator_folder", _generate)]
)
def test_a_tokenizer_without_its_vocabulary_is_refused(request, tmp_path, model, load):
    folder = shutil.copytree(request.getfixturevalue(model), tmp_path / "model")
    path = folder / "tokenizer.json"
    words = json.loads(path.read_text())
    special = {token["content"]: token["id"] for token in words["added_tokens"]}
    words["model"]["vocab"] = special
    path.write_text(json.dumps(words))
    with pytest.raises(ModelMissing, match=r"knows \d tokens, and no word"):
        load(folder)


def test_an_embedder_is_no_reranker(tiny_embedder_folder):
    with pytest.raises(ModelMissing, match=r"lacks 2 weights .*classifier\.bias, classifier\.weight"):
        _rerank(tiny_embedder_folder)


def test_an_embedder_without_a_pooler_is_whole(tiny_embedder_folder, tmp_path):
    folder = shutil.copytree(tiny_embedder_folder, tmp_path / "model")
    weights = _without("pooler")(load_file(folder / "model.safetensors"))
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    served, trained = _embed(folder), _train_embedder(folder)
    assert served == pytest.approx(trained, abs=1e-2)


def test_tied_weights_are_not_missing(tiny_generator_folder, tmp_path):
    folder = shutil.copytree(tiny_generator_folder, tmp_path / "model")
    config = folder / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"tie_word_embeddings": True}))
    weights = _without("lm_head")(load_file(folder / "model.safetensors"))
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    model = load_causal(folder, dtype="auto")
    assert model.lm_head.weight.data_ptr() == model.get_input_embeddings().weight.data_ptr()


def test_code_in_a_folder_is_not_run_and_nobody_is_asked(tiny_generator_folder, tmp_path, monkeypatch):
    folder = shutil.copytree(tiny_generator_folder, tmp_path / "model")
    (folder / "own.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    config = folder / "config.json"
    mapped = {"AutoConfig": "own.OwnConfig", "AutoModelForCausalLM": "own.OwnModel"}
    changed = json.loads(config.read_text()) | {"model_type": "own", "auto_map": mapped}
    config.write_text(json.dumps(changed))
    monkeypatch.setattr("builtins.input", lambda *_: pytest.fail("a question was asked on stdin"))
    settings = ModelSettings(generator=str(folder), device="cpu", offline=True)
    with pytest.raises(ModelMissing, match="brings code of its own, which was not run") as caught:
        load_generator(settings)
    assert caught.value.exit_code == 5
    assert not (tmp_path / "ran").exists()


def _written(folder, config, tokenizer_of, *, kind=None):
    import transformers
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_config(config) if kind is None else getattr(transformers, kind)(config)
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(tokenizer_of).save_pretrained(folder)
    return folder


_SMALL = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}


@pytest.mark.parametrize(
    ("family", "kind", "message"),
    [
        ("Bert", "BertForMaskedLM", "is an encoder"),
        ("Roberta", "RobertaForMaskedLM", "is an encoder"),
        ("T5", "T5ForConditionalGeneration", r"no causal language model: T5Config\n"),
    ],
)
def test_what_does_not_write_behind_a_prompt_is_no_generator(
    tiny_generator_folder, tmp_path, family, kind, message
):
    import transformers

    sizes = {
        **_SMALL,
        "vocab_size": 99,
        "d_model": 16,
        "d_kv": 8,
        "d_ff": 16,
        "num_layers": 1,
        "num_heads": 2,
    }
    config = getattr(transformers, f"{family}Config")(**sizes)
    with pytest.raises((ModelError, ModelMissing), match=message) as caught:
        _generate(_written(tmp_path / "model", config, tiny_generator_folder, kind=kind))
    assert caught.value.exit_code == 5
    assert "Llama" in caught.value.hint


def test_a_mixture_of_attention_and_recurrence_writes_in_batches_what_it_writes_alone(
    tiny_generator_folder, tmp_path
):
    from transformers import AutoTokenizer, Lfm2Config

    known = len(AutoTokenizer.from_pretrained(tiny_generator_folder))
    sizes = {**_SMALL, "num_hidden_layers": 2, "num_key_value_heads": 1, "vocab_size": known}
    config = Lfm2Config(**sizes, layer_types=["conv", "full_attention"], initializer_range=0.5)
    folder = _written(tmp_path / "model", config, tiny_generator_folder)
    generator = TransformersGenerator(folder, name="mixed", placement=_CPU)
    asked = [[Message(MessageRole.USER, text)] for text in ("port?", "which port is it then?" * 3)]
    options = ["yes", "no indeed"]
    assert generator.generate(asked, max_new_tokens=5) == [
        generator.generate([one], max_new_tokens=5)[0] for one in asked
    ]
    alone = [generator.log_likelihoods([one], [[text]])[0][0] for one in asked for text in options]
    together = generator.log_likelihoods(asked, [options, options])
    assert [value for row in together for value in row] == pytest.approx(alone, abs=1e-4)


def test_weights_in_eight_bits_want_a_scale(tmp_path):
    import torch

    (tmp_path / "config.json").write_text('{"model_type": "llama"}')
    for kind, told in ((torch.int8, "I8"), (torch.float8_e4m3fn, "F8_E4M3")):
        save_file({"w": torch.ones(2).to(kind)}, tmp_path / "model.safetensors")
        with pytest.raises(ModelMissing, match=f"as {told}, and config.json does") as caught:
            load_causal(tmp_path, dtype="auto")
        assert "quantization_config" in caught.value.hint


def _embed_long(folder):
    SentenceTransformerEmbedder(folder, name="m", placement=lambda: _CPU).embed_documents(["hello " * 60])


def _write(folder):
    generator = TransformersGenerator(folder, name="m", placement=_CPU)
    generator.generate([[Message(MessageRole.USER, "hello")]], max_new_tokens=2)


@pytest.mark.parametrize(
    ("load", "file", "changes"),
    [
        (_write, "config.json", {"num_hidden_layers": 1}),
        (_write, "config.json", {"layer_types": ["sliding_attention"] * 2}),
        (_embed_long, "config.json", {"num_hidden_layers": 1}),
        (_embed_long, "config.json", {"num_attention_heads": 3}),
        (_embed_long, "config.json", {"layer_norm_eps": None}),
        (_embed_long, "config.json", {"chunk_size_feed_forward": 7}),
        (_embed_long, "sentence_bert_config.json", {"max_seq_length": 99_999}),
        (_embed_long, "sentence_bert_config.json", {"max_seq_length": -1}),
        (_embed_long, "sentence_bert_config.json", {"max_seq_length": "long"}),
        (_embed_long, "config_sentence_transformers.json", {"prompts": {"document": 5}}),
    ],
)
def test_settings_that_contradict_the_weights_are_refused(
    request, tmp_path, load, file, changes, tiny_embedder_folder
):
    base = request.getfixturevalue("tiny_generator_folder") if load is _write else tiny_embedder_folder
    folder = tmp_path / "model"
    shutil.copytree(base, folder)
    settings = json.loads((folder / file).read_text()) | changes
    (folder / file).write_text(json.dumps(settings))
    load(base)
    with pytest.raises(ModelError):
        load(folder)
