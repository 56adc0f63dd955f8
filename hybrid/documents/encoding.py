"""The encoding of text: by its mark, as UTF-8 with a little damage, or the likeliest of the older ones."""

from __future__ import annotations

import codecs
import math
import re
import unicodedata
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO, NamedTuple

import webencodings

from hybrid.documents.source import Unreadable
from hybrid.text.words import listed

_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_BINARY = "binary: it holds NUL bytes, though its suffix says text"
# Encodings of seven bits that shift to another alphabet, by how they begin to.
_SHIFTED = ((b"\x1b$)C", "iso2022_kr"), (b"\x1b$", "iso2022_jp_2004"), (b"\x1b$", "iso2022_jp_2"))
_WIDE = ("utf-32-le", "utf-32-be", "utf-16-le", "utf-16-be")
_PIECE = 1 << 20
_SAMPLE = 6_000
_CUT_END = re.compile(rb"(?:[\xc2-\xdf]|[\xe0-\xef][\x80-\xbf]?|[\xf0-\xf4][\x80-\xbf]{0,2})\Z")
_OTHER = re.compile(rb"[\x80-\xff]")
# With nothing else to go by, only a byte that no older encoding puts at the end of a word is a cut character.
_LIKELY_CUTS = b"\xc2\xc3\xc4\xc5\xce\xcf\xd0\xd1"


class _Double(NamedTuple):
    """Two bytes a letter: the encoding of those of the first level, where they are, and what is common."""

    plain: str
    first: int
    last: int
    common: frozenset[str]


_DATA = listed("documents", "encodings.toml")
# name, how seldom files are in it, letters
_LETTERS: list[tuple[str, int, str]] = [tuple(each) for each in _DATA["single"]]
_COMMON = {
    str(name): _Double(plain, first, last, frozenset(common))
    for name, plain, first, last, common in _DATA["double"]
}
_AMID = re.compile(r"(?<=[A-Za-z])[^\x00-\x7f](?=[A-Za-z])")
# A byte in a word of Latin that would swallow the letter behind it.
_CUT_WORD = re.compile(rb"(?<=[a-z])[\x81-\xfe][a-z](?=[a-z \r\n.,;:])|[\x81-\xfe][a-z](?=[a-z]{2})")
_SIGNS = frozenset("“”„‘’‚–—…€§°«»©®™·•×±²³µ½¼¾£¥№ªº¿¡\xa0")
_IN_WORDS = frozenset("’'·-")
# Letters of one encoding where another one has a letter that fits.
_ODD = re.compile(
    r"ñ(?![aeiouáéíóú])|[êæ](?!\w)|œ(?![uiem])|Œ(?!u)|È(?=\w)|Ø(?=í)|[a-ln-z][¹²³]|[ńę][aeiouy]"
    r"|ř(?=[bcdfgkpst])|ţ(?=[^aeiuăâî\W])|\bÝ"
    r"|[£ªº©¼½¾](?=[^\W\d_])|ø(?=[íé])|(?<=[^\W\d_])[¼½¾]|\Bþ|\bð"
)
_COMMENT = re.compile(rb"<!--.*?-->", re.DOTALL)
_CHARSET = re.compile(
    rb"""<meta\s[^>]*?charset\s*=\s*["']?\s*([^\s"'/>;]+)|<\?xml\s[^>]*?encoding\s*=\s*["']([^"'>]+)""",
    re.IGNORECASE,
)
# What a browser takes a label for may hold more than Python's codec of the same name.
_WIDER = {
    "gbk": ("gb18030",),
    "gb18030": ("gb18030",),
    "shift_jis": ("cp932", "shift_jisx0213"),
    "big5": ("big5hkscs", "cp950"),
    "euc-kr": ("cp949",),
    "euc-jp": ("euc_jp", "euc_jis_2004"),
    "iso-2022-jp": ("iso2022_jp", "iso2022_jp_2004"),
}
# How likely a byte is, on the mean: at least, and where UTF-8 with damage is likely as well.
_LEAST = -6.4
_SLACK = 5
_SURE = -4.5


def detect(data: bytes) -> str:
    """Return the encoding of a text, as Python names it; decode with ``"replace"``.

    Raises:
        Unreadable: the bytes are no text, or none in an encoding that can be told.
    """
    return _encoding([data])


