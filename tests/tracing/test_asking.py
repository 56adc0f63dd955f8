"""Every stage of an answer is a span; what is kept has no word of the question unless that was asked for."""

import dataclasses
import json

import numpy as np
import pytest

from hybrid import Assistant, Assistants
from hybrid.config import load_settings
from hybrid.errors import AdapterMissing, UsageError
from hybrid.testing import HashEmbedder, OverlapReranker, ScriptedGenerator
from hybrid.tracing import names, traced
from hybrid.tracing.spans import asking, sent_to
from hybrid.tracing.store import TraceStore


class Kept(list):
    """Keeps all spans."""

    def add(self, spans):
        self.extend(spans)

    def close(self):
        pass


@pytest.fixture
def assistant(tmp_path, write_files):
    write_files(tmp_path / "docs", {"a.txt": "The secret port is 5432.", "b.txt": "The archive is at night."})
    own = Assistant(
        "d",
        settings=load_settings({"documents": {"workers": 1}, "generation": {"abstain_below": 0.2}}),
        embedder=HashEmbedder(),
        generator=ScriptedGenerator(["The secret port is 5432. [1]"] * 9),
        reranker=OverlapReranker(),
    )
    own.index(tmp_path / "docs")
    return own


def _tree(spans):
    """Return the stages of a trace, each with that above it."""
    by_id = {one.id: one.name for one in spans}
    return {(by_id.get(one.parent, ""), one.name) for one in spans}


@pytest.mark.slow
def test_every_stage_of_a_question_is_a_span(assistant):
    kept = Kept()
    with sent_to([kept]), asking(1, {names.CONVERSATION: "c"}):
        answer = assistant.ask("Which secret port?", arm="rag:reader=generator")
        assistant.check(answer)
    assert {
        ("", "ask"),
        ("ask", "retrieve"),
        ("retrieve", "embed"),
        ("retrieve", "rerank"),
        ("ask", "answer"),
        ("answer", "generate"),
        ("ask", "judge"),
    } <= _tree(kept)
    kinds = {one.name: one.kind for one in kept}
    assert kinds == {
        **{"ask": "CHAIN", "answer": "CHAIN", "retrieve": "RETRIEVER", "rerank": "RERANKER"},
        **{"embed": "EMBEDDING", "generate": "LLM", "judge": "EVALUATOR"},
    }
    (asked,) = (one for one in kept if one.name == names.ASK)
    assert answer.trace == asked.trace
    told = asked.attributes
    assert told[names.DOMAIN] == "d"
    assert told[names.ARM] == "rag:reader=generator"
    assert told[names.OUTCOME] == "answered"
    assert told[names.CONVERSATION] == "c"
    assert told[names.INDEX_GENERATION] == assistant.retriever.index.manifest.generation
    assert told[names.GROUNDEDNESS] == 1.0
    assert told[names.TOP_SCORE] == answer.hits[0].score
    assert told[names.OUTPUT_TOKENS] == answer.completion_tokens > 0
    assert len(told[names.PROMPT_DIGEST]) >= 12
    assert {abs(side) for side in told[names.QUESTION_VECTOR]} == {1.0}
    assert len(told[names.QUESTION_VECTOR]) == 16
    assert "secret" not in repr(kept).lower()


@pytest.mark.slow
def test_content_is_kept_only_where_it_was_asked_for(assistant):
    kept = Kept()
    with sent_to([kept], content=True):
        answer = assistant.ask("Which secret port?", arm="rag:reader=generator")
    told = {one.name: one.attributes for one in kept}
    assert told["ask"][names.INPUT] == "Which secret port?"
    assert told["ask"][names.OUTPUT] == answer.text
    assert told["retrieve"][names.QUERY] == "Which secret port?"
    assert told["retrieve"][names.DOCUMENT_CONTENT.format(0)] == "The secret port is 5432."
    asked = json.loads(told["generate"][names.INPUT_MESSAGES])
    assert [turn["role"] for turn in asked] == ["system", "user"]
    assert "Which secret port?" in asked[1]["parts"][0]["content"]


@pytest.mark.slow
def test_questions_of_a_batch_have_a_trace_each(assistant):
    kept = Kept()
    with sent_to([kept]):
        answers = assistant.ask_all(["Which secret port?", "hello", "When is the archive?"])
    assert len({answer.trace for answer in answers}) == 3
    by_trace = {answer.trace: [one for one in kept if one.trace == answer.trace] for answer in answers}
    first, talk, last = by_trace.values()
    assert _tree(first) == _tree(last) > _tree(talk)
    assert sum(one.name == "rerank" for one in first) == 1
    vectors = [
        one.attributes[names.QUESTION_VECTOR] for one in kept if names.QUESTION_VECTOR in one.attributes
    ]
    assert np.linalg.norm(np.subtract(*vectors)) > 0.1


