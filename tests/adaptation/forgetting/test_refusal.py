"""Declining: rightly and wrongly, before and after, and the answers that only the base had."""

import pytest

from hybrid.adaptation.data.material import reading_questions
from hybrid.adaptation.forgetting.refusal import Asked, domain_questions, general_questions, refusal_changes
from hybrid.adaptation.forgetting.suites import Suite, choice_of, shipped_suite
from hybrid.adaptation.gate import Budget, judge
from hybrid.adaptation.values import Change, Declining, ExampleKind, Measure
from hybrid.config import Reader, load_settings
from hybrid.generation.prompts import load_prompts
from hybrid.testing import ScriptedGenerator
from hybrid.types import Message, MessageRole

KNOWN = '"The port is 5432." [1]\n5432'
UNKNOWN = "I don't know."
INVENTED = "It is the third door on the left."


def asked(answers):
    """One question a document."""
    return [
        Asked((Message(MessageRole.USER, f"question {n}"),), answer, f"d{n}")
        for n, answer in enumerate(answers)
    ]


def found(before, after, questions):
    base, adapted = ScriptedGenerator(before, name="before"), ScriptedGenerator(after, name="after")
    return {one.measure: one for one in refusal_changes(base, adapted, questions)}


def test_what_is_declined_and_what_is_answered_is_counted_apart():
    questions = asked(["5432"] * 6 + [""] * 6)
    before = [KNOWN] * 5 + [INVENTED] + [INVENTED] * 4 + [UNKNOWN] * 2
    after = [KNOWN] * 2 + [UNKNOWN] * 4 + [UNKNOWN] * 6
    told = found(before, after, questions)
    rates = {name: (round(one.before), round(one.after)) for name, one in told.items()}
    assert rates == {
        Declining.WRONGLY: (0, 67),
        Declining.ANSWERED: (83, 33),
        Declining.LOST: (0, 50),
        Declining.RIGHTLY: (33, 100),
    }
    assert [told[name].higher_is_better for name in (Declining.WRONGLY, Declining.RIGHTLY)] == [False, True]
    assert told[Declining.ANSWERED].items == 6


def test_an_answer_without_the_gold_words_is_none():
    told = found([INVENTED], [INVENTED], asked(["5432"]))
    assert (told[Declining.ANSWERED].after, told[Declining.WRONGLY].after) == (0, 0)


def test_the_same_generator_lost_nothing():
    replies = [KNOWN, UNKNOWN, INVENTED] * 4
    told = found(replies, replies, asked(["5432"] * 6 + [""] * 6))
    assert {one.change for one in told.values()} == {0.0}
    assert judge([text(), *told.values()], Budget()).passed


def text():
    return Change(Measure.TEXT, 3.0, 3.0, 0.0, -0.01, 0.01, "nats", 80, False)


def test_the_gate_has_a_budget_of_its_own_for_it():
    told = found([KNOWN] * 40, [UNKNOWN] * 20 + [KNOWN] * 20, asked(["5432"] * 40))
    verdict = judge([text(), *told.values()], Budget())
    assert {breach.measure for breach in verdict.breaches} == {Declining.WRONGLY, Declining.ANSWERED}
    assert {breach.limit for breach in verdict.breaches} == {5.0}
    assert any("--learn preference" in line for line in verdict.advice)
    assert judge([text(), *told.values()], Budget(refusal=80.0)).passed


def test_a_single_refusal_is_not_shown_to_be_a_loss():
    told = found([KNOWN] * 40, [UNKNOWN] + [KNOWN] * 39, asked(["5432"] * 40))
    assert told[Declining.WRONGLY].change == pytest.approx(2.5)
    assert judge([text(), *told.values()], Budget()).passed


def test_what_does_not_fit_is_left_out():
    long = Asked((Message(MessageRole.USER, "word " * 3_000),), "5432", "d")
    assert found([KNOWN], [KNOWN], [long]) == {}
    assert found([KNOWN], [KNOWN], [long, *asked(["5432"])])[Declining.WRONGLY].items == 1


def test_the_base_is_asked_once():
    base, questions = ScriptedGenerator([KNOWN], name="kept"), asked(["5432"] * 3)
    first, again = (refusal_changes(base, ScriptedGenerator([UNKNOWN]), questions) for _ in range(2))
    assert first == again
    assert len(base.history) == 3


def test_general_questions_are_those_of_the_suite_with_and_without_an_answer():
    suite = Suite("s", choices=(choice_of("What is ice?", "water", ["salt"]),), unanswerable=("Who am I?",))
    easy, open_ = general_questions(suite, load_prompts("en", ""))
    assert (easy.answer, open_.answer) == ("water", "")
    assert easy.prompt[-1].content == "What is ice?"
    told = found([KNOWN, UNKNOWN], [UNKNOWN, INVENTED], [easy, open_])
    rates = {name: (one.before, one.after) for name, one in told.items()}
    assert rates == {Declining.GENERAL_WRONGLY: (0, 100), Declining.GENERAL_RIGHTLY: (100, 0)}


def test_what_ships_has_enough_of_each():
    questions = general_questions(shipped_suite(), load_prompts("en", ""))
    assert sum(not one.answer for one in questions) == sum(bool(one.answer) for one in questions) == 24


@pytest.mark.slow
def test_the_domain_is_asked_of_held_out_documents_with_the_passage_and_without(tools):
    settings = load_settings({"adaptation": {"hold_out": 0.5}}, environment={})
    made = reading_questions(
        tools, settings, lambda split: split.held_out, against=(), count=20, reader=Reader.GENERATOR
    )
    questions = domain_questions(made)
    assert {bool(one.answer) for one in questions} == {True, False}
    kinds = [example.kind for example in made]
    assert kinds.count(ExampleKind.READING) == kinds.count(ExampleKind.ABSTENTION)
    split_off = {one.source for one in questions}
    assert 0 < len(split_off) < len(tools.index.sources())
    for one in questions:
        assert one.prompt[0].content == load_prompts("en", "").rag_system
