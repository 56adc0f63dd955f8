import json

import numpy as np
import pytest
import torch

from hybrid.errors import ModelError, ModelMissing
from hybrid.grounding.head import AlignmentHead, Shape, read
from hybrid.grounding.scorers.trained import (
    SIGNALS,
    WORD_SIGNALS,
    Stack,
    TrainedScorer,
    load_trained,
    save_trained,
    word_signals,
)
from hybrid.grounding.values import Pair

_STACK = Stack(SIGNALS, (1.0, 2.0, 1.0, 0.5, 0.5, 0.5), -2.0)
_PAIRS = [
    Pair("The pump weighs 40 kilograms and runs on diesel.", "The pump weighs 40 kilograms."),
    Pair("The pump weighs 40 kilograms and runs on diesel.", "The pump weighs 90 kilograms."),
    Pair("Bread is baked at 220 degrees.", "The pump weighs 40 kilograms."),
]
_MANUAL = "The pump weighs 40 kilograms and runs on diesel. Anna Berg built it in May 1987."


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


@pytest.mark.slow
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


@pytest.fixture
def signals(encoder, lexicon):
    def told(claim, evidence=_MANUAL):
        (item,) = read([claim], [(evidence,)], encoder, lexicon=lexicon)
        found = word_signals(item, Pair(evidence, claim), lexicon, 2)
        return dict(zip(WORD_SIGNALS, found.tolist(), strict=True))

    return told


def test_a_copy_has_all_of_them(signals):
    found = signals("The pump weighs 40 kilograms.")
    assert found["bigrams"] > 0.7 and found["alignment"] == 0.75
    assert [found[name] for name in ("numbers", "names", "agreement")] == [1.0, 1.0, 1.0]


def test_another_subject_is_told_by_alignment_and_bigrams(signals):
    copied = signals("The pump weighs 40 kilograms.")
    other = signals("The pump weighs 40 kilograms.", "Bread is baked at 220 degrees.")
    assert copied["alignment"] > other["alignment"]
    assert copied["bigrams"] > other["bigrams"]


@pytest.mark.parametrize(
    ("claim", "numbers", "names", "agreement"),
    [
        ("The pump weighs 90 kilograms.", 0.5, 1.0, 0.0),
        ("The pump weighs 90 kilograms and was built in June 1991.", 0.0, 1.0, 0.0),
        ("It was built by Anna Svensson.", 1.0, 1.0, 1.0),
        ("It was built by Peter Svensson.", 1.0, 0.5, 1.0),
        ("The pump never runs on diesel.", 1.0, 1.0, 0.0),
        ("It is loud.", 1.0, 1.0, 1.0),
    ],
)
def test_what_is_lacking_or_denied_is_told_by_the_checks(signals, claim, numbers, names, agreement):
    found = signals(claim)
    assert (found["numbers"], found["names"], found["agreement"]) == (numbers, names, agreement)


@pytest.mark.parametrize(("claim", "evidence"), [("", _MANUAL), ("…", _MANUAL), ("It is loud.", "")])
def test_where_there_is_nothing_to_compare_nothing_is_held_against_it(signals, claim, evidence):
    assert list(signals(claim, evidence).values()) == [0.0, 0.0, 1.0, 1.0, 1.0]


def test_each_is_a_share(signals):
    odd = "In 1999, 12 % of 7,000 Norse sailors (Olaf, Sven) did not — 3.5 km/h — drown?"
    found = signals(odd)
    assert tuple(found) == WORD_SIGNALS
    assert all(0.0 <= value <= 1.0 for value in found.values())
