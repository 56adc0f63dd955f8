import collections
import re

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from hybrid.adaptation.data.reading import (
    NEAR_MISS,
    QUOTE_TOKENS,
    SWAPPED,
    WITHOUT,
    Quote,
    ReadingLesson,
    find_quote,
    other_answer,
    swapped,
)
from hybrid.adaptation.values import ExampleKind
from hybrid.config import GenerationSettings
from hybrid.generation.prompts import Passage, load_prompts
from hybrid.generation.quoting import locate
from hybrid.questions.making import MakingSettings, make_questions, spread
from hybrid.questions.sets import deep_search, read_candidates
from hybrid.testing import HashEmbedder
from hybrid.types import Chunk, Document, Evidence, Question, Span

SETTINGS = GenerationSettings(passages=3, passage_tokens=40)
SHOWN = re.compile(r'<passage number="(\d+)" title="([^"]*)">\n(.*?)\n</passage>', re.DOTALL)
SAID = re.compile(r'"(.*)" \[(\d)\]\n(.*)')

COUNTER = HashEmbedder()
TEXT = (
    "The listener waits for clients. It uses port 5432 unless told otherwise. Cats sleep all day.\n\n"
    "Name | Size | Use\nsmall | 10 kB | notes\nlarge | 90 MB | films\n"
)

PORTS = "The default port is 5432. Ask for 5432, not 54321."


def made(retriever, count=40, unanswerable=0.0):
    index = retriever.index
    candidates = spread(index.sources(), lambda source: read_candidates(index, source), seed=0)
    wanted = MakingSettings(count, unanswerable=unanswerable)
    return make_questions(
        candidates, wanted, search=deep_search(retriever), counter=retriever.embedder
    ).questions


@pytest.fixture
def questions(tools):
    return made(tools)


def examples(retriever, questions, **options):
    return ReadingLesson(retriever, SETTINGS, **{"seed": 0} | options).examples(questions)


def passages(example):
    return {int(number): text for number, _, text in SHOWN.findall(example.prompt[-1].content)}


@pytest.mark.slow
def test_the_quote_stands_in_the_passage_that_it_names(tools, questions):
    found = [e for e in examples(tools, questions) if e.kind is ExampleKind.READING]
    assert len(found) == len(questions)
    for example in found:
        quote, number, answer = SAID.fullmatch(example.completion).groups()
        shown = passages(example)
        assert list(shown) == list(range(1, len(shown) + 1))
        assert locate(quote, shown[int(number)])
        assert answer


@pytest.mark.slow
def test_no_other_passage_holds_the_answer(tools, questions):
    kinds = (e for e in examples(tools, questions, swaps=0.0) if e.kind is ExampleKind.READING)
    found = [example for example in kinds if example.made != "heading"]
    assert found
    others = 0
    for example in found:
        _, number, answer = SAID.fullmatch(example.completion).groups()
        apart = [text for place, text in passages(example).items() if place != int(number)]
        assert not any(re.search(rf"(?<![\w-]){re.escape(answer)}(?!\w)", text) for text in apart)
        others += len(apart)
    assert others >= len(found)


@pytest.mark.slow
def test_a_share_has_no_answer_and_says_so_exactly(tools, questions):
    counts = collections.Counter(e.made for e in examples(tools, questions, without=0.25, near_miss=0.25))
    assert counts[WITHOUT] == pytest.approx(len(questions) / 2, abs=1)
    assert counts[NEAR_MISS] == pytest.approx(len(questions) / 2, abs=1)
    sentence = load_prompts("en").abstention
    for example in examples(tools, questions):
        assert (example.kind is ExampleKind.ABSTENTION) == (example.completion == sentence)


@pytest.mark.slow
def test_what_has_no_answer_was_asked_with_one_too(tools, questions):
    found = examples(tools, questions)
    asked = {example.prompt[-1].content.rsplit("\n", 1)[-1]: example.kind for example in found}
    read = [e.prompt[-1].content.rsplit("\n", 1)[-1] for e in found if e.kind is ExampleKind.READING]
    assert set(asked) == set(read)


