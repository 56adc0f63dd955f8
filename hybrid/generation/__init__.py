"""An arm answers a question: with or without passages, by a generator or by extraction.

``answering`` is the way in; ``prompts``, ``packing``, ``citations``, ``support`` and ``extractive``
are its parts. Receives hits, finds none itself.
"""
