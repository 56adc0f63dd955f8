-- The tables of an index, those of the first version first. A file of an earlier version lacks what later ones
-- added: each part below a line of dashes.
CREATE TABLE IF NOT EXISTS files(
    source TEXT PRIMARY KEY, digest TEXT NOT NULL, limits TEXT NOT NULL, complete INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS rejected(file TEXT NOT NULL, source TEXT NOT NULL, reason TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS rejected_file ON rejected(file);
CREATE TABLE IF NOT EXISTS documents(
    id INTEGER PRIMARY KEY, file TEXT NOT NULL, source TEXT NOT NULL UNIQUE, title TEXT NOT NULL,
    text TEXT NOT NULL, pages TEXT NOT NULL, metadata TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS documents_file ON documents(file);
CREATE TABLE IF NOT EXISTS chunks(
    document INTEGER NOT NULL REFERENCES documents(id) ON DELETE CASCADE,
    ordinal INTEGER NOT NULL, start INTEGER NOT NULL, stop INTEGER NOT NULL,
    headings TEXT NOT NULL, page INTEGER, tokens INTEGER NOT NULL, key BLOB NOT NULL, position INTEGER,
    PRIMARY KEY(document, ordinal));
CREATE INDEX IF NOT EXISTS chunks_position ON chunks(position);
CREATE INDEX IF NOT EXISTS chunks_key ON chunks(key);
-------
-- Version 2: a row for each who may read a document. A rule that names nobody is a row of NULL, which equals
-- nothing; a document without a rule has no row.
CREATE TABLE IF NOT EXISTS principals(
    document INTEGER NOT NULL REFERENCES documents(id) ON DELETE CASCADE, principal TEXT);
CREATE INDEX IF NOT EXISTS principals_document ON principals(document);
-------
-- Version 3: what stands above a chunk of a table, and where the chunk stands in the user's own file; what of its
-- file a document lacks, a row for each kind.
CREATE TABLE IF NOT EXISTS contexts(
    document INTEGER NOT NULL, ordinal INTEGER NOT NULL,
    caption TEXT NOT NULL, columns TEXT NOT NULL, lines TEXT NOT NULL,
    PRIMARY KEY(document, ordinal),
    FOREIGN KEY(document, ordinal) REFERENCES chunks(document, ordinal) ON DELETE CASCADE);
CREATE TABLE IF NOT EXISTS left_out(
    document INTEGER NOT NULL REFERENCES documents(id) ON DELETE CASCADE,
    kind TEXT NOT NULL, count INTEGER NOT NULL, characters INTEGER NOT NULL, lost INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS left_out_document ON left_out(document);
-------
-- Version 4: what documents say that their words stand for, a row for each form. A document that says nothing
-- has a row of NULL; one without any row was not read for it, as those that an earlier version indexed.
CREATE TABLE IF NOT EXISTS glossary(
    document INTEGER NOT NULL REFERENCES documents(id) ON DELETE CASCADE,
    key TEXT, form TEXT, meaning TEXT);
CREATE INDEX IF NOT EXISTS glossary_document ON glossary(document);
CREATE INDEX IF NOT EXISTS glossary_key ON glossary(key);
