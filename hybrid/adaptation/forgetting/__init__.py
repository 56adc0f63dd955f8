"""What an adapter cost: text, pairs, choices, formats and retrieval before and after, and the gate."""
