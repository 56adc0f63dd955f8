"""Measured outcomes, costs, gates and a margin become a verdict: which arm to run, or undecided."""
