import pytest

from hybrid.errors import UsageError
from hybrid.grounding.data.values import Example, Label
from hybrid.types import Span


def example(label=Label.SUPPORTED, spans=None, claim="Water boils."):
    return Example("one", claim, ("Water boils at 100 °C.",), label, "doc", unsupported_spans=spans)


def test_everything_but_supported_is_unsupported():
    assert [label for label in Label if example(label).unsupported] == [
        Label.REFUTED,
        Label.NEUTRAL,
        Label.UNSUPPORTED,
    ]


@pytest.mark.parametrize(
    "spans",
    [
        pytest.param((Span(3, 3),), id="empty"),
        pytest.param((Span(4, 8), Span(0, 2)), id="out of order"),
        pytest.param((Span(0, 5), Span(4, 8)), id="overlapping"),
        pytest.param((Span(0, 13),), id="beyond the end"),
        pytest.param((Span(-1, 3),), id="before the beginning"),
    ],
)
def test_spans_that_are_no_stretches_of_the_claim_are_refused(spans):
    with pytest.raises(UsageError, match="example one"):
        example(Label.REFUTED, spans)


def test_neighbouring_spans_and_none_are_fine():
    assert example(Label.REFUTED, (Span(0, 5), Span(5, 12))).unsupported_spans == (Span(0, 5), Span(5, 12))
    assert example(Label.REFUTED).unsupported_spans is None
