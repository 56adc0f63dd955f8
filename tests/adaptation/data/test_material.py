import dataclasses

import hypothesis.strategies as st
import pytest
from hypothesis import given

from hybrid.adaptation.data.examples import Given
from hybrid.adaptation.data.material import (
    Objective,
    TrainingRequest,
    make_examples,
    question_sets,
    split_for,
    split_sources,
    taught_by,
)
from hybrid.adaptation.values import Example, ExampleKind, PreferencePair
from hybrid.config import load_settings
from hybrid.errors import UsageError
from hybrid.generation.prompts import declines
from hybrid.questions.files import save_questions
from hybrid.questions.making import MakingSettings, make_questions, spread
from hybrid.questions.sets import deep_search, read_candidates
from hybrid.questions.splits import held_out
from hybrid.testing import HashEmbedder
from hybrid.types import Message, MessageRole, Question

COUNT = HashEmbedder().count_tokens
ALL = (Objective.READING, Objective.INSTRUCTION, Objective.TEXT)


def settings(**adaptation):
    given = {"examples": 30, "max_tokens": 64} | adaptation
    return load_settings({"adaptation": given, "generation": {"passage_tokens": 40}}, environment={})


def examples_of(retriever, objectives=ALL, **options):
    adaptation = options.pop("adaptation", {})
    request = TrainingRequest(**options)
    return make_examples(retriever, settings(**adaptation), objectives, request, count=COUNT)


def kinds(examples):
    return {example.kind for example in examples}


@pytest.mark.slow
def test_all_objectives_are_made_of_documents_that_may_be_trained_on(tools):
    made = examples_of(tools)
    split = split_for(tools.index, settings(), (), ())
    assert split.held_out
    assert {example.source for example in made.train} <= split.training
    assert {example.source for example in made.validation} <= split.validation
    expected = {
        ExampleKind.READING,
        ExampleKind.ABSTENTION,
        ExampleKind.INSTRUCTION,
        ExampleKind.TEXT,
    }
    assert kinds(made.train) == kinds(made.validation) == expected


@pytest.mark.slow
def test_what_is_held_out_is_in_no_example_not_even_as_a_passage(tools):
    made = examples_of(tools)
    split = split_for(tools.index, settings(), (), ())
    titles = [source.removesuffix(".md").capitalize() for source in split.held_out]
    everything = "\n".join(
        text
        for example in (*made.train, *made.validation)
        for text in (example.completion, *(turn.content for turn in example.prompt))
    )
    assert titles
    assert not any(f'title="{title} >' in everything for title in titles)
    titles = [source.removesuffix(".md").capitalize() for source in split.validation]
    trained = "\n".join(turn.content for example in made.train for turn in example.prompt)
    assert not any(f'title="{title} >' in trained for title in titles)


@pytest.mark.slow
def test_only_what_is_wanted_is_made(tools):
    assert kinds(examples_of(tools, [Objective.TEXT]).train) == {ExampleKind.TEXT}
    assert kinds(examples_of(tools, [Objective.INSTRUCTION]).train) == {ExampleKind.INSTRUCTION}
    reading = examples_of(tools, [Objective.READING], adaptation={"examples": 20}).train
    assert kinds(reading) == {ExampleKind.READING, ExampleKind.ABSTENTION}
    assert len(reading) <= 22
    text = examples_of(tools, [Objective.TEXT], adaptation={"examples": 9})
    assert len(text.train) == 9
    assert any("more plain text" in part.reason for part in text.left_out)


@pytest.mark.slow
def test_the_same_settings_give_the_same_examples(tools):
    assert examples_of(tools) == examples_of(tools)
    assert examples_of(tools).train != examples_of(tools, adaptation={"seed": 1}).train


def own_questions(retriever):
    index = retriever.index
    candidates = spread(index.sources(), lambda source: read_candidates(index, source), seed=0)
    return make_questions(
        candidates,
        MakingSettings(60, unanswerable=0.0),
        search=deep_search(retriever),
        counter=retriever.embedder,
    ).questions


