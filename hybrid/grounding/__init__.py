"""Is what an answer asserts carried by its passages? Claims, evidence, scorers, calibration and verdicts.

Definitions are in ``values``. What a scorer judges is one claim by one piece of evidence; everything above
(candidates, the maximum, probabilities, statuses, citations) is shared, so that no scorer can get it wrong.
"""
