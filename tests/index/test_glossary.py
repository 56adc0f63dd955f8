"""What documents say that words stand for: collected with the index, kept with its documents."""

import json
import sqlite3
from contextlib import closing

import pytest

from hybrid.files import hash_file
from hybrid.index import Index
from hybrid.index.generations import current, read_manifest
from hybrid.index.store import SCHEMA_VERSION
from hybrid.text.abbreviations import Meaning

_TEXTS = {
    "a": "The write-ahead log (WAL) is kept.",
    "b": "Who reads the WAL? It grows.",
    "c": "Nothing.",
}


def _glossary(domain):
    with closing(Index.open(domain)) as index:
        return index.glossary()


@pytest.mark.slow
def test_it_is_of_the_documents_that_are_there(corpus, domain):
    corpus.update(domain, _TEXTS)
    assert _glossary(domain) == [Meaning("WAL", "write-ahead log", 1), Meaning("write-ahead log", "WAL", 1)]
    corpus.update(domain, _TEXTS | {"c": "A write-ahead log (WAL), and a wide area line (WAL)."})
    assert _glossary(domain)[0] == Meaning("WAL", "write-ahead log", 2)
    assert Meaning("WAL", "wide area line", 1) in _glossary(domain)
    corpus.update(domain, {"b": _TEXTS["b"]})
    assert _glossary(domain) == []


@pytest.mark.slow
def test_words_of_a_question_are_explained_by_it(corpus, domain):
    corpus.update(domain, _TEXTS)
    with closing(Index.open(domain)) as index:
        (found,) = index.explained("How big is the Write Ahead Log?")
        assert [one.meaning for one in found.meanings] == ["WAL"]
        assert index.explained("How big is it?") == []
        assert index.explained("How big is the WAL?", principals=("anna",)) == []


def _as_version_3(domain):
    """Make an index what the version before the glossary wrote."""
    generation = domain / "generations" / current(domain)
    with closing(sqlite3.connect(generation / "store.sqlite")) as database, database:
        database.execute("DROP TABLE glossary")
    manifest = json.loads((generation / "manifest.json").read_text())
    manifest["sha256"]["store.sqlite"] = hash_file(generation / "store.sqlite")
    (generation / "manifest.json").write_text(json.dumps(manifest | {"schema_version": 3}))


@pytest.mark.slow
@pytest.mark.parametrize("texts", [_TEXTS, _TEXTS | {"d": "A new one."}])
def test_an_index_of_before_has_none_and_gets_it_without_reading_or_embedding_what_is_there(
    corpus, domain, texts
):
    corpus.update(domain, _TEXTS)
    _as_version_3(domain)
    assert _glossary(domain) == []
    read = []
    update = corpus.update(domain, texts, loaded=read)
    assert (read, update.embedded) == ((["d"], 1) if "d" in texts else ([], 0))
    assert len(_glossary(domain)) == 2
    assert read_manifest(domain, current(domain)).schema_version == SCHEMA_VERSION
    assert corpus.update(domain, texts).manifest == update.manifest
