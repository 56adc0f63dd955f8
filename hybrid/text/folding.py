"""One spelling for many: typography, accents, ligatures and Unicode forms folded (text normalisation)."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

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
_UNSPACED = (
    r"\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af"
    r"\uf900-\ufaff\U00020000-\U0003ffff"
)
_WORD = re.compile(
    rf"\d+(?:[.,]\d+)*|[{_UNSPACED}]|(?<![^\W\d_])[^\W\d_](?:\.[^\W\d_])+(?![^\W\d_])"
    rf"|[^\W\d_{_UNSPACED}]+(?:'[^\W\d_{_UNSPACED}]+)*"
)
_NO_BLANKS = re.compile(rf"[{_UNSPACED}]")
_KNOWN = 1 << 12


def typed(text: str) -> str:
    """Return a text as a plain keyboard would write it: composed (NFKC), with straight quotes and dashes."""
    return unicodedata.normalize("NFKC", text).translate(_TYPED)


@lru_cache(maxsize=_KNOWN)
def fold(text: str) -> str:
    """Return a text in lower case, as typed, and without accents: ``Röntgen’s`` as ``rontgen's``."""
    # a mark of a script without blanks is a vowel, not an accent
    bare = (c for c in unicodedata.normalize("NFKD", text.casefold()) if not _is_accent(c))
    return unicodedata.normalize("NFKC", "".join(bare)).translate(_TYPED)


def folded_words(text: str) -> list[str]:
    """Return the folded words of a text; each character of a script without blanks is one.

    Numbers lose the commas of thousands, abbreviations their points (``U.S.`` is ``us``), names their ``'s``.
    """
    return [_bare(match.group()) for match in _WORD.finditer(fold(text))]


def spaced(text: str) -> str:
    """Return a text with blanks around each character of a script that is written without."""
    return _NO_BLANKS.sub(r" \g<0> ", text)


def _is_accent(character: str) -> bool:
    return 0x300 <= ord(character) < 0x370


def _bare(word: str) -> str:
    if word[0].isdigit():
        return word.replace(",", "")
    return word.removesuffix("'s").replace(".", "").replace("'", "")
