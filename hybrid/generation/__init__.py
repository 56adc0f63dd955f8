"""An arm answers a question: with or without passages, by a generator or by extraction.

``answering`` is the way in. The extractive reader is ``extractive``, the generating one ``packing`` and
``citations``, the quoting one ``focus`` and ``quoting``; ``prompts``, ``sentences``, ``support`` and
``written`` are shared. Receives hits, finds none itself.
"""
