"""The question sets of a domain, from Python."""

import dataclasses

import pytest

from hybrid.config import GenerationSettings
from hybrid.errors import UsageError
from hybrid.generation.answering import Answerer
from hybrid.questions.files import save_questions
from hybrid.questions.making import MakingSettings
from hybrid.questions.sets import QuestionSets, attributed
from hybrid.questions.splits import KNOWN
from hybrid.testing import HashEmbedder, ScriptedGenerator
from hybrid.types import Document, Evidence, Question

_PORT = """# Connections

The maximum length of a host name is 63 bytes.

## Options

- `--port`: Specifies the TCP port of the listener. Defaults to `5432`.
- `--host`: Specifies the address of the network interface. Defaults to `localhost`.
"""
_WANTED = MakingSettings(count=3, unanswerable=0.0, hold_out=0.0)


@pytest.fixture
def sets(retriever_over):
    retriever = retriever_over({"port.md": _PORT})
    generator = ScriptedGenerator(["It is 5432, I think."])
    answerer = Answerer(HashEmbedder(), lambda: generator, GenerationSettings())
    return QuestionSets(retriever.index.folder.parent.parent, lambda: retriever, lambda: answerer)


@pytest.mark.slow
def test_questions_are_made_with_answers_that_stand_in_the_documents(sets):
    said = []
    made = sets.make(_WANTED, note=said.append)
    assert made.questions
    assert all(answer in _PORT for question in made.questions for answer in question.answers)
    assert said == [f"asking the generator {len(made.questions)} questions without the corpus"]
    assert sets.make(_WANTED).questions == made.questions
    known = [question.answers for question in made.questions if KNOWN in question.slices]
    assert known == [question.answers for question in made.questions if "5432" in question.answers]


@pytest.mark.slow
def test_without_the_closed_book_no_generator_is_asked(sets):
    asked = sets.answerer().generator().history
    assert sets.make(_WANTED, closed_book=False).questions
    assert asked == []


@pytest.mark.slow
def test_a_generator_that_words_no_question_leaves_none(sets):
    with pytest.raises(UsageError, match="holds nothing that a question can be made of"):
        sets.make(_WANTED, worded=True)


@pytest.mark.slow
def test_a_set_is_found_by_path_and_by_name(sets, tmp_path):
    question = Question("q", "Which port?", ("5432",))
    own, elsewhere = sets.folder / "made.jsonl", tmp_path / "mine.jsonl"
    own.parent.mkdir(parents=True, exist_ok=True)
    save_questions(own, [question])
    save_questions(elsewhere, [question])
    assert sets.find("made") == sets.find("made.jsonl") == own
    assert sets.find(str(elsewhere)) == elsewhere
    with pytest.raises(UsageError, match="no question set 'maid'") as caught:
        sets.find("maid")
    assert caught.value.hint == "sets that are there: made"
    own.unlink()
    with pytest.raises(UsageError) as caught:
        sets.find("made")
    assert "hybrid questions make" in caught.value.hint


@pytest.mark.slow
def test_evidence_is_looked_up_in_the_documents(sets):
    good = Question("g", "Which port?", ("5432",), evidence=(Evidence("port.md", "Defaults to `5432`"),))
    gone = Question("b", "Which host?", ("here",), evidence=(Evidence("host.md", "here"),))
    assert sets.check([good, Question("o", "Which host?", ("localhost",))]).errors == 0
    assert [finding.question for finding in sets.check([good, gone]).findings if finding.question == "b"]


_DOCUMENTS = (
    Document("port.md", "The listener takes the TCP port 5432 unless it is told otherwise."),
    Document("host.md", "The listener takes the address localhost. A port below 1024 needs a privilege."),
    Document("copy.md", "A port below 1024 needs a privilege."),
)


@pytest.mark.parametrize(
    ("question", "source"),
    [
        (Question("given", "Which port?", ("5432",), source="elsewhere.md"), "elsewhere.md"),
        (Question("gold", "Which port does the listener take?", ("5432",)), "port.md"),
        (Question("evidence", "Which?", ("x",), evidence=(Evidence("host.md", "not there"),)), "host.md"),
        (
            Question("quote", "Which?", ("x",), evidence=(Evidence("old", "the  address LOCALHOST"),)),
            "host.md",
        ),
        (Question("twice", "What does a port below 1024 need?", ("a privilege",)), ""),
        (Question("nowhere", "Which port does the listener take?", ("80",)), ""),
        (Question("chance", "How many sheep sleep in the meadow?", ("5432",)), ""),
        (Question("label", "The listener and its port?", ("localhost",), options=("localhost", "no")), ""),
        (Question("none", "Which port does the listener take?", answerable=False), ""),
    ],
    ids=lambda value: getattr(value, "id", ""),
)
def test_a_question_gets_the_source_that_can_only_be_one(question, source):
    (found,) = attributed([question], _DOCUMENTS)
    assert found == dataclasses.replace(question, source=source)
    assert attributed([question], _DOCUMENTS[::-1]) == [found]


@pytest.mark.slow
def test_what_is_asked_of_a_domain_is_attributed_to_its_documents(sets):
    port = Question("p", "What does the port default to?", ("5432",))
    assert [question.source for question in sets.attributed([port])] == ["port.md"]
    assert sets.check([port]).alone == 0
    assert sets.check([dataclasses.replace(port, answers=("80",))]).alone == 1


@pytest.mark.slow
def test_without_an_index_questions_stay_as_they_are(sets, tmp_path):
    question = Question("p", "What does the port default to?", ("5432",))
    elsewhere = dataclasses.replace(sets, domain=tmp_path / "none")
    assert elsewhere.attributed([question]) == [question]
