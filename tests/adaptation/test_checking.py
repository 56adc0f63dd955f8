"""What an adapter gained and cost is measured, and written into its card."""

import shutil

import pytest

from hybrid.adaptation.checking import check_generator, gain_in_service, with_own
from hybrid.adaptation.forgetting.general import Choice, Suite, SuitePassage
from hybrid.adaptation.store import AdapterStore, read_card, write_card
from hybrid.adaptation.training.encoding import encode
from hybrid.adaptation.training.generator import Base, tune_generator
from hybrid.adaptation.values import AdapterKind, Card, Data, Example, ExampleKind, Examples
from hybrid.config import AdaptationSettings, Method
from hybrid.errors import AdapterError, UsageError
from hybrid.models.device import Placement
from hybrid.types import Message, MessageRole

_CPU = Placement("cpu", "float32", "test")
_SETTINGS = AdaptationSettings(rank=4, learning_rate=1e-2, epochs=3, batch=4, rehearsal=0.0, max_tokens=120)

WORDS = ("the port of the server", "a server is in the port", "to the server and of a port", "in the default")
SUITE = Suite(
    "small",
    passages=tuple(
        SuitePassage(f"p{n}", "prose", f"{WORDS[n % 4]} {n} {WORDS[(n + 1) % 4]}", f"d{n}") for n in range(12)
    ),
    choices=tuple(Choice(f"c{n}", f"what is {n}?", ("a port", "the server"), n % 2) for n in range(12)),
)


@pytest.fixture
def stored(tmp_path, tiny_adapter_folder):
    store = AdapterStore(tmp_path / "domain")
    built = shutil.copytree(tiny_adapter_folder, tmp_path / "built")
    store.add("a", built, read_card(built))
    return store


def test_a_check_is_written_into_the_card(stored, tiny_generator):
    said = []
    card = check_generator(stored, "a", tiny_generator, SUITE, progress=said.append)
    assert card == stored.card("a")
    assert {"general text", "multiple choice"} <= {change.measure for change in card.forgetting}
    assert said
    # random weights, changed at random: it is another model
    text = next(change for change in card.forgetting if change.measure == "general text")
    assert text.change != 0
    assert text.items == 12
    again = check_generator(stored, "a", tiny_generator, SUITE)
    assert again.forgetting == card.forgetting


def test_fewer_items_are_drawn_on_demand(stored, tiny_generator):
    card = check_generator(stored, "a", tiny_generator, SUITE, items=10)
    assert {change.items for change in card.forgetting} == {10}
    with pytest.raises(UsageError, match="too few"):
        check_generator(stored, "a", tiny_generator, SUITE, items=2)


def test_a_check_that_fails_leaves_the_card(stored, tiny_generator):
    before = stored.card("a")
    with pytest.raises(UsageError, match="has no items"):
        check_generator(stored, "a", tiny_generator, Suite("none"))
    with pytest.raises(AdapterError, match="there is no adapter 'b'"):
        check_generator(stored, "b", tiny_generator, SUITE)
    assert stored.card("a") == before


def test_a_suite_of_ones_own_is_filled_up_with_what_ships():
    own = Suite("mine", passages=SUITE.passages[:3])
    both = with_own(SUITE, own)
    assert (both.name, both.passages, both.choices) == ("mine", own.passages, SUITE.choices)


def _examples(count, *, first=0, labelled):
    rows = []
    for number in range(first, first + count):
        word = "port" if number % 2 == 0 else "server"
        prompt = (Message(MessageRole.USER, f"is {word} {number} a port"),)
        completion = "yes" if word == "port" else "no"
        options = ("yes", "no") if labelled else ()
        rows.append(Example(ExampleKind.LABEL, prompt, completion, f"s{number}", options=options))
    return tuple(rows)


@pytest.mark.parametrize("labelled", [True, False])
def test_the_gain_is_that_of_training(tiny_generator, tiny_generator_folder, tmp_path, labelled):
    examples = Examples(_examples(24, labelled=labelled), _examples(40, first=100, labelled=labelled))
    base = Base(tiny_generator_folder, "tiny")
    tuned = tune_generator(base, examples, _SETTINGS, out=tmp_path / "a", placement=_CPU)
    card = Card("a", AdapterKind.GENERATOR, "tiny", base.digest, Method.LORA, Data("", "", {}))
    write_card(tuned.folder, card)
    encoded = encode(examples.validation, tiny_generator.dialogue, max_tokens=120).encoded
    found = gain_in_service(tiny_generator, tiny_generator.adapted(tuned.folder), encoded)
    assert (found.measure, found.unit, found.items) == (tuned.gain.measure, tuned.gain.unit, tuned.gain.items)
    # in the number format that is fastest here, which is not that of training
    for name in ("before", "after", "change"):
        assert getattr(found, name) == pytest.approx(getattr(tuned.gain, name), rel=0.02, abs=0.02)
    assert gain_in_service(tiny_generator, tiny_generator, encoded).change == 0
    assert gain_in_service(tiny_generator, tiny_generator, ()) is None
