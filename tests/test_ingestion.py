"""A folder of real files becomes an index, and stays up to date."""

import dataclasses
import json
import os
import shutil
from contextlib import closing

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from hybrid import ingestion
from hybrid.config import ChunkSettings, DocumentSettings
from hybrid.errors import ConfigError, IndexCorrupt, IndexLocked, IndexMismatch, IndexMissing, UsageError
from hybrid.freshness import Drift, changed_since
from hybrid.index import Index, read_state, sync
from hybrid.ingestion import Ingestor, index_status, left_out_by_kind
from hybrid.testing import HashEmbedder
from hybrid.types import Document, LeftOut

_FILES = {
    "a.txt": "The default port is 5432.",
    "b.md": "# Backups\n\nThey are written each hour.\n",
    "sub/c.txt": "A timeout of thirty seconds.",
    "rows.jsonl": '{"text": "first row"}\n{"text": "second row"}\n',
}


@pytest.fixture
def docs(tmp_path, write_files):
    return write_files(tmp_path / "docs", _FILES)


@pytest.fixture
def ingest(tmp_path):
    """ingest(folder) -> (report, number of texts embedded)."""

    def call(folder, *, domain="manual", embedder=None, rebuild=False, chunks=None, **documents):
        embedder = embedder or HashEmbedder(16)
        settings = DocumentSettings(**{"workers": 1, **documents})
        ingestor = Ingestor(tmp_path / domain, embedder, settings, chunks or ChunkSettings())
        report = ingestor.ingest(folder, rebuild=rebuild)
        return report, embedder.embedded

    return call


def _all(domain):
    index = Index.open(domain)
    everything = range(index.manifest.counts.chunks)
    chunks = index.chunks(everything)
    vectors = index.cosines(HashEmbedder(16).embed_queries(["axis"])[0], everything)
    index.close()
    return chunks, vectors


@pytest.mark.slow
def test_a_folder_becomes_an_index(docs, ingest, tmp_path):
    report, embedded = ingest(docs)
    assert report.plan.added == ("a.txt", "b.md", "rows.jsonl", "sub/c.txt")
    assert (report.manifest.counts.files, report.manifest.counts.documents) == (4, 5)
    assert report.embedded == embedded == 5
    assert "added=4, changed=0" in repr(report)
    assert "a.txt" not in repr(report)
    assert report.rejected == ()
    assert report.seconds > 0
    index = Index.open(tmp_path / "manual")
    assert index.sources() == ["a.txt", "b.md", "rows.jsonl#1", "rows.jsonl#2", "sub/c.txt"]
    assert index.manifest.folder == str(docs.resolve())


@pytest.mark.slow
def test_an_unchanged_folder_costs_nothing(docs, ingest):
    first, _ = ingest(docs)
    os.utime(docs / "a.txt", (1, 1))  # time tells nothing
    second, embedded = ingest(docs)
    assert (embedded, second.embedded, second.plan.nothing_to_do) == (0, 0, True)
    assert second.manifest == first.manifest


@pytest.mark.slow
def test_a_moved_file_embeds_nothing(docs, ingest, tmp_path):
    ingest(docs)
    (docs / "a.txt").rename(docs / "sub" / "renamed.txt")
    report, embedded = ingest(docs)
    assert (embedded, report.plan.added, report.plan.removed) == (0, ("sub/renamed.txt",), ("a.txt",))
    assert "sub/renamed.txt" in Index.open(tmp_path / "manual").sources()


@pytest.mark.slow
def test_moving_every_file_of_the_same_folder_is_an_update(docs, ingest, tmp_path, write_files):
    only = write_files(tmp_path / "only", {"old.txt": "The default port is 5432."})
    ingest(only)
    (only / "old.txt").rename(only / "new.txt")
    _, embedded = ingest(only)
    assert embedded == 0
    assert Index.open(tmp_path / "manual").sources() == ["new.txt"]


