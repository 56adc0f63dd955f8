"""Sentences that can be asked about alone.

Takes a piece of prose, gives the spans of sentences that do not lean on the one before them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from hybrid.chunking import sentence_spans
from hybrid.questions.words import FUNCTION_WORDS, LEANING
from hybrid.types import Span

_LEANING_PHRASES = re.compile(
    r"\b(?:this|these|those|such(?! as)|we|our|above|below|previous|following|aforementioned|latter|former|"
    r"preceding|mentioned|see|refer|consult|chapter|example|e\.g\.|i\.e\.|however|as follows)\b",
    re.IGNORECASE,
)
# Listings and prompts are no sentences.
_CODE = re.compile(
    r"(?:^|\n)\s*[#$>%/\[]|^\d{1,2} [A-Z]|[{}|]|[=-]>|==|::| = |\$\(|\"\"\"|\bdef |;$"
    # a short line and then a capital: an entry or a listing, not a paragraph that was wrapped
    r"|(?:^|\n)[^\n]{1,50}[^\n.,:;]\n\s*[A-Z]"
)
# "dpkg is", "createdb creates": a name in small letters, and not the rest of a sentence
_VERB = re.compile(r"\w+s|are|can|will|may|must")
_WORDS = range(6, 36)


def independent_sentences(text: str, span: Span, *, strict: bool = True) -> Iterator[Span]:
    """Yield sentences of a sensible length that begin on their own.

    Args:
        text: of the document.
        span: of the piece.
        strict: leave out also those that point elsewhere in the middle ("this", "above").
    """
    for found in sentence_spans(text[span.start : span.end]):
        sentence = Span(span.start + found.start, span.start + found.end)
        inner = text[sentence.start : sentence.end]
        if _stands_alone(inner) and not (strict and _LEANING_PHRASES.search(inner)):
            yield sentence


def _stands_alone(sentence: str) -> bool:
    words = sentence.split()
    if len(words) not in _WORDS or not sentence.rstrip("0123456789 ").endswith("."):
        return False
    first = re.sub(r"\W", "", words[0]).lower()
    if first in LEANING or words[0] in FUNCTION_WORDS or _CODE.search(sentence):
        return False
    if "?" in sentence or (words[0].islower() and words[0].isalpha() and not _VERB.fullmatch(words[1])):
        return False
    return sentence.count("(") == sentence.count(")") and sentence.count("“") == sentence.count("”")
