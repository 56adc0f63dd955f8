"""How words and names of a question are found in texts, as they are written there (lexical matching)."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from hybrid.text.dates import DAYS, MONTHS, dates, days_in, months_between
from hybrid.text.folding import fold
from hybrid.text.identifiers import as_written
from hybrid.text.numbers import SMALL_NUMBERS, same_units
from hybrid.text.words import content_words, is_english, listed, rarities, stem

_SIMILAR, _SLIP = 0.8, 0.8
# A word of so many letters may have a slip.
_SLIPS, _SHORT_SLIPS = 4, 3
_EARLIER = 0.2
_DAY_STEMS = frozenset(map(stem, DAYS))


_EVERYDAY = listed("generation", "words.toml")


def expressions(module: str) -> list[re.Pattern[str]]:
    """Return the expressions of a module in the order of their file; each matches in any case."""
    return [re.compile("|".join(own), re.IGNORECASE) for own in listed("generation")[module].values()]


def _alike() -> dict[str, frozenset[str]]:
    """Return which stems stand for each other; where one is asked with alone, it stands before a ">"."""
    table: dict[str, set[str]] = {}
    for line in _EVERYDAY["alike"].strip().split("\n"):
        asked, _, _ = line.rpartition(">")
        words = {stem(word) for word in line.split() if word != ">"}
        for word in map(stem, asked.split()) if asked else words:
            table.setdefault(word, set()).update(words - {word})
    for names in same_units():  # "metre" is told by "(m)"
        units = set(map(stem, names))
        for word in units:
            table.setdefault(word, set()).update(units - {word})
    return {word: frozenset(others) for word, others in table.items()}


_ALSO = _alike()


def also(word: str) -> frozenset[str]:
    """Return the stems that stand for a stem in everyday English: price and fee for cheap."""
    base = re.sub(r"(?<=\w{4})(?:er|est)$", "", word)
    return _ALSO.get(word) or _ALSO.get(base, frozenset())


def names_held(names: Iterable[str], text: str) -> frozenset[str]:
    """Return the names that stand in a text as whole words, an abbreviation also by its long form.

    A genitive or plural s does not count, and ``K300-EW`` is another thing than ``K300``.
    """
    there = fold(text)
    named = {name: fold(name) for name in names}
    # "2025-12-19" is in December, and Wednesday between Monday and Friday
    asked = not set(MONTHS).isdisjoint(named.values())
    told = {MONTHS[one.month - 1] for one in dates(text) if one.month} if asked else set()
    told |= months_between(text) if asked else set()
    told |= days_in(text) if not set(DAYS).isdisjoint(map(as_day, named.values())) else set()
    return frozenset(
        name for name, own in named.items() if as_day(own) in told or own in told or _is_held(name, there)
    )


def as_day(word: str) -> str:
    """Return the day of the week that a word in small letters is, in the singular; else the word."""
    return word.removesuffix("s") if word.removesuffix("s") in DAYS else word


def _is_held(name: str, folded: str) -> bool:
    if _name_pattern(name).search(folded):
        return True
    if also := _COUNTRIES.get(fold(name)):
        return any(_name_pattern(one).search(folded) for one in also)
    return bool(_SHORT.fullmatch(name)) and _long_form(name).search(folded) is not None


@lru_cache(maxsize=1 << 10)
def _name_pattern(name: str) -> re.Pattern[str]:
    """Return what finds a name as a word: of plain letters with any ending, else as it is."""
    folded = fold(name).removesuffix("'s")
    if _YEAR.fullmatch(folded):  # also of 2017-05-08
        return re.compile(rf"(?<![\w.]){folded}(?!\w|\.\d\d?(?![\d.])|-[a-z])")
    if folded.isalpha() and len(folded) >= _INFLECTED:
        return re.compile(rf"(?<![\w.]){re.escape(folded.removesuffix('s'))}[a-z]{{0,3}}(?!\w)")
    thing, _, number = folded.rpartition(" ")
    if thing and number.isdigit():  # "room 202" is "room: 202" in a record
        return re.compile(rf"(?<![\w.]){re.escape(thing)}\W{{1,3}}{number}(?!\w|\.\d)")
    return re.compile(rf"(?<![\w.]){as_written(folded)}(?:'?s)?(?!\w|\.\d|-[a-z0-9]{{1,3}}(?!\w))")


@lru_cache(maxsize=1 << 10)
def _long_form(short: str) -> re.Pattern[str]:
    """Return what finds words with the letters of an abbreviation as initials: two-factor authentication."""
    letters = [SMALL_NUMBERS[int(c)][0] if c.isdigit() else c.lower() for c in short]
    return re.compile(
        r"\b" + r"[\s-](?:and |of |the |for )?".join(rf"{re.escape(c)}[a-z]+" for c in letters) + r"\b"
    )


_INFLECTED = 5
_YEAR, _SHORT = re.compile(r"(?:19|20)\d\d"), re.compile(r"[A-Z0-9]{2,5}")
# Countries are named by the regions that a rule is about, and some by other names.
_COUNTRIES = {
    country: tuple(region.split(", "))
    for line in _EVERYDAY["regions"].strip().split("\n")
    for region, _, countries in [line.partition(": ")]
    for country in countries.split()
}
_NAMED_ALSO = {
    fold(name): tuple(line.split(", "))
    for line in _EVERYDAY["countries"].strip().split("\n")
    for name in line.split(", ")
}


def regions(names: Iterable[str], text: str) -> str:
    """Return what a text may call the countries among some names that it does not name."""
    there = fold(text)
    named = (fold(name) for name in names)
    return " ".join(also for name in named if name not in there for also in _COUNTRIES.get(name, ()))


def mended(question: str, texts: Sequence[str], is_word: Callable[[str], bool]) -> str:
    """Return a question with words of one slip each mended where these texts have the word that is meant.

    Mended are words that the texts have in no form and that are no words at all, of three letters only where
    one word alone can be meant, in English.
    """
    there: dict[str, str] = {}
    for word in dict.fromkeys(word for text in texts for word in _SPELLED.findall(text)):
        if len(word) >= _SHORT_SLIPS and word.isalpha():
            there.setdefault(fold(word), word)
    stems = {stem(word) for word in there}
    joined = fold(" ".join(texts))
    shortest = _SHORT_SLIPS if is_english(question) else _SLIPS

    def meant(match: re.Match[str]) -> str:
        word = match.group()
        own = fold(word)
        named = word[:1].isupper() and match.start()
        if len(own) < shortest or not own.isalpha() or own in there or named or _is_part(question, match):
            return word
        if stem(own) in stems:
            return word
        alike = [one for one in there if _is_meant(own, one) and not _ends_otherwise(own, one)]
        if not alike or _blended(own, joined) or is_word(own) or (len(own) < _SLIPS and len(alike) > 1):
            return word
        return there[alike[0]].lower()

    return _SPELLED.sub(meant, question)


def as_spelled(question: str, texts: Sequence[str]) -> str:
    """Return a question with words in one or in two as these texts have them: antifouling, anti-fouling."""
    joined = fold(" ".join(texts))

    def is_there(words: str) -> bool:
        return re.search(rf"\b{words}", joined) is not None

    def together(match: re.Match[str]) -> str:
        one, other = fold(match[1]), fold(match[2])
        told = all(len(content_words(word)) == 1 and word.isalpha() for word in (one, other))
        known = not told or is_there(f"{one}[ -]{other}") or not is_there(one + other)
        return match.group() if known else match[1]

    def apart(match: re.Match[str]) -> str:
        word = fold(match.group())
        if len(word) < 2 * _SHORT_SLIPS or not word.isalpha() or is_there(stem(word)):
            return match.group()
        ways = [(word[:at], word[at:]) for at in range(_SHORT_SLIPS, len(word) - _SHORT_SLIPS + 1)]
        return next((" ".join(way) for way in ways if is_there("[ -]".join(way))), match.group())

    return _SPELLED.sub(apart, _TWO.sub(together, question))


def _is_meant(own: str, one: str) -> bool:
    """Tell whether a word may be a slip of another one; a short one only where a letter is missing."""
    if own[0] != one[0] or abs(len(own) - len(one)) > _SLIPS:  # most are told apart by this
        return False
    if len(own) < _SLIPS:
        return len(one) > len(own) and slipped(own, one, least=_SHORT_SLIPS)
    stems = stem(own), stem(one)
    least = _SLIPS + (len(stems[0]) == len(stems[1]))  # "fouling" is no slip of "four"
    return slipped(own, one, least=_SLIPS) or slipped(*stems, least=least)


def _ends_otherwise(one: str, other: str) -> bool:
    """Tell whether a word is another one with an ending of a letter: "Mietern" of "Mieter"."""
    short, long = sorted((one, other), key=len)
    return long[:-1] == short and long[-1] in "snerdy"


def _is_part(question: str, match: re.Match[str]) -> bool:
    """Tell whether a word is a part of a code or an address."""
    before, behind = question[max(match.start() - 2, 0) : match.start()], question[match.end() :][:2]
    return any(
        len(own) == 2 and own[place] in "-_./@" and own[1 - place].isalnum()
        for own, place in ((before, 1), (behind, 0))
    )


def respelled(question: str, texts: Sequence[str]) -> str:
    """Return a question with its abbreviations explained, as these texts write them."""
    written = " ".join(texts)
    joined = fold(written)
    there = frozenset(word for text in texts for word in content_words(text))

    def told(match: re.Match[str]) -> str:
        word = match.group()
        if _is_part(question, match):
            return word
        if _SHORT.fullmatch(word) and not word.isdigit():
            # "us" is no country
            known = re.search(rf"\b{word}\b", written) if fold(word) in _NAMED_ALSO else None
            if not known and (fold(word) in _NAMED_ALSO or not _name_pattern(word).search(joined)):
                return _explained(word, joined)
        own = content_words(word)
        if len(own) != 1 or own[0] in there or (word[:1].isupper() and match.start()):
            return word
        return _blended(fold(word), joined) or word

    return _SPELLED.sub(told, question)


def _explained(short: str, folded: str) -> str:
    """Return an abbreviation with its long form, or another name of the country, as a text has it."""
    others = [one for one in _NAMED_ALSO.get(fold(short), ()) if _name_pattern(one).search(folded)]
    long = _long_form(short).search(folded)
    return others[0] if others else f"{short} ({long.group()})" if long else short


def _blended(word: str, folded: str) -> str:
    """Return two neighbouring words whose beginnings make up a word, as those of "amex" do."""
    if not (4 <= len(word) <= 8 and word.isalpha()):
        return ""
    ways = "|".join(rf"\b{word[:at]}[a-z]{{2,}} {word[at:]}[a-z]{{2,}}" for at in range(2, len(word) - 1))
    found = re.search(ways, folded)
    return found.group().title() if found else ""


_SPELLED, _TWO = re.compile(r"[^\W_]+"), re.compile(r"([^\W_]+)[ -](?=([^\W_]+))")


@dataclass(frozen=True, slots=True)
class Matcher:
    """How the words of a question are found: inflected, misspelt, or by another word."""

    forms: tuple[dict[str, float], ...]
    weights: tuple[float, ...]

    def share(self, text: str) -> float:
        """Return the weighted share of the question's words in a text, from 0 to 1."""
        there = self._words_of(text)
        found = (
            (w, own) for own, w in zip(self.forms, self.weights, strict=True) if not there.isdisjoint(own)
        )
        return math.fsum(w * _most(own, there) for w, own in found) / (math.fsum(self.weights) or 1.0)

    def held(self, text: str) -> frozenset[int]:
        """Return the places of the question's words that a text has."""
        there = self._words_of(text)
        return frozenset(place for place, own in enumerate(self.forms) if not there.isdisjoint(own))

    def _words_of(self, text: str) -> set[str]:
        there = set(content_words(text))
        if not all(_DAY_STEMS.isdisjoint(own) for own in self.forms):
            there.update(map(stem, days_in(text)))
        return there


