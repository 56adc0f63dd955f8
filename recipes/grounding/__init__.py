"""The recipe of the grounding scorer: public sets and pairs made by rules to heads, card and calibration."""
