"""Our own encoder gives what sentence-transformers gives, and leaves to it what it does not know."""

import json
import shutil

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hybrid.errors import AdapterError, ModelError, ModelMissing
from hybrid.models import TokenEmbedder
from hybrid.models.device import Placement
from hybrid.models.embedder import SentenceTransformerEmbedder, load_sentence_transformer
from hybrid.models.encoder import load_encoder
from hybrid.models.layout import read_layout
from hybrid.models.resolve import DEFAULT_EMBEDDER, fetch

_TEXTS = (
    "",
    " leading and trailing \n",
    "word " * 900,
    "naïve Zürich 北京 😀 İß ﬁ",
    "a\x00b",
    "[SEP] x [MASK]",
    "東京は首都です。" * 80,
    "x" * 3_000,
    *(f"Sentence {n} of the port. " * n for n in range(1, 60)),
)


def _embedder(folder, dtype="float32", adapter=None, plain=False):
    def placement():
        return Placement("cpu", dtype, "test")

    return SentenceTransformerEmbedder(folder, name="m", placement=placement, adapter=adapter, plain=plain)


def _by_the_library(folder, dtype="float32", prompt=None):
    model = load_sentence_transformer(folder, Placement("cpu", dtype, "test"))
    vectors = model.encode(list(_TEXTS), prompt=prompt, convert_to_numpy=True).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def _edited(folder, target, **files):
    """Copy a model and change values in its JSON files: name of the file, with __ for /, to values."""
    shutil.copytree(folder, target)
    for name, values in files.items():
        path = target / f"{name.replace('__', '/')}.json"
        saved = json.loads(path.read_text()) if path.is_file() else {}
        path.write_text(json.dumps(saved | values))
    return target


@pytest.mark.slow
@pytest.mark.real_model
@pytest.mark.parametrize(("dtype", "least"), [("float32", 0.99999), ("bfloat16", 0.9998)])
def test_the_default_embedder_is_read_as_the_library_reads_it(dtype, least):
    folder = fetch(DEFAULT_EMBEDDER, offline=True)
    embedder = _embedder(folder, dtype)
    assert embedder._encoder is not None
    own = embedder.embed_documents(_TEXTS)
    assert (own * _by_the_library(folder, dtype)).sum(1).min() >= least


@pytest.mark.slow
@pytest.mark.real_model
def test_a_query_needs_no_torch_and_has_the_vector_that_torch_gives_it():
    folder = fetch(DEFAULT_EMBEDDER, offline=True)
    plain = _embedder(folder, plain=True).embed_queries(_TEXTS)
    assert np.abs(plain - _embedder(folder).embed_queries(_TEXTS)).max() < 1e-6


@pytest.mark.parametrize("kept", [0, 5, 8, 300, -8])
def test_a_damaged_file_is_refused_by_name_wherever_it_ends(tiny_embedder_folder, tmp_path, kept):
    folder = _edited(tiny_embedder_folder, tmp_path / "model")
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:kept])
    with pytest.raises(ModelMissing, match="model"):
        _embedder(folder, plain=True).embed_queries(["the port"])


@pytest.mark.parametrize(("prefix", "half"), [("bert.", False), ("", True)])
def test_a_query_of_weights_saved_in_another_way_is_read_all_the_same(
    tiny_embedder_folder, tmp_path, prefix, half
):
    from safetensors.torch import load_file, save_file

    folder = _edited(tiny_embedder_folder, tmp_path / "model")
    stored = load_file(folder / "model.safetensors")
    saved = {prefix + name: tensor.half() if half else tensor for name, tensor in stored.items()}
    save_file(saved, folder / "model.safetensors", {"format": "pt"})
    embedder = _embedder(folder, plain=True)
    assert (embedder._plain is None) == half
    before = _embedder(tiny_embedder_folder).embed_queries(["the port"])
    assert embedder.embed_queries(["the port"]) == pytest.approx(before, abs=1e-3)