def _most(own: dict[str, float], there: set[str]) -> float:
    return max(own[word] for word in own.keys() & there)


def matcher(words: Sequence[str], texts: Sequence[str], earlier: frozenset[str] = frozenset()) -> Matcher:
    """Return how the stems of a question are found in these texts, a rare one counting for more.

    Those of an ``earlier`` question, which the last one follows, count for less.
    """
    bags = [set(content_words(text)) for text in texts]
    vocabulary: dict[str, list[str]] = {}
    for other in set[str]().union(*bags):
        vocabulary.setdefault(_begun(other), []).append(other)
    forms = [_forms(word, vocabulary) for word in words]
    held = [[place for place, own in enumerate(forms) if own.keys() & bag] for bag in bags]
    rare = rarities(range(len(forms)), held).values()
    weights = [(_EARLIER if word in earlier else 1.0) * one for word, one in zip(words, rare, strict=True)]
    return Matcher(tuple(forms), tuple(weights))


def _forms(word: str, vocabulary: Mapping[str, list[str]]) -> dict[str, float]:
    """Return the words that count as one of the question, and for how much each does."""
    found = {word: 1.0}
    for one in (word, *also(word)):
        for other in vocabulary.get(_begun(one), ()):
            if other == one or inflected(one, other):
                found.setdefault(other, _SIMILAR)
    if len(found) == 1 and word not in vocabulary.get(_begun(word), ()):
        found |= {other: _SLIP for own in vocabulary.values() for other in own if slipped(word, other)}
    return found


def _begun(word: str) -> str:
    """Return what forms of one word have in common."""
    return word[:5]


def inflected(one: str, other: str) -> bool:
    """Tell whether two stems are forms of one word, as far as their beginnings tell."""
    if _begun(one) != _begun(other):  # most are told apart by this
        return False
    short, long = sorted((one, other), key=len)
    if len(short) < 5 or len(long) - len(short) > 4 + (len(short) > 7) or any(map(str.isdigit, short)):
        return False
    return long.startswith(short[: max(len(short) - 1, 5)])


def slipped(one: str, other: str, *, least: int = 5, first: bool = False) -> bool:
    """Tell whether one word is the other with a letter too many, missing, wrong, or two swapped.

    Shorter ones than ``least`` letters are never; the first letter is slipped only with ``first``.
    """
    if min(len(one), len(other)) < least or abs(len(one) - len(other)) > 1:
        return False
    if one[0] != other[0] and not first:
        return False
    if any(map(str.isdigit, one + other)):
        return False
    same = next(
        (at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other))
    )
    rest, others = one[same:], other[same:]
    return (
        rest[1:] == others
        or others[1:] == rest
        or rest[1:] == others[1:]
        or (rest[1::-1] + rest[2:] == others)
    )
