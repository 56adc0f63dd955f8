"""Words of a text: content, stems, terms, opposites, and their language (lexical analysis)."""

from __future__ import annotations

import math
import re
import tomllib
import unicodedata
from collections import Counter
from collections.abc import Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from importlib import resources
from itertools import chain
from typing import Any, TypeVar

from hybrid.text.dates import MONTHS
from hybrid.text.folding import UNSPACED, fold, spaced, typed
from hybrid.text.identifiers import is_unspaced, pairs
from hybrid.types import Span

_T = TypeVar("_T", bound=Hashable)


@lru_cache
def listed(room: str, file: str = "patterns.toml") -> dict[str, Any]:
    """Return the lists of words and of expressions that stand in a file of a room of the package."""
    return tomllib.loads((resources.files(f"hybrid.{room}") / file).read_text(encoding="utf-8"))


def either(patterns: Iterable[str], parts: Mapping[str, str]) -> str:
    """Return one expression of several, in which names in braces stand for parts."""
    whole = "|".join(patterns)
    for name, part in parts.items():
        whole = whole.replace(f"{{{name}}}", part)
    return whole


@lru_cache
def common_parts(room: str) -> dict[str, str]:
    """Return the parts that the expressions of a room have in common; each may hold those before it."""
    parts: dict[str, str] = {}
    for name, own in listed(room)["parts"].items():
        parts[name] = f"(?:{either(own, parts)})"
    return parts


def expressions(room: str, module: str) -> dict[str, re.Pattern[str]]:
    """Return the expressions of a module by name, as they stand in the file of its room, for any case."""
    own, parts = listed(room)[module], common_parts(room)
    return {name: re.compile(either(told, parts), re.IGNORECASE) for name, told in own.items()}


def word_set(*lines: str) -> frozenset[str]:
    """Return the words of a list that is written as text."""
    return frozenset(word for line in lines for word in line.split())


_LISTS = listed("text", "words.toml")
STOP_WORDS, POINTING, NEGATORS = (word_set(_LISTS[name]) for name in ("stop", "pointing", "negators"))
LEANING = POINTING | word_set(_LISTS["leaning"])
_ENDINGS = ("", "e", "es", "s", "ed", "d", "ing")
_PREFIXES = ("un", "in", "im", "ir", "il", "non", "dis")

# Of scripts without spaces between words every character counts as a word.
_DENSE = r"\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
# What has no end of its own, such as a long hash or a line of dashes, is not one word to a model.
_READ_WORD = re.compile(rf"[{_DENSE}]|[^\s{_DENSE}]{{1,20}}")
_TOKEN = re.compile(r"\w+")
_WORD = re.compile(
    rf"\d+(?:[.,]\d+)*|[{UNSPACED}]+|[^\W\d_{UNSPACED}]+(?:['’][^\W\d_{UNSPACED}]+)*|[^\W{UNSPACED}]+"
)
_ISO_DATE = re.compile(r"\b(\d{4})-(\d\d)-(\d\d)")
_SHORT_MONTHS = {name[:3]: name for name in MONTHS} | {"sept": "september"}
# So many letters of a word are compared: it finds "orchestr-al" in "orchestr-a" where endings do not.
_PREFIX = 5
# Texts repeat what stands between spaces: so many are looked up rather than read again, none of them longer.
_KNOWN = 1 << 14
_LONGEST = 40
# An answer reads its sentences many times, and so do answers from the same passages; this is at most 10 MB.
_SENTENCES, _SENTENCE = 1 << 13, 400


def content_words(text: str) -> list[str]:
    """Return the words that carry meaning, folded, with the commonest endings taken off.

    Of scripts without spaces each pair of neighbouring characters is one.
    """
    return list(_known_words(text)) if len(text) <= _SENTENCE else _words_of(text)


@lru_cache(maxsize=_SENTENCES)
def _known_words(text: str) -> tuple[str, ...]:
    return tuple(_words_of(text))


def _words_of(text: str) -> list[str]:
    words = [match.group().lower() for match in _WORD.finditer(text)]
    if not text.isascii():
        words = [part for word in words for part in _folded(word)]
    return [stem(word) for word in words if word not in STOP_WORDS]


def _folded(word: str) -> list[str]:
    folded = word if word.isascii() else fold(word)
    return pairs(folded) if is_unspaced(folded) else [folded]


