import hypothesis.strategies as st
from hypothesis import given

from hybrid.adaptation.examples.plaintext import text_examples, windows
from hybrid.adaptation.values import ExampleKind
from hybrid.testing import HashEmbedder
from hybrid.types import Document

COUNT = HashEmbedder().count_tokens
SENTENCE = "The server waits for its clients on a port of the network. "


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


@given(
    st.lists(st.sampled_from([SENTENCE, "word " * 90, "x" * 300, "\n\n", "Short. "]), max_size=15),
    st.integers(32, 80),
)
def test_no_window_is_above_the_budget_and_none_overlaps(parts, budget):
    text = "".join(parts)
    end = 0
    for window in windows(text, COUNT, max_tokens=budget):
        assert window.start >= end
        end = window.end
        assert COUNT([text[window.start : window.end]])[0] <= budget
