"""Question sets: their files, how they are made from a corpus, split by document, checked and reviewed.

``files`` reads and writes them, ``candidates`` finds what a document lets one ask, ``making`` turns
that into checked questions, ``splits`` holds documents out, ``checking`` finds duplicates and leaks.
"""