@pytest.mark.real_model
def test_the_fingerprint_of_the_default_embedder_is_that_of_indexes_made_before():
    fingerprint = _embedder(fetch(DEFAULT_EMBEDDER, offline=True)).fingerprint
    assert fingerprint.identity == (
        "bb5ef402fd311e18bf3ed7fcd5e16c0910f15d0ddca00b01b977124f9f7d1144",
        "384",
        "mean",
        "",
        "",
        "True",
        "",
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    "files",
    [
        {},
        {"1_Pooling__config": {"pooling_mode": "cls"}},
        {"1_Pooling__config": {"pooling_mode": "max"}},
        {"sentence_bert_config": {"max_seq_length": 20, "do_lower_case": True}},
        {"config_sentence_transformers": {"prompts": {}, "default_prompt_name": None}},
        {"config_sentence_transformers": {"prompts": {"x": "any: "}, "default_prompt_name": "x"}},
    ],
    ids=lambda files: next(iter(files), "as saved"),
)
def test_a_bert_of_any_usual_layout_is_read_as_the_library_reads_it(tiny_embedder_folder, tmp_path, files):
    folder = _edited(tiny_embedder_folder, tmp_path / "model", **files)
    own, other, plain = _embedder(folder), _embedder(folder), _embedder(folder, plain=True)
    other._layout = None
    assert own._encoder is not None and plain._plain is not None
    assert (own.fingerprint, own.max_tokens) == (other.fingerprint, other.max_tokens)
    for mine, theirs in (
        (own.embed_queries(_TEXTS), other.embed_queries(_TEXTS)),
        (plain.embed_queries(_TEXTS), other.embed_queries(_TEXTS)),
        (own.embed_documents(_TEXTS), other.embed_documents(_TEXTS)),
    ):
        assert (mine * theirs).sum(1).min() >= 0.99999


@pytest.mark.slow
@pytest.mark.parametrize(
    "files",
    [
        {"1_Pooling__config": {"pooling_mode": "lasttoken"}},
        {"1_Pooling__config": {"pooling_mode": ["mean", "max"]}},
        {"1_Pooling__config": {"include_prompt": False}},
        {"config": {"hidden_act": "relu"}},
        {"config_sentence_transformers": {"truncate_dim": 8}},
        {"tokenizer_config": {"tokenizer_class": "BertTokenizer", "do_lower_case": False}},
    ],
    ids=lambda files: f"{next(iter(files))} {next(iter(next(iter(files.values()))))}",
)
def test_any_other_layout_is_left_to_the_library(tiny_embedder_folder, tmp_path, files):
    folder = _edited(tiny_embedder_folder, tmp_path / "model", **files)
    assert read_layout(folder) is None
    assert _embedder(folder).embed_queries(["the port"]).shape[0] == 1


def test_what_is_read_beside_a_text_changes_no_bit_of_its_states(tiny_embedder_folder):
    embedder = _embedder(tiny_embedder_folder)
    assert isinstance(embedder, TokenEmbedder)
    rows = [ids for ids, _ in embedder.tokens(["the port", "a server " * 4, "x", "default " * 9])]
    together = embedder.states(rows * 7, (0, 2))
    for number, row in enumerate(rows):
        (alone,) = embedder.states([row], (0, 2))
        assert alone.shape == (len(row), 64) and alone.dtype == np.float16
        assert all(np.array_equal(alone, found) for found in together[number :: len(rows)])


def test_states_are_those_of_transformers(tiny_embedder_folder):
    import torch
    from transformers import AutoModel

    embedder = _embedder(tiny_embedder_folder)
    ((ids, _),) = embedder.tokens(["the port of the server"])
    (own,) = embedder.states([ids], (0, 1, 2))
    model = AutoModel.from_pretrained(tiny_embedder_folder).eval()
    marked = torch.tensor([embedder._tokenizer.encode("the port of the server").ids])
    with torch.inference_mode():
        states = model(marked, output_hidden_states=True).hidden_states
    assert own == pytest.approx(torch.cat(states, -1)[0, 1:-1].numpy(), abs=2e-3)


@pytest.mark.slow
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.text(max_size=120), min_size=1, max_size=40))
def test_any_texts_have_unit_vectors_and_order_changes_nothing(tiny_embedder_folder, texts):
    encoder = _shared(tiny_embedder_folder)
    texts = [text.encode("utf-8", "replace").decode() for text in texts]
    vectors = encoder.embed_documents(texts)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-5)
    assert encoder.embed_documents(texts[::-1])[::-1] == pytest.approx(vectors, abs=1e-5)


_KEPT = {}


def _shared(folder):
    return _KEPT.setdefault(folder, _embedder(folder))


