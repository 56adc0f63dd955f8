"""How questions are worded: the place asked about, plain text, verbs.

Takes pieces of text, gives pieces of text. English only: a corpus in another language gives fewer and
poorer questions, and a set by people or by a generator is the better choice there.
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from hybrid.questions.values import Section, Topic
from hybrid.questions.words import BASE_VERBS, EMPTY, GENERIC
from hybrid.types import Document

_NUMBERING = re.compile(r"^(?:(?:Chapter|Appendix|Section|Part)\s+)?(?:[A-Z]\.)?(?:\d+\.)*\d*\.?\s+(?=\S)")
_SUFFIX = re.compile(r"\s+[—–|]\s+.*$")
_MARKS = re.compile(r"[`*]+|(?<!\w)_+(?=\w)|(?<=\w)_+(?!\w)")
_FOOTNOTE = re.compile(r"\s+\d{1,2}$")
_MANUAL = re.compile(r"\(\d\)$")
_SHORT = 70
_TOP = 400
_FINITE = re.compile(
    r"\b(?:is|are|was|were|may|might|must|can|could|should|will|would|shall|has|have|had|does|do|did|means|contains?|includes?)\b"
)
_PREPOSITION = re.compile(
    r"\b(?:of|to|in|for|on|at|with|from|by|used|that|which|within|between|where|when|as|inserting|containing)\b|[,;:(]"
)
_JOINT = re.compile(r"; |, (?:but|so|yet) |, (?P<and>and) ")
_CLAUSE = re.compile(
    r"\b(?:that|which|who|whose|whom|whether|where|when|if|what|how|as|while|until|unless)\b|[;:(]"
)
_ARTICLES = ("a ", "an ", "the ")


def topic_of(document: Document, section: Section) -> Topic:
    """Return the names of document and section without numbering, site names and empty words."""
    title = short_title(document)
    inner = bare_heading(section.headings[-1]) if section.headings else ""
    generic = all(word in GENERIC for word in re.findall(r"[a-z]+", inner.lower()))
    same = inner.casefold() in title.casefold() or title.casefold() == inner.casefold()
    return Topic(title, "" if generic or same or len(inner) > _SHORT else inner)


def short_title(document: Document) -> str:
    """Return the title, or the name of the file where there is none."""
    title = document.title or PurePosixPath(document.source.partition("#")[0]).stem
    # a page's title often is its first heading and then the name of the site
    alone = _SUFFIX.sub("", title)
    if alone in document.text[:_TOP] or len(title) > _SHORT:
        title = alone
    return bare_heading(title)[: 2 * _SHORT]


def bare_heading(heading: str) -> str:
    """Return a heading without its number and marks."""
    return _MANUAL.sub("", plain(_NUMBERING.sub("", heading))).strip(" #¶:")


def is_specific(heading: str) -> bool:
    """Tell whether a heading says what the text is about."""
    words = re.findall(r"[a-z]{3,}", heading.lower())
    return sum(word not in GENERIC and word not in EMPTY for word in words) >= 2


def plain(text: str) -> str:
    """Return text on one line, without the marks of Markdown and without a footnote's number."""
    return " ".join(_MARKS.sub("", text.replace("\xa0", " ")).split())


def first_clause(text: str) -> str:
    """Return text up to where a second statement begins: ", but they are", ", and it does"."""
    for joint in _JOINT.finditer(text):
        if joint["and"] is None or _FINITE.search(text[joint.end() :]):
            return text[: joint.start()]
    return text


def sentence_body(sentence: str) -> str:
    """Return a sentence as plain text without its full stop."""
    return _FOOTNOTE.sub("", plain(sentence)).rstrip().removesuffix(".").rstrip(" :;,")


def asked_in(topic: Topic, question: str, *, answer: str, alone: bool = False) -> str:
    """Put the place in front of a question, but for the part of it that would give the answer away.

    Args:
        topic: the place.
        question: without a capital.
        answer: what may not stand in the question.
        alone: whether the question can be asked without the title; if it cannot, the result is empty.
    """
    title = "" if contains(topic.title, answer) else topic.title
    if not (title or alone):
        return ""
    section = "" if contains(topic.section, answer) else topic.section
    if title and section:
        return f"In “{title}” (“{section}”), {question}"
    place = title or section
    return f"In “{place}”, {question}" if place else question[:1].upper() + question[1:]


def contains(text: str, words: str) -> bool:
    """Tell whether the words stand in a text as whole words, in any case and spacing."""
    wanted = " ".join(words.lower().split())
    there = " ".join(text.lower().split())
    return bool(wanted) and re.search(rf"(?<!\w){re.escape(wanted)}(?!\w)", there) is not None


def lower_first(text: str) -> str:
    """Return text with a small first letter, unless its first word is a name or an abbreviation."""
    first = text.split(" ", 1)[0]
    return text[:1].lower() + text[1:] if first[1:].islower() or len(first) == 1 else text


def is_base_verb(text: str) -> bool:
    """Tell whether a description begins like a command: "create a database"."""
    return text.split(" ", 1)[0].lower().rstrip(",") in BASE_VERBS


def is_third_person(text: str) -> bool:
    """Tell whether a description begins like a report: "creates a database"."""
    word, _, rest = text.lower().partition(" ")
    # "names or addresses" and "lists of files" are nouns; "pass" is no report of "pas"
    if word in BASE_VERBS or rest.startswith(("of ", "or ", "and ", "for ", "in ", "are ")):
        return False
    stems = {word.removesuffix("s"), word.removesuffix("es"), word.removesuffix("ies") + "y"}
    return word.endswith("s") and not stems.isdisjoint(BASE_VERBS)


def is_noun_phrase(text: str) -> bool:
    """Tell whether a description begins with an article, is no whole sentence, and names one thing."""
    if not text.lower().startswith(_ARTICLES) or _FINITE.search(_CLAUSE.split(text)[0]):
        return False
    head = _PREPOSITION.split(text, maxsplit=1)[0].rstrip(" ,")
    return not (head.endswith("s") and not head.endswith(("ss", "us", "is")))


def which(noun: str, description: str) -> str:
    """Ask for the name of what a description describes."""
    lowered = lower_first(description)
    if is_third_person(description):
        return f"which {noun} {lowered}?"
    if is_base_verb(description):
        return f"which {noun} do you use to {lowered}?"
    if is_noun_phrase(description):
        return f"which {noun} is {lowered}?"
    return f"which {noun} is described as “{description}”?"
