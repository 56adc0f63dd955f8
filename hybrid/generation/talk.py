"""What is no question to the documents: greetings, thanks, who are you; told by phrases (dialogue acts)."""

from __future__ import annotations

import functools
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from importlib import resources
from string import Template
from typing import Any

from hybrid.generation.matching import slipped
from hybrid.text.folding import fold
from hybrid.text.identifiers import identifiers, identifiers_of_chunk
from hybrid.text.words import is_english, language_of
from hybrid.types import Answer, Arm, Hit

# A question ends here, and so may a courtesy before or behind it.
_PART = re.compile(r"(?:[^.,!?;:\n–—¿¡…]|[.,:](?=\S))+")
_WORD = re.compile(r"[^\W_]+")
_LENGTHENED = re.compile(r"(.)\1{2,}")
# A word of so many letters may have a slip; more parts than these, or words, are not said without a question.
_SLIPS, _TALK, _SPOKEN = 5, 20, 40
_SAMPLE, _TITLE = 3, 60
# Of a multilingual embedder nothing is said: it may speak any language.
_MULTILINGUAL = re.compile(r"multilingual|\bm3\b|bge-m3|labse|xlm", re.IGNORECASE)
# Phrases by language, and the words of questions in languages without any.
_BOOK, _ELSEWHERE = "talk.toml", "elsewhere"
_OTHER = "other"
_SUGGESTED = "intfloat/multilingual-e5-small"
_READ = 4_000


class Act(StrEnum):
    """What is done by saying something; of several in one text the first of these counts."""

    ABOUT = "about"
    WELLBEING = "wellbeing"
    THANKS = "thanks"
    PARTING = "parting"
    GREETING = "greeting"
    WORDLESS = "wordless"


@dataclass(frozen=True, slots=True)
class Phrasebook:
    """What is said in one language: phrases and their acts, and what is replied."""

    phrases: Mapping[tuple[str, ...], Act]
    fillers: frozenset[str]
    asks: frozenset[str]
    names: Mapping[str, str]
    replies: Mapping[str, str]
    documents: tuple[str, str]

    @property
    def words(self) -> frozenset[str]:
        """Return all words of phrases and fillers."""
        return self.fillers.union(*self.phrases)

    @property
    def longest(self) -> int:
        """Return how many words the longest phrase has."""
        return max(map(len, self.phrases))


@dataclass(frozen=True, slots=True)
class Heard:
    """A text without its courtesies; where nothing else is in it, the act that they are and their language.

    ``slips`` are words that were taken for others that are spelled alike.
    """

    question: str
    act: Act | None = None
    language: str = "en"
    slips: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Shelf:
    """The documents of a domain that may be spoken of, by their titles."""

    domain: str
    titles: tuple[str, ...]


@functools.lru_cache(maxsize=256)  # on the way of a question it is asked several times
def hear(text: str) -> Heard:
    """Tell a question from the courtesies around it.

    Example:
        >>> hear("Hi, how many days of leave?").question
        'how many days of leave?'
        >>> hear("Thnaks a lot!!").act
        <Act.THANKS: 'thanks'>
    """
    whole = text.strip()
    if not any(map(str.isalnum, whole)):
        return Heard(whole, Act.WORDLESS if whole else None)
    parts = [part for part in _PART.finditer(text) if _WORD.search(part.group())]
    if len(parts) > _TALK:
        return Heard(whole)
    words = [_words(part.group()) for part in parts]
    # slips are looked for by holding each word against every phrase
    for slips in (False, True) if sum(map(len, words)) <= _SPOKEN else (False,):
        for language, book in _phrasebooks().items():
            said = [_courtesy(own, book, slips) for own in words]
            acts = [act for own in said for act in own or ()]
            if acts and None not in said:
                unknown = tuple(word for own in words for word in own if word not in book.words)
                return Heard(whole, min(acts, key=list(Act).index), language, unknown)
            if acts and not slips:
                asks = [place for place, own in enumerate(said) if own is None]
                end = parts[asks[-1] + 1].start() if asks[-1] + 1 < len(parts) else len(text)
                return Heard(text[parts[asks[0]].start() : end].strip(" \t\n,;:–—"))
    return Heard(_unprefixed(whole))


def reply(heard: Heard, text: str, shelves: Sequence[Shelf]) -> Answer:
    """Return what is said to small talk; a text without a word is declined.

    Args:
        heard: what the text is, with its act.
        text: as it was said.
        shelves: the domains that are asked here.
    """
    assert heard.act is not None, "only small talk is replied to"
    book = _phrasebooks()[heard.language]
    shown = [
        Template(book.replies["shelf"]).substitute(
            domain=shelf.domain,
            count=Template(book.documents[len(shelf.titles) != 1]).substitute(count=len(shelf.titles)),
            titles=", ".join(title[:_TITLE] for title in _sample(shelf.titles)),
        )
        for shelf in shelves
    ]
    names = ", ".join(shelf.domain for shelf in shelves)
    said = Template(book.replies[heard.act]).substitute(domains=names, shelves="; ".join(shown))
    return Answer(text, said, Arm.RAG, "talk", abstained=heard.act is Act.WORDLESS)


