"""What judges a claim by a piece of evidence: from word overlap to language models, behind one protocol."""
