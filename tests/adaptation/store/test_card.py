"""The card of an adapter: written and read without loss, and refused when it is damaged."""

import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid.adaptation.store.card import AdapterKind, Card, card_values, parse_card, read_card, write_card
from hybrid.adaptation.values import Change, Data, LossPoint
from hybrid.config import Method, Reader
from hybrid.errors import AdapterError

_NUMBER = st.floats(allow_nan=False)
_TEXT = st.text(max_size=12)
_CHANGE = st.builds(
    Change, _TEXT, _NUMBER, _NUMBER, _NUMBER, _NUMBER, _NUMBER, _TEXT, st.integers(0), st.booleans()
)
_CARD = st.builds(
    Card,
    name=_TEXT,
    kind=st.sampled_from(AdapterKind),
    base=_TEXT,
    base_digest=_TEXT,
    method=st.sampled_from(Method),
    data=st.builds(Data, _TEXT, _TEXT, st.dictionaries(_TEXT, st.integers(0), max_size=3)),
    settings=st.dictionaries(_TEXT, st.one_of(st.booleans(), st.integers(), _NUMBER, _TEXT), max_size=4),
    curve=st.lists(st.builds(LossPoint, st.integers(0), _NUMBER, st.none() | _NUMBER), max_size=3).map(tuple),
    strength=_NUMBER,
    reader=st.none() | st.sampled_from(Reader),
    gain=st.none() | _CHANGE,
    forgetting=st.lists(_CHANGE, max_size=2).map(tuple),
    created=_TEXT,
    seconds=_NUMBER,
    parent=_TEXT,
    seed=st.integers(0),
    versions=st.dictionaries(_TEXT, _TEXT, max_size=2),
    weights=_TEXT,
)


@given(_CARD)
def test_a_card_is_read_as_it_was_written(card):
    again = parse_card(json.dumps(card_values(card)))
    assert again == card
    assert {name: type(value) for name, value in again.settings.items()} == {
        name: type(value) for name, value in card.settings.items()
    }


def test_a_card_goes_into_its_folder_and_back(tmp_path, make_card):
    write_card(tmp_path, make_card())
    assert read_card(tmp_path) == make_card()
    assert [path.name for path in tmp_path.iterdir()] == ["card.json"]


def test_a_card_holds_no_path_of_this_machine(make_card):
    assert "/" not in json.dumps(card_values(make_card()))


def test_a_folder_without_a_card_is_no_adapter(tmp_path):
    with pytest.raises(AdapterError, match=r"is no adapter of this package: it has no card\.json"):
        read_card(tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text[:-20], "Expecting"),
        (lambda text: "[]", "expected an object, found list"),
        (lambda text: "\x00", "Expecting value"),
        (
            lambda text: text.replace('"schema_version": 1', '"schema_version": 2'),
            "format 2, this version reads",
        ),
        (lambda text: text.replace('"base_digest"', '"base_digst"'), "unknown: base_digst"),
        (lambda text: text.replace('"kind": "generator"', '"kind": "reranker"'), "`kind`"),
        (lambda text: text.replace('"seconds": 61.5', '"seconds": "long"'), "`seconds`"),
        (lambda text: text.replace('"before": 50.0,', ""), "`gain.before`"),
    ],
)
def test_a_damaged_card_says_what_is_wrong(tmp_path, make_card, change, message):
    write_card(tmp_path, make_card())
    path = tmp_path / "card.json"
    changed = change(path.read_text())
    path.write_text(changed)
    with pytest.raises(AdapterError, match=message) as caught:
        read_card(tmp_path)
    assert str(path) in str(caught.value)
    assert path.read_text() == changed


def test_a_card_is_a_value(make_card):
    with pytest.raises(dataclasses.FrozenInstanceError):
        make_card().name = "other"
