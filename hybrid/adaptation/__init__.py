"""Adapters: examples from the corpus, tuning, and proof that nothing was forgotten.

Never imports ``hybrid.evaluation``, so that no training set can see a test question by accident.
"""
