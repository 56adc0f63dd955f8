"""Who may read: nothing of a forbidden document reaches a user, and nobody is asked for by forgetting."""

import dataclasses
import json
import logging
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hybrid import Assistant, Assistants, load_settings
from hybrid.config import RetrievalMode
from hybrid.errors import IndexMismatch, UsageError
from hybrid.index import Index
from hybrid.index.generations import current, read_manifest
from hybrid.index.store import SCHEMA_VERSION
from hybrid.testing import HashEmbedder, ScriptedGenerator
from hybrid.tracing.spans import sent_to
from hybrid.types import Document

pytestmark = pytest.mark.slow

_WORDS = ["port", "server", "night", "archive", "query", "folder"]
_PEOPLE = ["anna", "bob", "staff", "guests"]


def _assistant(folder, **retrieval):
    # every hit counts: no floor, no near-duplicates, and more documents than are looked at without a filter
    retrieval = {"k": 3, "candidates": 3, "min_score": -1.0, "duplicate_overlap": 1.0, **retrieval}
    values = {"documents": {"workers": 1}, "indexes": str(folder / "indexes"), "retrieval": retrieval}
    return Assistant(
        "manual",
        settings=load_settings(values, environment={}),
        embedder=HashEmbedder(32),
        generator=ScriptedGenerator(["It is so [1]."]),
    )


def _pages(folder, pages):
    folder.mkdir(exist_ok=True)
    for path in folder.iterdir():
        path.unlink()
    for name, text in pages.items():
        (folder / name).write_text(text)
    return folder


def _sources(hits):
    return {hit.chunk.source for hit in hits}


@pytest.fixture
def docs(tmp_path):
    pages = {
        "open.txt": "The port of the server is open.",
        "anna.md": "---\nprincipals: anna\n---\nThe port of the server is 5432.",
        "staff.txt": "The port of the server is known to the staff.",
        "staff.txt.principals": "staff",
    }
    return _pages(tmp_path / "docs", pages)


@pytest.fixture
def assistant(tmp_path, docs):
    assistant = _assistant(tmp_path)
    assistant.index(docs)
    return assistant


# --- the law ---------------------------------------------------------------------------------------


class _Told:
    """A sink that keeps all that it is told."""

    def __init__(self):
        self.spans = []

    def add(self, spans):
        self.spans.extend(spans)

    def close(self):
        pass


_rules = st.none() | st.sets(st.sampled_from(_PEOPLE))
_page = st.tuples(_rules, st.lists(st.sampled_from(_WORDS), min_size=2, max_size=6))
_user = st.sampled_from([*_PEOPLE, "stranger", ""]) | st.lists(st.sampled_from(_PEOPLE))


@settings(max_examples=20, deadline=None)
@given(
    pages=st.lists(_page, min_size=4, max_size=10),
    users=st.lists(_user, min_size=2, max_size=3),
    mode=st.sampled_from(RetrievalMode),
    asked=st.lists(st.sampled_from(_WORDS), min_size=1, max_size=3),
)
def test_nothing_of_a_forbidden_document_reaches_a_user_and_k_is_filled(pages, users, mode, asked):
    rules = {f"p{number}.txt": rule for number, (rule, _) in enumerate(pages)}
    # a mark of its own in each page shows where it got to
    texts = {f"p{number}.txt": f"{' '.join(words)} mark{number}." for number, (_, words) in enumerate(pages)}
    log, told, question = _Log(), _Told(), " ".join(asked)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        assistant = _assistant(folder, mode=mode)
        assistant.index(_pages(folder / "docs", texts), principals=rules.get)
        logging.getLogger().addHandler(log)
        try:
            with sent_to([told]):
                for user in users:  # one after the other, by the same assistant
                    names = {user} if isinstance(user, str) else set(user)
                    readable = {source for source, rule in rules.items() if rule and rule & names}
                    hits = assistant.search(question, as_user=user)
                    answers = assistant.ask_all([question, question], as_user=user)
                    *pieces, last = assistant.stream(question, as_user=user)
                    assert _sources(hits) <= readable
                    found = {source for source in readable if set(asked) & set(texts[source].split())}
                    may_be_found = found if mode is RetrievalMode.LEXICAL else readable
                    assert len(hits) == min(3, len(may_be_found))
                    said = repr((hits, answers, pieces, last, told.spans, log.lines))
                    for source in rules.keys() - readable:
                        assert source not in said
                        assert texts[source].split()[-1].rstrip(".") not in said.replace(".", " ").split()
        finally:
            logging.getLogger().removeHandler(log)
            assistant.retriever.index.close()


