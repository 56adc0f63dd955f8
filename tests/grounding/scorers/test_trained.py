import json

import numpy as np
import pytest
import torch

from hybrid.errors import ModelError, ModelMissing
from hybrid.grounding.head import AlignmentHead, Shape
from hybrid.grounding.scorers.trained import SIGNALS, Stack, TrainedScorer, load_trained, save_trained
from hybrid.grounding.values import Pair

_STACK = Stack(SIGNALS, (1.0, 2.0, 1.0, 0.5, 0.5, 0.5), -2.0)
_PAIRS = [
    Pair("The pump weighs 40 kilograms and runs on diesel.", "The pump weighs 40 kilograms."),
    Pair("The pump weighs 40 kilograms and runs on diesel.", "The pump weighs 90 kilograms."),
    Pair("Bread is baked at 220 degrees.", "The pump weighs 40 kilograms."),
]


@pytest.fixture(scope="module")
def heads(lexicon):
    torch.manual_seed(0)
    return [AlignmentHead(Shape(2, 384), lexicon).eval() for _ in range(2)]


@pytest.fixture
def folder(tmp_path, heads, encoder_digest):
    save_trained(
        tmp_path / "weights", heads, _STACK, encoder_digest, version="test", licence="MIT", made={"sets": []}
    )
    return tmp_path / "weights"


def test_what_was_saved_scores_as_before(folder, heads, encoder, offline):
    scorer = load_trained(offline, folder)
    fresh = TrainedScorer(heads, _STACK, encoder, name="fresh")
    assert scorer.score(_PAIRS).support == pytest.approx(fresh.score(_PAIRS).support, abs=0.02)
    assert scorer.name == "trained test"
    assert 0.5 < scorer.megabytes < 2.5


def test_another_encoder_is_refused(folder, offline):
    card = json.loads((folder / "card.json").read_text())
    (folder / "card.json").write_text(json.dumps(card | {"encoder_digest": "another"}))
    with pytest.raises(ModelError, match="another"):
        load_trained(offline, folder)


def test_the_weights_of_another_version_are_refused(folder, offline):
    card = json.loads((folder / "card.json").read_text())
    card["stack"]["weights"].pop("names")
    (folder / "card.json").write_text(json.dumps(card))
    with pytest.raises(ModelError, match="expected head, alignment"):
        load_trained(offline, folder)


def test_a_folder_without_weights_is_told(tmp_path, offline):
    with pytest.raises(ModelMissing, match="no grounding model"):
        load_trained(offline, tmp_path)


def test_hostile_pairs_are_finite_and_no_pairs_are_no_logits(folder, offline):
    scorer = load_trained(offline, folder)
    odd = [
        Pair("", ""),
        Pair("text", ""),
        Pair("", "claim"),
        Pair("\ud800", "…"),
        Pair("x" * 5_000, "y" * 900),
    ]
    assert np.isfinite(scorer.score(odd).support).all()
    assert scorer.score([]).support.shape == (0,)


def test_marked_stretches_stand_in_the_claim(folder, offline):
    spans = load_trained(offline, folder).unsupported(_PAIRS[1])
    ends = [0, *(place for span in spans for place in (span.start, span.end))]
    assert ends == sorted(ends) and ends[-1] <= len(_PAIRS[1].claim)
