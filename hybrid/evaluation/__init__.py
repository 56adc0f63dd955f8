"""Arms × questions against gold: what came out and what it cost, scored, and retrieval over a benchmark."""
