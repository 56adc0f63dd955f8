"""Tests of embedder tuning."""

import dataclasses
import json
import math
import shutil

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from hybrid.adaptation.methods.embedder import (
    STRENGTHS_TRIED,
    EmbedderSettings,
    Strength,
    choose_strength,
    listwise,
    moved,
    tune_embedder,
)
from hybrid.adaptation.methods.teaching import Bm25, Lesson, Teacher, VectorModel
from hybrid.adaptation.store import write_card
from hybrid.adaptation.values import AdapterKind, Pairs, QueryPair
from hybrid.config import AdaptationSettings, Method
from hybrid.errors import AdapterError, TrainingFailed, UsageError
from hybrid.index import Scored
from hybrid.models.device import Placement
from hybrid.models.embedder import SentenceTransformerEmbedder, load_sentence_transformer
from hybrid.models.resolve import weights_digest
from hybrid.retrieval import weighted_fusion
from hybrid.testing import HashEmbedder

_PASSAGES = [
    "the port of the server is 5432",
    "cats sleep on the roof",
    "the server writes a log",
    "a log of wood on the roof",
    "ports and servers and logs",
    "nothing in common here",
]
_CPU = Placement("cpu", "float32", "test")
_GENERAL = ("the port", "a server is default", "to be in the", "and of a server", "is it", "in a port")
_SMALL = EmbedderSettings(batch=8, neighbours=2, listed=6, hold=0.1, held_texts=2, layers=1.0)
_FAST = AdaptationSettings(epochs=12, learning_rate=1e-2, rank=4)
_TEXTS = ["the port of a server", "zq xv", "is the default in the server", "aaa"]
_ALL = torch.ones(2, 3, dtype=torch.bool)


def _teacher(queries, passages=tuple(_PASSAGES), weight=0.5):
    model = HashEmbedder(32)
    return Teacher(
        queries,
        passages,
        model.embed_queries(queries),
        model.embed_documents(passages),
        dense_weight=weight,
    )


def test_words_that_are_rare_count_more_and_unknown_ones_nothing():
    words = Bm25(_PASSAGES)
    (scores,) = words.scores(words.asked(["a cats unheard"]))
    assert scores.argmax() == 1
    (both,) = words.scores(words.asked(["roof"]))
    assert np.flatnonzero(both).tolist() == [1, 3]
    assert both[1] > 0
    assert not words.scores(words.asked(["zzz"])).any()
    assert words.scores(words.asked([])).shape == (0, 6)
    some = words.scores(words.asked(["roof"]), np.array([3, 0]))
    assert some[0].tolist() == [both[3], 0]


def test_bm25_is_that_of_the_lexical_index(tmp_path):
    from hybrid.index.lexical import TantivyIndex, build_lexical
    from hybrid.index.store import Row
    from hybrid.types import Chunk

    rows = [Row(n, Chunk(str(n), 0, 0, len(text), text)) for n, text in enumerate(_PASSAGES)]
    build_lexical(tmp_path / "lexical", rows)
    index = TantivyIndex(tmp_path / "lexical")
    words = Bm25(_PASSAGES)
    for query in ("the log of the server", "roof", "ports sleeping"):
        ours = words.scores(words.asked([query]))[0]
        theirs = {scored.position: scored.score for scored in index.search(query, 10)}
        assert [n for n, score in enumerate(ours) if score > 0] == sorted(theirs)
        for position, score in theirs.items():
            assert ours[position] == pytest.approx(score, rel=0.05)


@pytest.mark.slow
@settings(max_examples=30)
@given(st.sampled_from([0.2, 0.5, 0.8]), st.lists(st.sampled_from(" ".join(_PASSAGES).split()), min_size=1))
def test_it_ranks_as_the_fusion_does(weight, words):
    query = " ".join(words)
    teacher = _teacher([query], weight=weight)
    model = HashEmbedder(32)
    dense = model.embed_documents(_PASSAGES) @ model.embed_queries([query])[0]
    scorer = Bm25(_PASSAGES)
    lexical = scorer.scores(scorer.asked([query]))[0]
    sides = [[Scored(n, float(score)) for n, score in enumerate(side)] for side in (dense, lexical)]
    fused = {scored.position: scored.score for scored in weighted_fusion(sides, [weight, 1 - weight])}
    taught = teacher.similarities([0], range(6))[0]
    order = sorted(range(6), key=lambda n: -taught[n])
    expected = [fused[n] for n in order]
    assume(np.ptp(lexical) > 0)
    assert expected == sorted(expected, reverse=True) or np.diff(expected).max() < 1e-5


