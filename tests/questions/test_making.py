"""A set made from a small corpus, with a fake embedder: the checks and what they leave out."""

import dataclasses

import pytest

from hybrid.errors import UsageError
from hybrid.questions.files import load_questions, save_questions
from hybrid.questions.making import MakingSettings, Placed, make_questions, reworded, spread
from hybrid.questions.sets import chunks_of, deep_search, read_candidates
from hybrid.questions.splits import held_out, jargon, numeric
from hybrid.questions.values import Candidate
from hybrid.testing import HashEmbedder, ScriptedGenerator
from hybrid.text.words import contains
from hybrid.types import Document, Question, Span

SETTINGS = MakingSettings(count=12, unanswerable=0.25, hold_out=0.4, k=3, seed=0)


def candidates_of(index, seed=0):
    return spread(index.sources(), lambda source: read_candidates(index, source), seed=seed)


def make(retriever, settings=SETTINGS, candidates=None, **options):
    return make_questions(
        candidates or candidates_of(retriever.index, settings.seed),
        settings,
        search=deep_search(retriever),
        counter=retriever.embedder,
        **options,
    )


def counts(made):
    return {dropped.reason.partition(":")[0]: dropped.count for dropped in made.dropped}


@pytest.mark.slow
def test_every_answer_is_a_span_of_evidence_that_stands_at_its_offsets(retriever):
    made = make(retriever)
    answerable = [question for question in made.questions if question.answerable]
    assert len(answerable) == 9
    for question in answerable:
        (evidence,) = question.evidence
        text = retriever.index.document(evidence.source).text
        assert text[evidence.span.start : evidence.span.end] == evidence.quote
        assert all(contains(evidence.quote, answer) for answer in question.answers)
        assert not any(contains(question.text, answer) for answer in question.answers)
        assert question.unit == evidence.source


@pytest.mark.slow
def test_the_same_corpus_and_seed_give_the_same_file_to_the_byte(retriever, tmp_path):
    for name in ("first", "second"):
        save_questions(tmp_path / name, make(retriever).questions)
    assert (tmp_path / "first").read_bytes() == (tmp_path / "second").read_bytes()
    assert load_questions(tmp_path / "first") == list(make(retriever).questions)


@pytest.mark.slow
def test_another_seed_makes_another_set(retriever):
    fewer = dataclasses.replace(SETTINGS, count=4)
    sets = [make(retriever, dataclasses.replace(fewer, seed=seed)).questions for seed in (0, 1)]
    assert {question.id for question in sets[0]} != {question.id for question in sets[1]}


@pytest.mark.slow
def test_questions_come_from_all_documents_and_several_kinds(retriever):
    made = make(retriever)
    assert {question.source for question in made.questions} == {"goats.md", "server.md", "protocol.md"}
    assert len(made.kinds()) >= 4
    assert sum(count for _, count in made.kinds()) == len(made.questions)


@pytest.mark.slow
def test_unanswerable_questions_withhold_the_only_document_that_answers(retriever):
    made = make(retriever)
    withheld = [question for question in made.questions if question.made == "withheld"]
    assert len(withheld) == 3
    for question in withheld:
        assert (question.answers, question.evidence, question.answerable) == ((), (), False)
        assert question.withheld == (question.source,)
        assert "unanswerable" in question.slices


@pytest.mark.slow
def test_what_another_document_answers_cannot_be_withheld(retriever):
    text = retriever.index.document("server.md").text
    start = text.index("5432")
    shared = Candidate("x", "Which machine do the messages name again?", ("host",), Span(0, len(text)))
    alone = Candidate("x", "Which port number does the listener take?", ("5432",), Span(start, start + 4))
    document = retriever.index.document("server.md")
    only = dataclasses.replace(SETTINGS, count=2, unanswerable=1.0)
    made = make(retriever, only, iter([Placed(document, shared), Placed(document, alone)]))
    assert [question.text for question in made.questions] == [alone.text]
    assert counts(made) == {"answerable": 1}


@pytest.mark.slow
def test_fresh_are_the_questions_of_documents_that_are_held_out(retriever):
    fresh = {question.source: "fresh" in question.slices for question in make(retriever).questions}
    assert set(fresh.values()) == {True, False}
    assert fresh == {
        source: held_out(source, share=SETTINGS.hold_out, seed=SETTINGS.seed) for source in fresh
    }
    none = make(retriever, dataclasses.replace(SETTINGS, hold_out=0.0)).questions
    assert none and not any("fresh" in question.slices for question in none)


