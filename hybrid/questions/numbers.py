"""Questions from sentences that state a number, with its unit where it has one."""

from __future__ import annotations

import re
from collections.abc import Iterator

from hybrid.questions.values import Candidate, Layout, Section, Topic
from hybrid.questions.wording import asked_in, lower_first, plain, sentence_body
from hybrid.text.numbers import SMALL_NUMBERS
from hybrid.text.sentences import independent_sentences
from hybrid.types import Span

# What an answer takes along behind its number: units, and what is counted without being one.
UNITS = (
    r"(?:%|percent|milliseconds?|microseconds?|seconds?|minutes?|hours?|days?|weeks?|months?|years?|ms|"
    r"bytes?|bits?|kilobytes?|megabytes?|gigabytes?|terabytes?|[kKMGT]i?B|kB|pages?|blocks?|characters?|"
    r"rows?|columns?|lines?|tokens?|words?|times|metres?|meters?|km|cm|mm|kg|degrees?|°C|USD|EUR|€|\$)"
    r"(?![A-Za-z])"
)
_NUMBER = rf"(?<!\w[(\[])(?<!= )(?<![\w.,:/#=$^~+-])-?\d+(?:[.,]\d+)*(?:\s?{UNITS})?(?![\w/:=^-]|[.,]\d)"
_ANY_DIGIT = re.compile(r"\d")
_FIND = re.compile(_NUMBER)
_IS = re.compile(
    rf"(?P<subject>(?:The|A|An) [^,;:()]{{6,110}}?) (?P<verb>is|are|was|were) "
    rf"(?:set to |limited to |exactly |about )?(?P<number>{_NUMBER})"
    r"(?=[.;]|$|, (?:but|which|and)| \(| by default)"
)
_HAS = re.compile(
    r"(?P<subject>[^,;:()]{3,90}?) (?P<verb>has|have|takes?|contains?|uses?|requires?|supports?|allows?|"
    r"holds?|needs?|provides?|occupies|occupy|defines?|returns?) "
    rf"(?P<number>\d[\d,]*|{'|'.join(SMALL_NUMBERS[2:13])}) "
    r"(?P<rest>[a-z][^,;:()]{3,90}?)(?=[.,;:]|$)"
)
_BASE = {"has": "have", "occupies": "occupy"}
# A number behind one of these counts nothing: it names a section, a version, a standard.
_NAMED_BY = re.compile(
    r"(?:section|chapter|table|figure|page|version|versions|release|rfc|step|part|appendix|item|example|note|"
    r"v|level|type|iso|utf|sha|python|c\+\+|copyright|©|since|(?-i:[A-Z]\w*))[\s`\"-]*$",
    re.IGNORECASE,
)
_CODE = re.compile(r"[{};=<>]|\w\(|[\"“]$")
_BEHIND_A_NOUN = re.compile(
    r"\b(?:in|for|to|and|or|on|at|with|from|by|that|which|per|as|when|if|is|are|into|while|than|instead|"
    r"each)\b"
)
_ADVERB = re.compile(r" (?:also|currently|only|already|usually|typically|always|now|normally|generally)$")
_VAGUE = frozenset(("things", "ways", "ones", "cases", "kinds", "times"))
_GAP = "____"
_ENOUGH_WORDS = 8


def number_candidates(text: str, section: Section, topic: Topic) -> Iterator[Candidate]:
    """Yield questions for the numbers that the sentences of a section state."""
    for piece in section.pieces:
        if piece.layout is not Layout.PROSE:
            continue
        for sentence in independent_sentences(text, piece.span):
            inner = text[sentence.start : sentence.end]
            candidate = (
                _is(inner, sentence, topic) or _has(inner, sentence, topic) or _gap(inner, sentence, topic)
            )
            if candidate:
                yield candidate


def _is(inner: str, sentence: Span, topic: Topic) -> Candidate | None:
    found = _IS.match(inner)
    if not found or "respectively" in inner:
        return None
    subject = lower_first(plain(found["subject"]))
    question = f"what {found['verb']} {subject}?"
    return _candidate(question, found["number"], sentence, topic)


def _has(inner: str, sentence: Span, topic: Topic) -> Candidate | None:
    found = _HAS.match(inner)
    if not found or _ANY_DIGIT.search(found["rest"]):
        return None
    verb = found["verb"]
    helper = "do"
    if verb.endswith("s"):
        helper, verb = "does", _BASE.get(verb, verb.removesuffix("s"))
    noun, rest = _noun_and_rest(plain(found["rest"]))
    if not noun.split(" of ")[0].endswith("s") or noun in _VAGUE:
        return None
    subject = _ADVERB.sub("", lower_first(plain(found["subject"])))
    question = f"how many {noun} {helper} {subject} {verb}{rest}?"
    return _candidate(question, found["number"], sentence, topic)


def _noun_and_rest(text: str) -> tuple[str, str]:
    """Split behind what is counted: "primary types of text | for strings"."""
    found = _BEHIND_A_NOUN.search(text)
    return (text[: found.start()].strip(), f" {text[found.start() :].strip()}") if found else (text, "")


def _gap(inner: str, sentence: Span, topic: Topic) -> Candidate | None:
    """Leave a gap in the sentence, if its number is the only one."""
    found = list(_FIND.finditer(inner))
    if len(found) != 1 or len(_ANY_DIGIT.findall(inner)) != len(_ANY_DIGIT.findall(found[0].group())):
        return None
    (number,) = found
    before = inner[: number.start()]
    if (
        _NAMED_BY.search(before)
        or not before.strip()
        or _CODE.search(inner)
        or len(inner.split()) < _ENOUGH_WORDS
    ):
        return None
    gapped = sentence_body(f"{before}{_GAP}{inner[number.end() :]}".replace(_GAP, "\0")).replace("\0", _GAP)
    question = f"which number belongs in the gap: “{gapped}”?"
    return _candidate(question, number.group(), sentence, topic)


def _candidate(question: str, number: str, sentence: Span, topic: Topic) -> Candidate:
    return Candidate(
        "cloze:number", asked_in(topic, question, answer=number, alone=True), (number,), sentence
    )