@pytest.mark.slow
@pytest.mark.parametrize("moment", ["found", "hashed", "read"])
def test_what_becomes_a_link_out_of_the_folder_is_not_read(docs, ingest, tmp_path, monkeypatch, moment):
    ingest(docs)
    (docs / "sub" / "c.txt").write_text("The limit is 12.")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "c.txt").write_text("The secret is 7781.")
    step = {"found": "scan", "hashed": "plan_update", "read": "chunk_document"}[moment]
    module = sync if moment == "hashed" else ingestion
    real = getattr(module, step)

    def then_swapped(*args, **named):
        done = real(*args, **named)
        if not (docs / "sub").is_symlink():
            shutil.rmtree(docs / "sub")
            (docs / "sub").symlink_to(tmp_path / "outside")
        return done

    monkeypatch.setattr(module, step, then_swapped)
    report, _ = ingest(docs)
    assert (docs / "sub").is_symlink()
    assert "7781" not in str(_all(tmp_path / "manual")[0])
    told = {one.source for one in report.rejected}
    assert told == (set() if moment == "read" else {"sub/c.txt"})


def test_swapped_contents_follow_their_names(docs, ingest, tmp_path):
    ingest(docs)
    one, other = (docs / "a.txt").read_text(), (docs / "sub/c.txt").read_text()
    (docs / "a.txt").write_text(other)
    (docs / "sub/c.txt").write_text(one)
    report, embedded = ingest(docs)
    assert (embedded, report.plan.changed) == (0, ("a.txt", "sub/c.txt"))
    assert Index.open(tmp_path / "manual").document("a.txt").text.strip() == other


@pytest.mark.slow
def test_a_history_of_changes_equals_a_fresh_build(docs, ingest, tmp_path):
    def change(number):
        match number:
            case 0:
                (docs / "a.txt").write_text("Another port. " * 40)
            case 1:
                (docs / "d.html").write_text("<html><body><h1>Title</h1><p>New text here.</p></body></html>")
            case 2:
                (docs / "b.md").unlink()
            case 3:
                (docs / "rows.jsonl").write_text('{"text": "second row"}\n{"text": "third row"}\nbroken\n')
            case 4:
                (docs / "sub").rename(docs / "moved")

    ingest(docs)
    for number in range(5):
        change(number)
        ingest(docs)
        fresh, _ = ingest(docs, domain=f"fresh{number}")
        assert _all(tmp_path / "manual") == _all(tmp_path / f"fresh{number}")
        assert Index.open(tmp_path / "manual").rejected() == list(fresh.rejected)


# --- what decides that a file is read again --------------------------------------------------------


@pytest.mark.slow
def test_other_chunk_settings_split_every_file_again(docs, ingest):
    ingest(docs)
    report, _ = ingest(docs, chunks=ChunkSettings(max_tokens=10))
    assert len(report.plan.changed) == 4


@pytest.mark.slow
def test_other_limits_read_only_what_had_failed(docs, ingest):
    (docs / "big.txt").write_text("word " * 3_000)
    report, _ = ingest(docs, max_megabytes=0.01)
    assert [item.source for item in report.rejected] == ["big.txt"]
    again, _ = ingest(docs, max_megabytes=0.01)
    assert again.plan.nothing_to_do
    assert again.rejected == report.rejected
    wider, _ = ingest(docs, max_megabytes=1.0)
    assert wider.plan.changed == ("big.txt",)
    assert wider.rejected == ()


@pytest.mark.slow
def test_another_text_field_reads_again(docs, ingest):
    ingest(docs)
    report, _ = ingest(docs, text_field="body")
    assert "rows.jsonl" in report.plan.changed


# --- what is refused -------------------------------------------------------------------------------


def test_a_folder_that_is_not_there_is_a_usage_error(ingest, tmp_path):
    with pytest.raises(UsageError):
        ingest(tmp_path / "none")


def test_an_empty_folder_is_a_usage_error(ingest, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="nothing to index"):
        ingest(tmp_path / "empty")


