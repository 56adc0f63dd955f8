"""Question sets: their files, how they are made from a corpus, split by document, checked and reviewed."""