@pytest.mark.slow
def test_what_a_question_set_asks_is_left_out_and_counted(tools):
    asked = own_questions(tools)[::2]
    made = examples_of(tools, [Objective.INSTRUCTION], against=asked)
    texts = {example.prompt[-1].content for example in made.train}
    assert not texts & {question.text for question in asked}
    assert any("leak" in part.reason for part in made.left_out)
    untouched = examples_of(tools, [Objective.INSTRUCTION])
    assert {example.prompt[-1].content for example in untouched.train} & {q.text for q in asked}


@pytest.mark.slow
def test_fresh_questions_and_sets_set_apart_hold_their_documents_out(tools):
    sources = tools.index.sources()
    fresh = Question("f", "How?", ("so",), source=sources[0], slices=("fresh",))
    apart = Question("a", "Why?", ("thus",), source=sources[1])
    split = split_for(tools.index, settings(hold_out=0.0), [fresh], [apart])
    assert split.held_out == {sources[0], sources[1]}
    made = examples_of(tools, adaptation={"hold_out": 0.0}, against=[fresh], apart=[apart])
    assert not {example.source for example in (*made.train, *made.validation)} & split.held_out


def labelled(number, source=""):
    label = "yes" if number % 2 else "no"
    text = f"Is number {number} of the long list of numbers odd?"
    return Question(f"q{number}", text, (label,), options=("yes", "no"), source=source)


@pytest.mark.slow
def test_given_questions_become_what_is_wanted(tools):
    questions = tuple(labelled(number) for number in range(40))
    made = examples_of(tools, [Objective.LABEL], given=Given(questions))
    assert kinds(made.train) == {ExampleKind.LABEL}
    assert len(made.train) + len(made.validation) == 40
    assert made.validation
    asked = [example.prompt for example in made.train]
    assert not any(example.prompt in asked for example in made.validation)


def shows(example):
    return "<passage" in example.prompt[-1].content


def about(source, number):
    question = labelled(number)
    text = f"Entry {number} of {source.removesuffix('.md')}: which part?"
    return dataclasses.replace(question, id=f"{source}-{number}", text=text, source=source)


@pytest.mark.slow
def test_labels_about_an_indexed_document_are_asked_with_passages_and_some_without(tools):
    held_out = split_for(tools.index, settings(), (), ()).held_out
    given = Given(tuple(about(source, number) for source in tools.index.sources() for number in range(8)))
    roomy = {"max_tokens": 600}
    made = examples_of(tools, [Objective.LABEL], given=given, adaptation=roomy)
    examples = [*made.train, *made.validation]
    asked = sum(question.source not in held_out for question in given.questions)
    shown = [example for example in examples if shows(example)]
    assert len(shown) == asked
    assert 0 < len(examples) - len(shown) < asked / 2
    titles = {source.removesuffix(".md").capitalize() for source in held_out}
    assert titles
    assert not any(f'title="{t}' in example.prompt[-1].content for example in shown for t in titles)
    # what both sees at the same place
    own, hits = (
        shown[0],
        tools.search(next(q.text for q in given.questions if q.text in shown[0].prompt[-1].content)),
    )
    first = next(hit.chunk for hit in hits if hit.chunk.source not in held_out)
    assert first.text.splitlines()[-1] in own.prompt[-1].content


@pytest.mark.slow
@pytest.mark.parametrize(("wanted", "some"), [("auto", False), ("always", True), ("never", False)])
def test_labels_about_nothing_indexed_show_passages_only_if_told(tools, wanted, some):
    given = Given(tuple(labelled(number) for number in range(40)))
    options = {"passages": wanted, "max_tokens": 600}
    made = examples_of(tools, [Objective.LABEL], given=given, adaptation=options)
    assert any(map(shows, made.train)) is some


@pytest.mark.slow
def test_given_questions_with_evidence_are_read(tools):
    questions = [q for q in own_questions(tools) if q.made in ("purpose", "default")]
    given = tuple(dataclasses.replace(q, text=f"Tell me: {q.text}", made="gold") for q in questions)
    made = examples_of(tools, [Objective.READING], given=Given(given), adaptation={"examples": 1})
    assert sum(example.made == "gold" for example in made.train) > 8
    assert any("held out: given" in part.reason for part in made.left_out)