@pytest.mark.slow
def test_another_folder_does_not_empty_the_domain(docs, ingest, tmp_path, write_files):
    ingest(docs)
    other = write_files(tmp_path / "other", {"x.txt": "something else"})
    (tmp_path / "unmounted").mkdir()
    for folder in (other, tmp_path / "unmounted"):
        with pytest.raises(IndexMismatch, match="was built from") as caught:
            ingest(folder)
        assert "--rebuild" in caught.value.hint
    report, _ = ingest(other, rebuild=True)
    assert report.manifest.counts.files == 1


@pytest.mark.slow
def test_another_embedder_is_refused_until_a_rebuild(docs, ingest, other_embedder):
    ingest(docs)
    other = other_embedder
    with pytest.raises(IndexMismatch, match="another embedder"):
        ingest(docs, embedder=other)
    assert other.embedded == 0
    assert ingest(docs, embedder=other, rebuild=True)[1] == 5


def test_chunks_larger_than_the_embedder_takes_are_refused_before_anything_is_read(docs, ingest, tmp_path):
    with pytest.raises(ConfigError, match="cut off silently"):
        ingest(docs, chunks=ChunkSettings(max_tokens=100))
    assert not (tmp_path / "manual").exists()


# --- difficult files -------------------------------------------------------------------------------


@pytest.mark.slow
def test_rejected_files_are_named_with_reasons_and_the_rest_is_indexed(docs, ingest):
    (docs / "nul.txt").write_bytes(b"\0" * 5_000)
    (docs / "empty.txt").write_text("")
    (docs / "broken.pdf").write_bytes(b"%PDF-1.7 nothing")
    report, _ = ingest(docs)
    assert {item.source for item in report.rejected} == {"broken.pdf", "empty.txt", "nul.txt"}
    assert all(item.reason for item in report.rejected)
    assert report.manifest.counts.documents == 5


@pytest.mark.slow
def test_what_is_left_out_is_in_the_report_and_in_the_status_also_of_what_was_kept(docs, fresh):
    (docs / "sheet.xyz").write_bytes(b"PK")
    missing = LeftOut("page without text", 1, lost=True)
    fresh.update([Document("added", "Some text here.", left_out=(missing,))])
    fresh.ingest(docs)
    for report in (fresh.ingest(docs), index_status(fresh.domain, files=True)):
        assert report.left_out == {"added": (missing,)}
        assert report.characters == {"a.txt": 25, "added": 15, "b.md": 36, "rows.jsonl": 19, "sub/c.txt": 28}
    assert fresh.ingest(docs).unread == {".xyz": 1}
    assert index_status(fresh.domain).characters is None


@pytest.mark.slow
def test_what_nobody_read_makes_an_update_partial_and_what_only_repeats_does_not(docs, fresh):
    assert not fresh.ingest(docs).is_partial
    fresh.update([Document("added", "Some text here.", left_out=(LeftOut("running head", 4, 90),))])
    assert not fresh.ingest(docs).is_partial
    fresh.update([Document("added", "Some text.", left_out=(LeftOut("page without text", 1, lost=True),))])
    assert fresh.ingest(docs).is_partial


def test_what_files_lack_is_summed_by_kind_and_what_is_lost_comes_first():
    found = left_out_by_kind(
        {
            "a": (LeftOut("navigation", 1, 10), LeftOut("page without text", 2, lost=True)),
            "b": (LeftOut("navigation", 3, 5),),
        }
    )
    assert found == (LeftOut("page without text", 2, lost=True), LeftOut("navigation", 4, 15))


@pytest.mark.slow
def test_a_name_with_newlines_and_emoji_is_a_source_like_any_other(docs, ingest, tmp_path):
    (docs / "line\nbreak 😀 'quote\".txt").write_text("odd name here")
    (docs / os.fsdecode(b"latin-\xe9.txt")).write_text("another odd name")
    ingest(docs)
    sources = Index.open(tmp_path / "manual").sources()
    assert "line\nbreak 😀 'quote\".txt" in sources
    assert any(source.startswith("latin-") for source in sources)


