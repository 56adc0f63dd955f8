"""Any sentence-transformers model as an embedder."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest

from hybrid.config import ModelSettings
from hybrid.errors import ModelMissing
from hybrid.models.embedder import SentenceTransformerEmbedder
from hybrid.models.layout import prefixes
from hybrid.models.loading import _embedder as _embedder_of
from hybrid.models.loading import load_embedder

_TEXTS = [
    "The default port is 5432.",
    "A",
    "Backups are written each hour to the archive folder.",
    "",
    "¿Qué?",
] * 9


@pytest.fixture(scope="module")
def tiny(tiny_embedder_folder, cpu):
    return SentenceTransformerEmbedder(tiny_embedder_folder, name="tiny", placement=lambda: cpu)


def test_a_model_works_by_its_folder(tiny_embedder_folder):
    settings = ModelSettings(embedder=str(tiny_embedder_folder), device="cpu", dtype="float32")
    embedder = load_embedder(settings)
    assert embedder is load_embedder(settings)
    assert embedder.fingerprint.name == str(tiny_embedder_folder)
    assert embedder.embed_documents(["a"]).shape == (1, 32)


def test_prompts_pooling_and_limit_are_the_models_own(tiny):
    found = tiny.fingerprint
    assert (found.dimension, found.pooling) == (32, "mean")
    assert (found.query_prefix, found.document_prefix) == ("query: ", "text: ")
    assert tiny.max_tokens == 48 - 2 - max(tiny.count_tokens(["query: ", "text: "]))
    assert not np.allclose(tiny.embed_documents(["port"]), tiny.embed_queries(["port"]))


@pytest.mark.parametrize(
    ("prompts", "expected"),
    [
        ({"query": "q: ", "document": "d: "}, ("q: ", "d: ")),
        ({"query": "q: ", "passage": "p: "}, ("q: ", "p: ")),
        ({"retrieval.query": "q: ", "retrieval.passage": "p: "}, ("q: ", "p: ")),
        ({"Retrieval-query": "q: ", "Retrieval-document": "d: ", "query": "plain: "}, ("plain: ", "d: ")),
        ({"classification": "c: "}, ("", "")),
        ({"text-matching": "t: ", "query": None}, ("", "")),
    ],
)
def test_prompts_that_are_named_after_a_task_are_found(prompts, expected):
    assert prefixes(prompts, None) == expected


@pytest.mark.parametrize("library", [False, True])
def test_a_setting_says_what_stands_before_queries_and_documents(
    tiny_embedder_folder, tiny, monkeypatch, library
):
    if library:
        monkeypatch.setattr("hybrid.models.embedder.read_layout", lambda folder: None)
    settings = ModelSettings(
        embedder=str(tiny_embedder_folder), query_prefix="the ", device="cpu", dtype="float32"
    )
    monkeypatch.setattr("hybrid.models.loading._embedder", _embedder_of.__wrapped__)
    embedder = load_embedder(settings)
    found = embedder.fingerprint
    assert (found.query_prefix, found.document_prefix) == ("the ", "text: ")
    assert found != tiny.fingerprint
    assert not np.allclose(embedder.embed_queries(["port"]), tiny.embed_queries(["port"]), atol=1e-3)
    assert np.allclose(embedder.embed_documents(["port"]), tiny.embed_documents(["port"]), atol=1e-5)


def test_a_batch_is_what_single_texts_are(tiny):
    together = tiny.embed_documents(_TEXTS)
    alone = np.concatenate([tiny.embed_documents([text]) for text in _TEXTS[:5]])
    assert together[:5] == pytest.approx(alone, abs=1e-5)
    assert np.linalg.norm(together, axis=1) == pytest.approx(1, abs=1e-5)


def test_a_query_that_was_read_is_not_read_again(tiny_embedder_folder, cpu, monkeypatch):
    embedder = SentenceTransformerEmbedder(tiny_embedder_folder, name="tiny", placement=lambda: cpu)
    read = []
    embed = embedder._embed
    monkeypatch.setattr(
        embedder, "_embed", lambda texts, *_, **__: read.extend(texts) or embed(texts, *_, **__)
    )
    monkeypatch.setattr(embedder._queries, "_most", 2)
    first = embedder.embed_queries(["a", "b"])
    again = embedder.embed_queries(["b", "c", "b"])
    assert read == ["a", "b", "c"]
    assert np.array_equal(again[0], first[1]) and np.array_equal(again[0], again[2])
    again[:] = 0
    assert np.array_equal(embedder.embed_queries(["b"])[0], first[1]), "what was handed out is a copy"
    embedder.embed_queries(["a"])
    assert read == ["a", "b", "c", "a"], "the last two are kept"
    assert embedder.embed_queries([]).shape == (0, 32)


def test_a_few_texts_are_read_once_and_many_are_not_kept(tiny_embedder_folder, cpu, monkeypatch):
    embedder = SentenceTransformerEmbedder(tiny_embedder_folder, name="tiny", placement=lambda: cpu)
    read = []
    embed = embedder._embed
    monkeypatch.setattr(
        embedder, "_embed", lambda texts, *_, **__: read.append(list(texts)) or embed(texts, *_, **__)
    )
    first = embedder.embed_documents(["a", "b"])
    again = embedder.embed_documents(["b", "c"])
    embedder.embed_queries(["a"])
    assert read == [["a", "b"], ["c"], ["a"]]
    assert np.array_equal(again[0], first[1])
    monkeypatch.setattr("hybrid.models.embedder._FEW", 1)
    embedder.embed_documents(["a", "b"])
    assert read[3:] == [["a", "b"]]


def test_a_text_at_the_limit_is_seen_to_its_end(tiny):
    text = "x " * (tiny.max_tokens - 1)
    one, other = tiny.embed_documents([text + "a", text + "z"])
    assert not np.allclose(one, other)
    cut, also = tiny.embed_documents([text + "a a a a a b", text + "a a a a a c"])
    assert np.allclose(cut, also, atol=1e-6)


def test_counting_does_not_truncate(tiny):
    assert tiny.count_tokens(["x " * 500, ""]) == [500, 0]
    spans = tiny.token_spans("the port")
    assert [(span.start, span.end) for span in spans] == [(0, 3), (4, 8)]


def test_counting_still_does_not_truncate_after_embedding(tiny):
    tiny.embed_documents(["x " * 500])
    assert tiny.count_tokens(["x " * 500]) == [500]


@pytest.mark.slow
def test_facts_are_known_without_torch_once_they_were_measured(tiny_embedder_folder, tiny):
    known = tiny.fingerprint
    script = f"""