@pytest.mark.slow
def test_near_misses_show_the_right_document_and_the_others_do_not(tools, questions):
    by_id = {question.text: question for question in questions}
    withheld = [e for e in examples(tools, questions) if e.kind is ExampleKind.ABSTENTION]
    assert {example.made == NEAR_MISS for example in withheld} == {True, False}
    for example in withheld:
        question = by_id[example.prompt[-1].content.rsplit("\n", 1)[-1].removeprefix("Question: ")]
        title = question.source.removesuffix(".md").capitalize()
        titles = [title.split(" > ")[0] for _, title, _ in SHOWN.findall(example.prompt[-1].content)]
        assert titles
        assert all((own == title) == (example.made == NEAR_MISS) for own in titles)
        quote = question.evidence[0].quote
        assert not any(locate(quote, text) for text in passages(example).values())


@pytest.mark.slow
def test_the_place_of_the_right_passage_says_nothing(tools, questions):
    numbers = collections.Counter(
        SAID.fullmatch(example.completion)[2]
        for seed in range(4)
        for example in examples(tools, questions, seed=seed)
        if example.kind is ExampleKind.READING
    )
    assert min(numbers.values()) > 0.2 * sum(numbers.values())


@pytest.mark.slow
def test_passages_come_from_the_given_documents_only(tools, questions):
    some = frozenset(question.source for question in questions[:12])
    own = [question for question in questions if question.source in some]
    allowed = {source.removesuffix(".md").capitalize() for source in some}
    found = examples(tools, own, sources=some)
    shown = {
        title.split(" > ")[0]
        for example in found
        for _, title, _ in SHOWN.findall(example.prompt[-1].content)
    }
    assert len(shown) > 1 and shown <= allowed


@pytest.mark.slow
def test_a_swapped_answer_stands_in_the_passage_and_not_in_the_document(tools, questions):
    swapped = [e for e in examples(tools, questions, swaps=1.0) if e.made == SWAPPED]
    assert len(swapped) > 5
    for example in swapped:
        quote, number, answer = SAID.fullmatch(example.completion).groups()
        assert answer in quote
        assert locate(quote, passages(example)[int(number)])
        assert not locate(quote, tools.index.document(example.source).text)


@pytest.mark.slow
def test_the_same_seed_gives_the_same_examples_and_another_one_others(tools, questions):
    assert examples(tools, questions) == examples(tools, questions)
    assert examples(tools, questions) != examples(tools, questions, seed=1)


@pytest.mark.slow
def test_unanswerable_questions_are_asked_with_what_is_found(tools, questions):
    open_ = [
        Question("u1", "How heavy is the moon?", answerable=False),
        Question("u2", questions[0].text, answerable=False, withheld=(questions[0].source,)),
    ]
    found = examples(tools, open_)
    assert [example.kind for example in found] == [ExampleKind.ABSTENTION] * 2
    title = questions[0].source.removesuffix(".md").capitalize()
    assert not any(own.startswith(title) for _, own, _ in SHOWN.findall(found[1].prompt[-1].content))


@pytest.mark.slow
def test_questions_without_evidence_or_document_give_nothing(tools):
    assert examples(tools, [Question("q", "Which port?", ("5432",))]) == []
    assert examples(tools, []) == []


@pytest.mark.slow
@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 1000), st.integers(1, 4), st.integers(32, 60))
def test_whatever_the_reader_sees_the_right_passage_holds_the_quote(tools, seed, count, tokens):
    shape = GenerationSettings(passages=count, passage_tokens=tokens)
    found = ReadingLesson(tools, shape, seed).examples(made(tools, 12))
    assert any(example.kind is ExampleKind.READING for example in found)
    for example in found:
        shown = passages(example)
        assert 1 <= len(shown) <= count
        assert all(tools.embedder.count_tokens([text])[0] <= tokens for text in shown.values())
        if example.kind is ExampleKind.READING:
            quote, number, _ = SAID.fullmatch(example.completion).groups()
            assert locate(quote, shown[int(number)])


def quote(question, answers, text=TEXT, span=None, chunks=None, quoted=None):
    span = span or Span(0, len(text))
    evidence = Evidence("a.txt", quoted or text[span.start : span.end], None if quoted else span)
    asked = Question("q", question, tuple(answers), evidence=(evidence,))
    chunks = chunks or [Chunk("a.txt", 0, 0, len(text), text, ("Manual",))]
    return find_quote(asked, Document("a.txt", text), chunks, COUNTER, support=0.6)


