"""What an embedder is taught: queries with the passages they should find, made from the texts alone."""