@pytest.mark.slow
def test_the_encoder_is_given_few_shapes_whatever_the_texts_are(tiny_embedder_folder, monkeypatch):
    embedder = _embedder(tiny_embedder_folder)
    shapes = set()
    forward = type(embedder._encoder.model).forward

    def told(self, input_ids, attention_mask):
        shapes.add(tuple(input_ids.shape))
        return forward(self, input_ids, attention_mask)

    monkeypatch.setattr(type(embedder._encoder.model), "forward", told)
    for count in range(1, 70):
        embedder.embed_documents(["the port " * (number % 30) for number in range(count)])
    assert 3 < len(shapes) <= 20
    assert {length for _, length in shapes} <= {16, 32, 64, 96}


def test_the_weights_are_in_memory_once(tiny_embedder_folder):
    one, other = _embedder(tiny_embedder_folder), _embedder(tiny_embedder_folder)
    assert one._encoder is other._encoder
    assert _embedder(tiny_embedder_folder, "bfloat16")._encoder is not one._encoder


def test_other_weights_in_the_same_folder_are_loaded_anew(tiny_embedder_folder, tmp_path):
    from safetensors.torch import load_file, save_file

    folder = _edited(tiny_embedder_folder, tmp_path / "model")
    before = _embedder(folder).embed_queries(["the port"])
    weights = load_file(folder / "model.safetensors")
    weights["encoder.layer.1.output.dense.bias"][0] += 9
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    assert not np.allclose(_embedder(folder).embed_queries(["the port"]), before)


def test_a_model_that_is_no_bert_says_that_it_tells_no_states(tiny_embedder_folder):
    embedder = _embedder(tiny_embedder_folder)
    embedder._layout = None
    with pytest.raises(ModelError, match="does not tell the states"):
        embedder.states([[1, 2]], (0,))


def test_names_with_the_prefix_of_a_whole_bert_are_read(tiny_embedder_folder, tmp_path):
    from safetensors.torch import load_file, save_file

    folder = _edited(tiny_embedder_folder, tmp_path / "model")
    weights = load_file(folder / "model.safetensors")
    save_file({f"bert.{name}": value for name, value in weights.items()}, folder / "model.safetensors")
    encoder = load_encoder(read_layout(folder), Placement("cpu", "float32", "test"), "prefixed")
    assert encoder is not None


@pytest.mark.slow
def test_an_adapter_is_merged_as_the_library_merges_it(tiny_embedder_folder, tmp_path):
    from peft import LoraConfig, get_peft_model

    from hybrid.files import write_json
    from hybrid.models.resolve import weights_digest

    model = load_sentence_transformer(tiny_embedder_folder, Placement("cpu", "float32", "test"))
    names = ["query", "dense"]
    tuned = get_peft_model(
        model[0].auto_model, LoraConfig(r=2, target_modules=names, init_lora_weights=False)
    )
    tuned.save_pretrained(tmp_path / "adapter")
    write_json(
        tmp_path / "adapter" / "card.json",
        {"base": "m", "base_digest": weights_digest(tiny_embedder_folder)},
    )
    own = _embedder(tiny_embedder_folder, adapter=tmp_path / "adapter")
    other = _embedder(tiny_embedder_folder, adapter=tmp_path / "adapter")
    other._layout = None
    assert own._encoder is not None
    mine, theirs = own.embed_queries(_TEXTS), other.embed_queries(_TEXTS)
    assert (mine * theirs).sum(1).min() >= 0.99999
    base = _embedder(tiny_embedder_folder)
    assert not np.allclose(mine, base.embed_queries(_TEXTS), atol=1e-3)
    assert own._encoder.model.embeddings["word_embeddings"].weight.data_ptr() == (
        base._encoder.model.embeddings["word_embeddings"].weight.data_ptr()
    )


def test_an_adapter_for_another_layer_is_refused(tiny_embedder_folder, tmp_path):
    with pytest.raises(AdapterError, match="there is no adapter"):
        _embedder(tiny_embedder_folder, adapter=tmp_path / "none")


def test_damaged_weights_are_missing_weights(tiny_embedder_folder, tmp_path):
    folder = _edited(tiny_embedder_folder, tmp_path / "model")
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1_000])
    with pytest.raises(ModelMissing, match="cannot be loaded"):
        _embedder(folder).embed_queries(["a"])
