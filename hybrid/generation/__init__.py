"""An arm answers a question: with or without passages, by a generator or by extraction."""
