"""Training data: examples, query-passage pairs and rehearsal, made from documents or given by users."""
