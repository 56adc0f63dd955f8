"""Training of adapters: one loop, generators and embedders."""
