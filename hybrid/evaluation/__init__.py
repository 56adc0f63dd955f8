"""Measure retrieval and answers against gold: question sets, metrics, benchmarks.

``questions`` loads sets, ``metrics`` scores answers, ``ranking`` scores rankings, ``benchmark`` runs
both over a domain.
"""