def test_where_words_say_nothing_it_says_what_the_base_says():
    teacher = _teacher(["zzz yyy"])
    model = HashEmbedder(32)
    base = model.embed_documents(_PASSAGES) @ model.embed_queries(["zzz yyy"])[0]
    assert teacher.similarities([0], range(6))[0] == pytest.approx(base, abs=1e-5)


def test_all_weight_on_the_dense_side_is_the_base():
    teacher = _teacher(["the log of the roof"], weight=1.0)
    model = HashEmbedder(32)
    base = model.embed_documents(_PASSAGES) @ model.embed_queries(["the log of the roof"])[0]
    assert teacher.similarities([0], range(6))[0] == pytest.approx(base, abs=1e-5)


def test_the_best_are_listed_without_ones_own():
    queries = ["the port of the server", "the roof"]
    teacher = _teacher(queries)
    listed = teacher.best(3, [[0], [1, 3]])
    assert 0 not in listed.places[0]
    assert not {1, 3} & set(listed.places[1].tolist())
    for row in range(2):
        own = teacher.similarities([row], listed.places[row])[0]
        assert own == pytest.approx(listed.similarities[row], abs=1e-5)
        assert list(own) == sorted(own, reverse=True)


def test_a_small_pool_leaves_places_empty():
    listed = _teacher(["a", "b"], passages=("one", "two")).best(5, [[0], [0, 1]])
    assert listed.places.tolist() == [[1, -1], [-1, -1]]


def _word(number):
    return "".join(chr(97 + (number * step) % 26) for step in (3, 7, 11))


def _pairs(count, first=0):
    """Return pairs whose query and passage share one word of several."""
    words = [[_word(n * step + 1) for step in (1, 2, 3, 5, 7)] for n in range(first, first + count)]
    return tuple(
        QueryPair(f"{own} {other}", f"the {three} is {own} in a {two} of {seven}", f"d{n}", "made")
        for n, (own, two, three, other, seven) in enumerate(words, start=first)
    )


@pytest.fixture(scope="module")
def pairs():
    return Pairs(_pairs(40), _pairs(16, 40))


@pytest.fixture(scope="module")
def tuned(tiny_embedder_folder, tmp_path_factory, pairs):
    return _tune(tiny_embedder_folder, tmp_path_factory.mktemp("tuned") / "a", pairs)


def _tune(base, out, pairs, adaptation=_FAST, options=_SMALL, **others):
    given = {"placement": _CPU, "settings": options, "general": _GENERAL} | others
    return tune_embedder(base, "tiny", pairs, adaptation, out=out, **given)


def _stored(tuned, base, target, make_card, **card):
    """Return the adapter as the store keeps it: a copy with a card."""
    shutil.copytree(tuned.folder, target)
    given = {"kind": AdapterKind.EMBEDDER, "base_digest": weights_digest(base)} | card
    write_card(target, make_card(**given))
    return target


def _embedder(base, adapter=None):
    return SentenceTransformerEmbedder(base, name="tiny", placement=lambda: _CPU, adapter=adapter)


# --- what training does ----------------------------------------------------------------------------
@pytest.mark.slow
def test_it_learns_what_the_pairs_teach(tuned):
    base, *tried = tuned.strengths
    assert base == Strength(0.0, base.domain, pytest.approx(0, abs=1e-6))
    assert max(item.domain for item in tried) > base.domain
    assert tuned.strength == choose_strength(tuned.strengths)
    assert [item.strength for item in tried] == list(STRENGTHS_TRIED)
    moves = [item.moved for item in tried]
    assert moves == sorted(moves)
    assert tuned.fit.curve[0].general == pytest.approx(0, abs=1e-6)
    assert min(point.domain for point in tuned.fit.curve) < tuned.fit.curve[0].domain