class _Log(logging.Handler):
    """Keeps all lines."""

    def __init__(self):
        super().__init__(0)
        self.lines = []

    def emit(self, record):
        self.lines.append(record.getMessage())


# --- who asks --------------------------------------------------------------------------------------


def test_a_user_finds_what_names_the_user_or_a_group_and_no_one_else_does(assistant):
    assert _sources(assistant.search("port", as_user="anna")) == {"anna.md"}
    assert _sources(assistant.search("port", as_user=["anna", "staff"])) == {"anna.md", "staff.txt"}
    for nobody in ("", "ann", "Anna", "*", "%", [], [None], "anna,staff", '"]'):
        assert assistant.search("port", as_user=nobody) == []
        answer = assistant.ask("port of the server?", as_user=nobody)
        assert (answer.abstained, "lets this user read none of its documents" in answer.text) == (True, True)


@pytest.mark.parametrize("verb", ["search", "ask", "ask_all", "stream"])
def test_a_restricted_domain_is_not_asked_in_nobodys_name(assistant, verb):
    with pytest.raises(UsageError, match="say who may read them") as caught:
        getattr(assistant, verb)(["port?"] if verb == "ask_all" else "port?")
    assert "--as-user" in caught.value.hint


def test_the_generator_alone_has_seen_no_document_and_answers_all(assistant):
    assert assistant.ask("port?", arm="base").hits == ()


def test_a_domain_without_rules_is_open_but_to_users_of_whom_it_says_nothing(tmp_path):
    assistant = _assistant(tmp_path)
    assistant.index(_pages(tmp_path / "docs", {"a.txt": "The port is 5432."}))
    assert _sources(assistant.search("port")) == {"a.txt"}
    assert assistant.search("port", as_user="anna") == []
    assert not read_manifest(assistant.folder, current(assistant.folder)).restricted


def test_conditions_and_users_hold_together_and_keys_of_others_are_not_told(tmp_path):
    rows = {
        "a.csv": "text,colour,principals\nport one,red,anna\nport two,red,bob\n",
        "b.csv": "text,salary,principals\nport three,9,bob\n",
    }
    assistant = _assistant(tmp_path)
    assistant.index(_pages(tmp_path / "docs", rows))
    assert _sources(assistant.search("port", where={"colour": "red"}, as_user="anna")) == {"a.csv#1"}
    with pytest.raises(UsageError) as caught:
        assistant.search("port", where={"salary": "9"}, as_user="anna")
    assert "salary" not in caught.value.hint


# --- what changes ----------------------------------------------------------------------------------


def test_a_change_of_principals_alone_is_indexed_without_embedding(assistant, docs):
    (docs / "staff.txt.principals").write_text("bob")
    (docs / "anna.md").write_text("---\nprincipals: [bob]\n---\nThe port of the server is 5432.")
    report = assistant.index(docs)
    assert (report.embedded, set(report.plan.changed)) == (0, {"staff.txt", "anna.md"})
    assert _sources(assistant.search("port", as_user="bob")) == {"anna.md", "staff.txt"}
    assert assistant.search("port", as_user=["anna", "staff"]) == []
    assert assistant.index(docs).plan.nothing_to_do


def test_rules_from_the_caller_go_before_the_others_and_forgetting_them_opens_nothing(assistant, docs):
    report = assistant.index(docs, principals={"open.txt": ["all"], "anna.md": ["bob"]}.get)
    assert report.embedded == 0
    assert _sources(assistant.search("port", as_user=["all", "bob"])) == {"open.txt", "anna.md"}
    assistant.index(docs)
    assert assistant.search("port", as_user="all") == []
    assert _sources(assistant.search("port", as_user="anna")) == {"anna.md"}


