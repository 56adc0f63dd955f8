"""Adaptation: adapters made, measured, put in use; no test question is imported here, from evaluation."""
