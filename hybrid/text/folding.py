"""One spelling for many: typography, accents, ligatures and Unicode forms folded (text normalisation)."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby

from hybrid.types import Span

# What one would type instead; letters that do not decompose into one letter and its accent.
_TYPED = str.maketrans(
    dict.fromkeys("’‘‛`´ʼʹ′", "'")
    | dict.fromkeys("“”„‟«»″", '"')
    | dict.fromkeys("‐‑‒–—―−", "-")
    | {"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ı": "i"}
    | {"\u00ad": ""}
)
# Scripts that are written without blanks, or join endings to a name: Thai, Lao, Burmese, Khmer, kana,
# Chinese characters, Hangul.
UNSPACED = (
    r"\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af"
    r"\uf900-\ufaff\U00020000-\U0003ffff"
)
_WORD = re.compile(
    rf"\d+(?:[.,]\d+)*|[{UNSPACED}]|(?<![^\W\d_])[^\W\d_](?:\.[^\W\d_])+(?![^\W\d_])"
    rf"|[^\W\d_{UNSPACED}]+(?:'[^\W\d_{UNSPACED}]+)*"
)
# Letters of other scripts that have the shape of a Latin one: Cyrillic, Armenian, Greek. Of Greek only those,
# for names of science hold others (µg, IFN-γ).
_SHAPES = str.maketrans(
    "асеорхуіјѕԁԛԝһгпкмтвАВСЕНІЈКМОРЅТХУՏՕոսօցհοΑΒΕΖΗΙΚΜΝΟΡΤΥΧ",
    "aceopxyijsdqwhrnkmtbABCEHIJKMOPSTXYSOnuoghoABEZHIKMNOPTYX",
)
_WRITTEN = re.compile(r"\w+")
_LATIN = re.compile(r"[A-Za-z]")
# A letter of another script between digits, and a denial spelled so that it is none: "54З2", "n.o.t", "n0t".
_ODD = re.compile(
    r"(?<=\d)[^\W\d_A-Za-z](?=\d)|\bn([\s.*/_-])o\1t\b|\bn([\s.*/_-])e\2v\2e\2r\b"
    r"|\b(?:n0t|n3ver|nev3r|n3v3r)\b",
    re.IGNORECASE,
)
_SMALL_CAPITAL = re.compile("LATIN LETTER SMALL CAPITAL ([A-Z])")
# They turn the order of what follows around.
_OVERRIDES = frozenset("\u202d\u202e")
# They show nothing, or strike through what is before them, and are not of the categories that say so.
_UNSEEN = frozenset("\u034f\u115f\u1160\u3164\uffa0\u0334\u0335\u0336\u0337\u0338")
_ACCENTS = re.compile("[\u0300-\u036f]")
_NO_BLANKS = re.compile(rf"[{UNSPACED}]")
_KNOWN = 1 << 12


def typed(text: str) -> str:
    """Return a text as a plain keyboard would write it: composed (NFKC), with straight quotes and dashes."""
    return unicodedata.normalize("NFKC", text).translate(_TYPED)


@lru_cache(maxsize=_KNOWN)
def fold(text: str) -> str:
    """Return a text in lower case, as typed, and without accents: ``Röntgen’s`` as ``rontgen's``."""
    if text.isascii():
        return text.lower().replace("`", "'")
    # a mark of a script without blanks is a vowel, not an accent
    bare = _ACCENTS.sub("", unicodedata.normalize("NFKD", text.casefold()))
    return unicodedata.normalize("NFKC", bare).translate(_TYPED)


@dataclass(frozen=True, slots=True)
class Legible:
    """A text as it looks to a reader: plain letters, nothing invisible, no look-alikes in a word.

    ``places`` tells where each of its characters stands in what was given; ``mixed`` are the words that hide
    what they say: letters of another script among Latin ones, a denial spelled out, an order turned around.
    """

    text: str
    places: Sequence[int]
    mixed: tuple[Span, ...] = ()


