import collections
import re

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given, settings

from hybrid.adaptation.examples.reading import NEAR_MISS, SWAPPED, WITHOUT, reading_examples
from hybrid.adaptation.values import ExampleKind
from hybrid.config import GenerationSettings
from hybrid.generation.prompts import load_prompts
from hybrid.generation.quoting import locate
from hybrid.questions.making import MakingSettings, make_questions, spread
from hybrid.questions.sets import deep_search, read_candidates
from hybrid.types import Question

SETTINGS = GenerationSettings(passages=3, passage_tokens=40)
SHOWN = re.compile(r'<passage number="(\d+)" title="([^"]*)">\n(.*?)\n</passage>', re.DOTALL)
SAID = re.compile(r'"(.*)" \[(\d)\]\n(.*)')


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
    return reading_examples(questions, retriever, SETTINGS, **{"seed": 0} | options)


def passages(example):
    return {int(number): text for number, _, text in SHOWN.findall(example.prompt[-1].content)}


def test_the_quote_stands_in_the_passage_that_it_names(tools, questions):
    found = [e for e in examples(tools, questions) if e.kind is ExampleKind.READING]
    assert len(found) == len(questions)
    for example in found:
        quote, number, answer = SAID.fullmatch(example.completion).groups()
        shown = passages(example)
        assert list(shown) == list(range(1, len(shown) + 1))
        assert locate(quote, shown[int(number)])
        assert answer


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


def test_a_share_has_no_answer_and_says_so_exactly(tools, questions):
    counts = collections.Counter(e.made for e in examples(tools, questions, without=0.25, near_miss=0.25))
    assert counts[WITHOUT] == pytest.approx(len(questions) / 2, abs=1)
    assert counts[NEAR_MISS] == pytest.approx(len(questions) / 2, abs=1)
    sentence = load_prompts("en").abstention
    for example in examples(tools, questions):
        assert (example.kind is ExampleKind.ABSTENTION) == (example.completion == sentence)


def test_what_has_no_answer_was_asked_with_one_too(tools, questions):
    found = examples(tools, questions)
    asked = {example.prompt[-1].content.rsplit("\n", 1)[-1]: example.kind for example in found}
    read = [e.prompt[-1].content.rsplit("\n", 1)[-1] for e in found if e.kind is ExampleKind.READING]
    assert set(asked) == set(read)


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


def test_the_place_of_the_right_passage_says_nothing(tools, questions):
    numbers = collections.Counter(
        SAID.fullmatch(example.completion)[2]
        for seed in range(4)
        for example in examples(tools, questions, seed=seed)
        if example.kind is ExampleKind.READING
    )
    assert min(numbers.values()) > 0.2 * sum(numbers.values())


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


def test_a_swapped_answer_stands_in_the_passage_and_not_in_the_document(tools, questions):
    swapped = [e for e in examples(tools, questions, swaps=1.0) if e.made == SWAPPED]
    assert len(swapped) > 5
    for example in swapped:
        quote, number, answer = SAID.fullmatch(example.completion).groups()
        assert answer in quote
        assert locate(quote, passages(example)[int(number)])
        assert not locate(quote, tools.index.document(example.source).text)


def test_the_same_seed_gives_the_same_examples_and_another_one_others(tools, questions):
    assert examples(tools, questions) == examples(tools, questions)
    assert examples(tools, questions) != examples(tools, questions, seed=1)


def test_unanswerable_questions_are_asked_with_what_is_found(tools, questions):
    open_ = [
        Question("u1", "How heavy is the moon?", answerable=False),
        Question("u2", questions[0].text, answerable=False, withheld=(questions[0].source,)),
    ]
    found = examples(tools, open_)
    assert [example.kind for example in found] == [ExampleKind.ABSTENTION] * 2
    title = questions[0].source.removesuffix(".md").capitalize()
    assert not any(own.startswith(title) for _, own, _ in SHOWN.findall(found[1].prompt[-1].content))


def test_questions_without_evidence_or_document_give_nothing(tools):
    assert examples(tools, [Question("q", "Which port?", ("5432",))]) == []
    assert examples(tools, []) == []


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 1000), st.integers(1, 4), st.integers(32, 60))
def test_whatever_the_reader_sees_the_right_passage_holds_the_quote(tools, seed, count, tokens):
    shape = GenerationSettings(passages=count, passage_tokens=tokens)
    found = reading_examples(made(tools, 12), tools, shape, seed=seed)
    assert any(example.kind is ExampleKind.READING for example in found)
    for example in found:
        shown = passages(example)
        assert 1 <= len(shown) <= count
        assert all(tools.embedder.count_tokens([text])[0] <= tokens for text in shown.values())
        if example.kind is ExampleKind.READING:
            quote, number, _ = SAID.fullmatch(example.completion).groups()
            assert locate(quote, shown[int(number)])