def decline(usual: str, question: str, hits: Sequence[Hit], embedder: str) -> str:
    """Return how a question is declined: as usual and by what it names that was not found, or by what to set.

    Args:
        usual: what is said where nothing answers.
        question: in plain words.
        hits: what was found for it, which shows the language of the documents.
        embedder: its name.
    """
    text = " ".join(hit.chunk.text for hit in hits)[:_READ]
    asked, found = asked_in(question), language_of(text)
    unsure = found == "en" and not is_english(text)
    books = _phrasebooks()
    if not hits or not asked or asked == found or unsure or _MULTILINGUAL.search(embedder):
        named = identifiers(question) if hits else ()
        held = [identifiers_of_chunk(named, hit.chunk) for hit in hits]
        lacking = [name.upper() for name in named if not any(name in own for own in held)]
        replies = books.get(language_of(usual), books["en"]).replies
        told = Template(replies["unnamed"]).substitute(names=", ".join(lacking)) if lacking else ""
        return f"{usual} {told}".strip()
    book = books.get(asked, books["en"])
    return Template(book.replies["foreign"]).substitute(
        asked=book.names.get(asked, asked),
        found=book.names.get(found, found),
        embedder=embedder,
        multilingual=_SUGGESTED,
    )


def asked_in(question: str) -> str:
    """Return the language of a question, see ``language_of``, by its question words too.

    Empty if unsure, "other" where it is as much in one language as in another, and not in English.
    """
    found = language_of(question)
    if found != "en":
        return found
    words = set(_words(question))
    counts = {name: len(words & asks) for name, asks in _asks().items()}
    most = max(counts.values())
    best = [name for name, count in counts.items() if count == most]
    if most < 2:
        return ""
    return "en" if "en" in best else best[0] if len(best) == 1 else _OTHER


def _unprefixed(text: str) -> str:
    """Return a text without a greeting that no sign parts from the question behind it."""
    places = list(_WORD.finditer(text))
    words = _words(text)
    for book in _phrasebooks().values():
        begun = len(_phrase_at(words[: book.longest], book, slips=False))
        act = book.phrases.get(tuple(words[:begun]))
        asks = len(words) > begun + 1 and words[begun] in book.asks
        if act in (Act.GREETING, Act.THANKS) and asks and len(places) == len(words):
            return text[places[begun].start() :]
    return text


def _courtesy(words: Sequence[str], book: Phrasebook, slips: bool) -> list[Act] | None:
    """Return the acts of a part that is made of phrases, perhaps with slips, and fillers alone; else None."""
    acts: list[Act] = []
    place, longest = 0, book.longest
    while place < len(words):
        phrase = _phrase_at(words[place : place + longest], book, slips)
        if phrase:
            acts.append(book.phrases[phrase])
        elif words[place] not in book.fillers:
            return None
        place += max(len(phrase), 1)
    return acts


def _phrase_at(words: Sequence[str], book: Phrasebook, slips: bool) -> tuple[str, ...]:
    """Return the longest phrase that words begin with; empty if they begin with none."""
    if not slips:
        begun = (tuple(words[:length]) for length in range(len(words), 0, -1))
        return next((span for span in begun if span in book.phrases), ())
    alike = (one for one in book.phrases if len(one) <= len(words) and all(map(_alike, words, one)))
    return max(alike, key=len, default=())


def _alike(word: str, meant: str) -> bool:
    """Tell whether a word is another one, or a slip of it; of a short one only with two letters swapped."""
    if word == meant or abs(len(word) - len(meant)) > 1:
        return word == meant
    if max(len(word), len(meant)) < _SLIPS and sorted(word) != sorted(meant):
        return False
    return slipped(word, meant, least=_SLIPS - 1, first=True)


def _words(text: str) -> list[str]:
    """Return the words of a text, folded; "what's" is one, and so is "hellooo" with a single o."""
    plain = _LENGTHENED.sub(r"\1", fold(text).replace("ß", "ss"))
    return _WORD.findall(re.sub(r"(?<=\w\w)'(?=s\b)", "", plain))


def _sample(titles: Sequence[str]) -> list[str]:
    """Return a few titles from all over the list."""
    step = max(len(titles) // _SAMPLE, 1)
    return list(dict.fromkeys(titles[::step]))[:_SAMPLE]


@functools.cache
def _book() -> dict[str, dict[str, Any]]:
    return tomllib.loads((resources.files("hybrid.generation") / _BOOK).read_text(encoding="utf-8"))


@functools.cache
def _phrasebooks() -> dict[str, Phrasebook]:
    return {language: _phrasebook(table) for language, table in _book().items() if language != _ELSEWHERE}


@functools.cache
def _asks() -> dict[str, frozenset[str]]:
    """Return the words of questions by language, those first in which something is replied."""
    known = {language: book.asks for language, book in _phrasebooks().items()}
    return known | {language: frozenset(words) for language, words in _book()[_ELSEWHERE].items()}


def _phrasebook(table: dict[str, Any]) -> Phrasebook:
    phrases = {tuple(_words(phrase)): act for act in Act for phrase in table.get(act, ())}
    fillers, asks = frozenset(table["fillers"]), frozenset(table["asks"])
    replies = dict(table["reply"])
    one, many = replies.pop("documents")
    return Phrasebook(phrases, fillers, asks, table["names"], replies, (one, many))
