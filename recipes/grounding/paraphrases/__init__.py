"""The same claim in other words, by rules that keep its truth: positives that are no copies.

``paraphrase(text, seed=…, steps=…)`` rewords a sentence, ``merged`` joins two. ``wording`` has other words,
``order`` another order, ``leaving`` leaves additions out. English only.
"""

from __future__ import annotations

from recipes.grounding.paraphrases.rewording import merged, paraphrase

__all__ = ["merged", "paraphrase"]