@pytest.mark.slow
def test_given_examples_are_taken_as_they_are(tools):
    own = tuple(
        Example(ExampleKind.INSTRUCTION, (Message(MessageRole.USER, f"Say number {n}."),), f"It is {n}.")
        for n in range(30)
    )
    made = examples_of(tools, [Objective.LABEL], given=Given(examples=own))
    assert {*made.train, *made.validation} == set(own)
    source = tools.index.sources()
    split = split_for(tools.index, settings(), (), ())
    placed = tuple(
        dataclasses.replace(example, source=source[n % len(source)]) for n, example in enumerate(own)
    )
    made = examples_of(tools, [Objective.LABEL], given=Given(examples=placed))
    assert {example.source for example in made.train} <= split.training
    assert {example.source for example in made.validation} <= split.validation


@pytest.mark.slow
def test_too_little_to_train_on_is_an_error(retriever_over, tools):
    with pytest.raises(UsageError, match="the training data gives 3 examples"):
        given = Given(tuple(labelled(number) for number in (1, 2, 3)))
        examples_of(tools, [Objective.LABEL], given=given, adaptation={"validation": 0.0})
    with pytest.raises(UsageError, match="same label"):
        given = Given(tuple(labelled(2 * number) for number in range(20)))
        examples_of(tools, [Objective.LABEL], given=given)
    with pytest.raises(UsageError, match="the corpus gives 0 examples"):
        examples_of(tools, [Objective.LABEL])


@pytest.mark.slow
def test_a_corpus_with_nothing_to_ask_is_an_error(retriever_over):
    bare = retriever_over({"a.md": "Hello.\n", "b.md": "Good day.\n", "c.md": "Good night.\n"})
    with pytest.raises(UsageError, match="the corpus gives 0 examples"):
        examples_of(bare)


def test_question_sets_of_a_domain_are_found(tmp_path):
    assert question_sets(tmp_path / "questions") == []
    save_questions(tmp_path / "questions" / "b.jsonl", [Question("2", "Why?", ("so",))])
    save_questions(tmp_path / "questions" / "a.jsonl", [Question("1", "How?", ("so",))])
    assert [question.id for question in question_sets(tmp_path / "questions")] == ["1", "2"]


SHARES = st.floats(0, 0.9)


@pytest.mark.slow
@given(st.lists(st.text(min_size=1), unique=True), SHARES, SHARES, st.integers(0, 9))
def test_documents_are_split_into_three_parts_that_share_none(sources, hold_out, validation, seed):
    split = split_sources(sources, hold_out=hold_out, validation=validation, seed=seed)
    parts = (split.training, split.validation, split.held_out)
    assert frozenset().union(*parts) == set(sources)
    assert sum(map(len, parts)) == len(sources)
    # what `hybrid questions make` calls fresh is held out whatever the seed of training
    assert all(held_out(source, share=hold_out, seed=0) == (source in split.held_out) for source in sources)
    if validation and len(split.training | split.validation) > 1:
        assert split.training
        assert split.validation
    if not validation:
        assert not split.validation


@pytest.mark.slow
@given(st.lists(st.text(min_size=1), unique=True, min_size=8), st.text(min_size=1))
def test_a_document_that_is_added_is_held_out_or_not_for_itself(sources, added):
    before = split_sources(sources, hold_out=0.3, validation=0.2, seed=0)
    after = split_sources([*sources, added], hold_out=0.3, validation=0.2, seed=0)
    assert before.held_out <= after.held_out


