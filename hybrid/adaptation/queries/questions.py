"""What one could search a document with: its headings, its questions, its terms, its sentences.

Takes a document and its chunks, gives queries with the passage that each of them should bring. Needs no
labels and no generator, and knows nothing about retrieval: whether a query is a good one is checked later.

A passage that holds its query word for word teaches to match words and nothing else. So a heading is taken
off the passage that it finds, and a sentence out of it (the inverse cloze task, Lee et al. 2019,
arXiv:1906.00300), but for one in ten.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from hybrid.questions.candidates import find_candidates
from hybrid.questions.splits import unit_hash
from hybrid.questions.wording import bare_heading, plain, sentence_body
from hybrid.text.abbreviations import find_abbreviations
from hybrid.text.sentences import sentence_spans
from hybrid.text.words import LEANING
from hybrid.types import Chunk, Document, Span

HEADING = "heading"
QUESTION = "question"
DEFINITION = "definition"
ACRONYM = "acronym"
CLAIM = "claim"
CLOZE = "cloze"

# How often a sentence stays in the passage that it is to find.
_KEPT = 0.1
# How many words of a claim are left out, at least and at most: people remember the gist.
_CUT = (0.3, 0.5)
_SENTENCE_WORDS = range(8, 41)
_HEADING_WORDS = range(3, 31)
_FEWEST_WORDS = 4
_LAST_SENTENCES = 3
_PASSAGE = 80
# Listings and tables are searched for by what they are about, not by what they say.
_CODE = re.compile(r"[|={}<>\\$]|::|\(\)|\w\(\w|https?:|\n\s*\n")
# Ways to begin a sentence that say nothing about what it says.
_OPENING = re.compile(
    r"(?:in (?:conclusion|summary|addition|contrast|particular)|taken together|altogether|together|thus|"
    r"therefore|hence|collectively|overall|finally|moreover|furthermore|additionally|conclusions?:?|"
    r"importantly|interestingly|notably|consequently|here|however)[,:]?\s+",
    re.IGNORECASE,
)
_REPORTING = re.compile(
    r"(?:(?:these|those|our|the|this|present|current|such|we|here|it|is|was|been|has|have|stud(?:y|ies)|"
    r"results?|findings?|data|observations?|analys[ei]s|work|experiments?|evidence|reports?|from|also|now|"
    r"further|therefore|thus|clearly|strongly|together|authors?|paper|article)\s+|here,\s+)+"
    r"(?:shown?|shows|showed|suggest(?:s|ed)?|indicate(?:s|d)?|demonstrate(?:s|d)?|reveal(?:s|ed)?|"
    r"conclude(?:s|d)?|found|finds?|propose(?:s|d)?|report(?:s|ed)?|identif(?:y|ies|ied)|"
    r"establish(?:es|ed)?|confirm(?:s|ed)?|provide evidence|note(?:s|d)?)\s+that\s+",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Draft:
    """A query, the passage that it should find, and the chunk that the passage is."""

    query: str
    passage: str
    chunk: Chunk
    made: str


def draft_queries(document: Document, chunks: Sequence[Chunk], *, seed: int) -> list[Draft]:
    """Return what a document could be searched with, no query twice.

    Args:
        document: with its text.
        chunks: all of its chunks, in order.
        seed: decides which words of a claim are cut, and where a sentence stays in its passage.
    """
    if not chunks:
        return []
    drafts = [
        *_headings(chunks),
        *_asked(document, chunks),
        *_sentences(chunks, seed=seed),
    ]
    drafts += _in_other_words(document, tuple(drafts))
    found: dict[str, Draft] = {}
    for draft in drafts:
        if len(draft.passage) >= _PASSAGE and draft.query.strip():
            found.setdefault(draft.query.casefold(), draft)
    return list(found.values())


def _headings(chunks: Sequence[Chunk]) -> Iterator[Draft]:
    """Ask for the first chunk below every heading by that heading."""
    seen: set[tuple[str, ...]] = set()
    for chunk in chunks:
        if not chunk.headings or chunk.headings in seen:
            continue
        seen.add(chunk.headings)
        query = bare_heading(" ".join(chunk.headings[-1].split()))
        if len(query.split()) not in _HEADING_WORDS and len(chunk.headings) > 1:
            # a short heading is clear only below the one above it
            query = f"{bare_heading(' '.join(chunk.headings[-2].split()))}: {query}"
        if len(query.split()) in _HEADING_WORDS:
            passage = _with_headings(chunk.headings[:-1], _behind(query, chunk.text))
            yield Draft(query, passage, chunk, HEADING)


def _asked(document: Document, chunks: Sequence[Chunk]) -> Iterator[Draft]:
    """Ask the questions that question making finds, and for the terms that are defined."""
    starts = [chunk.start for chunk in chunks]
    for candidate in find_candidates(document, chunks):
        chunk = chunks[max(bisect_right(starts, candidate.evidence.start) - 1, 0)]
        yield Draft(candidate.text, chunk.embedded_text, chunk, QUESTION)
        if candidate.made == "cloze:definition":
            yield Draft(f"what is {candidate.answers[0]}", chunk.embedded_text, chunk, DEFINITION)


def _sentences(chunks: Sequence[Chunk], *, seed: int) -> Iterator[Draft]:
    """Ask with the sentences themselves; those that report what was found, and the last ones, as claims."""
    for place, chunk in enumerate(chunks):
        text = chunk.text
        spans = [span for span in sentence_spans(text) if _is_sentence(text[span.start : span.end])]
        last = spans[-_LAST_SENTENCES:] if place == len(chunks) - 1 else []
        for span in spans:
            raw = text[span.start : span.end]
            said, reported = _bare_claim(raw)
            if said.split()[0].lower().strip(",") in LEANING:
                continue
            key = (str(seed), chunk.source, raw)
            passage = chunk.embedded_text if unit_hash("keep", *key) < _KEPT else _without(chunk, span)
            if reported or span in last:
                yield Draft(_cut(said, key), passage, chunk, CLAIM)
            else:
                yield Draft(said, passage, chunk, CLOZE)


def _in_other_words(document: Document, drafts: Sequence[Draft]) -> Iterator[Draft]:
    """Ask again with the long form of an abbreviation instead of the short one, and the other way round."""
    acronyms = find_abbreviations(document.text)
    for draft in drafts:
        for acronym in acronyms:
            if (query := acronym.swapped(draft.query)) is not None:
                yield Draft(query, draft.passage, draft.chunk, ACRONYM)
                break


def _is_sentence(text: str) -> bool:
    words = text.split()
    prose = sum(word[:1].isalpha() for word in words) > 0.6 * len(words)
    return len(words) in _SENTENCE_WORDS and prose and not _CODE.search(text)


def _bare_claim(sentence: str) -> tuple[str, bool]:
    """Return what a sentence says without saying that it says so, and whether it said so."""
    text = sentence_body(plain(sentence))
    opened = _OPENING.sub("", text, count=1) if _OPENING.match(text) else text
    found = _REPORTING.match(opened)
    said = opened[found.end() :] if found else opened
    return (said[:1].upper() + said[1:] if said.strip() else text), bool(found)


def _cut(text: str, key: tuple[str, ...]) -> str:
    """Leave out some of the words, always the same ones of the same text."""
    words = text.split()
    least, most = _CUT
    share = least + (most - least) * unit_hash("share", *key)
    kept = [word for place, word in enumerate(words) if unit_hash("word", str(place), *key) >= share]
    return " ".join(kept if len(kept) >= _FEWEST_WORDS else words)


def _behind(heading: str, text: str) -> str:
    """Return a text without the heading that it begins with, where a format repeats it."""
    words = [re.escape(word) for word in heading.split()]
    found = re.match(r"\W*" + r"\W+".join(words) + r"\W*", text, re.IGNORECASE)
    return text[found.end() :] if found else text


def _without(chunk: Chunk, span: Span) -> str:
    rest = f"{chunk.text[: span.start].rstrip()} {chunk.text[span.end :].lstrip()}".strip()
    return _with_headings(chunk.headings, rest)


def _with_headings(headings: Sequence[str], text: str) -> str:
    return "\n".join((" > ".join(headings), text)) if headings else text
