"""One loop that trains generators and embedders, and what is told apart for each."""
