"""How often the bound on wrong answers holds on real outcomes, and how much is still answered, beside MAPIE.

Sources are split in halves: a threshold is made on one, and the risk of what it answers measured on the whole
table, which is the population that the half was drawn from, and on the other half, where chance adds to it. The
tables have no score of the answers, so that one is made: the share of right answers among the five nearest
questions of other sources would need their texts; here it is the sum of what the other arms' answers say, the
agreement of a committee. MAPIE (``BinaryClassificationController``, fixed sequence) gets the same drawn questions
and the same thresholds.

    python tests/benchmarks/abstention.py TABLE.csv [--domain indexes/postgres/experiments/NAME] [--splits 500]
"""
