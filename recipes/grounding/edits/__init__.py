"""Rule-made minimal pairs: a claim and the same claim with one thing changed that its document does not say.

``edit(text, around, kind, seed=…)`` makes one edit, or none where the text does not allow it.
English only. The same text, surroundings and seed always give the same edit; it is never the original, and
its spans are exactly what is new.
"""

from __future__ import annotations

from recipes.grounding.edits.making import edit
from recipes.grounding.edits.values import Edit, Kind, Surroundings

__all__ = ["Edit", "Kind", "Surroundings", "edit"]
