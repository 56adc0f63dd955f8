"""What a stored adapter gained and cost, and repair: smaller strength first, then more rehearsal."""

import shutil
from pathlib import Path

import pytest

from hybrid.adaptation.checking import Assessment, check_generator, gain_in_service, repair, tell
from hybrid.adaptation.forgetting import AskedQuestion
from hybrid.adaptation.methods.encoding import encode
from hybrid.adaptation.methods.generator import Base, tune_generator
from hybrid.adaptation.store import AdapterStore, read_card, write_card
from hybrid.adaptation.suites import Choice, Suite, SuitePassage
from hybrid.adaptation.values import (
    AdapterKind,
    Budget,
    Card,
    Change,
    Data,
    Example,
    ExampleKind,
    Examples,
    Measure,
)
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

_FIRST = Path("first")


@pytest.fixture
def stored(tmp_path, tiny_adapter_folder):
    store = AdapterStore(tmp_path / "domain")
    built = shutil.copytree(tiny_adapter_folder, tmp_path / "built")
    store.add("a", built, read_card(built))
    return store


def test_a_check_is_written_into_the_card(stored, tiny_generator):
    said = []
    card = check_generator(stored, "a", tiny_generator, SUITE, note=said.append)
    assert card == stored.card("a")
    assert {"general text", "multiple choice"} <= {change.measure for change in card.forgetting}
    assert said
    # random weights, changed at random: it is another model
    text = next(change for change in card.forgetting if change.measure == "general text")
    assert text.change != 0
    assert text.items == 12
    again = check_generator(stored, "a", tiny_generator, SUITE)
    assert again.forgetting == card.forgetting


def test_what_is_refused_already_is_not_asked_what_it_declines(stored, tiny_generator):
    turn = Message(MessageRole.USER, "which port")
    questions = [AskedQuestion((turn,), "", f"s{n}", general=True) for n in range(3)]
    asked = []

    def ask():
        asked.append(len(asked))
        return questions

    strict, generous = Budget(nats=1e-9, points=1e-9), Budget(nats=1e9, points=1e9)
    said = []
    cut = check_generator(stored, "a", tiny_generator, SUITE, asked=ask, enough=strict, note=said.append)
    assert not asked and not cut.measures_refusal and "refused already" in said[-1]
    for enough in (generous, None):
        whole = check_generator(stored, "a", tiny_generator, SUITE, asked=ask, enough=enough)
        assert whole.measures_refusal
        assert whole.forgetting[: len(cut.forgetting)] == cut.forgetting
    assert len(asked) == 2


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
    both = SUITE.with_own(own)
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


@pytest.mark.slow
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


def assessed(gain, loss):
    gained = Change("label accuracy", 50.0, 50.0 + gain, gain, gain - 1, gain + 1, "points", 100, True)
    lost = Change(Measure.TEXT, 3.0, 3.0 + loss, loss, loss - 0.005, loss + 0.005, "nats", 80, False)
    return Assessment(gained, (lost,))


def linear(gain=20.0, loss=0.1):
    """Gain and loss fall with the strength, and with what was retrained they are smaller from the start."""
    asked = []

    def assess(folder, strength):
        asked.append((folder.name, strength))
        share = 1.0 if folder == _FIRST else float(folder.name)
        return assessed(
            gain * strength * (1 - 0.1 * share if folder != _FIRST else 1), loss * strength * share
        )

    return assess, asked


def test_an_adapter_that_passes_is_left_alone():
    assess, asked = linear(loss=0.03)
    found = repair(_FIRST, assess, budget=Budget())
    assert asked == [("first", 1.0)]
    assert found.best is found.attempts[0]
    assert found.best.name == "as tuned"
    assert found.best.kept == 1.0


def test_the_largest_strength_that_passes_is_chosen_and_nothing_else_is_tried():
    assess, asked = linear(loss=0.08)
    found = repair(_FIRST, assess, budget=Budget(), retrain=lambda share: pytest.fail("no need to train"))
    assert [strength for _, strength in asked] == [1.0, 0.75, 0.5]
    assert found.best.strength == 0.5
    assert found.best.kept == pytest.approx(0.5)


def test_more_rehearsal_is_tried_where_strength_would_cost_too_much():
    assess, asked = linear(loss=0.15)
    trained = []

    def retrain(share):
        trained.append(share)
        return Path("0.4" if share < 0.4 else "0.1")

    found = repair(_FIRST, assess, budget=Budget(), retrain=retrain)
    assert [strength for name, strength in asked if name == "first"] == [1.0, 0.75, 0.5, 0.25]
    # at a quarter of the strength it passes, but a quarter of the gain is not worth stopping for
    assert trained == [0.3]
    assert found.best.rehearsal == 0.3
    assert found.best.strength == 0.75
    assert found.best.name == "rehearsal 30 %, strength 0.75"
    assert found.best.assessment.gain.change > found.attempts[3].assessment.gain.change


def test_without_retraining_the_last_resort_is_better_than_nothing():
    assess, _ = linear(loss=0.15)
    found = repair(_FIRST, assess, budget=Budget())
    assert found.best.strength == 0.25


def test_where_nothing_passes_there_is_no_best():
    assess, asked = linear(loss=9.0)
    found = repair(_FIRST, assess, budget=Budget(), retrain=lambda share: Path("1"))
    assert found.best is None
    assert len(asked) == len(found.attempts) == 12


def test_what_passes_and_gains_nothing_is_no_repair():
    def assess(folder, strength):
        return assessed(10.0 if strength == 1 else -1.0, 0.2 * strength)

    assert repair(_FIRST, assess, budget=Budget()).best is None


def test_a_gain_in_nats_falls():
    def assess(folder, strength):
        fell = Change("loss", 2.0, 2.0 - strength, -strength, -strength, -strength, "nats", 50, False)
        return Assessment(fell, assessed(0, 0.08 * strength).general)

    found = repair(_FIRST, assess, budget=Budget())
    assert found.best.strength == 0.5
    assert found.best.kept == pytest.approx(0.5)
    assert "gain +0.5 nats" in tell(found.best)


def test_without_a_measured_gain_the_first_that_passes_is_chosen():
    def assess(folder, strength):
        return Assessment(None, assessed(0, 0.08 * strength).general)

    found = repair(_FIRST, assess, budget=Budget())
    assert found.best.strength == 0.5
    assert found.best.kept is None


def test_every_attempt_is_told():
    assess, _ = linear(loss=0.08)
    lines = []
    repair(_FIRST, assess, budget=Budget(), progress=lambda attempt: lines.append(tell(attempt)))
    assert lines[0] == (
        "as tuned: gain +20 points (100 % of the first); general text +0.080 nats, at most +0.085; "
        "refused for general text"
    )
    assert lines[-1].startswith("strength 0.5: gain +10 points (50 % of the first)")
    assert lines[-1].endswith("passes")
