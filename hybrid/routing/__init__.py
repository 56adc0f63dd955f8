"""From a question to the domain that it belongs to, and whether an answer may be given."""
