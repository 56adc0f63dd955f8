"""Forgetting: general ability and retrieval before and after tuning."""
