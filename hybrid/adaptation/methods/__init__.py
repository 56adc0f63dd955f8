"""Ways to change a model, one file each."""
