"""What stands in a text: numbers, dates, words, sentences, abbreviations and its language, each read here."""
