"""A follow-up is understood with what came before it, and what stands by itself is left alone."""

import json
import re
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid import Assistant, load_settings
from hybrid.domains import Assistants
from hybrid.generation.prompts import load_followup_prompt
from hybrid.routing import followups
from hybrid.routing.followups import Conversation, rewritten
from hybrid.testing import HashEmbedder, ScriptedGenerator
from hybrid.types import Answer, Arm, Message, MessageRole

_EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "postgres"


def standalone(question, history):
    """Return what is understood, as it is shown."""
    return " ".join(followups.standalone(question, history).split())


def _history(*texts):
    roles = (MessageRole.USER, MessageRole.ASSISTANT)
    return [Message(roles[place % 2], text) for place, text in enumerate(texts)]


_K100 = _history("How heavy is the K200?", "The K200 weighs 12 kg. [1]")


@pytest.mark.parametrize(
    "question",
    [
        "and the price?",
        "how long does it take?",
        "why?",
        "why is that so?",
        "what about its price?",
        "without the battery?",
        "Which of them is older?",
        "is there a limit?",
        "are there others?",
    ],
)
def test_a_follow_up_is_put_behind_what_it_follows(question):
    assert standalone(question, _K100) == f"How heavy is the K200? {question}"


@pytest.mark.parametrize(
    "question",
    [
        "Which TCP port does the server listen on?",
        "How long does the server wait on a lock before it checks for a deadlock?",
        "ok, something else: what is it made of?",
        "Another question: why?",
        "When should pg_resetwal be used?",
        "Which password methods are there?",
        "Is there a limit for columns?",
        "What is the default RADIUS port?",
    ],
)
def test_a_question_that_stands_by_itself_and_a_new_subject_are_left_alone(question):
    assert standalone(question, _K100) == question
    assert standalone(f"  {question}\n", _K100) == question


@pytest.mark.parametrize(
    ("question", "alone"),
    [
        ("When is the office open?", True),
        ("Which items are not in stock?", True),
        ("Can I sublet my berth?", True),
        ("Who is the deputy?", True),
        ("What does a launch cost?", True),
        ("dinghy price", True),
        ("Is electricity included?", False),
        ("for members?", False),
        ("dinghy", False),
        ("How much?", False),
        ("What is the deposit?", False),
    ],
)
def test_a_whole_question_takes_nothing_along(question, alone):
    history = _history("What does a narrowboat of 13 m cost?", "1,340 EUR. [1]")
    meant = question if alone else f"What does a narrowboat of 13 m cost? {question}"
    assert standalone(question, history) == meant


def test_words_without_a_verb_follow_no_words_without_one():
    assert standalone("diesel", _history("gas bottle price", "29.50. [1]")) == "diesel"


def test_of_several_follow_ups_the_first_question_and_what_is_pointed_at_are_taken_along():
    asked = "What does a narrowboat of 13 m cost?"
    history = _history(asked, "1,340 EUR. [1]", "Is electricity included?", "Yes. [1]")
    assert standalone("Is water included?", history) == f"{asked} Is water included?"
    assert standalone("Why is that so?", history) == f"{asked} Is electricity included? Why is that so?"


@pytest.mark.parametrize("assent", ["yes", "Yes please", "sure, tell me", "ok", "please do"])
def test_assent_asks_what_was_offered(assent):
    history = _history("Is md5 safe?", "It is not. Do you want to know how the move is eased? [1]")
    assert standalone(assent, history) == "Is md5 safe? Do you want to know how the move is eased?"


def test_assent_to_nothing_keeps_the_subject():
    assert standalone("ok", _K100) == "How heavy is the K200? ok"


def test_a_chain_of_follow_ups_keeps_its_subject():
    history = [*_K100, *_history("and the K100?", "It weighs 9 kg. [1]")]
    assert standalone("why?", history) == "How heavy is the K100? why?"