@pytest.mark.slow
def test_a_small_set_of_ones_own_has_something_to_validate(tools):
    for count in (8, 12, 26, 60):
        given = Given(tuple(labelled(number) for number in range(count)))
        made = examples_of(tools, [Objective.LABEL], given=given)
        assert len(made.train) + len(made.validation) == count
        assert len(made.validation) >= min(count // 4, 8)


@pytest.mark.slow
def test_what_is_given_is_mixed_with_nothing_unless_it_is_asked_for(tools):
    own = Given(
        examples=tuple(
            Example(ExampleKind.INSTRUCTION, (Message(MessageRole.USER, f"Say number {n}."),), f"It is {n}.")
            for n in range(20)
        )
    )
    assert taught_by(own) == [Objective.INSTRUCTION]
    alone = examples_of(tools, [Objective.INSTRUCTION], given=own)
    assert {example.made for example in (*alone.train, *alone.validation)} == {"given"}
    mixed = examples_of(tools, [Objective.INSTRUCTION], given=own, mix=True)
    assert len(mixed.train) > len(alone.train)
    # what it does not teach is made, since it was named
    assert ExampleKind.TEXT in kinds(examples_of(tools, [Objective.TEXT], given=own).train)


@pytest.mark.slow
def test_too_little_is_told_with_the_reasons_and_what_would_be_learned(tools):
    questions = tuple(Question(f"q{n}", f"Who is number {n} of twelve?", (f"It is {n}.",)) for n in range(12))
    with pytest.raises(
        UsageError, match=r"gives 0 examples to train on of 12, .*left out 12, no quote"
    ) as caught:
        examples_of(tools, [Objective.READING], given=Given(questions))
    assert "--learn instruction" in caught.value.hint
    assert len(examples_of(tools, [Objective.INSTRUCTION], given=Given(questions)).train) == 9


@pytest.mark.slow
def test_contradictions_are_left_out_and_told(tools):
    def say(text, said):
        return Example(ExampleKind.INSTRUCTION, (Message(MessageRole.USER, text),), said)

    own = tuple(say(f"Name number {n} of the list.", f"Number {n}.") for n in range(20))
    other = say("name  number 3 of the list.", "Quite another one.")
    made = examples_of(tools, [Objective.INSTRUCTION], given=Given(examples=(*own, other)))
    assert {*made.train, *made.validation} == set(own)
    (left,) = [left for left in made.left_out if "contradiction" in left.reason]
    assert left.count == 1


@pytest.mark.slow
def test_a_long_text_of_ones_own_is_taken_in_windows(tools):
    long = " ".join(f"Sentence {n} says how the {n}. part is put together." for n in range(200))
    texts = tuple(Example(ExampleKind.TEXT, (), f"{name}. {long}", name) for name in ("One", "Two"))
    made = examples_of(tools, [Objective.TEXT], given=Given(examples=texts))
    assert {example.source for example in (*made.train, *made.validation)} <= {"One", "Two"}
    assert len(made.train) > 20
    assert max(COUNT([example.completion for example in made.train])) <= 64


@pytest.mark.slow
def test_a_preference_is_made_of_each_question_with_its_passage_and_without(tools):
    made = examples_of(tools, (Objective.PREFERENCE,), adaptation={"examples": 40})
    split = split_for(tools.index, settings(), (), ())
    assert made.train == made.validation == ()
    pairs = made.preferences
    assert {pair.source for pair in pairs} <= split.training
    assert {pair.source for pair in made.checks} <= split.validation
    assert made.checks
    asked = {}
    for pair in pairs:
        # one side declines and the other one does not
        assert declines(pair.chosen) != declines(pair.rejected)
        asked.setdefault(pair.prompt[-1].content.rsplit("\n", 1)[-1], set()).add(declines(pair.chosen))
    assert sum(sides == {True, False} for sides in asked.values()) >= len(asked) - 1 >= 5


@pytest.mark.slow
def test_given_preferences_are_added_but_those_of_held_out_documents(tools):
    split = split_for(tools.index, settings(), (), ())
    held, free = sorted(split.held_out)[0], sorted(split.training)[0]
    prompt = (Message(MessageRole.USER, "Which colour has the sky over the harbour?"),)
    given_ = Given(
        preferences=tuple(PreferencePair(prompt, "blue", "green", source) for source in (held, free))
    )
    made = examples_of(tools, (Objective.PREFERENCE,), given=given_)
    assert [pair.source for pair in made.preferences if pair.made == "given"] == [free]
    none = examples_of(tools, (Objective.READING,), given=given_)
    assert none.preferences == none.checks == ()
