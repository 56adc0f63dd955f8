"""What a generator is taught: examples from the documents, from files of users, and rehearsal."""
