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
from typing import Any

from hybrid.text.dates import MONTHS
from hybrid.text.folding import UNSPACED, fold, spaced, typed
from hybrid.text.identifiers import is_unspaced, pairs
from hybrid.types import Span


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


# What carries no meaning of its own.
STOP_WORDS = word_set(
    """
    a about above after again all also am an and any are as at be because been before being below
    between both but by can could did do does doing down during each few for from further had has have
    having he her here hers him his how i if in into is it its itself just me more most my no nor not
    now of off on once only or other our out over own same she should so some such than that the their
    them then there these they this those through to too under until up use used uses using very was we
    were what when where which while who whom why will with would you your
    """
)
# What stands for something said before, and what else a sentence begins with that hangs on another one.
POINTING = word_set(
    "both former he here him it latter one others she such that them then there these they this those"
)
LEANING = POINTING | word_set(
    """
    accordingly additionally again also and another but consequently each either examples finally first
    furthermore hence her his however i instead its likewise meanwhile moreover neither next note or
    otherwise our second see similarly so their therefore third thus we what which yet you your
    """
)
NEGATORS = word_set("not no never without neither nor none nobody nothing cannot hardly scarcely unable")
# Verbs without their endings, and other words as they are; a line is one side against the other.
_OPPOSITES = """
increas enhanc elevat | decreas reduc lower declin diminish
higher | lower
more | less fewer
rise rises rose rising | fall falls fell falling drop drops dropped
gain gains gained win wins won | lose loses lost
promot enhanc induc activat stimulat accelerat | inhibit suppress block prevent impair slow
upregulat | downregulat
positive positively | negative negatively inverse inversely
before | after
accept approv | reject declin
allow permit | forbid forbids forbidden prohibit ban bans banned
always | never rarely seldom
with | without
first | last
improv | worsen
early earlier | late later
strong stronger | weak weaker
better best | worse worst
largest biggest most | smallest least
majority | minority
true | false
safe | dangerous
present presence | absent absence
start begin begins began | end stop stops stopped
open | clos shut shuts
deep deeper | shallow shallower
guilty guilt | innocent innocence
optional voluntary | mandatory compulsory obligatory
temporary | permanent
indoor indoors | outdoor outdoors
maximum | minimum
import | export
visible | hidden invisible
alive | dead
cheap cheaper | expensive
empty | full
includ | exclud
buy buys bought | sell sells sold
agree agrees agreed | disagree disagrees disagreed
"""
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


# What a document calls a property, the kinds of unit that it has, and what a question names it by.
_PROPERTIES = """
weight | gram | heavy heavier heaviest weigh weighs light lighter lightest
length distance | metre |
height | | tall taller tallest
width | | wide wider widest
depth | | deep deeper deepest
price cost | euro dollar sterling | expensive cheap cheaper cheapest
speed | | fast faster fastest
duration | second |
"""
# Stems of superlatives: those that ask for the least, those that any column may have, and those of time,
# where the oldest thing has the least year and the newest the greatest.
OF_LESS = word_set("cheap low short small light few littl least narrow near early young slow new fewest")
OF_ANY_COLUMN = word_set("most least few fewest high low great larg big small")
IN_TIME = {"old": -1, "new": 1, "young": 1, "earl": -1, "early": -1, "lat": 1, "first": -1, "last": 1}
# Stems of what a column with room for people is called by.
ROOM = word_set("seat capacity peopl person plac guest maximum participant")


def _properties(column: int) -> dict[str, str]:
    rows = [line.split("|") for line in _PROPERTIES.strip().split("\n")]
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


def overlaps(question: str, texts: Sequence[str]) -> list[float]:
    """Return the share of the question's words in each text, from 0 to 1; a rare word counts for more."""
    words = set(content_words(question))
    bags = [set(content_words(text)) & words for text in texts]
    frequency = Counter(word for bag in bags for word in bag)
    weight = {word: math.log(1 + len(bags) / (1 + frequency[word])) for word in words}
    # exact sums: the order of a set is another one in every process
    total = math.fsum(weight.values()) or 1.0
    return [math.fsum(weight[word] for word in bag) / total for bag in bags]


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
    for line in _OPPOSITES.strip().split("\n"):
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

# Without those of another language: "in", "a", "die", "was", "as", "on".
_ENGLISH = word_set(
    "the of and to is with for that by are from this were has have had not which it its their been",
    "but they be what who when where than there these would could should does did you your he she his",
    "we our if into all how will at can about after between during only other such more most also",
    "because through while both",
)
# Those that English has as well are taken out below, and a few in them alone do not make a sentence foreign.
_FUNCTION_WORDS = {
    "de": word_set(
        "der das und ist nicht ein eine einen einem einer eines mit von für auf dem den des sich auch",
        "werden wird wurde wurden sind im zum zur durch bei nach über aus oder wie nur noch sie wenn dass",
        "als kann haben vom beim zwischen unter ihre seine diese dieser dieses ihr",
    ),
    "fr": word_set(
        "le la les des une est et dans pour que qui sur avec pas par sont au aux ce cette ces du il elle",
        "ils nous vous mais ou où été était être ont plus sans leur leurs comme se ne un sous entre",
    ),
    "es": word_set(
        "el la los las una es y en que por con para del se su sus como pero más fue son está al lo este",
        "esta ha sin sobre entre también desde cuando muy un",
    ),
    "it": word_set(
        "il lo la gli le una di che è e con del della dei delle nel nella sono si da al alla per non più",
        "anche come ma su questo questa stato tra ha un dal dalla",
    ),
    "pt": word_set(
        "o os as um uma de que e em com não do da dos das no na nos nas por para é foi são se ao à mais",
        "como mas seu sua pelo pela este esta também entre",
    ),
    "nl": word_set(
        "de het een en van is op te dat niet met zijn voor aan er om ook als maar naar wordt worden werd",
        "bij uit door over kan heeft deze die dan nog geen tussen",
    ),
}
_OTHERS = {name: words - _ENGLISH for name, words in _FUNCTION_WORDS.items()}


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
