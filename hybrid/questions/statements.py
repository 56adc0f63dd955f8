"""Candidates from prose: sentences that define, that state a number, that stand below a telling heading."""

from __future__ import annotations

import re
from collections.abc import Iterator

from hybrid.questions.values import Candidate, Layout, Section, Topic
from hybrid.questions.wording import (
    NOT_A_TERM,
    NOT_IN_A_TERM,
    asked_in,
    bare_heading,
    first_clause,
    is_base_verb,
    is_noun_phrase,
    is_specific,
    is_third_person,
    lower_first,
    plain,
    sentence_body,
)
from hybrid.text.numbers import SMALL_NUMBERS
from hybrid.text.sentences import independent_sentences
from hybrid.text.words import contains, long_form
from hybrid.types import Span

_TERM = r"[`“\"]?(?P<term>[A-Za-z][\w./+-]*(?:[ ][\w./+-]+){0,4}?)[`”\"]?"
_IS_A = re.compile(
    rf"(?P<article>(?:An?|The)\s+)?{_TERM}\s+(?P<verb>is|are)\s+(?P<rest>(?:an?|the)\s+\S+\s+\S+\s+.+)",
    re.DOTALL,
)
_CALLED = re.compile(
    r"(?P<subject>[A-Z][^,;:()]{8,140}?)\s+(?P<verb>is|are)\s+(?:also\s+|usually\s+|often\s+|commonly\s+)?"
    r"(?:called|known as|termed|referred to as)\s+(?:an?\s+|the\s+)?"
    r"[`“\"]?(?P<term>\w[\w-]*(?:[ ]\w[\w-]*){0,2})[`”\"]?(?=[.,;])"
)
_SHORT_FOR = re.compile(r"(?P<long>(?:[A-Za-z][\w’'-]*[ ]){2,8}?)\((?P<short>[A-Z][A-Za-z]*[A-Z])\)")
_SHORT_FIRST = re.compile(
    r"\b(?P<short>[A-Z]{2,7})\s+\((?P<long>[A-Z][\w’'-]*(?:[ -][A-Za-z][\w’'-]*){1,7})\)"
)
_NAME_LINE = re.compile(r"`?(?P<name>[\w.+-]{2,40}(?: [\w.+-]{1,20})?)`? [—–-]+ (?P<does>[^\n.]{12,140})\.?")
# "a good fit" praises, it does not define.
_PRAISE = re.compile(
    r"(?:an?|the) (?:very |quite |really )?(?:good|great|best|bad|important|fundamental|common|useful|nice|"
    r"similar|different|separate|major|minor|key|must|lot|bit|few|little|special(?:ized)? feature)\b"
)
_CALLED_UP_TO = 9
_SAYS_ENOUGH = 5


def definition_candidates(text: str, section: Section, topic: Topic) -> Iterator[Candidate]:
    """Yield what the sentences of a section define."""
    for piece in section.pieces:
        inner = text[piece.span.start : piece.span.end]
        if piece.layout is Layout.PROSE and (line := _NAME_LINE.fullmatch(inner.strip())):
            yield from _name_line(line, piece.span, topic)
        if piece.layout is Layout.TABLE:
            continue
        for sentence in independent_sentences(text, piece.span, strict=False):
            yield from _abbreviation(text, sentence, topic)
        if piece.layout is Layout.PROSE:
            for sentence in independent_sentences(text, piece.span):
                yield from _is_a(text, sentence, topic)
                yield from _called(text, sentence, topic)


def _name_line(line: re.Match[str], span: Span, topic: Topic) -> Iterator[Candidate]:
    """Ask for the name that opens a manual page: "createdb — create a new database"."""
    name, does = line["name"], lower_first(plain(line["does"]))
    if not NOT_IN_A_TERM.isdisjoint(name.lower().split()):
        return
    if is_base_verb(does):
        question = f"what do you use to {does}?"
    elif is_third_person(does):
        question = f"what {does}?"
    elif is_noun_phrase(does):
        question = f"what is {does} called?"
    else:
        question = f"what is the name of this: {does}?"
    yield _cloze("definition", question, name, span, topic)