def test_the_sentence_that_answers_is_quoted():
    found = quote("Which port does the listener use?", ["5432"])
    assert "It uses port 5432" in found.evidence.quote
    assert "Cats" not in found.evidence.quote
    assert found.answer == "5432"
    span = found.evidence.span
    assert TEXT[span.start : span.end] == found.evidence.quote


def test_of_a_table_the_row_is_quoted():
    found = quote("What is the size of large?", ["90 MB"])
    assert found.evidence.quote == "large | 90 MB | films"


def test_the_first_answer_that_stands_in_the_quote_is_the_answer():
    assert quote("Which port?", ["port number 5432", "5432"]).answer == "5432"


def test_an_answer_in_other_words_needs_their_support():
    assert quote("Who waits?", ["a listener for waiting clients"]).answer == "a listener for waiting clients"
    assert quote("Who waits?", ["elephants"]) is None


def test_a_heading_may_be_the_answer():
    assert quote("Under which heading does it say this?", ["Manual"]).answer == "Manual"


def test_evidence_without_offsets_is_looked_up():
    found = quote("Which port?", ["5432"], quoted="It uses port 5432\nunless told otherwise.")
    assert TEXT[found.evidence.span.start :].startswith("It uses port 5432")
    assert quote("Which port?", ["5432"], quoted="It stands nowhere, 5432.") is None


def test_a_quote_lies_in_one_chunk():
    first = TEXT.index("It uses")
    chunks = [Chunk("a.txt", 0, 0, first, TEXT[:first]), Chunk("a.txt", 1, first, 60, TEXT[first:60])]
    assert quote("Which port?", ["5432"], chunks=chunks) is None
    chunks[1] = Chunk("a.txt", 1, first, len(TEXT), TEXT[first:])
    found = quote("Which port does the listener use?", ["5432"], chunks=chunks)
    assert found.chunk is chunks[1]
    assert found.evidence.span.start >= first


@pytest.mark.parametrize("before", [0, 30, 200])
def test_a_long_sentence_is_cut_around_the_answer(before):
    text = f"{'word ' * before}the port is 5432 {'more ' * 200}and that was all."
    found = quote("Which port?", ["5432"], text=text)
    assert "5432" in found.evidence.quote
    assert COUNTER.count_tokens([found.evidence.quote])[0] <= QUOTE_TOKENS + 1
    assert found.evidence.quote in text


def test_a_question_without_evidence_has_no_quote():
    asked = Question("q", "Which port?", ("5432",))
    assert find_quote(asked, Document("a.txt", TEXT), [], COUNTER, support=0.6) is None


def exchangeable(
    answer, text="The default port is 5432.", made="number", question="Which port?", headings=()
):
    chunk = Chunk("a.txt", 0, 0, len(text), text, headings)
    return Quote(
        Question("q", question, (answer,), made=made),
        Evidence("a.txt", text, Span(0, len(text))),
        chunk,
        answer,
    )


def chance():
    return np.random.default_rng(0)


def test_another_answer_of_the_same_kind_is_found():
    others = [exchangeable("5432"), exchangeable("99"), exchangeable("cats", made="list")]
    assert other_answer(others[0], others, chance()) == "99"


@pytest.mark.parametrize(
    "own",
    [
        exchangeable("port"),  # stands in the question
        exchangeable("5432", headings=("Port 5432",)),
        exchangeable("nowhere"),
        exchangeable("5432", made="alone"),
    ],
)
def test_what_cannot_be_exchanged_stays(own):
    assert other_answer(own, [own, exchangeable("99"), exchangeable("98")], chance()) == ""


def test_a_word_does_not_stand_for_a_number():
    assert other_answer(exchangeable("5432"), [exchangeable("5432"), exchangeable("seven")], chance()) == ""


def test_all_places_of_the_answer_are_exchanged_and_no_other():
    passage = Passage(1, "a.txt", "Manual", PORTS, Span(0, len(PORTS)))
    changed, quoted = swapped(passage, exchangeable("5432"), r"\1")
    assert changed.text == r"The default port is \1. Ask for \1, not 54321."
    assert quoted == r"The default port is \1."
    assert changed.span == passage.span
