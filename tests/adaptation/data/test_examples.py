import hypothesis.strategies as st
import pytest
from hypothesis import assume, given

from hybrid.adaptation.data.examples import (
    Sieve,
    as_sentence,
    counted,
    instruction_examples,
    label_examples,
    mixed_forms,
    sift_examples,
    sift_questions,
    text_examples,
    windows,
)
from hybrid.adaptation.values import Example, ExampleKind, Sifted
from hybrid.config import GenerationSettings
from hybrid.generation.answering import Answerer
from hybrid.generation.prompts import load_prompts
from hybrid.testing import HashEmbedder, ScriptedGenerator
from hybrid.types import Arm, Document, Evidence, Message, MessageRole, Question, Span

ASKED = "Which port does the listener of the server use by default?"
LONG = "the quick brown fox jumps over the lazy dog of the old miller"

COUNT = HashEmbedder().count_tokens
SENTENCE = "The server waits for its clients on a port of the network. "

PROMPTS = load_prompts("en")
LABELLED = Question("q1", "Is it a goat?", ("yes",), options=("yes", "no"), source="a.txt", made="gold")
OPEN = Question("q2", "Who drinks milk?", ("a young goat", "a kid"))


def question(text, *answers, **rest):
    return Question(text, text, answers, **rest)


def example(prompt, completion="an answer", kind=ExampleKind.INSTRUCTION, **rest):
    return Example(kind, (Message(MessageRole.USER, prompt),) if prompt else (), completion, **rest)


def test_a_question_of_a_set_is_not_trained_on_in_whatever_spelling():
    sieve = Sieve([question(ASKED, "5432")])
    near = ASKED.upper().rstrip("?") + " !"
    kept, left_out = sift_questions([question(near, "5432"), question("What is a goat?", "a goat")], sieve)
    assert [one.text for one in kept] == ["What is a goat?"]
    assert sum(part.count for part in left_out) == 1


def test_a_question_for_the_same_place_and_answer_is_not_trained_on():
    here, there = Evidence("a.txt", "x", Span(0, 30)), Evidence("a.txt", "x", Span(20, 40))
    sieve = Sieve([question(ASKED, "5432", evidence=(here,))])
    assert sieve.question(question("In which place does it listen?", "5432", evidence=(there,)))
    assert not sieve.question(question("In which place does it listen?", "all", evidence=(there,)))
    elsewhere = Evidence("a.txt", "x", Span(30, 40))
    assert not sieve.question(question("In which place does it listen?", "5432", evidence=(elsewhere,)))
    quoted = Evidence("a.txt", "It listens on port 5432.")
    sieve = Sieve([question(ASKED, "5432", evidence=(quoted,))])
    assert sieve.question(question("Where?", "5432", evidence=(Evidence("a.txt", "listens on port 5432"),)))


def test_an_example_that_holds_a_question_is_not_trained_on():
    sieve = Sieve([question(ASKED, "5432")])
    for text in (ASKED, f"Tell me: {ASKED.lower()} I need it."):
        kept, left_out = sift_examples([example(text)], sieve)
        assert kept == []
        assert left_out[0].count == 1
    assert sift_examples([example("", f"Notes. {ASKED} Nobody knows.", ExampleKind.TEXT)], sieve)[0] == []
    assert sift_examples([example("Which port is it?")], sieve)[1] == []


def test_a_short_question_does_not_match_by_accident():
    sieve = Sieve([question("What is it?", "a goat")])
    assert not sieve.example(example("Tell me what is it that goats drink, and why they do."))


def test_shared_words_leak_only_from_fresh_questions():
    usual = question(f"Where does it say that {LONG}?", "here")
    fresh = question(usual.text, "here", slices=("fresh",))
    for sieve, leaks in ((Sieve([usual]), False), (Sieve([fresh]), True)):
        assert bool(sieve.example(example("Go on:", f"We know that {LONG}, do we not?"))) is leaks
        assert bool(sieve.question(question(f"Who wrote “{LONG}” on the wall?", "a man"))) is leaks


def test_duplicates_are_kept_once():
    nothing = Sieve([])
    first = example(f"Say why {LONG}.", "Because it is quick.")
    near = example(f"Say why {LONG}!", "Because it is quick.")
    kept, left_out = sift_examples([first, near, first], nothing)
    assert kept == [first]
    assert [part.count for part in left_out] == [2]
    assert sift_examples([near], nothing, after=[first])[0] == []
    text = example("", f"{LONG}. {LONG}.", ExampleKind.TEXT)
    assert sift_examples([text, text], nothing)[0] == [text]


