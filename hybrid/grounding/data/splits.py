"""Keep documents apart: what is tested on was not trained on, nor anything like it.

Takes examples, gives two lists. Whole sources go to one side, whole domains if they are named.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from hybrid.errors import UsageError
from hybrid.grounding.data.values import Example
from hybrid.questions.splits import unit_hash

_LETTERS = re.compile(r"[^\W\d_]+")


@dataclass(frozen=True, slots=True)
class Split:
    """Two sides; ``duplicates`` were taken out of the training side."""

    train: tuple[Example, ...]
    test: tuple[Example, ...]
    duplicates: int = 0


def split(examples: Sequence[Example], *, share: float, seed: int, domains: Collection[str] = ()) -> Split:
    """Divide examples by their source, in their order.

    The side of a source depends on nothing but its name, the domain, the share and the seed: new examples
    move no others. An example leaves the training side if its claim or one of its passages stands on the
    test side too, in the same words whatever their case, marks and numbers.

    Args:
        examples: of any sets.
        share: of the sources that are tested on, from 0 to 1, besides those of ``domains``.
        seed: another one draws other sources.
        domains: tested on whole.

    Raises:
        UsageError: a share outside of 0 to 1, or a domain of which there is no example.
    """
    if not 0 <= share <= 1:
        raise UsageError(
            f"the share of sources to test on is {share}, expected 0 to 1", hint="for example 0.2"
        )
    there = {example.domain for example in examples}
    if missing := sorted(set(domains) - there):
        found = ", ".join(sorted(there)) or "none"
        raise UsageError(f"no example is of the domain {', '.join(missing)}; there are {found}")
    tested = [
        example.domain in domains or unit_hash("grounding", str(seed), example.domain, example.source) < share
        for example in examples
    ]
    test = tuple(example for example, held in zip(examples, tested, strict=True) if held)
    rest = [example for example, held in zip(examples, tested, strict=True) if not held]
    known = {key for example in test for key in _keys(example)}
    train = tuple(example for example in rest if known.isdisjoint(_keys(example)))
    return Split(train, test, len(rest) - len(train))


def _keys(example: Example) -> set[str]:
    """Return what two spellings of the same texts have in common; texts without letters have nothing."""
    texts = (example.claim, *example.evidence)
    return {key for text in texts if (key := " ".join(_LETTERS.findall(text.casefold())))}