@pytest.mark.slow
@pytest.mark.parametrize("text", ["before\0after the nul", "before \ud800 after", "x\x1b[31m red"])
def test_characters_that_stores_cannot_hold_are_no_crash(docs, ingest, tmp_path, text):
    (docs / "rows.jsonl").write_text(json.dumps({"text": text, "title": text}) + "\n")
    report, _ = ingest(docs)
    index = Index.open(tmp_path / "manual")
    document = index.document("rows.jsonl#1")
    assert document or report.rejected
    for chunk in index.chunks(range(index.manifest.counts.chunks)):
        if chunk.source == "rows.jsonl#1":
            assert chunk.text == document.text[chunk.start : chunk.end]
            assert "after" in chunk.text or "red" in chunk.text


@pytest.mark.slow
def test_a_file_that_vanishes_during_the_run_is_a_reason(docs, ingest, monkeypatch):
    from hybrid import ingestion

    whole = ingestion.hash_file

    def vanishing(path):
        if path.name == "a.txt":
            path.unlink()
        return whole(path)

    monkeypatch.setattr(ingestion, "hash_file", vanishing)
    report, _ = ingest(docs)
    assert [item.source for item in report.rejected] == ["a.txt"]
    assert report.manifest.counts.files == 3


# --- a folder that changes, moves, or is emptied ----------------------------------------------------


@pytest.mark.slow
def test_a_file_that_changes_while_it_is_read_is_told_and_read_again(docs, ingest, tmp_path, monkeypatch):
    from hybrid import ingestion

    real = ingestion.apply_update

    def between(*arguments, **named):
        (docs / "a.txt").write_text("The default port is 9999.")
        return real(*arguments, **named)

    monkeypatch.setattr(ingestion, "apply_update", between)
    report, _ = ingest(docs)
    assert [(item.source, "index again" in item.reason) for item in report.rejected] == [("a.txt", True)]
    monkeypatch.undo()
    (docs / "a.txt").write_text(_FILES["a.txt"])
    report, _ = ingest(docs)
    assert (report.plan.changed, report.rejected) == (("a.txt",), ())
    assert Index.open(tmp_path / "manual").document("a.txt").text == _FILES["a.txt"]


@pytest.mark.slow
def test_a_moved_folder_is_known_by_its_new_place(docs, ingest, tmp_path):
    ingest(docs)
    moved = docs.rename(tmp_path / "moved")
    report, embedded = ingest(moved)
    assert (report.manifest.folder, embedded, report.plan.nothing_to_do) == (str(moved.resolve()), 0, True)
    (moved / "new").mkdir()
    for path in moved.glob("*.*"):
        path.rename(moved / "new" / path.name)
    report, _ = ingest(moved)
    assert "new/a.txt" in report.plan.added
    assert ingest(moved)[0].plan.nothing_to_do


@pytest.mark.slow
def test_an_emptied_folder_empties_the_index_by_the_command_that_the_hint_names(docs, ingest, tmp_path):
    ingest(docs)
    for path in docs.rglob("*.*"):
        path.write_bytes(b"")
    with pytest.raises(UsageError, match=r"could be indexed: a\.txt: empty") as told:
        ingest(docs)
    assert "hybrid remove --all --domain manual" in told.value.hint
    for path in docs.rglob("*.*"):
        path.unlink()
    with pytest.raises(IndexMismatch, match="holds nothing to index") as caught:
        ingest(docs)
    assert caught.value.hint.endswith(f"hybrid index {docs.resolve()} --domain manual --rebuild")
    report, _ = ingest(docs, rebuild=True)
    assert report.plan.removed == ("a.txt", "b.md", "rows.jsonl", "sub/c.txt")
    assert Index.open(tmp_path / "manual").sources() == []


@pytest.mark.slow
@pytest.mark.slow
def test_a_file_that_cannot_be_read_empties_no_index(docs, ingest):
    ingest(docs)
    shutil.rmtree(docs)
    docs.mkdir()
    (docs / "empty.md").write_bytes(b"")
    with pytest.raises(UsageError, match=r"no file of .* could be indexed: empty.md") as caught:
        ingest(docs)
    assert "what is indexed stays" in caught.value.hint
    assert ingest(docs, rebuild=True)[0].manifest.counts.documents == 0