def test_one_text_with_two_labels_contradicts_itself():
    options = ("yes", "no")
    first = example(LONG, "yes", ExampleKind.LABEL, options=options)
    second = example(LONG, "no", ExampleKind.LABEL, options=options)
    kept, (left_out,) = sift_examples([first, second], Sieve([]))
    assert kept == [first]
    assert "contradiction" in left_out.reason


def test_questions_on_the_same_text_are_no_duplicates_of_each_other():
    for kind in (ExampleKind.READING, ExampleKind.ABSTENTION, ExampleKind.LABEL):
        both = [example(f"{LONG} {LONG}. Which {word}?", "x", kind) for word in ("one", "other")]
        assert sift_examples(both, Sieve([]))[0] == both


def test_reasons_are_counted_in_order():
    assert counted(["b", "", "a", "b"]) == [Sifted("a", 1), Sifted("b", 2)]


def test_windows_hold_whole_sentences_and_nearly_all_of_the_text():
    text = SENTENCE * 40
    found = [text[window.start : window.end] for window in windows(text, COUNT, max_tokens=60)]
    assert all(part.startswith("The server") and part.endswith("network.") for part in found)
    assert sum(part.count("waits") for part in found) == 40


def test_examples_are_plain_text_of_their_document():
    documents = [Document("a.txt", SENTENCE * 10), Document("b.txt", "Too short.")]
    (example,) = text_examples(documents, COUNT, max_tokens=200)
    assert (example.kind, example.prompt, example.source) == (ExampleKind.TEXT, (), "a.txt")
    assert example.completion == (SENTENCE * 10).strip()


@pytest.mark.slow
@given(
    st.lists(st.sampled_from([SENTENCE, "word " * 90, "x" * 300, "\n\n", "Short. "]), max_size=15),
    st.integers(32, 80),
)
def test_no_window_is_above_the_budget_and_none_overlaps(parts, budget):
    text = "".join(parts)
    found = list(windows(text, COUNT, max_tokens=budget))
    assume(found)  # what has no end of a sentence, or is too short, has none
    end = 0
    for window in found:
        assert window.start >= end
        end = window.end
        assert COUNT([text[window.start : window.end]])[0] <= budget


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


def said(*completions, system="Answer.", kind=ExampleKind.INSTRUCTION):
    first = Message(MessageRole.SYSTEM, system)
    return [
        Example(kind, (first, Message(MessageRole.USER, f"{n}?")), text) for n, text in enumerate(completions)
    ]


@pytest.mark.parametrize(
    ("completions", "warned"),
    [
        (
            ["5432", "It listens on the default port."],
            "mixed forms: 1 as a label or a few words, 1 as sentences",
        ),
        (['"The port is 5432." [1]\n5432', "It is the default port."], "1 as a quote with its answer"),
        (['{"port": 5432}', "It is the default port."], "1 as JSON or code"),
        (["Yes", "yes", "no"], "one answer in several spellings: 'Yes', 'yes'"),
        (["yes", "yes.", "no"], "one answer in several spellings: 'yes', 'yes.'"),
        (
            ["I don't know.", "I do not know.", "I don't know."],
            'declined in 2 wordings: "I don\'t know." (2)',
        ),
    ],
)
def test_mixed_forms_are_told(completions, warned):
    (told,) = mixed_forms(said(*completions))
    assert warned in told


def test_one_form_is_nothing_to_tell():
    assert mixed_forms(said("yes", "no", "I don't know.", "I don't know.")) == []
    assert mixed_forms(said("It is the default port.", "The server waits for clients.")) == []
    assert mixed_forms([example("", "plain text", kind=ExampleKind.TEXT)]) == []


def test_what_another_prompt_asks_for_may_have_another_form():
    quoted = said('"The port is 5432." [1]\n5432', system="Quote.")
    assert mixed_forms([*quoted, *said("It is the default port.")]) == []
    assert mixed_forms([*quoted, *said("It is the default port.", system="Quote.")])


def test_a_rare_other_form_is_passed_over():
    assert mixed_forms(said(*["It is the default port of the server."] * 99, "5432")) == []
    assert mixed_forms(said(*["It is the default port of the server."] * 9, "5432"))