@lru_cache(maxsize=1 << 15)  # texts repeat their words
def stem(word: str) -> str:
    """Take off a plural or verb ending; crude, and alike for both sides of a comparison."""
    for ending in ("ies", "ings", "ing", "ed", "es", "s"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word[: -len(ending)] + ("y" if ending == "ies" else "")
    return word[:-1] if word.endswith("e") and len(word) > 4 else word


# Stems of superlatives: those that ask for the least, those that any column may have, and those of time,
# where the oldest thing has the least year and the newest the greatest.
OF_LESS = word_set("cheap low short small light few littl least narrow near early young slow new fewest")
OF_ANY_COLUMN = word_set("most least few fewest high low great larg big small")
IN_TIME = {"old": -1, "new": 1, "young": 1, "earl": -1, "early": -1, "lat": 1, "first": -1, "last": 1}
# Stems of what a column with room for people is called by.
ROOM = word_set("seat capacity peopl person plac guest maximum participant")


def _properties(column: int) -> dict[str, str]:
    rows = [line.split("|") for line in _LISTS["properties"].strip().split("\n")]
    return {word: row[0].strip() for row in rows for word in row[column].split()}


_OF_UNIT, _OF_WORD = _properties(1), _properties(2)


def properties(question: str) -> str:
    """Return the names of the properties that a question asks for by another word: weight of "how heavy"."""
    return " ".join(dict.fromkeys(_OF_WORD[word] for word in tokens(question) if word in _OF_WORD))


def property_of(kind: str) -> str:
    """Return the names of the property that a kind of unit tells, such as weight of gram; else the kind."""
    return _OF_UNIT.get(kind, kind)


def tokens(text: str) -> list[str]:
    """Return all words of a text in lower case, without punctuation."""
    return _TOKEN.findall(text.lower())


def terms(text: str) -> list[str]:
    """Return what two texts are compared by: beginnings of content words, numbers, names of months.

    ``2021-03-05`` gives the same terms as ``5 March 2021``.
    """
    # no term reaches over white space
    parts = text.split()
    read = _known_terms if max(map(len, parts), default=0) <= _LONGEST else _terms
    return list(chain.from_iterable(map(read, parts)))


def contains(text: str, words: str) -> bool:
    """Tell whether the words stand in a text as whole words, in any case, spacing, quotes and dashes.

    In a script without blanks any characters are whole words.
    """
    wanted, there = (" ".join(spaced(typed(one).lower()).split()) for one in (words, text))
    return bool(wanted) and re.search(rf"(?<!\w){re.escape(wanted)}(?!\w)", there) is not None


def share_held(words: Sequence[Hashable], there: Collection[Hashable]) -> float:
    """Return the share of words, or of runs of them, that are there, from 0 to 1; 0 of none."""
    return sum(word in there for word in words) / len(words) if words else 0.0


def share_supported(sentence: str, text: str) -> float:
    """Return the share of content words of the sentence that stand in the text; a foreign number is 0.

    This is token overlap and named as such: it sees invented names and numbers, it does not see a negation
    turned around. The trained grounding evaluator stands above it.
    """
    words, there = content_words(sentence), set(content_words(text))
    foreign = any(word[0].isdigit() and word not in there for word in words)
    return 0.0 if foreign else share_held(words, there)


def rarity(held: int, among: int) -> float:
    """Return how much a word counts that so many of the texts hold which are ranked by it."""
    return math.log(1 + among / (1 + held))


def rarities(words: Iterable[_T], bags: Sequence[Collection[_T]]) -> dict[_T, float]:
    """Return how much each word counts among texts of which the bags hold the words."""
    held = Counter(word for bag in bags for word in bag)
    return {word: rarity(held[word], len(bags)) for word in words}


def weighed_share(held: Iterable[_T], weights: Mapping[_T, float]) -> float:
    """Return the share of the weights, from 0 to 1, that what is held has."""
    # exact sums: the order of a set is another one in every process
    return math.fsum(map(weights.__getitem__, held)) / (math.fsum(weights.values()) or 1.0)


def overlaps(question: str, texts: Sequence[str]) -> list[float]:
    """Return the share of the question's words in each text, from 0 to 1; a rare word counts for more."""
    words = set(content_words(question))
    bags = [set(content_words(text)) & words for text in texts]
    weights = rarities(words, bags)
    return [weighed_share(bag, weights) for bag in bags]


def word_runs(words: Sequence[str], length: int) -> list[tuple[str, ...]]:
    """Return all runs of so many words; a shorter text has none."""
    return [tuple(words[place : place + length]) for place in range(len(words) - length + 1)]


def word_spans(text: str, within: Span) -> list[Span]:
    """Return where the words of a stretch stand; a word has 20 characters at the most."""
    return [Span(match.start(), match.end()) for match in _READ_WORD.finditer(text, within.start, within.end)]


def count_words(text: str, within: Span) -> int:
    """Return how many words a stretch has."""
    return len(_READ_WORD.findall(text, within.start, within.end))


def opposites_of(word: str) -> frozenset[str]:
    """Return the words that say the opposite of a lower-case word, as far as they are listed."""
    return _OPPOSITE.get(word, frozenset())


def all_opposites(word: str) -> set[str]:
    """Return the opposites of a lower-case word: listed ones, and those with or without an "un-"."""
    formed = {word.removeprefix(prefix) for prefix in _PREFIXES if len(word) > len(prefix) + 3} - {word}
    return {*opposites_of(word), *formed, *(prefix + word for prefix in _PREFIXES if len(word) > 3)}


def are_opposite(one: str, other: str) -> bool:
    """Tell whether two lower-case words are opposites."""
    return other in all_opposites(one)


def _read_opposites() -> dict[str, frozenset[str]]:
    table: dict[str, set[str]] = {}
    for line in _LISTS["opposites"].strip().split("\n"):
        one, other = (
            frozenset(word + end for word in side.split() for end in _ENDINGS) for side in line.split("|")
        )
        for here, there in ((one, other), (other, one)):
            for word in here:
                table.setdefault(word, set()).update(there)
    return {word: frozenset(others) for word, others in table.items()}


_OPPOSITE = _read_opposites()


@lru_cache(maxsize=_KNOWN)
def _known_terms(part: str) -> tuple[str, ...]:
    return tuple(_terms(part))


def _terms(part: str) -> Iterator[str]:
    for word in content_words(_ISO_DATE.sub(_spelled, part)):
        word = _SHORT_MONTHS.get(word, word)
        yield word if word[0].isdigit() else word[:_PREFIX]


def _spelled(match: re.Match[str]) -> str:
    month = int(match[2])
    name = MONTHS[month - 1] if 1 <= month <= len(MONTHS) else match[2]
    return f"{match[1]} {name} {int(match[3])}"


ENGLISH = frozenset({"en"})

# What is longer says no more about it, and takes time.
_READ = 2_000
_RUN = re.compile(r"[^\W\d_]{2,}")
# So many letters of another script are more than a symbol or a name.
_LETTERS = 3
# A sentence of fewer words is too short to be told by its function words.
_WORDS = 5
_HITS = 3
_SHARE = 0.25
# With so many function words of English it is English, whatever it quotes or someone added.
_ENGLISH_HITS = 2

_OTHERS = {name: word_set(text) for name, text in _LISTS["small"].items()}
_ENGLISH = _OTHERS.pop("en")
_OTHERS = {name: words - _ENGLISH for name, words in _OTHERS.items()}


def language_of(text: str) -> str:
    """Return ``en``, or the code of another language in Latin letters, or the name of a script.

    On the safe side: what is too short, a name, code or a table is taken for English, on which checks and
    scorers were measured. Names of scripts are those of Unicode in lower case, such as ``cyrillic``, ``cjk``
    or ``arabic``.

    Example:
        >>> language_of("Der Server lauscht auf dem Port 5432 und nicht auf einem anderen.")
        'de'
        >>> language_of("The port is 5432.")
        'en'
    """
    runs = _runs(text)
    if _shows_english(runs):
        return "en"
    script = _script(runs)
    return _by_function_words(Counter(runs)) if script == "latin" else script


def is_english(text: str) -> bool:
    """Tell whether small words show that a text is English, which ``language_of`` also says when unsure."""
    return _shows_english(_runs(text))


def _runs(text: str) -> list[str]:
    return _RUN.findall(unicodedata.normalize("NFKC", text[:_READ].lower()))


def _shows_english(runs: list[str]) -> bool:
    return len(_ENGLISH.intersection(runs)) >= _ENGLISH_HITS


def _script(runs: list[str]) -> str:
    """Return the script of most letters; latin if there are few."""
    counts: Counter[str] = Counter()
    for run in runs:
        counts.update(unicodedata.name(letter, "?").partition(" ")[0].lower() for letter in run)
    others = Counter({name: count for name, count in counts.items() if name not in ("latin", "?")})
    if others.total() < max(_LETTERS, counts["latin"] + 1):
        return "latin"
    return max(others, key=lambda name: others[name])


def _by_function_words(counts: Counter[str]) -> str:
    hits = {name: sum(counts[word] for word in words) for name, words in _OTHERS.items()}
    best = max(hits, key=lambda name: hits[name])
    distinct = sum(word in counts for word in _OTHERS[best])
    enough = counts.total() >= _WORDS and hits[best] >= max(_HITS, _SHARE * counts.total()) and distinct > 1
    return best if enough else "en"