def test_an_index_older_than_its_folder_says_so(docs, ingest, tmp_path):
    domain = tmp_path / "manual"
    assert changed_since(domain) is None
    ingest(docs, exclude=("drafts/",))
    assert index_status(domain).stale is None
    (docs / "drafts").mkdir()
    (docs / "drafts" / "x.txt").write_text("not meant")
    assert changed_since(domain) is None
    (docs / "new.txt").write_text("new")
    (docs / "sub" / "c.txt").unlink()
    (docs / "b.md").write_text("# Changed")
    (docs / "a.txt.principals").write_text("anna")
    drift = index_status(domain).stale
    assert drift == Drift(str(docs.resolve()), added=1, changed=2, removed=1)
    ingest(docs, exclude=("drafts/",))
    os.utime(docs / "new.txt", (1, 1))
    assert changed_since(domain).changed == 1
    ingest(docs, exclude=("drafts/",))  # the same bytes: no generation is made, and it is known again
    assert changed_since(domain) is None
    docs.rename(tmp_path / "away")
    assert changed_since(domain) is None


@pytest.mark.slow
def test_the_status_tells_what_the_folder_held_that_is_not_in_the_index(docs, ingest, tmp_path):
    (docs / "sheet.xyz").write_bytes(b"PK")
    (docs / "link.txt").symlink_to(tmp_path)
    report, _ = ingest(docs)
    status = index_status(tmp_path / "manual")
    assert status.unread == report.unread == {".xyz": 1}
    assert [item.source for item in status.rejected] == ["link.txt"]
    (tmp_path / "manual" / "folder.json").write_text("{")
    assert index_status(tmp_path / "manual").unread == {}


@pytest.mark.slow
def test_a_name_is_meant_before_a_pattern_and_however_it_is_composed(tmp_path, write_files):
    names = ("report[1].md", "report1.md", "Mu\u0308ller.md", "other.md")
    folder = write_files(tmp_path / "docs", dict.fromkeys(names, "Some text."))
    ingestor = Ingestor(tmp_path / "manual", HashEmbedder(16), DocumentSettings(workers=1), ChunkSettings())
    ingestor.ingest(folder)
    ingestor.remove(["report[1].md"])
    assert set(read_state(ingestor.domain).files) == {"report1.md", "M\u00fcller.md", "other.md"}
    ingestor.remove(["Mu\u0308*", "report[0-9].md"])
    assert set(read_state(ingestor.domain).files) == {"other.md"}


# --- remove and estimate ---------------------------------------------------------------------------


@pytest.fixture
def ingestor(docs, tmp_path):
    ingestor = Ingestor(tmp_path / "manual", HashEmbedder(16), DocumentSettings(workers=1), ChunkSettings())
    ingestor.ingest(docs)
    return ingestor


@pytest.mark.slow
def test_removing_takes_files_out_by_name_and_by_pattern(ingestor, docs):
    manifest = ingestor.remove([str(docs / "a.txt"), "sub/*"])
    assert manifest.counts.files == 2
    index = Index.open(ingestor.domain)
    assert index.sources() == ["b.md", "rows.jsonl#1", "rows.jsonl#2"]
    assert index.search_lexical("timeout port", 5) == []
    assert index.manifest.folder == str(docs.resolve())
    assert ingestor.ingest(docs).plan.added == ("a.txt", "sub/c.txt")


@pytest.mark.slow
def test_removing_what_is_not_there_is_an_error_and_changes_nothing(ingestor):
    before = Index.open(ingestor.domain).manifest
    with pytest.raises(UsageError, match="matches 'none\\*'"):
        ingestor.remove(["a.txt", "none*"])
    with pytest.raises(UsageError, match="nothing would be left"):
        ingestor.remove(["*"])
    assert Index.open(ingestor.domain).manifest == before


def test_removing_without_an_index_is_an_error(tmp_path):
    ingestor = Ingestor(tmp_path / "none", HashEmbedder(16), DocumentSettings(), ChunkSettings())
    with pytest.raises(IndexMissing):
        ingestor.remove(["a"])


