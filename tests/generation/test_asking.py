"""What a question asks for, also where nobody asks anything."""

from __future__ import annotations

import time

import pytest

from hybrid.generation.asking import (
    FOLLOWED,
    Form,
    exchanged,
    parts_of,
    read_question,
    shortened,
    sides_of,
)


@pytest.mark.parametrize(
    ("question", "form"),
    [
        ("Which is heavier, the K100 or the K300?", Form.COMPARISON),
        ("What are the differences in price between A and B?", Form.COMPARISON),
        ("How is the filter of the pump carried out?", Form.PROCEDURE),
        ("Are dogs allowed?", Form.POLAR),
        ("Why did it fail?", Form.CAUSE),
        ("港口是什么？", Form.FACT),
        ("ما هو المنفذ؟", Form.FACT),
        ("\ud800 \x00", Form.FACT),
        ("?!", Form.FACT),
        ("", Form.FACT),
    ],
)
def test_every_question_has_a_form(question, form):
    assert read_question(question).form is form


@pytest.mark.parametrize(
    "part",
    ["which er ", "what ", "how is ", "differences in ", "how much does ", "A1-", "1 ", "Ab ", "what is"],
)
def test_a_question_of_100_kb_is_read_at_once(part):
    began = time.process_time()
    asked = read_question(part * (100_000 // len(part)))
    assert len(asked.text) == 2_000
    assert time.process_time() - began < 0.5


def test_two_questions_in_one_are_several():
    assert read_question("What is the port? Who set it?").several
    assert not read_question("What is the port?").several


def test_of_a_very_long_question_beginning_and_end_are_read():
    long = f"What is the port? {'x ' * 50_000} Who set it?"
    assert shortened(long).startswith("What is the port?")
    assert shortened(long).endswith("Who set it?")
    assert shortened("What is the port?") == "What is the port?"


@pytest.mark.parametrize(
    ("question", "words"),
    [
        ("How old must one be to join?", {"old", "join"}),
        ("If one pays late, what does one lose?", {"pay", "late", "lose"}),
        ("Does the price cover one month?", {"pric", "cover", "one", "month"}),
    ],
)
def test_one_is_a_number_only_where_it_counts(question, words):
    assert set(read_question(question).words) == words


@pytest.mark.parametrize(
    ("question", "counted"),
    [
        ("How many weeks of notice?", "week"),
        ("After how much inactivity is it closed?", ""),  # told as "60 seconds"
    ],
)
def test_only_things_that_are_counted_must_be_named_with_their_number(question, counted):
    assert read_question(question).counted == counted


@pytest.mark.parametrize("text", ["It seats 40.", "Up to 12 people can wait.", "It is for 6.", "It takes 9."])
def test_a_capacity_is_told_by_seats_or_by_whom_it_is_for(text):
    for question in ("How many people can the room take?", "For how many is the room?"):
        asked = read_question(question)
        assert asked.wanted.search(text)
        assert not asked.wanted.search("It takes 30 minutes.")
        assert asked.counted == ""


@pytest.mark.parametrize(
    ("question", "asks"),
    [
        ("When is it?", True),
        ("Tell me when it opens.", True),
        ("The pool: since when?", True),
        ("What is done first when it rains?", False),
        ("What do staff who are ill get?", False),
        ("and who is it", True),
        ("To whom do I write?", True),
    ],
)
def test_a_word_that_hangs_on_another_asks_for_no_time_and_nobody(question, asks):
    assert bool(read_question(question).wanted) is asks


@pytest.mark.parametrize(
    ("question", "word"),
    [
        ("How do I get my money back?", "refund"),
        ("Was the plan turned down?", "reject"),
        ("Must I hand the form in?", "submit"),
        ("What does it cost one way?", "singl"),
    ],
)
def test_what_is_said_in_two_words_around_a_thing_is_one_word(question, word):
    assert word in read_question(question).words


@pytest.mark.parametrize(
    ("text", "counts"),
    [
        ("A key can have more than one field.", False),
        ("One of the fields is the key.", False),
        ("One can add fields.", False),
        ("No one may change it.", False),
        ("A key has one field.", True),
        ("Up to 32 fields can be given.", True),
        ("One to three fields are the key.", True),
    ],
)
def test_one_is_a_count_only_where_it_counts(text, counts):
    wanted = read_question("What is the maximum number of fields?").wanted
    assert bool(wanted.search(text)) is counts


@pytest.mark.parametrize(
    ("question", "parts"),
    [
        ("When is supper and how long is the hall open?", ["When is supper", "how long is the hall open?"]),
        (
            "Who owns the Ella? At which berth is she? And why?",
            [
                "Who owns the Ella?",
                f"Who owns the Ella?{FOLLOWED}At which berth is she?",
                f"Who owns the Ella?{FOLLOWED}And why?",
            ],
        ),
        ("Do you know where and when the gym opens?", ["Do you know where and when the gym opens?"]),
        (
            "What are the rules on who and what is covered?",
            ["What are the rules on who and what is covered?"],
        ),
        ("What is E4 and what should I do?", ["What is E4 and what should I do?"]),
        ("Where is salt and pepper?", ["Where is salt and pepper?"]),
    ],
)
def test_questions_at_once_are_taken_apart(question, parts):
    assert parts_of(question) == parts


@pytest.mark.parametrize("naming", ["Which ones?", "And who are they?", "which of them", "List them."])
def test_what_was_counted_is_named_by_the_same_question(naming):
    assert parts_of(f"How many are open?\u2028{naming}") == ["How many are open?"]


FEES = [("Neutering", "Dental scaling", "Nail trim"), ("cat", "rabbit", "Halden Wash", "Halden Spot")]


@pytest.mark.parametrize(
    ("topic", "last", "asked"),
    [
        ("What does neutering a cat cost?", "And for a rabbit?", "What does neutering a rabbit cost?"),
        (
            "What does neutering a cat cost?",
            "What about dental scaling?",
            "What does dental scaling a cat cost?",
        ),
        ("What weighs a Halden Wash?", "and the Halden Spot", "What weighs a Halden Spot ?"),
    ],
)
def test_a_follow_up_puts_one_cell_in_the_place_of_another_one(topic, last, asked):
    assert exchanged(f"{topic}\u2028{last}", FEES) == asked


@pytest.mark.parametrize("last", ["And for a dog?", "Who does it?", "And for a cat?"])
def test_what_no_column_has_beside_it_takes_no_place(last):
    follow_up = f"What does neutering a cat cost?\u2028{last}"
    assert exchanged(follow_up, FEES) == follow_up


def test_each_of_two_things_is_looked_for_by_the_property_that_is_compared():
    assert sides_of("Which is heavier, the A10 or the B20?") == ["a10 weight", "b20 weight"]
    assert sides_of("Is the A10 or the B20 louder?") == [
        "Is the A10 or the   louder?",
        "Is the   or the B20 louder?",
    ]
    assert sides_of("How heavy is the A10?") == []


@pytest.mark.parametrize(
    "question", ["How old is it?", "When is it?", "How much is it?", "How many are there?"]
)
def test_a_row_of_digits_is_looked_through_in_no_time(question):
    began = time.process_time()
    read_question(question).wanted.search("9" * 3_000)
    assert time.process_time() - began < 0.5


@pytest.mark.parametrize(
    ("question", "names"),
    [
        ("Does the Sun Hall have a projector?", True),
        ("Is the Sunday Market open?", True),
        ("Is there a Black Friday sale?", True),
        ("Is the hall open on Sunday?", False),
    ],
)
def test_a_day_in_a_name_stays_a_name(question, names):
    assert bool(read_question(question).names) is names


@pytest.mark.parametrize(
    ("question", "word"),
    [
        ("Who gets the kids back home?", "refund"),
        ("How do I get my coat back?", "refund"),
        ("They didn't come up with it?", "absent"),
        ("What if my parcel does not come?", "absent"),
        ("The parcel did not turn up?", "absent"),
        ("What if the boiler does not make it through the winter?", "absent"),
    ],
)
def test_what_is_no_money_is_not_refunded_and_no_thing_is_absent(question, word):
    assert word not in read_question(question).words
    for thing in ("fee", "deposit", "shares"):
        assert word in read_question(f"Do I get my {thing} back if I do not come?").words
