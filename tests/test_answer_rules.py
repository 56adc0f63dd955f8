"""The rules by which answers are scored, and the sets that they are scored with."""

import dataclasses
import importlib.util
import json
import sys
from pathlib import Path

import pytest

_BENCHMARKS = Path(__file__).parent / "benchmarks"
_specification = importlib.util.spec_from_file_location("answer_rules", _BENCHMARKS / "answer_rules.py")
# dataclasses look their module up
rules = sys.modules["answer_rules"] = importlib.util.module_from_spec(_specification)
_specification.loader.exec_module(rules)
_SETS = sorted(path.parent for path in (_BENCHMARKS / "answers").glob("*/questions.jsonl"))

_ASKED = rules.Asked(
    id="1",
    kind="procedure",
    text="How do I borrow?",
    history=(),
    must=(("six weeks", "42 days"), ("renew*",)),
    must_not=("2 weeks",),
    ordered=("card", "renew*"),
    max_words=10,
    answerable=True,
    gold="",
)


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("Six weeks [1]", "6 weeks"),
        ("€5 and 1,200 EUR", "5 eur and 1200 eur"),
        ("91.00", "91"),
        ("10.50", "10.5"),
        ("don't, can't", "do not, can not"),
        ("a 60-second wait", "a 60 second wait"),
        ("5 per cent at 60 degrees Celsius", "5 % at 60 °c"),
        ("**Wi-Fi** | WiFi", "wifi wifi"),
        ("version 2.4.0", "version 2.4.0"),
    ],
)
def test_one_thing_written_in_two_ways_is_compared_alike(text, same):
    assert rules.comparable(text) == same


@pytest.mark.parametrize(
    ("needle", "text", "there"),
    [
        ("150 EUR", "it is 150 eur.", True),
        ("50 EUR", "it is 150 eur.", False),
        ("2", "version 2.4", False),
        ("4", "version 2.4", False),
        ("expire*", "it had expired", True),
        ("expire", "it had expired", False),
        ("10:30", "at 10:30", True),
        ("30", "at 10:30", False),
    ],
)
def test_a_string_is_met_as_whole_words_and_numbers(needle, text, there):
    assert (rules.place(needle, text) >= 0) is there


@pytest.mark.parametrize(
    ("text", "right", "concise", "misleading"),
    [
        ("With a card, six weeks; renewal is possible. [1]", True, True, False),
        ("With a card, 42 days; renewing is possible as often as you like it to be.", True, False, False),
        ("Renew with a card within six weeks.", False, False, False),
        ("With a card, two weeks or six weeks; renew.", False, False, True),
        ("With a card you may renew.", False, False, False),
    ],
)
def test_right_is_what_says_all_of_it_in_order_and_nothing_wrong(text, right, concise, misleading):
    found = rules.score(_ASKED, text, abstained=False)
    assert (found.right, found.concise, found.misleading) == (right, concise, misleading)
    assert found.fit is concise


def test_only_what_has_no_answer_is_rightly_declined():
    declined = rules.score(_ASKED, "", abstained=True)
    assert (declined.wrongly_declined, declined.rightly_declined, declined.fit) == (True, False, False)
    nothing = dataclasses.replace(_ASKED, must=(), ordered=(), answerable=False)
    for text, abstained in (("I don't know.", False), ("Nothing.", True)):
        found = rules.score(nothing, text, abstained=abstained)
        assert (found.right, found.rightly_declined, found.fit) == (False, True, True)
    assert not rules.score(nothing, "I do not know: 2 weeks, perhaps", abstained=True).fit
    assert not rules.score(nothing, "Four weeks.", abstained=False).fit


def test_small_talk_is_judged_by_its_text_alone():
    hello = dataclasses.replace(
        _ASKED, kind="chit-chat", must=(("hello",),), must_not=("nothing",), ordered=()
    )
    assert rules.score(hello, "Hello! Ask me anything.", abstained=True).fit
    assert not rules.score(hello, "I found nothing.", abstained=True).fit


@pytest.mark.slow
@pytest.mark.parametrize("folder", _SETS, ids=lambda folder: folder.name)
def test_a_set_takes_its_model_answers_and_neither_silence_nor_all_its_evidence(folder):
    questions = rules.read_set(folder / "questions.jsonl")
    rows = [
        json.loads(line) for line in (folder / "questions.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    everything = "\n".join(part for row in rows for part in row["evidence"])
    assert len({asked.id for asked in questions}) == len(questions) >= 30
    assert {source for row in rows for source in row["source"]} <= {
        path.relative_to(folder / "docs").as_posix() for path in (folder / "docs").rglob("*")
    }
    for asked in questions:
        found = rules.score(asked, asked.gold, abstained=False)
        assert found.fit and found.right is asked.answerable, (asked.id, found.why)
        assert rules.score(asked, "", abstained=True).fit is not asked.answerable
        assert not rules.score(asked, everything, abstained=False).fit, asked.id