@pytest.mark.parametrize(
    ("before", "question", "meant"),
    [
        ("What is the capacity of the K300?", "And of the K100?", "What is the capacity of the K100?"),
        ("How do I descale the K300?", "What about the K100?", "How do I descale the K100?"),
        ("What does E4 on the K300 mean?", "and E2?", "What does E2 on the K300 mean?"),
        ("When was 2.3.0 released?", "And 2.4.0?", "When was 2.4.0 released?"),
        ("How many days after 7 years?", "and after 4 years?", "How many days after 4 years?"),
        ("What is the notice after 3 years?", "during probation?", "What is the notice during probation?"),
        ("What is the limit in Germany?", "And outside the EU?", "What is the limit outside the EU?"),
        ("Do we deliver to Norway?", "Thanks! What about Austria?", "Do we deliver to Austria?"),
        ("What does the K300 do with Wi-Fi?", "How heavy is it?", "How heavy is the K300?"),
        ("What is the price of the K300 black?", "Is it in stock?", "Is the K300 black in stock?"),
        ("What does pg_dump write?", "can it run in parallel?", "can pg_dump run in parallel?"),
    ],
)
def test_what_is_clear_takes_its_place_in_one_question(before, question, meant):
    assert standalone(question, _history(before, "So it is, at 2.4 GHz for 9 EUR. [1]")) == meant


@pytest.mark.parametrize(
    ("before", "question"),
    [
        ("How do I descale the K300?", "How long does it take?"),
        ("Is the K100 heavier than the K300?", "Where is it made?"),
        ("Which meeting room is good for 15 people?", "Who approves that?"),
        ("Do we deliver to Norway?", "and the price?"),
    ],
)
def test_what_is_not_clear_is_put_behind(before, question):
    assert standalone(question, _history(before, "It is so. [1]")) == f"{before} {question}"


def test_small_talk_is_no_subject():
    history = [*_K100, *_history("thanks!", "You're welcome!")]
    assert standalone("why?", history) == "How heavy is the K200? why?"
    assert standalone("Thank you", history) == "Thank you"


def test_a_question_that_points_back_takes_the_names_that_the_answer_brought_up():
    history = _history("Which pump is for cold rooms?", "The K200 or pump_2 is. [1] The R900 heats. [2]")
    assert standalone("how heavy is it?", history) == (
        "Which pump is for cold rooms? K200 pump_2 how heavy is it?"
    )
    # a name of its own, or no pointing word: nothing is carried over
    assert standalone("and the K100?", history) == "Which pump is for cold rooms? and the K100?"
    assert standalone("why?", history) == "Which pump is for cold rooms? why?"


@pytest.mark.parametrize(
    ("written", "taken"),
    [
        ("How heavy is the pump K200?", True),
        ('  "How heavy is the pump K200?"\nIt weighs 12 kg.', True),
        ("How heavy is the pump K900?", False),  # a name that nobody said
        ("How heavy is the blue submarine engine?", False),  # words that nobody said
        ("Which pump is for cold rooms?", False),  # not the question
        ("", False),
        ("it?", False),
        ("how heavy " * 60, False),
    ],
)
def test_a_generator_rewrites_and_what_it_invents_is_not_taken(written, taken):
    history = _history("Which pump is for cold rooms?", "The K200 is. [1]")
    generator = ScriptedGenerator([written])
    found = rewritten("how heavy is it?", history, generator, load_followup_prompt("en"))
    by_rule = followups.standalone("how heavy is it?", history)
    assert found == ("How heavy is the pump K200?" if taken else by_rule)
    assert rewritten(" why? ", [], generator, load_followup_prompt("en")) == "why?"


@pytest.mark.slow
def test_the_settings_say_who_rewrites(tmp_path, write_files):
    settings = load_settings(
        {
            "documents": {"workers": 1},
            "indexes": str(tmp_path / "indexes"),
            "conversation": {"rewriting": "generator"},
        },
        environment={},
    )
    own = ScriptedGenerator(["How heavy is the pump K200?"])
    assistant = Assistant("manual", settings=settings, embedder=HashEmbedder(128), generator=own)
    assistant.index(write_files(tmp_path / "docs", {"k200.txt": "The K200 is a pump. It weighs 12 kg."}))
    history = _history("Which pump is for cold rooms?", "The K200 is. [1]")
    assert assistant.ask("how heavy is it?", history=history).standalone == "How heavy is the pump K200?"
    with Assistants(settings=settings, embedder=HashEmbedder(128), generator=own) as both:
        found = both.ask("how heavy is it?", history=history, domain="manual")
    assert found.standalone == "How heavy is the pump K200?"


