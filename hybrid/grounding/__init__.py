"""Is what an answer asserts carried by its passages? Claims, evidence, scorers, calibration and verdicts."""