@pytest.mark.slow
def test_foreign_questions_are_half_of_the_unanswerable_and_checked_against_the_corpus(retriever):
    foreign = [
        Question("f1", "Which planet has the great red spot?", ("Jupiter",)),
        Question("f2", "What does the listener use by default?", ("5432",)),
        Question("f3", "What is the weight of the Boer breed?", ("heavy",)),
        Question("f4", "Is there life on Mars?", answerable=False),
    ]
    made = make(retriever, dataclasses.replace(SETTINGS, unanswerable=0.5), foreign=foreign)
    taken = [question for question in made.questions if question.made == "foreign"]
    assert [question.text for question in taken] == ["Which planet has the great red spot?"]
    assert taken[0].unit == taken[0].id
    reasons = [dropped.reason for dropped in made.dropped]
    assert "answerable: the foreign answer stands in the corpus" in reasons
    assert "answerable: the foreign question is about something in the corpus" in reasons


@pytest.mark.slow
def test_what_the_generator_knows_by_itself_is_labelled_and_kept(retriever):
    plain = make(retriever)
    easy = next(question for question in plain.questions if question.answerable)
    asked = []

    def closed_book(questions):
        asked.extend(questions)
        return [f"It is {easy.answers[0]}." if text == easy.text else "I wonder." for text in questions]

    told = make(retriever, closed_book=closed_book)
    assert [question.id for question in plain.questions] == [question.id for question in told.questions]
    known = [question.id for question in told.questions if "known without the corpus" in question.slices]
    assert known == [easy.id]
    assert set(asked) == {question.text for question in told.questions if question.answerable}


def placed(index, text, answer, source="server.md"):
    document = index.document(source)
    start = document.text.index(answer)
    return Placed(document, Candidate("x", text, (answer,), Span(start, start + len(answer))))


@pytest.mark.slow
def test_duplicates_and_malformed_candidates_are_left_out_and_counted(retriever):
    index = retriever.index
    question = "Which number does the listener take as its port by default on a machine?"
    candidates = [
        placed(index, question, "5432"),
        placed(index, question.replace("Which", "What"), "localhost"),  # nearly the same words
        placed(index, "Where does anybody connect to a listener?", "5432"),  # the same place
        placed(index, "Are 100 connections fewer than all connections?", "100"),  # holds its answer
    ]
    made = make(retriever, dataclasses.replace(SETTINGS, unanswerable=0.0), iter(candidates))
    assert [item.text for item in made.questions] == [question]
    assert counts(made) == {"duplicate": 2, "malformed": 1}


@pytest.mark.slow
def test_what_retrieval_finds_too_low_is_kept_and_labelled(retriever):
    one = iter([placed(retriever.index, "Which number does the port of the listener have?", "5432")])
    hits = deep_search(retriever)(["Which number does the port of the listener have?"])[0]
    document = retriever.index.document("server.md")
    elsewhere = [hit for hit in hits if hit.chunk.source != "server.md"]
    last = [hit for hit in hits if hit.chunk.source == "server.md"]

    def search_low(questions):
        return [[*elsewhere, *last] for _ in questions]

    def search_nothing(questions):
        return [elsewhere for _ in questions]

    settings = dataclasses.replace(SETTINGS, unanswerable=0.0, k=len(elsewhere))
    made = make_questions(one, settings, search=search_low, counter=retriever.embedder)
    assert "hard to find" in made.questions[0].slices
    again = Candidate(
        "x", "Which number does the port of the listener have?", ("5432",), Span(0, len(document.text))
    )
    with pytest.raises(UsageError, match="1 ambiguous"):
        make_questions(
            iter([Placed(document, again)]), settings, search=search_nothing, counter=retriever.embedder
        )


@pytest.mark.slow
def test_what_another_document_says_otherwise_in_the_same_words_is_ambiguous(retriever_over):
    how = "# {}\n\nTo close an idle connection, {} to its process.\n"
    pages = {"a.md": how.format("Alpha", "send the signal HANGUP")}
    settings = dataclasses.replace(SETTINGS, unanswerable=0.0)
    (one,) = make(retriever_over(pages), settings).questions
    assert one.text == "How do I close an idle connection?"
    pages["b.md"] = how.format("Beta", "send the letter Q")
    with pytest.raises(UsageError, match="says something else in the same words"):
        make(retriever_over(pages), settings)


