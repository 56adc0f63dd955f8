"""What stands above or below the line, formulas and numerals, on one line; what is said of pictures."""

from __future__ import annotations

import re

from lxml import etree

from hybrid.documents.markup import MACHINERY, Element

_NOTES = re.compile(r"\d+(?:\s*[,;–-]\s*\d+)*|[a-z](?:\s*,\s*[a-z])*")
_NOTE_LETTERS = frozenset("bcdfgh")
_PRICE_BEFORE = re.compile(r"[$€£¥]\s?\d[\d,]*$")
_DIGIT_BEFORE = re.compile(r"\d\)?\s?$")
# what a raised number is a power of: a short number that stands alone and is no year, a unit or a letter,
# a term in brackets
_BASE_BEFORE = re.compile(
    r"(?<![\d.,])(?:\d{1,3}|(?!1[5-9]|20)\d{4})\)?$"
    r"|(?:^|[^\w])(?:[^\W\d_]|[kcmµnd]m|ft|in|yd|mi|kg|mol|min|sec|cd|sr|Hz|Pa)$|[)\]]$"
    r"|[=+−*/·×]\s*[a-zA-Z]{1,3}$|(?:^|[^\d.,])10\s$"
)
_RAISED = re.compile(r"vertical-align\s*:\s*(?:super|text-top)", re.IGNORECASE)
_LONG_NUMBER = re.compile(r"\d[\d.,]*\d\d$")
_AS_IT_IS = re.compile(r"st|nd|rd|th|e|er|re|o|a|°|®|™|\*+|[†‡§¶]+", re.IGNORECASE)
# a name of a file, or what a program says of a picture
_NO_WORDS = re.compile(
    r"\S+\.(?:png|jpe?g|gif|svg|webp|bmp|avif)|.*(?:automatically|ai.)generated.*", re.IGNORECASE | re.DOTALL
)
_JOINED = {("msup", 1): "^", ("msub", 1): "_", ("msubsup", 1): "_", ("msubsup", 2): "^", ("mfrac", 1): "/"}
_JOINED |= {("mover", 1): "^", ("munder", 1): "_", ("munderover", 1): "_", ("munderover", 2): "^"}


def local(element: Element) -> str:
    """Return the name of an element without its prefix, as in ``mml:math``."""
    return str(element.tag).rpartition(":")[2]


def is_script(element: Element) -> bool:
    """Return whether an element is raised or lowered, as the mark of a note is."""
    return (
        element.tag in ("sup", "sub")
        or (element.get("epub:type") or element.get("role")) in ("noteref", "doc-noteref")
        or _RAISED.search(element.get("style", "")) is not None
    )


def lowered(before: str, text: str, after: str = "") -> str:
    """Return what stands below the line so that it joins no number: ``10_2``, ``log_2 8``, ``H2O``."""
    joins = text[-1:].isdigit() and after[:1].isdigit()
    marked = text[:1].isdigit() and (joins or before[-1:].isdigit())
    return f"{'_' if marked else ''}{text}{' ' if joins else ''}"


def raised(before: str, text: str, after: str = "", *, is_link: bool = False) -> str:
    """Return what stands above the line so that it joins no number: ``10^6``, ``note [12]``, ``25°C``."""
    text, after = text.strip(), after.lstrip()
    blank = "" if not before or before[-1].isspace() else " "
    if text.isdigit() and re.match(r"[/⁄]\s*(?:\d|$)", after) and before[-2:] != "10" and not is_link:
        return f"{blank if before[-1:].isdigit() else ''}{text}"
    if text.strip("[]()") != text:
        return f"{blank}{text}"
    is_degree = text in ("o", "º") or (text == "0" and re.match(r"[CF]\b", after))
    if is_degree and _DIGIT_BEFORE.search(before):
        return "°"
    if is_link:
        return f"{blank}[{text}]" if text.strip("*†‡§¶") else text
    return _power(text, before) or (f"{blank}[{text}]" if _NOTES.fullmatch(text) else text)


def _power(text: str, before: str) -> str:
    """Return what is raised as a power of what is before it, "" where it is the mark of a note."""
    if re.fullmatch(r"[-+−–]\w+|\d+[-+−–]", text):
        return f"^{text}"
    if _AS_IT_IS.fullmatch(text) and not (text == "a" and _LONG_NUMBER.search(before)):
        return text
    if _PRICE_BEFORE.search(before) and text.isdigit() and len(text) == 2:
        return f".{text}"
    if not _BASE_BEFORE.search(before) or text in _NOTE_LETTERS:
        return ""
    return f"^{text}" if text.isalnum() else f"^({text})"


def formula(math: Element) -> str:
    """Return a formula of MathML on one line: ``x^2 + (a + b)/c``."""
    parts: list[str] = []
    steps = etree.iterwalk(math, events=("start", "end"))
    for event, element in steps:
        tag = local(element)
        if tag in MACHINERY:
            steps.skip_subtree()
            continue
        above = element.getparent()
        before = element.getprevious()
        place = 0 if before is None else 1 if before.getprevious() is None else 2
        joined = _JOINED.get((local(above), place), "") if element is not math else ""
        wrapped = tag == "msqrt" or (len(element) > 1 and local(above) in ("mfrac", "msup"))
        if event == "start":
            parts += (joined, "√" if tag == "msqrt" else "", "(" if wrapped else "", element.text or "")
        else:
            parts += (")" if wrapped else "", " " if tag in ("mtd", "mtr", "mtext") else "")
            parts.append((element.tail or "").strip() if element is not math else "")
    return f" {' '.join(''.join(parts).split())} "


def speaks(text: str, *, names: bool = False) -> bool:
    """Return whether the text of a picture says something, or with ``names`` at least what it shows."""
    words = len(text.split())
    says = words > 2 or "=" in text or (words > 1 and any(map(str.isdigit, text)))
    return (says or (names and words > 0)) and not _NO_WORDS.fullmatch(text)


def numeral(count: int, style: str) -> str:
    """Return a number as lists count: ``3``, ``c``, ``III``, nothing for the style ``none``."""
    if style == "none":
        return ""
    text = f"{count:02}" if style == "decimalZero" else str(count)
    if style.endswith("Letter") and 0 < count <= 26 * 9:
        text = chr(ord("a") + (count - 1) % 26) * (1 + (count - 1) // 26)
    if style.endswith("Roman") and 0 < count < 4000:
        text = "".join(row[int(digit)] for row, digit in zip(_ROMAN, f"{count:04}", strict=True))
    return text.upper() if style.startswith("upper") else text


_ROMAN = (
    ("", "m", "mm", "mmm"),
    ("", "c", "cc", "ccc", "cd", "d", "dc", "dcc", "dccc", "cm"),
    ("", "x", "xx", "xxx", "xl", "l", "lx", "lxx", "lxxx", "xc"),
    ("", "i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix"),
)