import sys
from pathlib import Path
from hybrid.models.embedder import SentenceTransformerEmbedder
folder = Path({str(tiny_embedder_folder)!r})
embedder = SentenceTransformerEmbedder(folder, name="tiny", placement=lambda: 1 / 0)
print(embedder.fingerprint, embedder.max_tokens, embedder.count_tokens(["the port"]), "torch" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == f"{known} {tiny.max_tokens} [2] False"


@pytest.fixture
def unusual(tiny_embedder_folder, tmp_path):
    """The same model with a layout that only the library knows, so that it must be loaded to be known."""
    folder = shutil.copytree(tiny_embedder_folder, tmp_path / "unusual")
    pooling = folder / "1_Pooling" / "config.json"
    pooling.write_text(json.dumps(json.loads(pooling.read_text()) | {"pooling_mode": "weightedmean"}))
    return folder


@pytest.mark.parametrize("cache", ["/dev/null/cache", "~nobody-of-this-name/cache"])
def test_without_a_cache_it_goes_on(unusual, cpu, monkeypatch, cache):
    monkeypatch.setenv("HYBRID_CACHE", cache)
    embedder = SentenceTransformerEmbedder(unusual, name="tiny", placement=lambda: cpu)
    assert (embedder.fingerprint.pooling, embedder.embed_queries(["a"]).shape) == ("weightedmean", (1, 32))


@pytest.mark.slow
def test_damaged_facts_are_measured_again(unusual, cpu, tmp_path, monkeypatch):
    monkeypatch.setenv("HYBRID_CACHE", str(tmp_path / "facts"))
    first = SentenceTransformerEmbedder(unusual, name="tiny", placement=lambda: cpu).fingerprint
    (saved,) = (tmp_path / "facts" / "embedders").iterdir()
    for content in ("{", "{}", "[]", json.dumps({"more": 1})):
        saved.write_text(content)
        again = SentenceTransformerEmbedder(unusual, name="tiny", placement=lambda: cpu)
        assert again.fingerprint == first


def test_a_folder_without_a_configuration_is_missing(tiny_embedder_folder, cpu, tmp_path):
    shutil.copytree(tiny_embedder_folder, tmp_path / "broken")
    (tmp_path / "broken" / "config.json").unlink()
    embedder = SentenceTransformerEmbedder(tmp_path / "broken", name="broken", placement=lambda: cpu)
    with pytest.raises(ModelMissing, match="cannot be loaded"):
        embedder.embed_documents(["a"])


def test_damaged_weights_are_missing_weights(tiny_embedder_folder, cpu, tmp_path):
    shutil.copytree(tiny_embedder_folder, tmp_path / "broken")
    (weights,) = (tmp_path / "broken").glob("*.safetensors")
    weights.write_bytes(weights.read_bytes()[:1_000])
    embedder = SentenceTransformerEmbedder(tmp_path / "broken", name="broken", placement=lambda: cpu)
    with pytest.raises(ModelMissing, match="cannot be loaded"):
        embedder.embed_documents(["a"])


# --- the real one ----------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.real_model
@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-5), ("bfloat16", 1e-2)])
def test_the_default_embedder_gives_the_same_vector_alone_and_in_a_batch(dtype, tolerance):
    embedder = load_embedder(ModelSettings(device="cpu", dtype=dtype))
    together = embedder.embed_documents(_TEXTS)
    alone = np.concatenate([embedder.embed_documents([text]) for text in _TEXTS[:5]])
    assert together[:5] == pytest.approx(alone, abs=tolerance)
    assert np.linalg.norm(together, axis=1) == pytest.approx(1, abs=1e-5)


