import json
import time

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from hybrid.errors import ModelError, ModelMissing
from hybrid.grounding.head import AlignmentHead, Shape
from hybrid.grounding.scorers.trained import (
    SIGNALS,
    WORD_SIGNALS,
    Stack,
    TrainedScorer,
    load_trained,
    word_signals,
)
from hybrid.grounding.values import Pair
from recipes.grounding.building import save_trained

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
    assert scorer.name == "trained test" and scorer._stack == _STACK
    assert 0.5 < scorer.megabytes < 2.5


@pytest.mark.slow
def test_another_encoder_is_refused(folder, offline):
    card = json.loads((folder / "card.json").read_text())
    (folder / "card.json").write_text(json.dumps(card | {"encoder_digest": "another"}))
    with pytest.raises(ModelError, match="another"):
        load_trained(offline, folder)


def test_the_weights_of_another_version_are_refused(folder, offline):
    card = json.loads((folder / "card.json").read_text())
    card["stack"]["weights"].pop("names")
    (folder / "card.json").write_text(json.dumps(card))
    with pytest.raises(ModelError, match="expected head, together"):
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


def _signals(claim, evidence=_MANUAL):
    return dict(zip(WORD_SIGNALS, word_signals(Pair(evidence, claim)).tolist(), strict=True))


def test_a_copy_has_all_of_them():
    assert set(_signals("The pump weighs 40 kilograms.").values()) == {1.0}


def test_another_subject_shares_no_words():
    other = _signals("The pump weighs 40 kilograms.", "Bread is baked at 220 degrees.")
    assert other["together"] == other["copied"] == 0.0


def test_what_is_put_together_from_far_apart_has_less_of_both():
    text = "The heron nests in the reeds. Rain fell. Nobody came. The stork winters in the south."
    one, fused = (
        _signals("The heron nests in the reeds.", text),
        _signals("The heron winters in the south.", text),
    )
    assert one["together"] == one["copied"] == 1.0
    assert fused["together"] < 1.0 and 0.4 < fused["copied"] < 0.9


@pytest.mark.slow
@given(
    st.lists(
        st.sampled_from(["the", "a", "heron", "stork", "nests", "in", "reeds"]), min_size=1, max_size=12
    ),
    st.data(),
)
def test_a_run_of_the_evidence_is_a_copy_and_more_evidence_never_takes_from_it(words, data):
    first = data.draw(st.integers(0, len(words) - 1))
    claim = " ".join(words[first : data.draw(st.integers(first + 1, len(words)))])
    evidence = " ".join(words)
    assert _signals(claim, evidence)["copied"] == 1.0
    assert _signals(claim, f"{evidence}. More of it.")["copied"] == 1.0


def test_a_word_that_comes_a_thousand_times_takes_no_time():
    begun = time.perf_counter()
    _signals("the " * 400 + "end", "the " * 4_000)
    assert time.perf_counter() - begun < 2.0


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
def test_what_is_lacking_or_denied_is_told_by_the_checks(claim, numbers, names, agreement):
    found = _signals(claim)
    assert (found["numbers"], found["names"], found["agreement"]) == (numbers, names, agreement)


@pytest.mark.parametrize(("claim", "evidence"), [("", _MANUAL), ("…", _MANUAL), ("It is loud.", "")])
def test_where_there_is_nothing_to_compare_nothing_is_held_against_it(claim, evidence):
    assert list(_signals(claim, evidence).values()) == [0.0, 0.0, 1.0, 1.0, 1.0]


def test_each_is_a_share():
    odd = "In 1999, 12 % of 7,000 Norse sailors (Olaf, Sven) did not — 3.5 km/h — drown?"
    found = _signals(odd)
    assert tuple(found) == WORD_SIGNALS
    assert all(0.0 <= value <= 1.0 for value in found.values())