@pytest.mark.slow
def test_the_folder_is_pefts_own_and_can_be_moved(tuned):
    assert {path.name for path in tuned.folder.iterdir()} == {
        "adapter_config.json",
        "adapter_model.safetensors",
    }
    config = json.loads((tuned.folder / "adapter_config.json").read_text())
    assert (config["peft_type"], config["base_model_name_or_path"]) == ("LORA", "tiny")


@pytest.mark.slow
def test_the_same_seed_gives_the_same_weights_and_another_one_others(tiny_embedder_folder, tmp_path, pairs):
    short = dataclasses.replace(_FAST, epochs=2)
    first, again, other = (
        _tune(tiny_embedder_folder, tmp_path / name, pairs, dataclasses.replace(short, seed=seed))
        for name, seed in (("first", 0), ("again", 0), ("other", 1))
    )
    assert weights_digest(again.folder) == weights_digest(first.folder)
    assert again.strengths == first.strengths
    assert weights_digest(other.folder) != weights_digest(first.folder)


@pytest.mark.slow
def test_the_base_is_left_as_it_was(tiny_embedder_folder, tuned):
    assert not list(tiny_embedder_folder.glob("adapter*"))


@pytest.mark.slow
@pytest.mark.parametrize("method", [Method.RSLORA, Method.DORA])
def test_other_kinds_of_lora_work(tiny_embedder_folder, tmp_path, pairs, make_card, method):
    adaptation = dataclasses.replace(_FAST, method=method, epochs=3)
    tuned = _tune(tiny_embedder_folder, tmp_path / "a", pairs, adaptation)
    strengths = [item.strength for item in tuned.strengths]
    assert strengths == ([0.0, 1.0] if method is Method.DORA else [0.0, *STRENGTHS_TRIED])
    folder = _stored(tuned, tiny_embedder_folder, tmp_path / "kept", make_card)
    assert not np.allclose(
        _embedder(tiny_embedder_folder, folder).embed_queries(_TEXTS),
        _embedder(tiny_embedder_folder).embed_queries(_TEXTS),
    )


@pytest.mark.slow
def test_dropout_and_no_general_texts_and_no_validation_work(tiny_embedder_folder, tmp_path, pairs):
    adaptation = dataclasses.replace(_FAST, dropout=0.1, epochs=2)
    tuned = _tune(tiny_embedder_folder, tmp_path / "a", Pairs(pairs.train, ()), adaptation, general=())
    assert (tuned.strength, tuned.strengths) == (1.0, ())


# --- bad input -------------------------------------------------------------------------------------
@pytest.mark.slow
@pytest.mark.parametrize("method", [Method.FULL, Method.QLORA])
def test_methods_for_generators_are_refused(tiny_embedder_folder, tmp_path, pairs, method):
    with pytest.raises(UsageError, match=f"not tuned by {method}"):
        _tune(tiny_embedder_folder, tmp_path, pairs, dataclasses.replace(_FAST, method=method))


@pytest.mark.slow
def test_too_few_pairs_or_one_passage_are_refused(tiny_embedder_folder, tmp_path):
    with pytest.raises(UsageError, match="there are 7 query-passage pairs to train on, expected 8"):
        _tune(tiny_embedder_folder, tmp_path, Pairs(_pairs(7), ()))
    same = tuple(dataclasses.replace(pair, passage="one") for pair in _pairs(9))
    with pytest.raises(UsageError, match="the same passage"):
        _tune(tiny_embedder_folder, tmp_path, Pairs(same, ()))


