"""Questions from sentences that define: "X is a Y", "X (Full Name)", "is called X", "X — does Y"."""

from __future__ import annotations

import re
from collections.abc import Iterator

from hybrid.questions.values import Candidate, Layout, Section, Topic
from hybrid.questions.wording import (
    NOT_A_TERM,
    NOT_IN_A_TERM,
    asked_in,
    first_clause,
    is_base_verb,
    is_noun_phrase,
    is_third_person,
    lower_first,
    plain,
    sentence_body,
)
from hybrid.text.abbreviations import long_form
from hybrid.text.sentences import independent_sentences
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
    yield Candidate("cloze:definition", asked_in(topic, question, answer=name, alone=True), (name,), span)


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
    yield Candidate("cloze:definition", asked_in(topic, question, answer=term, alone=True), (term,), sentence)


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
    yield Candidate(
        "cloze:definition",
        asked_in(topic, question, answer=found["term"], alone=True),
        (found["term"],),
        sentence,
    )


def _abbreviation(text: str, sentence: Span, topic: Topic) -> Iterator[Candidate]:
    inner = text[sentence.start : sentence.end]
    for found in [*_SHORT_FOR.finditer(inner), *_SHORT_FIRST.finditer(inner)]:
        long = long_form(found["short"], found["long"].split())
        if long:
            question = asked_in(topic, f"what does {found['short']} stand for?", answer=long, alone=True)
            yield Candidate("cloze:definition", question, (long,), sentence)
