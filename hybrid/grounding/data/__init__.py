"""Labelled data: what trains the evaluator, and what it is measured on.

``loaders.load`` reads public sets and a user's own; ``making.make_examples`` makes minimal pairs from any
documents; ``leaks`` refuses sets that word overlap or length give away; ``splits`` keeps documents apart.
"""