@pytest.mark.slow
def test_where_questions_lie_is_kept_only_where_it_may_be(assistant):
    kept = Kept()
    with sent_to([kept], questions=False):
        assistant.ask("Which secret port?")
    assert kept and not any(names.QUESTION_VECTOR in one.attributes for one in kept)


@pytest.mark.slow
def test_a_stream_is_traced_as_the_answer_is(assistant):
    for arm in ("rag", "rag:reader=generator", "base"):
        kept, streamed = Kept(), Kept()
        with sent_to([kept]):
            assistant.ask("Which secret port?", arm=arm)
        with sent_to([streamed]):
            *_, answer = assistant.stream("Which secret port?", arm=arm)
        assert _tree(streamed) == _tree(kept)
        (asked,) = (one for one in streamed if one.name == names.ASK)
        assert answer.trace == asked.trace
        assert asked.attributes[names.FIRST_CHUNK] > 0
        whole = {key for one in kept if one.name == names.ASK for key in one.attributes}
        assert set(asked.attributes) == whole | {names.FIRST_CHUNK}


@pytest.mark.slow
@pytest.mark.parametrize(("arm", "error"), [("nonsense", UsageError), ("both", AdapterMissing)])
def test_an_arm_that_cannot_be_asked_is_refused(assistant, arm, error):
    kept = Kept()
    with sent_to([kept]), pytest.raises(error):
        assistant.ask("Which secret port?", arm=arm)
    (asked,) = kept
    assert (asked.error, asked.attributes[names.OUTCOME]) == (error.__name__, "refused")
    assert (asked.attributes[names.DOMAIN], asked.attributes[names.ARM]) == ("d", arm)


@pytest.mark.slow
def test_the_router_is_a_decision_and_its_choice_the_domain(assistant, tmp_path, write_files):
    write_files(tmp_path / "more", {"c.txt": "Cats eat fish and sleep."})
    settings = assistant.settings
    Assistant("pets", settings=settings, embedder=HashEmbedder()).index(tmp_path / "more")
    kept = Kept()
    with sent_to([kept]), Assistants(settings=settings, embedder=HashEmbedder()) as several:
        questions = ["Do cats eat fish?", "What is the capital of Peru?", "hello"]
        one = several.ask(questions[0])
        *_, streamed = several.stream(questions[0])
        all_of_them = several.ask_all(questions)
    asked = {span.trace: span for span in kept if span.name == names.ASK}
    routed = [span for span in kept if span.name == names.ROUTE_DOMAIN]
    assert len(asked) == 5
    assert len(routed) == 4
    assert {span.kind for span in routed} == {"DECISION"}
    for answer in (one, streamed, *all_of_them):
        assert asked[answer.trace].attributes.get(names.DOMAIN, "") == answer.domain
    assert one.domain == "pets"
    declined = asked[all_of_them[1].trace].attributes
    assert (declined[names.OUTCOME], declined[names.ARM]) == ("declined", "")


@pytest.mark.slow
def test_answers_are_the_same_traced_or_not(assistant):
    questions = ["Which secret port?", "Nothing about it?"]
    bare = assistant.ask_all(questions)
    with sent_to([Kept()]):
        told = assistant.ask_all(questions)
    assert [dataclasses.replace(one, trace="", seconds=0) for one in told] == [
        dataclasses.replace(one, seconds=0) for one in bare
    ]
    assert all(one.trace for one in told)


@pytest.mark.slow
def test_traces_are_kept_as_the_settings_say(assistant, tmp_path):
    settings = assistant.settings
    with traced(settings):
        answer = assistant.ask("Which secret port?")
    with TraceStore(tmp_path / "indexes" / "traces.sqlite", read_only=True) as store:
        (asked,) = store.asked(domain="d")
        assert asked.trace == answer.trace
        assert len(store.trace(answer.trace)) > 3
    off = dataclasses.replace(settings, tracing=dataclasses.replace(settings.tracing, store=False))
    with traced(off):
        assert assistant.ask("Which secret port?").trace == ""


@pytest.mark.slow
def test_what_is_judged_later_belongs_to_its_question(assistant, tmp_path):
    with traced(assistant.settings):
        answer = assistant.ask("Which secret port?")
        assistant.check(answer)
    with TraceStore(tmp_path / "indexes" / "traces.sqlite", read_only=True) as store:
        (asked,) = store.asked()
        assert asked.attributes[names.GROUNDEDNESS] == 1.0
        spans = store.trace(answer.trace)
    assert ("ask", "judge") in _tree(spans)
