"""Adapters at rest: kept in versions, loaded, scaled, checked, promoted, repaired and exported."""