@lru_cache(maxsize=256)
def legible(text: str) -> Legible:
    """Return a text as it looks."""
    if not any(map(_looks_other, set(text))):
        return Legible(text, range(len(text)), tuple(Span(*odd.span()) for odd in _ODD.finditer(text)))
    kept: list[str] = []
    places: list[int] = []
    for place, character in enumerate(text):
        for plain in _plain(character):
            joined = unicodedata.normalize("NFC", kept[-1] + plain) if kept and _is_accent(plain) else ""
            if len(joined) == 1:
                kept[-1] = joined
            else:
                kept.append(plain)
                places.append(place)
    shown = "".join(kept)
    mixed = [Span(*word.span()) for word in _WRITTEN.finditer(shown) if _is_mixed(word.group())]
    mixed += [Span(*odd.span()) for odd in _ODD.finditer(shown)]
    if shown and not _OVERRIDES.isdisjoint(text):
        mixed.append(Span(0, len(shown)))
    return Legible(_WRITTEN.sub(lambda word: _unmasked(word.group()), shown), places, tuple(mixed))


def _is_mixed(word: str) -> bool:
    """Tell whether letters of another script stand among Latin ones; of Greek only those of their shape."""
    if _unmasked(word) != word:
        return True
    return bool(_LATIN.search(word) and any(map(_is_foreign, word)) and not _is_joined(word))


def _is_joined(word: str) -> bool:
    """Tell whether a Latin word only has an ending or article of another language: ``PDFը``, ``emailით``."""
    runs = ["".join(run) for _, run in groupby(word, key=_is_foreign)]
    if len(runs) != 2:
        return False
    latin, other = sorted(runs, key=lambda run: _is_foreign(run[0]))
    return len(latin) > 1 and (latin.isupper() or len(other) > 1)


@lru_cache(maxsize=_KNOWN)
def _is_foreign(character: str) -> bool:
    name = unicodedata.name(character, "")
    of_words = character.isalpha() and not _NO_BLANKS.match(character)
    return of_words and not name.startswith(("LATIN", "GREEK", "MODIFIER", "MICRO"))


def _unmasked(word: str) -> str:
    return word.translate(_SHAPES) if not word.isascii() and _LATIN.search(word) else word


def _looks_other(character: str) -> bool:
    return (
        _plain(character) != character
        or _is_accent(character)
        or ord(character) in _SHAPES
        or (not character.isascii() and _is_foreign(character))
    )


@lru_cache(maxsize=_KNOWN)
def _plain(character: str) -> str:
    """Return a letter or digit without its typography, nothing of what is not seen, else the character."""
    category = unicodedata.category(character)
    if character in "\t\n\r" or category == "Cs":
        return character
    if category in ("Cc", "Cf") or character in _UNSEEN or "\ufe00" <= character <= "\ufe0f":
        return ""
    if small := _SMALL_CAPITAL.fullmatch(unicodedata.name(character, "")):
        return small[1].lower()
    wide = "\uff01" <= character <= "\uff5e"
    plain = unicodedata.normalize("NFKC", character)
    # a letter in a circle is one, "™" and "℃" are signs
    circled = category == "So" and len(plain) == 1 and plain.isalpha()
    return plain if wide or circled or category[0] == "L" or category == "Nd" else character


def folded_words(text: str) -> list[str]:
    """Return the folded words of a text; each character of a script without blanks is one.

    Numbers lose the commas of thousands, abbreviations their points (``U.S.`` is ``us``), names their ``'s``.
    """
    return [_bare(match.group()) for match in _WORD.finditer(fold(text))]


def columns_of(text: str) -> int:
    """Return how many columns of a terminal a text takes."""
    wide = sum(unicodedata.east_asian_width(letter) in "WF" for letter in text)
    return len(text) + wide - sum(map(bool, map(unicodedata.combining, text)))


def spaced(text: str) -> str:
    """Return a text with blanks around each character of a script that is written without."""
    return _NO_BLANKS.sub(r" \g<0> ", text)


def _is_accent(character: str) -> bool:
    return _ACCENTS.match(character) is not None


def _bare(word: str) -> str:
    if word[0].isdigit():
        return word.replace(",", "")
    return word.removesuffix("'s").replace(".", "").replace("'", "")