@pytest.mark.slow
def test_removing_keeps_the_chunk_settings_in_the_manifest(ingestor):
    import dataclasses

    other = dataclasses.replace(ingestor, chunks=ChunkSettings(max_tokens=7))
    assert other.remove(["a.txt"]).chunks == ChunkSettings()


@pytest.mark.slow
def test_an_estimate_plans_and_writes_nothing(ingestor, docs, tmp_path):
    assert ingestor.estimate(docs).plan.nothing_to_do
    (docs / "new.txt").write_text("Some more text. " * 200)
    before = sorted(tmp_path.rglob("*"))
    estimate = ingestor.estimate(docs)
    assert sorted(tmp_path.rglob("*")) == before
    assert estimate.plan.added == ("new.txt",)
    assert estimate.chunks > 5
    assert estimate.sampled_chunks > 0
    assert estimate.megabytes > 0
    assert estimate.seconds > 0
    nothing = ingestor.estimate(docs, rebuild=True)
    assert len(nothing.plan.added) == 5


@pytest.mark.slow
def test_an_estimate_of_one_large_file_embeds_a_sample_of_it(docs, tmp_path):
    (docs / "large.log").write_text("".join(f"{n} flow {n % 97} l/min\n" for n in range(20_000)))
    ingestor = Ingestor(tmp_path / "none", HashEmbedder(16), DocumentSettings(workers=1), ChunkSettings())
    estimate = ingestor.estimate(docs)
    assert estimate.chunks > 500
    assert 0 < estimate.sampled_chunks < 200


def test_an_estimate_of_an_empty_folder_is_no_crash(tmp_path):
    (tmp_path / "empty").mkdir()
    ingestor = Ingestor(tmp_path / "none", HashEmbedder(16), DocumentSettings(workers=1), ChunkSettings())
    assert ingestor.estimate(tmp_path / "empty").chunks == 0


# --- documents that came from no file ----------------------------------------------------------


def _documents(domain):
    index = Index.open(domain)
    found = {source: index.document(source) for source in index.sources()}
    index.close()
    return found


@pytest.fixture
def fresh(tmp_path):
    return Ingestor(tmp_path / "manual", HashEmbedder(16), DocumentSettings(workers=1), ChunkSettings())


@pytest.fixture
def added():
    return Document("added:1", "The archive is on tape.", metadata={"by": "Ann"})


@pytest.mark.slow
def test_a_document_that_came_from_no_file_stays_beside_the_folder(docs, fresh, added):
    fresh.update([added])
    report = fresh.ingest(docs)
    assert report.plan.kept == ("added:1",)
    assert fresh.ingest(docs).plan.nothing_to_do
    assert _documents(fresh.domain)["added:1"] == added
    assert fresh.estimate(docs).plan.nothing_to_do


@pytest.mark.slow
def test_such_a_document_can_be_the_first_the_last_and_the_only_one(fresh, added):
    with pytest.raises(UsageError, match="no document to put into the index"):
        fresh.update([])
    fresh.update([added])
    assert fresh.update([], removed=["added:1", "never there"]).counts.documents == 0
    assert fresh.update([added]).counts.chunks == 1


def test_one_that_fits_the_embedder_whole_is_found_by_its_title(fresh, added):
    fresh.update([dataclasses.replace(added, title="Backups")])
    with closing(Index.open(fresh.domain)) as index:
        (chunk,) = index.chunks([0])
        assert index.search_lexical("backups", 1)
    assert (chunk.text, chunk.title) == (added.text, "Backups")


@pytest.mark.slow
def test_one_of_the_same_source_takes_its_place(fresh, added):
    fresh.update([added])
    changed = dataclasses.replace(added, metadata={"by": "Bob"})
    fresh.update([added, changed])
    assert _documents(fresh.domain) == {"added:1": changed}


@pytest.mark.slow
def test_it_is_embedded_once_and_a_repeated_update_makes_no_generation(fresh, added):
    before = fresh.embedder.embedded
    generation = fresh.update([added]).generation
    assert fresh.update([added]).generation == generation
    assert fresh.embedder.embedded == before + 1