def encoding_of(path: Path) -> str:
    """Return the encoding of a file too large to hold, read in pieces.

    Raises:
        Unreadable: the bytes are no text, or none in an encoding that can be told.
    """
    with path.open("rb") as stream:
        return _encoding(_pieces(stream))


def declared_codecs(data: bytes) -> tuple[str, ...]:
    """Return the codecs for what the page declares as a browser reads it, none where it declares nothing."""
    match = _CHARSET.search(_COMMENT.sub(b"", data[:4096]))
    found = labelled_codecs((match[1] or match[2]).decode("latin-1")) if match else ()
    return ("utf-8",) if found and found[0].startswith("utf-16") else found


def labelled_codecs(label: str) -> tuple[str, ...]:
    """Return the codecs for the name of an encoding as browsers take it; none where nobody knows it."""
    found = webencodings.lookup(label)
    return () if found is None else _WIDER.get(found.name, (found.codec_info.name,))


def _pieces(stream: BinaryIO) -> Iterable[bytes]:
    while piece := stream.read(_PIECE):
        yield piece


def _encoding(pieces: Iterable[bytes]) -> str:
    """Walk over the pieces once: marks, NULs, what is UTF-8, and lines with other bytes as a sample."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    good = bad = 0
    first, end = b"", b""
    samples: list[bytes] = []
    for number, piece in enumerate(pieces):
        if not number:
            for mark, encoding in _BOMS:
                if piece.startswith(mark):
                    return encoding
            first = piece[:_SAMPLE]
        if b"\0" in piece:
            return _wide(first if b"\0" in first else piece[:_SAMPLE])
        end = (end + piece)[-4:]
        if piece.isascii() and not decoder.getstate()[0]:
            continue
        # the first that have any, and ever rarer ones behind them
        if number < 3 or not number & (number - 1) or not any(samples):
            samples.append(_sample(piece))
        text = decoder.decode(piece)
        marks = text.count("\ufffd")
        good += len(text) - len(text.encode("ascii", "ignore")) - marks
        bad += marks - piece.count(b"\xef\xbf\xbd")
    if not good and not bad:
        # an encoding that shifts from ASCII to another alphabet and back, if it is one
        shifted = (name for shift, name in _SHIFTED if shift in first and _fits(first, name))
        return next(shifted, "") or _cut(end, samples)
    if bad * 8 <= good:
        return "utf-8"
    # older encodings hold pairs of bytes that UTF-8 has, too
    return _likeliest(b"\n".join(samples), _SURE if bad <= good else _LEAST) or "utf-8"


def _cut(end: bytes, samples: list[bytes]) -> str:
    """Return the encoding of ASCII that may end in half a character."""
    cut = _CUT_END.search(end)
    is_legacy = cut is not None and cut[0][:1] not in _LIKELY_CUTS
    return _likeliest(b"\n".join(samples)) if is_legacy else "utf-8"


def _fits(sample: bytes, encoding: str) -> bool:
    try:
        codecs.getincrementaldecoder(encoding)().decode(sample)
    except UnicodeDecodeError:
        return False
    return True


def _wide(sample: bytes) -> str:
    """Return which encoding of two or four bytes has no mark and yet makes words."""
    plain = sum(0x20 <= byte < 0x7F or byte in b"\t\n\r" for byte in sample)
    if sample.count(0) < len(sample) // 4 and plain > 0.9 * (len(sample) - sample.count(0)):
        raise Unreadable(_BINARY)  # text with a few of them, whose pairs of letters would all be Han
    for encoding in _WIDE:
        width = 4 if "32" in encoding else 2
        try:
            text = sample[: len(sample) // width * width].decode(encoding)
        except UnicodeDecodeError:
            continue
        # half of a character above 0xFFFF may stand at the end
        odd = sum(
            unicodedata.category(sign) in ("Cc", "Cn", "Co") and sign not in "\t\n\r\f" for sign in text
        )
        # ASCII read the wrong way round makes characters whose lower byte is zero
        swapped = sum(sign > "\xff" and not ord(sign) & 0xFF for sign in text)
        if text and odd <= len(text) // 50 and swapped <= len(text) // 4 and _share_of_one_block(text) > 0.5:
            return encoding
    raise Unreadable(_BINARY)


def _share_of_one_block(text: str) -> float:
    blocks = [ord(sign) >> 8 if ord(sign) < 0x3000 else 0x30 for sign in text]
    return max(blocks.count(block) for block in set(blocks)) / len(blocks)


def _sample(piece: bytes) -> bytes:
    lines, size = [], 0
    for line in piece.split(b"\n"):
        if other := _OTHER.search(line):
            # it may be a whole page on one line
            lines.append(line[max(0, other.start() - _SAMPLE // 2) :][:_SAMPLE])
            size += len(line)
            if size > _SAMPLE:
                break
    return b"\n".join(lines)


def _likeliest(sample: bytes, least: float = _LEAST) -> str:
    """Return the encoding that makes words of a sample; none where more is asked than is usual."""
    scores = {name: _score(sample, name, 1, "") for name in _COMMON}
    for name, rare, letters in _LETTERS:
        scores[name] = max(_score(sample, name, rare, letters), scores.get(name, -math.inf))
    best = max(scores, key=lambda name: scores[name])
    size = len(sample) - len(sample.decode("ascii", "ignore"))
    if scores[best] + _SLACK / size >= least:
        return best
    if least > _LEAST:
        return ""
    raise Unreadable(
        f"its encoding cannot be told: neither UTF-8 nor any of {', '.join(scores)} makes words of it; "
        "save it as UTF-8"
    )


def _score(sample: bytes, encoding: str, rare: int, letters: str) -> float:
    """Return how likely the bytes are in an encoding: the mean logarithm for each byte above 127."""
    text = sample.decode(encoding, "replace")
    if encoding in _COMMON:
        total, size = _score_double(text, encoding)
        total -= 6 * len(_CUT_WORD.findall(sample))
    else:
        total, size = _score_single(text, letters)
    return (total - rare) / size if size else -20.0


def _score_double(text: str, encoding: str) -> tuple[float, int]:
    double = _COMMON[encoding]
    # between two letters of Latin there is a letter of Latin
    total, size = -6.0 * len(_AMID.findall(text)), 0
    for sign in text:
        if sign < "\x80":
            continue
        size += 1 if "\uff61" <= sign <= "\uff9f" else 2
        if sign == "\ufffd":
            total -= 24
        elif sign in double.common:
            total -= 6.5 if encoding == "cp949" else 7.5
        elif "\u3041" <= sign <= "\u30fe":
            total -= 6 if encoding in ("cp932", "euc-jp") else 16
        elif "\uff66" <= sign <= "\uff9f":
            total -= 7
        elif sign in "、。，：；（）「」《》“”・ー？！　":
            total -= 8
        else:
            total -= 10.5 if _is_plain(sign, double) else 15
    return total, size


def _is_plain(sign: str, double: _Double) -> bool:
    """Tell whether it is among the letters that are written often: the first level of its standard."""
    try:
        code = sign.encode(double.plain)
    except UnicodeEncodeError:
        return False
    return len(code) == 2 and double.first <= code[0] <= double.last


def _score_single(text: str, letters: str) -> tuple[float, int]:
    latin = "a" < letters[0] < "\u0250"
    total, size = -6.0 * len(_ODD.findall(text)), 0
    if not any(sign in text for sign in "ãçêâä"):  # Hungarian has other accents beside them
        total -= 6 * (len(re.findall("õ(?!e)", text)) + ("á" in text) * text.count("û"))
    padded = f" {text} "
    for place, (before, sign) in enumerate(pairwise(padded)):
        if sign < "\x80":
            continue
        size += 1
        after = padded[place + 2]
        rank = letters.find(sign if sign in letters else sign.lower())
        if rank >= 0:
            total -= 4 if latin else 3 + min(rank, 40) / 6
            if sign != sign.lower():
                total -= 10 if before.islower() else 1
            near = (before, after)
            ascii_near = sum(other.isascii() and other.isalpha() for other in near)
            wide_near = sum(other > "\x7f" and other.isalpha() for other in near)
            if latin:
                total -= 4 * (wide_near == 2) + 2 * (ascii_near == 0)
            else:
                total -= 6 * ascii_near + (rank if wide_near == 0 else 0) / 2
        elif "\u2500" <= sign <= "\u257f":  # a frame
            total -= 4.5 if before <= " " or "\u2500" <= before <= "\u257f" else 14
        elif sign in _SIGNS:
            total -= 14 if before.isalpha() and after.isalpha() and sign not in _IN_WORDS else 4.5
        else:
            total -= 14
    return total, size
