"""Hold documents out, by a rule that every stage can apply for itself.

Takes the source of a document, gives whether it is held out. Knows nothing about what is held out from
what: question making labels questions of such documents as fresh, and training asks the same function
before it looks at a document, so that the two agree without a file between them.
"""

from __future__ import annotations

from hybrid.errors import UsageError
from hybrid.files import hash_text

FRESH = "fresh"
_DIGITS = 13  # of the digest: 52 bits, all of which a float holds exactly


def held_out(source: str, *, share: float, seed: int) -> bool:
    """Tell whether a document is held out from training.

    The rule depends on nothing but its arguments: a document that is added moves no other, and what is
    held out at a smaller share is held out at a larger one too.

    Args:
        source: of the document; every row of a table is a document of its own.
        share: from 0, none, to 1, all.
        seed: another one holds out other documents.

    Raises:
        UsageError: a share outside of 0 to 1.
    """
    if not 0 <= share <= 1:
        raise UsageError(
            f"the share of documents to hold out is {share}, expected 0 to 1", hint="for example 0.2"
        )
    return unit_hash("held out", str(seed), source) < share


def unit_hash(*parts: str) -> float:
    """Return a number from 0 to below 1 that is fixed by the parts and else as good as random."""
    return float(int(hash_text(*parts)[:_DIGITS], 16) / 16**_DIGITS)