@pytest.mark.slow
def test_a_file_is_not_replaced_and_not_removed_by_it(docs, fresh):
    fresh.ingest(docs)
    with pytest.raises(UsageError, match=r"'a\.txt' is a file of"):
        fresh.update([Document("a.txt", "other")])
    with pytest.raises(UsageError, match=r"'a\.txt' is a file of"):
        fresh.update([], removed=["a.txt"])


@pytest.mark.slow
def test_what_another_process_wrote_meanwhile_is_not_undone(fresh, added, monkeypatch):
    fresh.update([added])
    stale = read_state(fresh.domain)
    fresh.update([Document("added:2", "from elsewhere")])
    monkeypatch.setattr("hybrid.ingestion.read_state", lambda domain: stale)
    with pytest.raises(IndexLocked, match="meanwhile"):
        fresh.update([Document("added:3", "too late")])
    assert set(_documents(fresh.domain)) == {"added:1", "added:2"}


@pytest.mark.slow
def test_it_goes_by_a_pattern_too(docs, fresh, added):
    fresh.ingest(docs)
    fresh.update([added])
    fresh.remove(["added:*"])
    assert "added:1" not in _documents(fresh.domain)
    assert fresh.ingest(docs).plan.nothing_to_do


@pytest.mark.slow
def test_a_rebuild_keeps_it_and_embeds_it_with_the_new_embedder(docs, fresh, added, other_embedder):
    fresh.ingest(docs)
    fresh.update([added])
    other = dataclasses.replace(fresh, embedder=other_embedder)
    with pytest.raises(IndexMismatch):
        other.update([added])
    report = other.ingest(docs, rebuild=True)
    assert "added:1" in report.plan.added and _documents(fresh.domain)["added:1"] == added


@pytest.mark.slow
def test_other_chunk_settings_split_it_again_where_it_is_long(docs, fresh):
    long = Document("added:long", " ".join(f"Sentence {number} is short." for number in range(40)))
    fresh.update([long])
    before = fresh.ingest(docs).manifest.counts.chunks
    finer = dataclasses.replace(fresh, chunks=ChunkSettings(max_tokens=32, overlap_tokens=0))
    report = finer.ingest(docs)
    assert "added:long" in report.plan.changed and report.manifest.counts.chunks > before


@pytest.mark.slow
def test_of_a_damaged_index_a_rebuild_keeps_what_the_folder_holds(docs, fresh, added):
    fresh.ingest(docs)
    generation = fresh.update([added]).generation
    (fresh.domain / "generations" / generation / "store.sqlite").write_bytes(b"damage")
    with pytest.raises(IndexCorrupt):
        fresh.ingest(docs)
    assert fresh.ingest(docs, rebuild=True).manifest.counts.files == len(_FILES)


@pytest.mark.slow
def test_another_folder_is_still_refused(docs, fresh, added, tmp_path, write_files):
    fresh.ingest(docs)
    fresh.update([dataclasses.replace(added, source=f"added:{number}") for number in range(9)])
    with pytest.raises(IndexMismatch, match=f"0 of its {len(_FILES)} files"):
        fresh.ingest(write_files(tmp_path / "other", {"x.txt": "Something else."}))


@pytest.mark.slow
@settings(max_examples=10)
@given(
    steps=st.lists(
        st.dictionaries(st.sampled_from("abc"), st.none() | st.sampled_from(["one", "two", ""]), min_size=1),
        min_size=1,
        max_size=4,
    )
)
def test_a_history_of_updates_leaves_what_was_said_last(tmp_path_factory, steps):
    domain = tmp_path_factory.mktemp("domain")
    fresh = Ingestor(domain, HashEmbedder(16), DocumentSettings(workers=1), ChunkSettings())
    fresh.update([Document("kept", "a first text")])
    expected = {"kept": "a first text"}
    for step in steps:
        fresh.update(
            [Document(name, text) for name, text in step.items() if text is not None],
            removed=[name for name, text in step.items() if text is None],
        )
        expected |= step
    left = {name: text for name, text in expected.items() if text is not None}
    assert {source: document.text for source, document in _documents(domain).items()} == left
