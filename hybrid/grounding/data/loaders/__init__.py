"""Public labelled sets and a user's own, each by its format: ``load(path)`` finds out which it is.

One module a format, or a family of them; ``reading`` checks rows, ``recognising`` knows all formats.
"""

from __future__ import annotations

from hybrid.grounding.data.loaders.recognising import load

__all__ = ["load"]
