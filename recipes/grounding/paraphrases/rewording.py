"""Several rules one after the other, and two sentences joined.

Takes sentences, gives sentences. Unlike an edit, a paraphrase that finds no rule is the sentence itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import numpy as np

from hybrid.files import hash_text
from recipes.grounding.edits.english import is_english, lower_first
from recipes.grounding.edits.verbs import parts_of
from recipes.grounding.paraphrases import leaving, order, wording

_Rule = Callable[[str, np.random.Generator], Iterator[str]]
_RULES: tuple[_Rule, ...] = (
    # a sentence has more words to replace than clauses to move
    *(wording.synonyms,) * 6,
    wording.digits,
    wording.spelled,
    wording.dates,
    wording.ages,
    wording.attributed,
    leaving.brackets,
    leaving.opener,
    leaving.aside,
    leaving.examples,
    leaving.relative,
    leaving.filler,
    order.clause_last,
    order.clause_first,
    order.place_last,
    order.active,
    order.passive,
    order.pairs,
)
_PERSON = re.compile(
    r"\b(?:man|woman|person|patient|doctor|child|boy|girl|student|player|president|minister|author|user|people|team)\b"
)
_THING = re.compile(r"(?:The|A|An) [a-z]")
_STUTTER = re.compile(r"\b(\w+) \1\b|  ", re.IGNORECASE)
_LONGEST = 2_000


def paraphrase(text: str, *, seed: int, steps: int) -> str:
    """Return an English sentence reworded by up to so many rules; others, and what no rule fits, unchanged.

    The same text, seed and steps always give the same.

    Args:
        text: one sentence, or two.
        seed: another one chooses other rules.
        steps: from 0, nothing is changed.
    """
    if steps <= 0 or len(text) > _LONGEST or not is_english(text):
        return text
    generator = np.random.default_rng(int(hash_text("paraphrase", str(seed), text)[:16], 16))
    done = 0
    for place in generator.permutation(len(_RULES)):
        changed = next(_RULES[int(place)](text, generator), None)
        if changed and not _STUTTER.search(changed) and not changed[0].islower():
            text, done = changed, done + 1
        if done == steps:
            break
    return text


def merged(first: str, second: str) -> str | None:
    """Return two neighbouring sentences as one with "and", or None if that is not safe."""
    one, other = parts_of(first), parts_of(second)
    if not first.endswith(".") or one is None or other is None:
        return None
    subject = second[: other.start].strip()
    joined = lower_first(second)
    if first[: one.start].strip().lower() == subject.lower():
        if not other.number or _PERSON.search(subject) or not _THING.match(subject):
            return None
        joined = f"{'it' if other.number == 'singular' else 'they'} {second[other.start :]}"
    elif joined == second and not second[:2].isupper():
        return None
    return f"{first[:-1]}, and {joined}"