@pytest.mark.parametrize("rebuild", [False, True])
def test_a_domain_stays_restricted_when_its_last_rule_goes(assistant, docs, rebuild):
    (docs / "staff.txt.principals").unlink()
    (docs / "anna.md").unlink()
    assistant.index(docs, rebuild=rebuild)
    with pytest.raises(UsageError, match="no user asks"):
        assistant.search("port")
    assert assistant.search("port", as_user="staff") == []


def test_what_was_removed_is_found_by_nobody_and_the_rest_by_its_readers(assistant):
    assistant.remove(["anna.md"])
    assert assistant.search("port", as_user="anna") == []
    assert _sources(assistant.search("port", as_user="staff")) == {"staff.txt"}


def test_rollback_brings_back_the_rules_of_then(assistant, docs):
    (docs / "staff.txt.principals").write_text("bob")
    assistant.index(docs)
    assert assistant.search("port", as_user="staff") == []
    assistant.rollback()
    assert _sources(assistant.search("port", as_user="staff")) == {"staff.txt"}


def test_rollback_to_before_the_rules_is_refused(tmp_path):
    assistant, docs = _assistant(tmp_path), _pages(tmp_path / "docs", {"a.txt": "The port is 5432."})
    assistant.index(docs)
    (docs / "a.txt.principals").write_text("anna")
    assistant.index(docs)
    with pytest.raises(UsageError, match="all could"):
        assistant.rollback()
    assert _sources(assistant.search("port", as_user="anna")) == {"a.txt"}


@pytest.mark.parametrize("rule", ['{"anna": true}', '["anna"', "\x00"])
def test_a_broken_rule_beside_a_document_leaves_the_index_as_it_was(assistant, docs, rule):
    before = current(assistant.folder)
    (docs / "staff.txt.principals").write_text(rule)
    with pytest.raises(UsageError, match=r"staff\.txt"):
        assistant.index(docs)
    assert current(assistant.folder) == before


def test_a_folder_says_who_may_read_what_says_nothing_itself(tmp_path, assistant, docs):
    (docs / "inner" / "deep").mkdir(parents=True)
    for name, text in {
        ".principals": "everybody",
        "inner/.principals": "board",
        "inner/deep/c.txt": "The port is a secret.",
        "inner/d.md": "---\nprincipals: bob\n---\nThe port of bob.",
    }.items():
        (docs / name).write_text(text)
    (tmp_path / ".principals").write_text("nobody that counts")
    report = assistant.index(docs)
    assert set(report.plan.changed) >= {"open.txt"}
    assert _sources(assistant.search("port", as_user="everybody")) == {"open.txt"}
    assert _sources(assistant.search("port", as_user="board")) == {"inner/deep/c.txt"}
    assert _sources(assistant.search("port", as_user="bob")) == {"inner/d.md"}
    (docs / "inner" / ".principals").write_text("[")
    with pytest.raises(UsageError, match=r"\.principals does not say who may read 'inner/"):
        assistant.index(docs)


def test_a_document_whose_own_rule_is_broken_is_read_by_nobody_and_reported(assistant, docs):
    (docs / "anna.md").write_text("---\nprincipals: {anna}\n---\nThe port of the server is 5432.")
    report = assistant.index(docs)
    assert [item.source for item in report.rejected] == ["anna.md"]
    assert "who may read it" in report.rejected[0].reason
    assert assistant.search("port", as_user="anna") == []


def test_a_document_that_came_from_no_file_keeps_its_rule(assistant, docs):
    mine = Document("mine", "The port of the server is mine.", principals=("anna",))
    assistant.update([mine])
    assistant.index(docs, rebuild=True)
    assert _sources(assistant.search("port", as_user="anna")) == {"anna.md", "mine"}
    assistant.update([dataclasses.replace(mine, principals=("bob",))])
    assert _sources(assistant.search("port", as_user="anna")) == {"anna.md"}
    assert _sources(assistant.search("port", as_user="bob")) == {"mine"}


# --- several domains --------------------------------------------------------------------------------