@pytest.mark.slow
@pytest.mark.real_model
def test_the_default_embedder_knows_what_is_alike():
    embedder = load_embedder(ModelSettings(device="cpu", dtype="float32"))
    query = embedder.embed_queries(["Which port does the database use?"])[0]
    near, far = (
        embedder.embed_documents(["PostgreSQL listens on 5432 by default.", "Cats sleep all day."]) @ query
    )
    assert near > far + 0.2
    assert (embedder.fingerprint.dimension, embedder.max_tokens) == (384, 254)


@pytest.mark.slow
@pytest.mark.real_model
def test_tokens_are_counted_as_the_models_tokenizer_does():
    from transformers import AutoTokenizer

    from hybrid.models.resolve import DEFAULT_EMBEDDER, fetch

    embedder = load_embedder(ModelSettings(device="cpu", dtype="float32"))
    reference = AutoTokenizer.from_pretrained(fetch(DEFAULT_EMBEDDER))
    texts = [*_TEXTS[:5], "word " * 400, "naïve Zürich 北京 😀", "a\x00b"]
    expected = [
        len(reference(text, add_special_tokens=False, truncation=False)["input_ids"]) for text in texts
    ]
    assert embedder.count_tokens(texts) == expected


@pytest.mark.real_model
def test_the_fingerprint_does_not_depend_on_the_format():
    one = load_embedder(ModelSettings(device="cpu", dtype="float32"))
    other = load_embedder(ModelSettings(device="cpu", dtype="bfloat16"))
    assert one.fingerprint == other.fingerprint
