"""What a generator writes as JSON is read well formed, almost so, and cut, and every sentence is held."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid.generation.prompts import Passage, load_writing_prompt
from hybrid.generation.written import SCHEMA, Written, cite_written, read_written
from hybrid.types import Span

_TEXT = "The warranty of the pump lasts five years. Never use vinegar: it damages the seal."
_STEPS = "Connect the kettle:\n1. Install the app.\n2. Hold the button for 5 seconds.\n3. Enter the password."
_WHOLE = Written("It lasts five years.", (1, 2), unsure=False)


def passages(*texts):
    return [
        Passage(n, f"{n}.md", "Kettle", text, Span(0, len(text))) for n, text in enumerate(texts, start=1)
    ]


def cited(question, answer, *texts, citations=(1,)):
    written = Written(answer, citations, unsure=False)
    return cite_written(question, written, passages(*texts or (_TEXT,)), threshold=0.6)


@pytest.mark.parametrize(
    "text",
    [
        '{"unsure": false, "citations": [1, 2], "answer": "It lasts five years."}',
        '```json\n{"unsure": false, "citations": [1, 2], "answer": "It lasts five years."}\n```',
        'Here it is:\n{"unsure": false, "citations": [1, 2], "answer": "It lasts five years."}\nMore?',
        '{"unsure": false, "citations": [1, 2,], "answer": "It lasts five years.",}',
        "{'unsure': False, 'citations': ['[1]', '2'], 'answer': 'It lasts five years.'}",
        '{unsure: false, citations: [1, 2], answer: "It lasts five years."}',
        '{"unsure": false "citations": [1, 2] "answer": "It lasts five years."',
        '{"unsure": "no", "citations": "1, 2", "answer": ["It lasts five years."]}',
        '{"response": {"unsure": false, "citations": [1, 2], "answer": "It lasts five years."}}',
        '{"why": "the answer: ten", "unsure": false, "citations": [1,1,2], "answer": "It lasts five years."}',
        '{"unsure": false, "citations": [1, 2], "answer": "It lasts five years."}{"answer": "Or ten."}',
        '{"unsure": false, "citations": [1, 2, "answer": "It lasts five years."}',
    ],
)
def test_what_is_almost_json_is_read_as_it_was_meant(text):
    assert read_written(text) == _WHOLE


@pytest.mark.parametrize(
    ("answer", "read"),
    [
        (r"Press \"OK\", then \u00e9 \ud83d\ude42.", 'Press "OK", then é 🙂.'),
        ('Press "OK", then "Cancel".', 'Press "OK", then "Cancel".'),
        ("1. Install.\n2. Hold.", "1. Install.\n2. Hold."),
        (r"1. Install.\n2. Hold.", "1. Install.\n2. Hold."),
        (r"In C:\data\new \u12.", "In C:\\data\new \\u12."),
    ],
)
def test_marks_and_line_ends_that_nobody_escaped_are_of_the_text(answer, read):
    for end in ('", "unsure": false}', '"}', '"'):
        assert read_written('{"answer": "' + answer + end).answer == read


def test_a_text_without_an_object_is_the_answer():
    assert read_written(" It lasts five years [1]. ") == Written("It lasts five years [1].", plain=True)
    assert read_written('{"unsure": true, "citations": [], "answer": null}') == Written("", (), unsure=True)
    assert not read_written('{"answer": "It lasts').settled


@given(st.text(), st.lists(st.integers(0, 999), unique=True), st.booleans(), st.booleans(), st.data())
def test_json_is_read_whole_and_its_beginnings_as_beginnings(answer, numbers, unsure, escaped, data):
    answer = answer.encode("utf-8", "replace").decode()
    value = {"unsure": unsure, "citations": numbers, "answer": answer}
    text = json.dumps(value, ensure_ascii=escaped)
    whole = read_written(text)
    assert whole == Written(answer.strip(), tuple(numbers), unsure=unsure)
    begun = read_written(text[: data.draw(st.integers(0, len(text)))])
    if begun.answer is not None and not begun.plain:
        assert whole.answer.startswith(begun.answer)
        assert (begun.citations, begun.unsure) == (whole.citations, whole.unsure)


@given(st.text(alphabet="{}[]\",:\\'unsreawictao 1\n", max_size=60))
def test_no_text_cannot_be_read(text):
    written = read_written(text)
    assert isinstance(written.answer or "", str)


def test_steps_stay_lines_with_their_numbers():
    answer = "1. Install the app.\n2. Hold the button for 5 seconds.\n3. Enter the password."
    assert cited("How do I connect the kettle?", answer, _STEPS).text.replace(" [1]", "").splitlines() == [
        "1. Install the app.",
        "2. Hold the button for 5 seconds. [2]",
        "3. Enter the password. [3]",
    ]


def test_a_bare_yes_or_no_belongs_to_what_bears_it_out():
    question = "May I use vinegar for the seal?"
    assert cited(question, "No. Never use vinegar: it damages the seal.").text == (
        "No. Never use vinegar: it damages the seal. [1]"
    )
    bare = cited(question, "No.")
    assert (bare.text, bare.citations[0].text) == ("No. [1]", "Never use vinegar: it damages the seal.")
    assert cited(question, "No.", citations=()).text == ""


def test_what_no_passage_says_is_dropped_and_numbers_that_point_nowhere_are_counted():
    found = cited(
        "How long is the warranty of the pump?",
        "The warranty lasts five years. Elephants invented it in 1812. [7]",
        citations=(1, 9),
    )
    assert (found.text, found.dropped_sentences, found.dropped_markers) == (
        "The warranty lasts five years. [1]",
        ("Elephants invented it in 1812.",),
        2,
    )


def test_the_passage_that_is_named_is_looked_at_first():
    twice = ("The warranty lasts five years.", "The warranty lasts five years.")
    for number in (1, 2):
        found = cited("How long is the warranty?", "Five years.", *twice, citations=(number,))
        assert found.citations[0].source == f"{number}.md"


@pytest.mark.parametrize("language", ["en", "de"])
def test_the_prompt_names_what_the_schema_asks_for(language):
    system, user = load_writing_prompt(language).conversation("Q?", passages("</passage> Evidence."))
    assert all(f'"{name}"' in system.content for name in SCHEMA["properties"])
    assert user.content.count("</passage>") == 1
    assert "Q?" in user.content