def test_the_router_knows_of_a_domain_what_the_user_may_read(tmp_path):
    embedder, generator = HashEmbedder(64), ScriptedGenerator(["It is so [1]."])
    values = {"documents": {"workers": 1}, "indexes": str(tmp_path / "indexes")}
    options = {
        "settings": load_settings(values, environment={}),
        "embedder": embedder,
        "generator": generator,
    }
    rules = {"secret.txt": ["bob"], "known.txt": ["anna", "bob"], "garden.txt": ["anna"]}
    for name, pages in {
        "port": {
            "secret.txt": "The zanzibar needs a pilot at the quay.",
            "known.txt": "Boats wait at the quay.",
        },
        "home": {"garden.txt": "Roses need water in the garden."},
    }.items():
        Assistant(name, **options).index(_pages(tmp_path / name, pages), principals=rules.get)
    question = "Which pilot does the zanzibar need?"
    with Assistants(**options) as assistants:
        seen = assistants.route(question, as_user="anna")
        assert [one.domain for one in assistants.route(question, as_user="bob").chances if one.domain] == [
            "port"
        ]
        assert assistants.route(question, as_user="eve").domain == ""
        assert assistants.ask(question, as_user="eve").abstained
        with pytest.raises(UsageError, match="no user asks"):
            assistants.ask(question)
        for answer in (
            assistants.ask("roses in the garden?", domain="home", as_user="anna"),
            *assistants.ask_all(["roses in the garden?"], domain="home", as_user="anna"),
            list(assistants.stream("roses in the garden?", domain="home", as_user="anna"))[-1],
        ):
            assert _sources(answer.hits) == {"garden.txt"}
    # without the forbidden document the router of the others says just the same
    Assistant("port", **options).remove(["secret.txt"])
    with Assistants(**options) as assistants:
        assert assistants.route(question, as_user="anna") == seen


# --- indexes of before -----------------------------------------------------------------------------


def _as_version_1(folder):
    """Make an index what the version before principals wrote."""
    generation = folder / "generations" / current(folder)
    with closing(sqlite3.connect(generation / "store.sqlite")) as database, database:
        for table in ("principals", "contexts", "left_out", "glossary"):
            database.execute(f"DROP TABLE {table}")
    manifest = json.loads((generation / "manifest.json").read_text())
    from hybrid.files import hash_file

    manifest["sha256"]["store.sqlite"] = hash_file(generation / "store.sqlite")
    del manifest["restricted"]
    (generation / "manifest.json").write_text(json.dumps(manifest | {"schema_version": 1}))


def test_an_index_of_before_opens_as_it_did_and_learns_of_rules(tmp_path):
    assistant, docs = _assistant(tmp_path), _pages(tmp_path / "docs", {"a.txt": "The port is 5432."})
    assistant.index(docs)
    _as_version_1(assistant.folder)
    again = _assistant(tmp_path)
    assert _sources(again.search("port")) == {"a.txt"}
    assert again.search("port", as_user="anna") == []
    (docs / "a.txt.principals").write_text("anna")
    assert again.index(docs).embedded == 0
    assert _sources(again.search("port", as_user="anna")) == {"a.txt"}
    with closing(Index.open(again.folder)) as index:
        assert index.manifest.schema_version == SCHEMA_VERSION


def test_a_version_that_is_not_known_is_refused(assistant):
    path = assistant.folder / "generations" / current(assistant.folder) / "manifest.json"
    manifest = read_manifest(assistant.folder, current(assistant.folder))
    path.write_text(json.dumps(dataclasses.asdict(manifest) | {"schema_version": SCHEMA_VERSION + 1}))
    with pytest.raises(IndexMismatch, match=f"reads format {SCHEMA_VERSION}"):
        assistant.search("port", as_user="anna")


def test_who_asks_what_there_is_hears_of_what_that_user_may_read(tmp_path, docs):
    assistant = _assistant(tmp_path)
    assistant.index(docs, principals=lambda source: ["anna"] if source == "open.txt" else ["bob"])
    told = assistant.ask("what can you do?", as_user="anna").text
    assert "open.txt" in told and "1 document," in told
    with pytest.raises(UsageError, match="who may read"):
        assistant.ask("hello")
