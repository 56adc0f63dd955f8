import hypothesis.strategies as st
import pytest
from hypothesis import given

from hybrid.generation.prompts import Passage
from hybrid.generation.quoting import Quoted, bears_out, cite_quoted, completion, locate, parse
from hybrid.types import Span

QUESTION = "What is the default port of the server?"
TEXT = "The server listens.\nThe default port\nof the “server” is 5432. Cats sleep all day."
OTHER = "Connections are limited to 100 by default."


def passage(text, number=1, source="a.txt", start=0, title="Manual"):
    return Passage(number, source, title, text, Span(start, start + len(text)))


PASSAGES = [passage(OTHER, 1, "b.txt", 7), passage(TEXT, 2, "a.txt", 50)]


def shown(written, passages=PASSAGES, question=QUESTION):
    return cite_quoted(question, parse(written, passages), passages, threshold=0.6)


def test_the_form_is_a_quote_its_number_and_below_it_the_answer():
    assert completion("The default port\nof the server", 2, "54\n32") == (
        '"The default port of the server" [2]\n54 32'
    )


@pytest.mark.parametrize(
    "written",
    [
        '"The default port of the “server” is 5432." [2]\n5432',
        '"The default port of the "server" is 5432." [2]\n5432',
        "“The default port of the “server” is 5432.” [2]\n5432.",
        '"The default port of the “server” is 5432" [2] 5432',
        '"The default port of the “server” is 5432." [2] → 5432',
        '"The default port of the “server” is 5432." [2]\n\nAnswer: 5432',
        '"The default port of the “server” is 5432." (2)\n5432',
        '"The default port of the “server” is 5432..." [2]\n5432',
        '"The   default port of the “server”  is 5432." [2]\n5432 [2]',
    ],
)
def test_a_quote_is_read_however_it_is_marked(written):
    cited = shown(written)
    assert cited.text.rstrip(".") in ("5432 [1]", "5432. [1]")
    (citation,) = cited.citations
    assert TEXT[citation.start - 50 : citation.end - 50] == citation.text
    assert citation.text.startswith("The default port\nof the")
    assert (citation.source, cited.dropped_markers, cited.dropped_sentences) == ("a.txt", 0, ())


@pytest.mark.parametrize("number", ["[1]", "[7]", ""])
def test_a_quote_from_another_passage_is_cited_from_there_and_counted(number):
    cited = shown(f'"The default port of the “server” is 5432." {number}\n5432')
    assert cited.text == "5432 [1]"
    assert cited.citations[0].source == "a.txt"
    assert cited.dropped_markers == 1


@pytest.mark.parametrize(
    "written",
    ['"The default port of the “server” is 5432." [2]', '"The default port of the “server” is 5432'],
)
def test_without_an_answer_the_quote_is_the_answer(written):
    cited = shown(written)
    assert cited.text.startswith("The default port of the “server” is 5432")
    assert cited.text.endswith("[1]")


def test_an_answer_that_the_quote_does_not_bear_out_gives_way_to_it():
    cited = shown('"The default port of the “server” is 5432." [2]\nThe moon is made of cheese')
    assert cited.text == "The default port of the “server” is 5432. [1]"
    assert cited.dropped_sentences == ("The moon is made of cheese",)


def test_a_quote_that_stands_nowhere_is_not_shown():
    cited = shown('"Elephants invented the port." [2]\n1812')
    assert cited.text == ""
    assert cited.citations == ()
    assert cited.dropped_sentences == ("Elephants invented the port.", "1812")


def test_a_supported_answer_below_an_invented_quote_is_shown():
    cited = shown('"Elephants invented the port." [2]\nThe default port is 5432.')
    assert cited.text == "The default port is 5432. [1]"
    assert cited.dropped_sentences == ("Elephants invented the port.",)


def test_what_is_no_quote_at_all_is_checked_like_any_generated_text():
    assert shown("The default port is 5432 [2].").text == "The default port is 5432. [1]"
    assert shown("").text == ""


def test_a_quote_that_has_nothing_to_do_with_the_question_is_not_shown():
    assert shown('"Cats sleep all day." [2]\nCats').text == ""


@pytest.mark.parametrize("answer", ["Yes", "no.", "Manual", "a default server port"])
def test_an_answer_that_is_no_part_of_its_quote_is_shown_beside_it(answer):
    cited = shown(f'"The default port of the “server” is 5432." [2]\n{answer}')
    assert cited.text == f"{answer.rstrip('.')}: “The default port of the “server” is 5432.” [1]"
    assert len(cited.citations) == 1
    assert cited.dropped_sentences == ()


def test_quotes_end_at_words():
    assert locate("art", "start the party") is None
    assert locate("start", "start the party") == Span(0, 5)
    assert locate("", "start") is None
    assert locate("...", "start") is None


@pytest.mark.parametrize(
    ("answer", "holds"),
    [
        ("--jobs", True),
        ("five jobs", True),
        ("no", True),
        ("7", False),
        ("", False),
        ("seven elephants", False),
    ],
)
def test_short_answers_are_borne_out_by_their_words(answer, holds):
    assert bears_out("Options\n--jobs runs five jobs", answer, threshold=0.6) is holds


def test_what_a_prompt_changes_in_a_passage_still_is_a_quote():
    text = "Write <passage> around the default port."
    cited = shown('"Write ‹passage> around the default port." [1]\nport', [passage(text)])
    assert cited.citations[0].text == text


WORDS = st.lists(
    st.sampled_from(["port", "server", "is", "5432", "a[1]", '"b"', "it’s", "x–y", "end."]), min_size=1
)


@pytest.mark.parametrize("answer", ["--jobs", "-1", "a[1]", "*", "(2)x", ".pgpass", ":memory:", "1 [2] 3"])
def test_answers_are_read_letter_for_letter(answer):
    assert parse(completion("the port", 1, answer), [passage("the port")]).answer == answer


@pytest.mark.slow
@given(WORDS, WORDS, st.data())
def test_what_is_written_as_taught_is_read_as_it_was_meant(before, words, data):
    texts = [" ".join(before), "\n".join(words)]
    number = data.draw(st.integers(1, 2))
    passages = [passage(texts[0], 1, "a.txt", 5), passage(texts[1], 2, "b.txt", 9)]
    own = texts[number - 1].split()
    first = data.draw(st.integers(0, len(own) - 1))
    last = data.draw(st.integers(first, len(own) - 1))
    quote = " ".join(own[first : last + 1])
    quoted = parse(completion(quote, number, "an answer"), passages)
    assert quoted.answer == "an answer"
    assert quoted.written == quote
    if quoted.quote is None:  # a stop word alone is no quote
        assert all(word in ("is", "a[1]", "end.", "it’s") or not word.strip('“”"') for word in quote.split())
    else:
        found = {p.number: p for p in passages}[number]
        assert quoted.quote.passage == found
        assert quoted.dropped_markers == 0
        span = quoted.quote.span
        stretch = found.text[span.start - found.span.start : span.end - found.span.start]
        assert "".join(stretch.split()) in "".join(quote.split())


@given(st.text(max_size=200))
def test_nothing_that_is_written_breaks_the_reader(written):
    quoted = parse(written, PASSAGES)
    assert isinstance(quoted, Quoted)
    cited = cite_quoted(QUESTION, quoted, PASSAGES, threshold=0.6)
    texts = {"a.txt": (TEXT, 50), "b.txt": (OTHER, 7)}
    for citation in cited.citations:
        text, start = texts[citation.source]
        assert text[citation.start - start : citation.end - start] == citation.text
