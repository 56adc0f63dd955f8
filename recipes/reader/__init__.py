"""How a general reading adapter is trained, and whether reading with it is better than without."""
