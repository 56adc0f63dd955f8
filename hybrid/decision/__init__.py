"""Measured outcomes, costs, gates and a margin become a verdict: which arm to run, or undecided.

``values`` names what goes in and comes out, ``verdict`` tests what an arm has to show and applies the rule,
``sequential`` asks in growing batches and stops when it is settled, ``wording`` says it in plain words,
``replay`` reads what other systems hand in, ``adopted`` keeps the choice. Nothing here loads a model or an
index.
"""
