"""What reads a text takes as long as it is, whatever runs on in it: a line of blanks holds no server up."""

import re
import signal
import time

import pytest

from hybrid.generation import asking, citations, facts, prompts, quoting, reckoning, talk, weighing, written
from hybrid.grounding.checks import TextFacts, contradictions, missing, objections
from hybrid.grounding.claims import claims_of
from hybrid.grounding.evidence import SearchedPassage
from hybrid.questions.candidates import find_candidates
from hybrid.questions.checking import Seen
from hybrid.text import abbreviations, dates, folding, identifiers, numbers, polarity, rows, sentences, words
from hybrid.text.framing import framed, frames
from hybrid.text.limits import limits
from hybrid.types import Chunk, Document, Span

CLAIM = "The port is open on Mondays."
LENGTH = 10_000
# What is faster is no matter; else twice the length takes at most about three times as long.
FAST, RATIO, LONGEST = 0.15, 3.3, 3.0
RUNS = (
    *(
        " ",
        "\t",
        "\n",
        "\r",
        "\u00a0",
        " \n",
        "a",
        "A",
        "1",
        "_",
        "é",
        "中",
        ",",
        ".",
        ":",
        ";",
        "-",
        "*",
        "#",
    ),
    *("|", "/", "~", "?", "!", "$", "%", "(", ")", "[", "{", "<", '"', "“", "'", "a b ", "A b ", "Ab Cd "),
    *("1 2 ", "12:30 ", "1,2,", "1.2.", "1-2-", "a, b, ", "a;b; ", "a-b-", "a.b.", "(a) ", "[a](b) ", "a' "),
    *(
        "a\n",
        "- a\n",
        "a: b\n",
        "a | b\n",
        "<a>",
        "the ",
        "not ",
        "is ",
        "and ",
        "or ",
        "that ",
        "only ",
        "if ",
    ),
    *(
        "walked ",
        "sells ",
        "one ",
        "1 May ",
        "Monday ",
        "however, ",
        "claim ",
        "in ",
        "to ",
        "than ",
        "what ",
    ),
)


def _asked_of(text: str) -> None:
    chunk = Chunk("a.md", 0, 0, len(text), text, ("How to open",))
    find_candidates(Document("a.md", text, "Ports"), [chunk])


READERS = {
    "frames": frames,
    "frames of neighbours": lambda text: framed([CLAIM, text, CLAIM, text]),
    "limits of a sentence": lambda text: limits(CLAIM, text),
    "limits of a claim": lambda text: limits(text, CLAIM),
    "denials": lambda text: polarity.turned_around(text, CLAIM),
    "quantities": numbers.quantities,
    "quantities of an answer": lambda text: numbers.quantities(text, terse=True),
    "dates": dates.dates,
    "days": dates.days_in,
    "identifiers": identifiers.identifiers,
    "forms": identifiers.forms,
    "abbreviations": abbreviations.find_abbreviations,
    "names": abbreviations.find_names,
    "pieces": sentences.pieces,
    "sentences": lambda text: list(sentences.independent_sentences(text, Span(0, len(text)))),
    "sayings": rows.sayings,
    "rows": lambda text: rows.sayings(f"A | B\n{text} | 5\n1 | {text}", "in millions", ("A", "B")),
    "words": words.content_words,
    "terms": words.terms,
    "language": words.language_of,
    "what is seen": folding.legible,
    "folded words": folding.folded_words,
    "claims": claims_of,
    "evidence": lambda text: SearchedPassage(text, max_words=200).candidates(CLAIM),
    "evidence for it": lambda text: SearchedPassage(CLAIM, max_words=200).candidates(text),
    "clauses": lambda text: SearchedPassage(text, max_words=200).saying("The port is open."),
    "what is missing": lambda text: missing(text, TextFacts(CLAIM)),
    "what is there": lambda text: missing(CLAIM, TextFacts(text)),
    "contradictions": lambda text: contradictions(CLAIM, text, alike=0.6),
    "objections": lambda text: objections(CLAIM, framed([text])),
    "candidates of questions": _asked_of,
    "near-duplicates": lambda text: Seen().like(text),
    "questions": asking.read_question,
    "parts of a question": asking.parts_of,
    "markers": citations.without_markers,
    "generated sentences": citations.split_generated,
    "declines": prompts.declines,
    "quotes": lambda text: quoting.parse(text, []),
    "talk": talk.hear,
    "ranges": facts.range_of,
    "lists": facts.lists_in,
    "orders": weighing.orders_machines,
    "extremes": reckoning.asks_extreme,
    "what is written": written.read_written,
}


def _over(*_):
    raise TimeoutError


def _spent(read, text):
    """Return how long it takes, at most so many seconds; nothing is remembered from before."""
    for module in (abbreviations, dates, folding, identifiers, numbers, polarity, rows, sentences, words):
        for value in vars(module).values():
            if hasattr(value, "cache_clear"):
                value.cache_clear()
    frames.cache_clear()
    signal.signal(signal.SIGPROF, _over)
    signal.setitimer(signal.ITIMER_PROF, LONGEST)
    begun = time.process_time()
    try:
        read(text)
    except TimeoutError:
        return LONGEST
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    return time.process_time() - begun


def is_slow(read, run):
    """Tell whether a text with twice the run takes much more than twice as long."""
    once, twice = (f"The port {(run * length)[:length]} is open." for length in (LENGTH, 2 * LENGTH))
    return (long := _spent(read, twice)) > FAST and min(long, _spent(read, twice)) > RATIO * _spent(
        read, once
    )


@pytest.mark.slow
@pytest.mark.parametrize("reader", READERS)
def test_twice_a_run_takes_twice_as_long(reader):
    assert [run for run in RUNS if is_slow(READERS[reader], run)] == []


@pytest.mark.slow
def test_what_takes_the_square_is_found():
    assert is_slow(lambda text: re.search(r"\s+x", text), " ")
