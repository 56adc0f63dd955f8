"""What makes an answer right, concise, misleading, declined, and fit to forward: rules over its text.

- *right*: everything that it must say is there (of a list, one of it), nothing that it must not say, what is
  ordered in that order, and it is not declined. Of what cannot be answered nothing is right.
- *concise*: right, in as many words as are fair; marks such as [1] are no words.
- *misleading*: something that it must not say is there.
- *wrongly declined*: answerable, and declined. *rightly declined*: not answerable, declined, not misleading.
- *fit*: concise or rightly declined: what one would forward.

An answer declines by ``abstained``, or by a first sentence that says so. Small talk is judged by its text
alone. Texts are compared without case, markup and marks; "six" is 6, "1,200" 1200, "91.00" 91, "€5" "5 EUR",
"per cent" "%", "60-second" "60 second", "don't" "do not". A string is met as whole words and whole numbers;
"expire*" is the beginning of a word.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

SMALL_TALK = "chit-chat"
MEASURES = ("right", "concise", "misleading", "wrongly_declined", "rightly_declined", "fit")

_DECLINES = re.compile(
    r"\b(?:nothing in the (?:indexed )?documents"
    r"|(?:do|does|did) not (?:know|say|state|mention|tell|give|contain|cover|find|have|name|list|answer"
    r"|specify)"
    r"|says nothing|(?:could|can) not (?:find|answer|say|tell)|no (?:information|answer|passage|document)"
    r"|(?:is|are) not (?:stated|given|mentioned|covered|documented|in the)"
    r"|not answered|keine (?:angabe|information|antwort)|weiß (?:ich )?nicht|steht nicht)\b"
)
_MARK = re.compile(r"\[\d+(?:\s*[,;–-]\s*\d+)*\]")
_SMALL = ["two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]
_NUMBERS = {word: str(number) for number, word in enumerate(_SMALL, 2)} | {
    "twenty": "20",
    "thirty": "30",
    "forty": "40",
    "fifty": "50",
    "sixty": "60",
    "ninety": "90",
}


def _without_zeros(number: re.Match[str]) -> str:
    return f"{number[1]}.{number[2]}" if number[2] else number[1]


_Written = str | Callable[[re.Match[str]], str]
# In this order: signs and words, numbers, units behind numbers.
_ALIKE: list[tuple[str, _Written]] = [
    ("’", "'"),
    ("cannot|can't", "can not"),
    ("won't", "will not"),
    (r"n't\b", " not"),
    ("[‐‑‒–—−]", "-"),
    (r"[*_`|\"“”„#]", " "),
    (r"\bwi-?\s?fi\b", "wifi"),
    (r"(\d)-(?=[a-z])", r"\1 "),
    (rf"\b(?:{'|'.join(_NUMBERS)})\b", lambda word: _NUMBERS[word[0]]),
    (r"(?<![\d.,])\d{1,3}(?:,\d{3})+(?!\d)", lambda number: number[0].replace(",", "")),
    (r"(?<![\d.,])(\d{1,3}) (\d{3})(?!\d)(?=\s*(?:eur|€|euro))", r"\1\2"),
    (r"(?<![\d.])(\d+)\.(\d*?)0+(?!\d)(?!\.\d)", _without_zeros),
    (r"(?<!\d)(?<!\d )(?:€|\beur)\s*(\d+(?:\.\d+)?)", r"\1 eur"),
    (r"(\d)\s*(?:€|euros?\b)", r"\1 eur"),
    (r"\bper ?cent\b|\bprozent\b", "%"),
    (r"\s*°\s*c\b|\s*degrees?(?: celsius)?\b", " °c"),
    (r"(?<=\d)\s*(?:litres?|liters?)\b", " l"),
    (r"(?<=\d)\s*(?:kilograms?|kilos?)\b", " kg"),
    (r"(?<=\d)\s*grams?\b", " g"),
    (r"(?<=\d)\s*watts?\b", " w"),
    (r"(?<=\d)\s*(?:h|hrs?)\b", " hours"),
    (r"(?<=\d)\s*mins?\b", " minutes"),
    (r"(?<=\d)\s*(%|eur\b|kg\b|g\b|l\b|w\b|cm\b)", r" \1"),
    (r"\s+", " "),
]


@dataclass(frozen=True, slots=True)
class Asked:
    """A question of a set: what a right answer says (of an inner tuple one) and does not, and its length."""

    id: str
    kind: str
    text: str
    history: tuple[tuple[str, str], ...]
    must: tuple[tuple[str, ...], ...]
    must_not: tuple[str, ...]
    ordered: tuple[str, ...]
    max_words: int
    answerable: bool
    gold: str


@dataclass(frozen=True, slots=True)
class Scored:
    """What the rules say of an answer; ``why`` names what keeps it from being fit."""

    right: bool
    concise: bool
    misleading: bool
    wrongly_declined: bool
    rightly_declined: bool
    declined: bool
    words: int
    why: str

    @property
    def fit(self) -> bool:
        """Tell whether one would forward it."""
        return self.concise or self.rightly_declined


def read_set(path: Path) -> list[Asked]:
    """Return the questions of a JSON Lines file."""
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    return [
        Asked(
            id=row["id"],
            kind=row["kind"],
            text=row["question"],
            history=tuple((turn["role"], turn["content"]) for turn in row["history"]),
            must=tuple(tuple(each) if isinstance(each, list) else (each,) for each in row["must"]),
            must_not=tuple(row["must_not"]),
            ordered=tuple(row["ordered"]),
            max_words=row["max_words"],
            answerable=row["answerable"],
            gold=row["gold"],
        )
        for row in rows
    ]


def score(asked: Asked, answer: str, *, abstained: bool) -> Scored:
    """Judge an answer."""
    text, words = comparable(answer), len(_MARK.sub(" ", answer).split())
    declined = abstained or not text or (not asked.answerable and _declines(text))
    missing = [" or ".join(each) for each in asked.must if all(place(one, text) < 0 for one in each)]
    wrong = [each for each in asked.must_not if place(each, text) >= 0]
    places = [place(each, text) for each in asked.ordered]
    in_order = -1 not in places and all(one < other for one, other in pairwise(places))
    small_talk = asked.kind == SMALL_TALK
    says_it = bool(text) and in_order and not missing and not wrong
    right = asked.answerable and says_it and (small_talk or not declined)
    short = words <= asked.max_words
    given = {
        f"missing {missing}": bool(missing) and not declined,
        f"says {wrong}": bool(wrong),
        "not in order": not in_order and not declined,
        f"{words} words, {asked.max_words} allowed": not short and not declined,
    }
    return Scored(
        right=right,
        concise=right and short,
        misleading=bool(wrong) and not (small_talk and declined),
        wrongly_declined=asked.answerable and declined and not right,
        rightly_declined=not asked.answerable and declined and not wrong,
        declined=declined,
        words=words,
        why="; ".join([*(["declined"] if declined else []), *(why for why, holds in given.items() if holds)]),
    )


def comparable(text: str) -> str:
    """Return a text as it is compared: without case, markup and marks, numbers and units in one writing."""
    text = _MARK.sub(" ", unicodedata.normalize("NFKC", text).lower())
    for expression, written in _ALIKE:
        text = re.sub(expression, written, text)
    return text.strip()


def place(needle: str, text: str) -> int:
    """Return where a string begins in a comparable text, or -1."""
    wanted = comparable(needle.rstrip("*"))
    before = r"(?<!\w)(?<!\d[.,:])" if wanted[0].isalnum() else ""
    after = "" if needle.endswith("*") or not wanted[-1].isalnum() else r"(?!\w)"
    if after and wanted[-1].isdigit():
        after += r"(?![.,:]\d)"
    found = re.search(before + re.escape(wanted) + after, text)
    return found.start() if found else -1


def _declines(text: str) -> bool:
    return bool(_DECLINES.search(re.split(r"(?<=[.!?;])\s", text, maxsplit=1)[0]))
