"""The model that chooses the sentence which answers a question."""

import dataclasses
import json

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from hybrid.config import ModelSettings
from hybrid.models.choosing import CARD, MOST, WEIGHTS, Offered, _chooser, load_chooser, rows_of
from hybrid.models.embedder import SentenceTransformerEmbedder
from hybrid.models.loading import load_embedder
from hybrid.testing import HashEmbedder

_CHOICES = [Offered("It is 1."), Offered("no", "a"), Offered("so", "", "we")]


@pytest.fixture(scope="module")
def tiny(tiny_embedder_folder, cpu):
    return SentenceTransformerEmbedder(tiny_embedder_folder, name="tiny", placement=lambda: cpu)


@pytest.fixture
def made(tmp_path, tiny):
    """Return what writes a chooser for an embedder, with its change so great, and gives its folder."""

    def call(size, embedder=tiny):
        folder = tmp_path / f"chooser{size}"
        folder.mkdir()
        torch.manual_seed(3)
        name = "encoder.layer.1.attention.self.value"
        tensors = {f"{name}.a": torch.randn(2, 32), f"{name}.b": size * torch.randn(32, 2)}
        tensors |= {"h1.weight": torch.randn(6, 64), "h1.bias": torch.zeros(6)}
        tensors |= {"h2.weight": torch.randn(1, 6), "h2.bias": torch.zeros(1)}
        save_file(tensors, folder / WEIGHTS)
        card = {"encoder_digest": embedder.fingerprint.weights, "scale": 1.0, "marks": [2, 3]}
        (folder / CARD).write_text(json.dumps(card))
        return folder

    return call


def test_a_row_has_question_titles_what_stands_before_and_the_sentence(tiny):
    (row, begin), (bare, _) = rows_of("why", [Offered("so", "a", "we"), Offered("so")], tiny, (2, 3))
    ids = [ids for ids, _ in tiny.tokens(["why", "a . ", "we", "so"])]
    assert row == [2, *ids[0], 3, *ids[1], *ids[2], 3, *ids[3], 3]
    assert row[begin:] == [*ids[3], 3]
    assert bare == [2, *ids[0], 3, 3, *ids[3], 3]


def test_what_is_long_is_cut_each_part_by_itself(tiny):
    long = "word " * 100
    [(row, begin)] = rows_of(long, [Offered(long, long, long)], tiny, (2, 3))
    assert begin == sum(MOST[:3]) + 3
    assert len(row) == sum(MOST) + 4


def test_neither_order_nor_company_changes_a_score(tiny, made):
    chooser = load_chooser(tiny, made(0.5))
    together = chooser.score("why", _CHOICES)
    assert len(set(together.tolist())) == len(_CHOICES)
    alone = [float(chooser.score("why", [choice])[0]) for choice in reversed(_CHOICES)]
    assert alone[::-1] == together.tolist()
    assert chooser.score("why", []).shape == (0,)


def test_its_change_is_its_own_and_not_the_embedders(tiny, made):
    before = tiny.embed_documents(["It is 1."])
    plain, changed = (load_chooser(tiny, made(size)).score("why", _CHOICES) for size in (0.0, 0.5))
    assert not np.allclose(plain, changed)
    other = SentenceTransformerEmbedder(tiny._folder, name="again", placement=tiny._placement)
    assert np.array_equal(other.embed_documents(["It is 1."]), before)


def test_there_is_none_for_other_weights_or_another_kind_of_embedder(tiny, made):
    folder = made(0.5)
    assert load_chooser(HashEmbedder(), folder) is None
    card = json.loads((folder / CARD).read_text())
    (folder / CARD).write_text(json.dumps(card | {"encoder_digest": "other"}))
    _chooser.cache_clear()
    assert load_chooser(tiny, folder) is None


def test_an_embedder_with_an_adapter_has_none(tiny_embedder_folder, tiny_embedder_adapter_folder, cpu, made):
    adapted = SentenceTransformerEmbedder(
        tiny_embedder_folder, name="tiny", placement=lambda: cpu, adapter=tiny_embedder_adapter_folder
    )
    assert load_chooser(adapted, made(0.5)) is None


@pytest.mark.slow
@pytest.mark.real_model
def test_the_one_that_ships_prefers_what_answers_to_what_is_about_it():
    embedder = load_embedder(dataclasses.replace(ModelSettings(), offline=True))
    chooser = load_chooser(embedder)
    goats = Offered("Goats eat grass.")
    cost = Offered("A reservation costs 0.80 EUR; for children it is free.")
    kept = chooser.score(
        "How long is a reserved item kept?",
        [cost, Offered("It is kept at the desk for seven days."), goats],
    )
    time = Offered("A repair takes about two weeks.")
    bears = Offered("The tenant bears the cost of it.", "Repairs", time.text)
    paid = chooser.score("Who pays for the repair?", [time, bears, goats])
    assert [int(scores.argmax()) for scores in (kept, paid)] == [1, 1]
    assert [int(scores.argmin()) for scores in (kept, paid)] == [2, 2]