def _other_embedder(folder, tiny, *modules, **options):
    """Save an embedder around the transformer of the tiny one, or without it."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer

    given = modules or (Transformer(str(tiny)), Pooling(32, pooling_mode="mean"))
    SentenceTransformer(modules=list(given), device="cpu", **options).save_pretrained(str(folder))
    return folder


@pytest.mark.slow
def test_a_static_embedder_is_refused_and_indexes(tiny_embedder_folder, tmp_path, pairs):
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(tiny_embedder_folder / "tokenizer.json"))
    folder = _other_embedder(
        tmp_path / "static", tiny_embedder_folder, StaticEmbedding(tokenizer, embedding_dim=32)
    )
    assert _embedder(folder).embed_documents(["the port", ""]).shape == (2, 32)
    with pytest.raises(AdapterError, match="begins with StaticEmbedding, which takes no adapter"):
        _tune(folder, tmp_path / "a", pairs)


@pytest.mark.slow
def test_a_truncated_embedder_is_tuned_in_the_dimensions_that_it_serves(
    tiny_embedder_folder, tmp_path, pairs, make_card
):
    folder = _other_embedder(tmp_path / "short", tiny_embedder_folder, truncate_dim=8)
    tuned = _tune(folder, tmp_path / "a", pairs)
    served = _stored(tuned, folder, tmp_path / "kept", make_card)
    before, after = (_embedder(folder, own).embed_queries(_TEXTS) for own in (None, served))
    assert before.shape == after.shape == (len(_TEXTS), 8)
    assert not np.allclose(before, after)


@pytest.mark.slow
def test_a_loss_that_is_not_a_number_is_told_and_leaves_nothing(tiny_embedder_folder, tmp_path, pairs):
    with pytest.raises(TrainingFailed, match="the loss is nan"):
        _tune(tiny_embedder_folder, tmp_path / "a", pairs, options=dataclasses.replace(_SMALL, hold=math.nan))
    assert not (tmp_path / "a").exists()


@pytest.mark.slow
def test_where_validation_gets_no_better_there_is_no_adapter(tiny_embedder_folder, tmp_path, pairs):
    wild = dataclasses.replace(_FAST, learning_rate=0.9, epochs=2)
    with pytest.raises(TrainingFailed, match="no better") as caught:
        _tune(tiny_embedder_folder, tmp_path / "a", pairs, wild)
    assert "learning_rate" in caught.value.hint
    assert not (tmp_path / "a").exists()


# --- serving ---------------------------------------------------------------------------------------
@pytest.mark.slow
def test_what_is_reloaded_gives_the_vectors_that_were_trained(
    tiny_embedder_folder, tmp_path, pairs, make_card, monkeypatch
):
    """The merged weights of the stored adapter against the trained model in memory at its strength."""
    import hybrid.adaptation.methods.embedder as module

    kept = {}

    def remember(tuned, name, out):
        kept["model"] = tuned
        save(tuned, name, out)

    save = module.save_lora
    monkeypatch.setattr(module, "save_lora", remember)
    encoders = []
    monkeypatch.setattr(
        module, "VectorModel", lambda *a, **k: encoders.append(VectorModel(*a, **k)) or encoders[-1]
    )
    tuned = _tune(tiny_embedder_folder, tmp_path / "a", pairs)
    folder = _stored(tuned, tiny_embedder_folder, tmp_path / "kept", make_card)
    served = _embedder(tiny_embedder_folder, folder)
    (encoder,) = encoders
    trained = encoder.encode(_TEXTS, encoder.query_prompt)
    assert served.embed_queries(_TEXTS) == pytest.approx(trained, abs=1e-5)


@pytest.mark.slow
def test_strength_0_is_the_base_bit_for_bit(tiny_embedder_folder, pairs, tuned):
    assert tuned.strengths[0].moved == pytest.approx(0, abs=1e-7)


@pytest.mark.slow
def test_the_fingerprint_tells_embedders_apart_by_their_adapter(
    tiny_embedder_folder, tmp_path, tuned, pairs, make_card
):
    base = _embedder(tiny_embedder_folder)
    one = _embedder(tiny_embedder_folder, _stored(tuned, tiny_embedder_folder, tmp_path / "a", make_card))
    same = _embedder(tiny_embedder_folder, _stored(tuned, tiny_embedder_folder, tmp_path / "b", make_card))
    assert base.fingerprint.adapter == ""
    assert one.fingerprint == same.fingerprint
    assert one.fingerprint.identity != base.fingerprint.identity
    assert dataclasses.replace(one.fingerprint, adapter="") == base.fingerprint
    scaled = _stored(tuned, tiny_embedder_folder, tmp_path / "c", make_card)
    config = json.loads((scaled / "adapter_config.json").read_text())
    (scaled / "adapter_config.json").write_text(json.dumps(config | {"lora_alpha": 99}))
    assert _embedder(tiny_embedder_folder, scaled).fingerprint.adapter != one.fingerprint.adapter
    assert one.max_tokens == base.max_tokens
    assert one.count_tokens(_TEXTS) == base.count_tokens(_TEXTS)


@pytest.mark.slow
def test_an_adapter_that_does_not_fit_is_refused(tiny_embedder_folder, tmp_path, tuned, make_card):
    other = _stored(tuned, tiny_embedder_folder, tmp_path / "other", make_card, base_digest="c" * 64)
    with pytest.raises(AdapterError, match="was made for"):
        _embedder(tiny_embedder_folder, other)
    with pytest.raises(AdapterError, match="there is no adapter"):
        _embedder(tiny_embedder_folder, tmp_path / "nowhere")
    pickled = _stored(tuned, tiny_embedder_folder, tmp_path / "pickled", make_card)
    (pickled / "adapter_model.bin").write_bytes(b"x")
    with pytest.raises(AdapterError, match="pickled"):
        _embedder(tiny_embedder_folder, pickled)


@pytest.mark.slow
def test_an_adapter_that_does_nothing_is_refused(tiny_embedder_folder, tmp_path, tuned, make_card):
    from safetensors.torch import load_file, save_file

    idle = _stored(tuned, tiny_embedder_folder, tmp_path / "idle", make_card)
    weights = load_file(idle / "adapter_model.safetensors")
    zeros = {name: torch.zeros_like(value) if "lora_B" in name else value for name, value in weights.items()}
    save_file(zeros, idle / "adapter_model.safetensors")
    with pytest.raises(AdapterError, match="changes nothing"):
        _embedder(tiny_embedder_folder, idle).embed_queries(["a"])


@pytest.mark.slow
def test_an_index_of_another_embedder_is_refused_until_it_is_embedded_anew(
    tiny_embedder_folder, tmp_path, tuned, make_card, write_files
):
    from hybrid.config import ChunkSettings, DocumentSettings, RetrievalSettings
    from hybrid.errors import IndexMismatch
    from hybrid.index import Index
    from hybrid.index.sync import put_in_force, reembed
    from hybrid.ingestion import Ingestor
    from hybrid.retrieval import Retriever

    folder = write_files(tmp_path / "docs", {"a.txt": "the port is a server", "b.txt": "zq is default"})
    domain = tmp_path / "indexes" / "docs"
    base = _embedder(tiny_embedder_folder)
    with_it = _embedder(tiny_embedder_folder, _stored(tuned, tiny_embedder_folder, tmp_path / "a", make_card))
    Ingestor(domain, base, DocumentSettings(), ChunkSettings()).ingest(folder)
    with pytest.raises(IndexMismatch, match="adapter"):
        Retriever(Index.open(domain), with_it, RetrievalSettings())
    with pytest.raises(IndexMismatch, match="adapter"):
        Ingestor(domain, with_it, DocumentSettings(), ChunkSettings()).ingest(folder)
    reembed(domain, with_it)
    Retriever(Index.built_with(domain, with_it.fingerprint), with_it, RetrievalSettings()).search("the port")
    Retriever(Index.open(domain), base, RetrievalSettings()).search("the port")
    put_in_force(domain, with_it.fingerprint)
    # nothing is read or embedded again: an adapter changes neither the files nor how they are split
    report = Ingestor(domain, with_it, DocumentSettings(), ChunkSettings()).ingest(folder)
    assert (report.embedded, report.plan.nothing_to_do) == (0, True)
    write_files(folder, {"c.txt": "a new one in the port"})
    report = Ingestor(domain, with_it, DocumentSettings(), ChunkSettings()).ingest(folder)
    assert (report.embedded, report.plan.added) == (1, ("c.txt",))


# --- what is compared ------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def encoder(tiny_embedder_folder):
    return VectorModel(load_sentence_transformer(tiny_embedder_folder, _CPU), max_tokens=40)


@pytest.mark.slow
def test_the_encoder_embeds_as_the_embedder_does(tiny_embedder_folder, encoder):
    served = _embedder(tiny_embedder_folder)
    texts = _TEXTS[:3]
    assert encoder.encode(texts, encoder.query_prompt) == pytest.approx(served.embed_queries(texts), abs=1e-5)
    assert encoder.encode(texts, encoder.passage_prompt) == pytest.approx(
        served.embed_documents(texts), abs=1e-5
    )
    assert encoder.encode([], "").shape == (0, 32)


@pytest.mark.slow
@settings(max_examples=20)
@given(st.integers(0, 99), st.integers(1, 9), st.integers(1, 4))
def test_no_document_and_no_passage_is_twice_in_a_batch(encoder, seed, size, neighbours):
    lesson = _lesson(encoder)
    batches = lesson.batches(size, neighbours, seed=seed, epoch=0)
    for rows in batches:
        assert len(rows) == size or len(batches) == 1
        assert len({lesson.pairs[row].source for row in rows}) == len(rows)
        assert len({lesson.own[row] for row in rows}) == len(rows)
    used = [row for rows in batches for row in rows]
    assert len(set(used)) == len(used)
    assert batches == lesson.batches(size, neighbours, seed=seed, epoch=0)


@pytest.mark.slow
def test_epochs_differ(encoder):
    lesson = _lesson(encoder)
    assert lesson.batches(4, 2, seed=0, epoch=0) != lesson.batches(4, 2, seed=0, epoch=1)


def _lesson(encoder, kept=[]):  # noqa: B006 - made once for all examples
    if not kept:
        twice = [dataclasses.replace(pair, query=f"{pair.query} b") for pair in _pairs(8)]
        negatives = tuple(f"a port of {_word(n)}" for n in range(3))
        own = [dataclasses.replace(pair, negatives=negatives) for pair in _pairs(20)]
        kept.append(Lesson([*own, *twice], encoder, dense_weight=_SMALL.dense_weight, listed=_SMALL.listed))
    return kept[0]


@pytest.mark.slow
def test_nothing_of_its_own_document_is_listed_against_a_query(encoder):
    lesson = _lesson(encoder)
    for row in range(len(lesson.pairs)):
        assert lesson.own[row] not in lesson.listed.places[row]
    assert len(lesson.texts) == 23


# --- strength --------------------------------------------------------------------------------------
@pytest.mark.slow
def test_the_best_strength_is_taken_and_the_smaller_of_two_alike():
    tried = [
        Strength(0.0, 0.9, 0.0),
        Strength(0.5, 0.7, 0.1),
        Strength(0.75, 0.8, 0.1),
        Strength(1.0, 0.8, 0.2),
    ]
    assert choose_strength(tried) == 0.75
    assert choose_strength(()) == 1.0
    assert choose_strength(tried[:1]) == 1.0


@pytest.mark.slow
def test_who_says_what_the_teacher_says_loses_nothing():
    said = torch.tensor([[0.1, 0.5, 0.2], [0.3, 0.3, 0.9]])
    assert float(listwise(said, said, _ALL, scale=20)) == pytest.approx(0, abs=1e-6)
    # a softmax knows differences alone
    assert float(listwise(said + 0.2, said, _ALL, scale=20)) == pytest.approx(0, abs=1e-6)
    assert float(listwise(said.flip(1), said, _ALL, scale=20)) > 0.1


@pytest.mark.slow
def test_what_is_not_compared_has_no_say():
    student = torch.tensor([[0.1, 0.5, 0.9]], requires_grad=True)
    teacher = torch.tensor([[0.4, 0.2, -5.0]])
    loss = listwise(student, teacher, torch.tensor([[True, True, False]]), scale=20)
    loss.backward()
    assert float(student.grad[0, 2]) == 0
    assert float(student.grad[0, 0]) < 0 < float(student.grad[0, 1])


@pytest.mark.slow
def test_a_query_with_nothing_to_compare_adds_nothing():
    loss = listwise(torch.rand(1, 3), torch.rand(1, 3), torch.zeros(1, 3, dtype=torch.bool), scale=20)
    assert float(loss) == 0


@pytest.mark.slow
def test_moved_is_one_minus_the_cosine():
    one = torch.eye(2)
    assert float(moved(one, one)) == 0
    assert float(moved(one, one.flip(0))) == 1
    turned = torch.tensor([[math.sqrt(0.5), math.sqrt(0.5)]])
    assert float(moved(turned, one[:1])) == pytest.approx(1 - math.sqrt(0.5), abs=1e-6)