@pytest.mark.slow
def test_a_question_in_the_words_of_its_evidence_is_labelled(retriever):
    every = dataclasses.replace(SETTINGS, count=40, unanswerable=0.0)
    labels = {question.text: question.slices for question in make(retriever, every).questions}
    assert "quotes its evidence" in labels["Why do mountain goats climb steep slopes?"]
    assert "quotes its evidence" not in labels["What is a kid?"]


@pytest.mark.slow
def test_the_order_of_the_documents_makes_no_difference(retriever):
    index = retriever.index

    def read(source):
        return read_candidates(index, source)

    there, back = (
        make(retriever, candidates=spread(sources, read, seed=0))
        for sources in (index.sources(), index.sources()[::-1])
    )
    assert there == back


@pytest.mark.slow
def test_a_corpus_that_lets_one_ask_nothing_is_a_clear_error(retriever):
    with pytest.raises(UsageError, match="nothing that a question can be made of") as caught:
        make(retriever, candidates=iter([]))
    assert "--generator" in caught.value.hint


@pytest.mark.parametrize("wrong", [{"count": 0}, {"unanswerable": 1.2}, {"hold_out": -0.1}, {"k": 0}])
def test_settings_that_make_no_sense_are_refused(wrong):
    with pytest.raises(UsageError, match="expected"):
        MakingSettings(**wrong)


@pytest.mark.slow
def test_the_same_answer_is_not_asked_for_again_and_again(retriever):
    document = Document("rows.md", "\n".join(f"row {n}: package goat" for n in range(9)), "Rows")
    words = ("alpha", "bravo", "charlie", "delta", "echo", "foxtrot", "golf", "hotel", "india")
    rows = [
        Placed(
            document,
            Candidate("table", f"Which {word} package has {word}?", ("goat",), Span(n * 20, n * 20 + 19)),
        )
        for n, word in enumerate(words)
    ]

    def search(questions):
        hits = deep_search(retriever)(list(questions))
        return [
            [
                dataclasses.replace(hit, chunk=dataclasses.replace(hit.chunk, source="rows.md"))
                for hit in found
            ]
            for found in hits
        ]

    settings = dataclasses.replace(SETTINGS, unanswerable=0.0)
    made = make_questions(iter(rows), settings, search=search, counter=retriever.embedder)
    assert len(made.questions) == 4
    assert counts(made) == {"monotonous": 5}


@pytest.mark.slow
def test_the_chunks_of_a_document_are_found_by_bisection(index):
    for source in index.sources():
        chunks = chunks_of(index, source)
        assert [chunk.ordinal for chunk in chunks] == list(range(len(chunks)))
        assert {chunk.source for chunk in chunks} == {source}
    assert chunks_of(index, "nowhere.md") == []


@pytest.mark.slow
def test_spreading_visits_every_document_before_it_comes_back(index):
    order = [placed.document.source for placed in candidates_of(index)]
    assert sorted(order[:3]) == ["goats.md", "protocol.md", "server.md"]
    assert order.count("protocol.md") == 1


@pytest.mark.slow
def test_a_generator_may_word_the_question_and_nothing_else(index):
    replies = ["Which port is it where the listener waits for clients?", "5432?", "No question."]
    base = [placed(index, f"Question number {n} about it?", "5432") for n in range(3)]
    whole = [
        dataclasses.replace(
            item, candidate=dataclasses.replace(item.candidate, evidence=Span(0, len(item.document.text)))
        )
        for item in base
    ]
    (kept,) = reworded(iter(whole), ScriptedGenerator(replies, name="big"))
    assert kept.candidate.text == replies[0]
    assert (kept.candidate.answers, kept.candidate.made) == (("5432",), "generated:big")


@pytest.mark.parametrize("answer", ["5", "-1", "0.95", "8 kB", "3 seconds", "1,000", "60 %", "$5"])
def test_numbers_with_and_without_units_are_numeric(answer):
    assert numeric([answer])
    assert not numeric([answer, "many"])


@pytest.mark.parametrize("answer", ["localhost", "four", "hba_file", "v2", "2 of the 3 servers", ""])
def test_other_answers_are_not_numeric(answer):
    assert not numeric([answer])


def test_jargon_is_measured_in_pieces_a_word():
    class Pieces(HashEmbedder):
        def count_tokens(self, texts):
            return [1 + text.count("_") * 2 for text in texts]

    texts = [
        "What is the default of it?",
        "What of max_worker_processes and wal_retrieve_retry_interval?",
        "",
    ]
    assert jargon(texts, Pieces(8)) == [False, True, False]
