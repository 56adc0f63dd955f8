"""Measured outcomes, costs, gates and a margin become a verdict: which arm to run, or undecided.

``values`` names what goes in and comes out, ``claims`` tests what a verdict must show, ``verdict``
applies the rule, ``outlook`` reckons what would settle it, ``sequential`` asks in growing batches and stops
when it is settled, ``wording`` says it in plain words, ``requirements`` and ``replay`` read what users and
other systems hand in, ``adopted`` keeps the choice. Nothing here loads a model or an index.
"""