def _is_a(text: str, sentence: Span, topic: Topic) -> Iterator[Candidate]:
    found = _IS_A.match(text[sentence.start : sentence.end])
    if not found or not _is_name(found["term"], found["article"] or "", found["verb"]):
        return
    rest, verb, term = first_clause(sentence_body(found["rest"])), found["verb"], found["term"]
    if _PRAISE.match(rest):
        return
    if len(rest.split()) <= _CALLED_UP_TO and not (verb == "are" and is_noun_phrase(rest)):
        question = f"what {verb} {rest} called?"
    else:
        question = f"which term fits this definition: “{rest}”?"
    yield _cloze("definition", question, term, sentence, topic)


def _is_name(term: str, article: str, verb: str) -> bool:
    """Tell whether the subject of a sentence is something that can be asked for by its definition."""
    words = term.lower().split()
    if words[-1] in NOT_A_TERM or not NOT_IN_A_TERM.isdisjoint(words):
        return False
    marked = any(re.search(r"[A-Z_.\d]", word[1:]) or word[:1].isupper() for word in term.split()[1:])
    marked = marked or bool(re.search(r"[A-Z_.\d]", term[1:]))
    if article.strip() == "The":
        # a thing spoken of before, unless it is a name
        return marked
    if article:
        return True
    # without an article: a name or a plural; "Access is a ..." and not "If set is the ..."
    return marked or verb == "are" or len(words) == 1


def _called(text: str, sentence: Span, topic: Topic) -> Iterator[Candidate]:
    found = _CALLED.match(text[sentence.start : sentence.end])
    if not found or found["term"].lower() in NOT_A_TERM:
        return
    subject = lower_first(plain(found["subject"]))
    if subject.startswith("the ") and len(subject.split()) < _SAYS_ENOUGH:
        return
    question = f"what {found['verb']} {subject} called?"
    yield _cloze("definition", question, found["term"], sentence, topic)


def _abbreviation(text: str, sentence: Span, topic: Topic) -> Iterator[Candidate]:
    inner = text[sentence.start : sentence.end]
    for found in [*_SHORT_FOR.finditer(inner), *_SHORT_FIRST.finditer(inner)]:
        long = long_form(found["short"], found["long"].split())
        if long:
            yield _cloze("definition", f"what does {found['short']} stand for?", long, sentence, topic)


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
    return _cloze("number", question, found["number"], sentence, topic)


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
    return _cloze("number", question, found["number"], sentence, topic)


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
    return _cloze("number", question, number.group(), sentence, topic)


def _cloze(kind: str, question: str, answer: str, evidence: Span, topic: Topic) -> Candidate:
    return Candidate(
        f"cloze:{kind}", asked_in(topic, question, answer=answer, alone=True), (answer,), evidence
    )


# Evidence is read by people: heading and sentence must be near each other.
_NEAR = 1_500
_TELLING_WORDS = 9


def heading_candidates(text: str, section: Section, topic: Topic) -> Iterator[Candidate]:
    """Yield at most one question for a section with a heading of its own."""
    if section.heading is None or len(section.headings) < 2:
        return
    whole = " ".join(text[section.heading.start : section.heading.end].split())
    bare = bare_heading(whole)
    if not is_specific(bare) or bare.casefold() == topic.title.casefold():
        return
    for piece in section.pieces:
        if piece.layout is not Layout.PROSE or piece.span.start > section.heading.end + _NEAR:
            continue
        for sentence in independent_sentences(text, piece.span):
            said = sentence_body(text[sentence.start : sentence.end])
            if contains(said, bare) or len(said.split()) < _TELLING_WORDS:
                continue
            question = f"Under which heading of “{topic.title}” does it say: “{said}”?"
            answers = tuple(dict.fromkeys((bare, whole)))
            yield Candidate("heading", question, answers, Span(section.heading.start, sentence.end))
            return
