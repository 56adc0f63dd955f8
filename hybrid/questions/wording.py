"""How questions are worded: the place asked about, plain text, verbs (template question generation)."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from hybrid.questions.values import Section, Topic
from hybrid.text.words import contains, word_set
from hybrid.types import Document

# English only: a corpus in another language gives fewer and poorer questions, and a set by people or by a
# generator is the better choice there.

# Headings that say what kind of text follows, not what it is about.
GENERIC = word_set(
    """
    abstract arguments background configuration contents description details diagnostics environment
    example examples exit files general installation introduction limitations name note notes options
    output overview parameters preface prerequisites purpose rationale remarks return returns see
    settings setup summary synopsis syntax usage values warning
    """
)

# What adds nothing to a heading.
EMPTY = word_set(
    """
    about all and are can does for from get how its more not other own the this use using via what when
    where which who why with works you your
    """
)

# What a description begins with that says what something does.
BASE_VERBS = word_set(
    """
    accept add adjust allow analyze append apply assign attempt avoid block build calculate call change
    check choose clean clear close collect combine compare compress compute configure connect contain
    control convert copy count create declare decode define delete deny describe determine disable
    discard display drop dump echo edit embed enable encode ensure evaluate exclude execute exit expand
    export extract fetch filter find fix force format generate get give group handle hide hold identify
    ignore include indicate initialize insert inspect install join keep let limit list load locate log
    look maintain make manage map mark match measure merge modify monitor move name offer omit open
    output override parse pass perform pick pin prefix prepare prevent print process produce prompt
    provide prune pull push put query rank read rebuild receive record recover recreate refer reindex
    reject reload remove rename render replace report represent request require reset resolve restart
    restore restrict retrieve return revert rewrite route run save scan search select send separate
    serve set share shorten show sign skip sort specify split start stop store stream suppress switch
    take tell terminate test trace track transform translate truncate turn undo unset update upgrade
    upload validate verify view wait walk warn watch wrap write
    """
)

# What is no name of anything, or only together with the sentence before.
NOT_A_TERM = word_set(
    """
    advantage aim alternative answer approach argument benefit case command comment consequence default
    description difference disadvantage downside drawback effect example exception file function goal
    idea intent intention issue it key line list main method name note nothing number object one option
    order output parameter part point problem process purpose query reason result rule same setting
    solution step system table that there thing this time tool type use user value way what where which
    who
    """
)

# What is in no name.
NOT_IN_A_TERM = word_set(
    """
    about after all and any as at because before but by can could do does each every following for from
    had has have how if in into it its may more most must no not of on only or other our out over same
    shall should so some such than that the their them then there these they this those through to under
    until up was were what when where which while who will with within without would you your
    """
)

# What stands behind "the default is" and is no value.
NO_VALUE = word_set(
    """
    a also always an determined empty no none not platform same system taken that the to used usually
    """
)

_NUMBERING = re.compile(r"^(?:(?:Chapter|Appendix|Section|Part)\s+)?(?:[A-Z]\.)?(?:\d+\.)*\d*\.?\s+(?=\S)")
_SUFFIX = re.compile(r"\s+[—–|]\s+.*$")
_MARKS = re.compile(r"[`*]+|(?<!\w)_+(?=\w)|(?<=\w)_+(?!\w)")
_FOOTNOTE = re.compile(r"\s+\d{1,2}$")
_MANUAL = re.compile(r"\(\d\)$")
_SHORT = 70
_TOP = 400
_FINITE = re.compile(
    r"\b(?:is|are|was|were|may|might|must|can|could|should|will|would|shall|has|have|had|does|do|did|means|"
    r"contains?|includes?)\b"
)
_PREPOSITION = re.compile(
    r"\b(?:of|to|in|for|on|at|with|from|by|used|that|which|within|between|where|when|as|inserting|"
    r"containing)\b|[,;:(]"
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