def test_nothing_before_it_changes_nothing():
    assert standalone("and of the K100?", []) == "and of the K100?"


@pytest.mark.slow
@given(st.lists(st.text(max_size=60), max_size=9), st.text(max_size=80))
def test_whatever_was_said_the_question_ends_what_is_asked_and_nothing_is_invented(texts, question):
    history = _history(*texts)
    found = followups.standalone(question, history)
    # a name that is carried over comes without what stood around it
    said = " ".join([*(re.sub(r"\s*\[\d+\]", "", text) for text in texts), *texts, question])
    assert all(word in said for word in found.split())
    assert followups.standalone(question, []) == question.strip()


def test_ten_thousand_turns_take_no_longer_than_a_few(within):
    history = _history(*["How heavy is the K200?", "It weighs 12 kg. [1]"] * 5_000)
    with within(1):
        assert standalone("why?", history).endswith("How heavy is the K200? why?")


def test_a_conversation_remembers_a_bounded_number_of_turns():
    heard = []

    def answer(question, history):
        heard.append(len(history))
        yield "Yes."
        yield Answer(question, "Yes.", Arm.RAG, "fake")

    chat = Conversation(answer)
    for number in range(50):
        chat.ask(f"Question {number}?")
    assert heard[:3] == [0, 2, 4] and heard[-1] == 64
    assert [turn.content for turn in chat.history[-2:]] == ["Question 49?", "Yes."]


@pytest.fixture
def assistant(tmp_path, write_files):
    files = {
        "k200.txt": "The K200 is a pump. The K200 weighs 12 kg. The K200 was built in Oslo.",
        "radio.txt": "The radio has two knobs. The radio was designed by a committee.",
    }
    settings = load_settings(
        {"documents": {"workers": 1}, "indexes": str(tmp_path / "indexes")}, environment={}
    )
    assistant = Assistant("manual", settings=settings, embedder=HashEmbedder(128))
    assistant.index(write_files(tmp_path / "docs", files))
    return assistant


@pytest.mark.slow
def test_a_chat_finds_what_a_follow_up_asks_for(assistant):
    chat = assistant.chat()
    assert chat.ask("How much does the pump K200 weigh?").standalone == ""
    answer = chat.ask("where was it built?")
    assert answer.question == "where was it built?"
    assert answer.standalone == "where was K200 built?"
    assert answer.hits[0].chunk.source == "k200.txt"
    other = chat.ask("Who designed the radio with the knobs?")
    assert other.standalone == "" and other.hits[0].chunk.source == "radio.txt"
    history = _history("How much does the pump K200 weigh?", "12 kg. [1]")
    *_, streamed = assistant.stream("where was it built?", history=history)
    assert (streamed.standalone, streamed.text) == (answer.standalone, answer.text)


@pytest.mark.slow
@pytest.mark.real_model
def test_the_right_passage_is_found_for_the_follow_ups_that_ship(tmp_path):
    settings = load_settings({"indexes": str(tmp_path), "models": {"offline": True}}, environment={})
    assistant = Assistant("postgres", settings=settings)
    assistant.index(_EXAMPLE / "pages")
    rows = [json.loads(line) for line in (_EXAMPLE / "followups.jsonl").read_text().splitlines()]
    found = [
        any(
            hit.chunk.source == row["source"]
            and " ".join(row["evidence"].split()) in " ".join(hit.chunk.text.split())
            for hit in assistant.search(
                standalone(row["question"], _history(*(turn["content"] for turn in row["history"])))
            )
        )
        for row in rows
    ]
    assert len(found) == 60
    assert sum(found) / len(found) >= 0.8


@pytest.mark.slow
def test_a_question_of_pages_follows_nothing_and_long_turns_cost_no_more_than_they_are_long():
    pages = "a" * 20_000
    turns = [Message((MessageRole.USER, MessageRole.ASSISTANT)[place % 2], pages) for place in range(20)]
    begun = time.process_time()
    assert standalone(f"and {pages}", turns) == f"and {pages}"
    assert standalone("and why?", turns).endswith("and why?")
    # the square of it would take minutes
    assert time.process_time() - begun < 10
