"""How the weights were made that choose the sentence which answers a question."""
