from dataclasses import fields

from hybrid.evaluation.scores import METRICS, Scores


def test_every_score_has_a_card_and_every_card_a_score():
    assert [card.name for card in METRICS] == [field.name for field in fields(Scores)]


def test_a_card_says_range_direction_definition_and_source():
    for card in METRICS:
        assert card.low < card.high
        assert card.definition.endswith(".") and card.source
    lower = {card.name for card in METRICS if card.higher_is_better is False}
    assert lower == {"failed", "hallucinated"}
    assert [card.name for card in METRICS if card.higher_is_better is None] == ["abstained"]
