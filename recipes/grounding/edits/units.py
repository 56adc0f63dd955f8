"""Another unit: the same number of something larger or smaller.

Takes a sentence, gives candidates. A bound ("at least 3 days") gets a unit that it does not imply.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np

from recipes.grounding.edits.english import upper_first, word_set
from recipes.grounding.edits.surroundings import Surroundings
from recipes.grounding.edits.values import Candidate, Replacement, shuffled

# From small to large; a unit is replaced by a neighbour.
_LADDERS = (
    ("second", "minute", "hour", "day", "week", "month", "year"),
    ("milligram", "gram", "kilogram"),
    ("mm", "cm", "m", "km"),
    ("millimeter", "centimeter", "meter", "kilometer"),
    ("inch", "foot", "yard", "mile"),
    ("thousand", "million", "billion", "trillion"),
    ("mg", "g", "kg"),
    ("byte", "kilobyte", "megabyte", "gigabyte", "terabyte"),
    ("KB", "MB", "GB", "TB"),
    ("kB", "MB", "GB", "TB"),
    ("millisecond", "second", "minute"),
    ("ms", "s", "min"),
    ("ml", "l"),
    ("mL", "L"),
    ("milliliter", "liter"),
    ("pence", "pounds"),
    ("cents", "dollars", "euros"),
    ("ounce", "pound", "ton"),
    ("°C", "°F"),
    ("nM", "µM", "mM"),
)
_PLURALS = {"inch": "inches", "foot": "feet"}
_FIXED = word_set(
    """
    thousand million billion trillion pence pounds cents dollars euros mm cm m km mg g kg ms s min ml l mL L
    kB KB MB GB TB nM µM mM °C °F
    """
)
_COUNT = (
    r"(?:\d[\d,.]*|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|fifteen|twenty|thirty|forty|"
    r"fifty|sixty|several|few|a|an|one|half an)"
)
_RATES = {
    "per day": "per week", "per week": "per day", "per month": "per week", "per year": "per month",
    "a day": "a week", "a week": "a day", "a month": "a week", "a year": "a month", "every day": "every week",
    "every week": "every month", "every month": "every year", "every year": "every month",
    "each day": "each week", "each year": "each month", "each week": "each month", "each month": "each year",
    "per hour": "per day",
    "per minute": "per hour", "per second": "per minute", "daily": "weekly", "weekly": "monthly",
    "monthly": "weekly", "yearly": "monthly", "annually": "monthly", "annual": "monthly", "hourly": "daily",
}  # fmt: skip
_COUNTED = "times|once|twice|people|cases|deaths|doses?|tablets?|pills?|hours?|cups?|children|%|percent"
_NO_RATE = (
    "or|and|to|of|after|before|later|ago|earlier|jobs?|games?|meetings?|life|lives|living|activit(?:y|ies)|"
    "routines?|use|work|basis|standup"
)
_RATE = re.compile(
    rf"(?P<count>(?:\b(?:{_COUNTED})\s)?)\b(?P<rate>{'|'.join(_RATES)})\b(?![ -](?:{_NO_RATE})\b)",
    re.IGNORECASE,
)
_LEAST = re.compile(
    r"\b(?:at least|more than|over|after|longer than|older than|minimum of|exceed\w*|"
    r"no less than) (?:about )?$",
    re.IGNORECASE,
)
_MOST = re.compile(
    r"\b(?:at most|less than|fewer than|under|within|up to|no more than|shorter than|younger than|until|"
    r"before) (?:about )?$",
    re.IGNORECASE,
)


def _forms() -> dict[str, list[tuple[str, bool]]]:
    """Return for every written unit its neighbours, and whether each is larger."""
    found: dict[str, list[tuple[str, bool]]] = {}
    for ladder in _LADDERS:
        for place, unit in enumerate(ladder):
            near = [
                (ladder[other], other > place) for other in (place - 1, place + 1) if 0 <= other < len(ladder)
            ]
            found.setdefault(unit, []).extend(near)
            if unit not in _FIXED:
                plural = [(_plural(other), larger) for other, larger in near]
                found.setdefault(_plural(unit), []).extend(plural)
    return found


def _plural(unit: str) -> str:
    return _PLURALS.get(unit, f"{unit}s")


_NEIGHBOURS = _forms()
_ANY_UNIT = "|".join(sorted(map(re.escape, _NEIGHBOURS), key=len, reverse=True))
_UNIT = re.compile(
    rf"(?<![\w.,'’-])(?P<count>{_COUNT})(?:\s|-|(?=°))(?P<unit>{_ANY_UNIT})"
    rf"(?![\w/%²³]|-to| (?:a|per) (?:day|week))(?!\s?(?:–|—|to|or|and|,)\s?{_COUNT}\b)"
)
_ONE = word_set("a an one")
# "a second", "a foot": one of several, or no measure at all.
_NOT_ONE = word_set("second foot m s l g min")


def units(text: str, around: Surroundings, generator: np.random.Generator) -> Iterator[Candidate]:
    """Yield candidates for quantities and for rates ("twice a day")."""
    yield from shuffled([*_quantities(text, generator), *_rates(text)], generator)


def _quantities(text: str, generator: np.random.Generator) -> Iterator[Candidate]:
    for match in _UNIT.finditer(text):
        before, unit = text[: match.start()], match["unit"]
        least, most = _LEAST.search(before) is not None, _MOST.search(before) is not None
        if match["count"].lower() in _ONE and (not (least or most) or unit in _NOT_ONE):
            continue
        fit = [
            other
            for other, larger in _NEIGHBOURS[unit]
            if not (most if larger else least) and not re.search(rf"\b{re.escape(other)}\b", text)
        ]
        if text[match.end() :].startswith("-old"):
            fit = [other for other in fit if other == "month"]
        if fit:
            new = fit[int(generator.integers(len(fit)))]
            yield Candidate((Replacement(*match.span("unit"), new),))


def _rates(text: str) -> Iterator[Candidate]:
    for match in _RATE.finditer(text):
        rate = match["rate"].lower()
        if rate.startswith("a ") and not match["count"]:
            continue
        new = _RATES[rate]
        if new not in text.lower():
            cased = upper_first(new) if match["rate"][0].isupper() else new
            yield Candidate((Replacement(*match.span("rate"), cased),))
