import pytest

from hybrid.adaptation.examples.instructions import as_sentence, instruction_examples, label_examples
from hybrid.adaptation.values import ExampleKind
from hybrid.config import GenerationSettings
from hybrid.generation.answering import Answerer
from hybrid.generation.prompts import load_prompts
from hybrid.testing import HashEmbedder, ScriptedGenerator
from hybrid.types import Arm, Question

PROMPTS = load_prompts("en")
LABELLED = Question("q1", "Is it a goat?", ("yes",), options=("yes", "no"), source="a.txt", made="gold")
OPEN = Question("q2", "Who drinks milk?", ("a young goat", "a kid"))


def asked_by_the_arm(question, arm, hits=()):
    generator = ScriptedGenerator(["unused"])
    answerer = Answerer(HashEmbedder(), lambda: generator, GenerationSettings())
    if question.options:
        answerer.choose_all([question.text], [question.options], [hits], arm=arm)
        return generator.judged[0]
    answerer.answer(question.text, hits, arm=arm)
    return generator.history[0]


def test_labels_are_asked_as_the_arm_asks():
    (example,) = label_examples([LABELLED, OPEN], PROMPTS)
    assert example.prompt == asked_by_the_arm(LABELLED, Arm.ADAPTER)
    assert (example.kind, example.completion, example.options) == (ExampleKind.LABEL, "yes", ("yes", "no"))
    assert (example.source, example.made) == ("a.txt", "gold")


def test_a_label_that_is_no_option_gives_no_example():
    assert label_examples([Question("q", "Is it?", ("perhaps",), options=("yes", "no"))], PROMPTS) == []


def test_open_questions_are_asked_as_the_arm_asks():
    (example,) = instruction_examples([OPEN, LABELLED], PROMPTS)
    assert example.prompt == asked_by_the_arm(OPEN, Arm.ADAPTER)
    assert (example.kind, example.completion) == (ExampleKind.INSTRUCTION, "A young goat.")


def test_what_is_not_known_is_declined_and_what_has_no_answer_is_left_out():
    unanswerable = Question("q", "How heavy is the moon?", answerable=False)
    (example,) = instruction_examples([unanswerable, Question("q", "What?", (" ",))], PROMPTS)
    assert (example.kind, example.completion) == (ExampleKind.ABSTENTION, PROMPTS.abstention)


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        ("a young goat", "A young goat."),
        ("--port", "--port"),
        ("pg_dump", "pg_dump"),
        ("12 kB", "12 kB"),
        ("PostgreSQL\n server", "PostgreSQL server."),
        ("it waits!", "It waits!"),
    ],
)
def test_words_become_a_sentence_and_names_stay(answer, sentence):
    assert as_sentence(answer) == sentence
