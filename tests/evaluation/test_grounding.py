import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid.evaluation.grounding import (
    CheckedClaim,
    NgramOverlap,
    WordAlignment,
    check_claims,
    claims,
    groundedness,
    hallucinated,
)
from hybrid.generation.citations import without_markers
from hybrid.models.fakes import HashEmbedder

MODELS = [NgramOverlap(), NgramOverlap(size=1), WordAlignment(HashEmbedder(dimension=32))]


class TableModel:
    """Supports what the table says."""

    name = "table"
    threshold = 0.5

    def __init__(self, table, default=0.0):
        self.table, self.default = table, default

    def score(self, pairs):
        return [self.table.get(pair, self.default) for pair in pairs]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The port is 5432 [1]. It can be changed [2, 3].", ["The port is 5432.", "It can be changed."]),
        ("Hello! The port is 5432. Would you like to know more?", ["The port is 5432."]),
        ("Sure, the port is 5432. I hope this helps!", ["the port is 5432."]),
        ("Yes. The server restarts.", ["The server restarts."]),
        ("Yes, the server restarts.", ["the server restarts."]),
        ("5432", ["5432"]),
        ("No passwords are stored in the file.", ["No passwords are stored in the file."]),
        ("No-wait locks are taken.", ["No-wait locks are taken."]),
        ("Hidden files are skipped.", ["Hidden files are skipped."]),
        ("No.", []),
        ("", []),
        (" [1] ", []),
        ("Is it so?", []),
        ("It is.", []),
        ("Größe ändern [1].", ["Größe ändern."]),
    ],
)
def test_what_counts_as_a_claim(text, expected):
    assert claims(text) == expected


def test_markers_are_taken_out():
    assert without_markers("So it is [1], or [2, 3]; not x[a].") == "So it is, or; not x[a]."


def test_a_claim_takes_the_passage_that_supports_it_best():
    model = TableModel({("A cat sleeps.", "p"): 0.2, ("A cat sleeps.", "q"): 0.9, ("A dog barks.", "p"): 0.4})
    checked = check_claims("A cat sleeps. A dog barks.", ["p", "q"], model)
    assert checked == [CheckedClaim("A cat sleeps.", 0.9, 1), CheckedClaim("A dog barks.", 0.4, 0)]
    assert groundedness(checked, 0.5) == 0.5
    assert hallucinated(checked, 0.5) == 1.0


def test_support_at_the_threshold_is_enough():
    checked = [CheckedClaim("c", 0.5, 0)]
    assert (groundedness(checked, 0.5), hallucinated(checked, 0.5)) == (1.0, 0.0)
    assert (groundedness(checked, 0.51), hallucinated(checked, 0.51)) == (0.0, 1.0)


def test_nothing_to_check_does_not_apply():
    assert check_claims("A cat sleeps.", [], TableModel({})) == []
    assert check_claims("Is it?", ["p"], TableModel({})) == []
    assert groundedness([], 0.5) is None and hallucinated([], 0.5) is None


def test_a_model_that_leaves_the_range_cannot_break_the_figures():
    model = TableModel({("A cat sleeps.", "p"): float("nan"), ("A cat sleeps.", "q"): 7.0})
    assert [claim.support for claim in check_claims("A cat sleeps.", ["p"], model)] == [0.0]
    assert [claim.support for claim in check_claims("A cat sleeps.", ["p", "q"], model)] == [1.0]


@pytest.mark.parametrize(
    ("claim", "passage", "size", "expected"),
    [
        ("the port is 5432", "The port is 5432!", 2, 1.0),
        # the port, port is | is 9: 2 of 3
        ("the port is 9", "the port is 5432", 2, 2 / 3),
        ("the port is 9", "the port is 5432", 1, 3 / 4),
        ("is port the", "the port is", 2, 0.0),
        ("5432", "port 5432", 2, 1.0),
        ("5432", "port 15432", 2, 0.0),
        ("!", "!", 2, 0.0),
        ("a b", "", 2, 0.0),
    ],
)
def test_ngram_overlap_by_hand(claim, passage, size, expected):
    assert NgramOverlap(size=size).score([(claim, passage)]) == [pytest.approx(expected)]


class AxisEmbedder(HashEmbedder):
    """Words on axes; "feline" leans towards "cat" with a cosine of 0.6."""

    def embed_documents(self, texts):
        self.embedded += len(texts)
        rows = {"cat": [2.0, 0, 0], "feline": [0.6, 0.8, 0], "red": [0, 0, 1.0], "dog": [0, -1.0, 0]}
        return np.array([rows.get(text, [0, 0, 0]) for text in texts], dtype=np.float32)


@pytest.mark.parametrize(
    ("claim", "passage", "expected"),
    [
        ("The cat", "a red cat", 1.0),
        ("The feline", "a red cat", 0.6),
        ("The red feline", "a red cat", 0.8),
        ("The dog", "a feline", 0.0),  # a negative cosine is no support
        ("unknown", "unknown", 1.0),  # without a vector, but the same word
        ("cat 5", "cat", 0.0),
        ("cat 5", "cat 5", 1.0),
        ("cat 5", "cat 6", 0.0),
        ("The", "cat", 0.0),
        ("cat", "", 0.0),
    ],
)
def test_word_alignment_by_hand(claim, passage, expected):
    assert WordAlignment(AxisEmbedder()).score([(claim, passage)]) == [pytest.approx(expected, abs=1e-6)]


def test_word_alignment_embeds_a_word_once():
    embedder = AxisEmbedder()
    model = WordAlignment(embedder)
    model.score([("red cat", "cat dog"), ("cat", "dog")])
    model.score([("dog", "red")])
    assert embedder.embedded == 3


def test_a_model_is_named_as_what_it_is():
    assert NgramOverlap().name == "2-gram overlap"
    assert WordAlignment(HashEmbedder(name="m")).name == "word alignment, m"


words = st.lists(st.sampled_from(["the", "cat", "sat", "on", "mat", "42", "Öl"]), max_size=6).map(" ".join)
sentences = st.lists(words, max_size=3).map(". ".join)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
@given(claim=st.text(max_size=30), passage=st.text(max_size=30))
def test_support_stays_in_range_whatever_the_text(model, claim, passage):
    (support,) = model.score([(claim, passage)])
    assert 0.0 <= support <= 1.0
    assert model.score([]) == []


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
@given(text=sentences, passages=st.lists(words, max_size=4), data=st.data())
def test_the_order_of_passages_does_not_matter(model, text, passages, data):
    other = data.draw(st.permutations(passages))
    one, two = (check_claims(text, order, model) for order in (passages, other))
    assert [claim.support for claim in one] == [claim.support for claim in two]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
@given(text=sentences, passages=st.lists(words, min_size=1, max_size=3), more=words)
def test_one_more_passage_never_lowers_support(model, text, passages, more):
    before, after = check_claims(text, passages, model), check_claims(text, [*passages, more], model)
    assert all(b.support <= a.support for b, a in zip(before, after, strict=True))
    if before:
        assert groundedness(before, 0.5) <= groundedness(after, 0.5)
        assert hallucinated(before, 0.5) >= hallucinated(after, 0.5)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
@given(text=sentences)
def test_a_claim_that_stands_in_a_passage_is_supported(model, text):
    for claim in check_claims(text, ["noise", *claims(text)], model):
        assert claim.support == 1.0


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_a_supported_claim_scores_above_a_foreign_one(model):
    passage = "Vacuum removes dead rows from a table. The default port is 5432."
    right, wrong = model.score([("The default port is 5432.", passage), ("Cats sleep all day.", passage)])
    assert right >= model.threshold > wrong
