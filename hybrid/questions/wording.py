"""How questions are worded: verbs, inversion, first person, what can be read alone (question generation)."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from hybrid.generation.matching import expressions
from hybrid.text.words import STOP_WORDS, listed, word_set
from hybrid.types import Document

LISTS = {name: word_set(text) for name, text in listed("questions", "words.toml").items()}
BASE_VERBS = LISTS["base_verbs"]
_VERBS = BASE_VERBS | LISTS["further_verbs"]
VAGUE, NOT_IN_A_TERM = LISTS["vague"], LISTS["not_in_a_term"]
NO_VALUE = LISTS["no_value"]

_SHORT = 70
_TOP = 400
_AUXILIARY = word_set("is are was were can could may might must should will would shall has have had did")
# A clause that begins so is a part of another one.
_OPENS = word_set("if when while because although though as since unless until whether before after in for")
_YOU = {"you are": "I am", "yourself": "myself", "yours": "mine", "your": "my", "you": "I"}
# What each is for stands beside it.
_TOLD = expressions("wording")
_POINTING, _NUMBERING, _SUFFIX, _MARKS, _FOOTNOTE, _MANUAL, _JOINT, FINITE, _PERSON = _TOLD[:9]
_INVENTED, _BARE, _MEANING, _NAME = _TOLD[9:]
_FEWEST = 2
# What a question says that is not what it asks about.
_ASKING = word_set("happens happen many much long mean stand does default maximum minimum number")


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


def plain(text: str) -> str:
    """Return text on one line, without the marks of Markdown and without a footnote's number."""
    return " ".join(_MARKS.sub("", text.replace("\xa0", " ")).split())


def first_clause(text: str) -> str:
    """Return text up to where a second statement begins: ", but they are", ", and it does"."""
    for joint in _JOINT.finditer(text):
        if joint["and"] is None or FINITE.search(text[joint.end() :]):
            return text[: joint.start()]
    return text


def sentence_body(sentence: str) -> str:
    """Return a sentence as plain text without its full stop."""
    return _FOOTNOTE.sub("", plain(sentence)).rstrip().removesuffix(".").rstrip(" :;,")


def lower_first(text: str) -> str:
    """Return text with a small first letter, unless its first word is a name or an abbreviation."""
    first = text.split(" ", 1)[0]
    return text[:1].lower() + text[1:] if first[1:].islower() or len(first) == 1 else text


def is_base_verb(text: str) -> bool:
    """Tell whether a description begins like a command: "create a database"."""
    return text.split(" ", 1)[0].lower().rstrip(",") in _VERBS


def base_of(word: str) -> str:
    """Return the base of a listed verb in the third person, "applies" of "apply"; else nothing."""
    word = word.lower()
    if word in ("has", "does") or not word.endswith("s"):
        return {"has": "have", "does": "do"}.get(word, "")
    stems = (word[:-1], word.removesuffix("es"), word.removesuffix("ies") + "y")
    return next((stem for stem in stems if stem in _VERBS), "")


def is_third_person(text: str) -> bool:
    """Tell whether a description begins like a report: "creates a database"."""
    word, _, rest = text.partition(" ")
    # "names or addresses" and "lists of files" are nouns
    return bool(base_of(word)) and not rest.startswith(("of ", "or ", "and ", "for ", "in ", "are "))


def inverted(clause: str) -> str:
    """Return a statement in the order of a question, "does it hold" of "it holds"; else nothing."""
    words = clause.split()
    if words[0].lower() in _OPENS:
        return ""
    for place, word in enumerate(words[1:], start=1):
        subject, rest = " ".join(words[:place]), " ".join(words[place + 1 :])
        if word in _AUXILIARY and not (
            word in ("has", "have") and not rest.split(" ")[0].endswith(("ed", "en"))
        ):
            return f"{word} {subject} {rest}"
        # "the count", "counts can be": a noun
        if place > 1 and words[place - 1] in ("the", "a", "an", "of"):
            continue
        if rest.split(" ")[0] in _AUXILIARY:
            continue
        if base := base_of(word):
            return f"does {subject} {base} {rest}"
        if word in _VERBS and words[place - 1].endswith("s"):
            return f"do {subject} {word} {rest}"
        if word[-1] in ",;:" or word in NOT_IN_A_TERM - {"of", "in", "for", "the", "and"}:
            break
    return ""


def in_first_person(text: str) -> str:
    """Return what is said to a reader as the reader would say it."""
    return _PERSON.sub(lambda found: _YOU[found[0].lower()], text)


def stands_alone(question: str) -> bool:
    """Tell whether a question can be understood without the passage that answers it."""
    if (
        _POINTING.search(question)
        or _INVENTED.search(question)
        or any(found["noun"] in VAGUE for found in _BARE.finditer(question))
    ):
        return False
    # what one word means is asked with that word
    return telling(question) >= (1 if _MEANING.fullmatch(question) else _FEWEST)


def telling(text: str) -> int:
    """Return how many words of a text say what it is about; a name counts for two."""
    said = {word for word in re.findall(r"[^\W\d_][\w.-]*", text) if word.lower() not in STOP_WORDS}
    own = {word for word in said if word.lower() not in VAGUE | _ASKING}
    return len(own) + sum(bool(_NAME.search(word)) for word in own)
