"""Uploaded files: kept beside the index under checked names, and found again whatever the folder does."""

import pytest

from hybrid import Assistant, load_settings
from hybrid.documents.folder import drop_upload, file_of, is_upload, keep_upload, uploads
from hybrid.errors import IndexMismatch, UsageError
from hybrid.testing import HashEmbedder


@pytest.fixture
def domain(tmp_path):
    return tmp_path / "indexes" / "manual"


@pytest.fixture
def assistant(tmp_path, domain, write_files):
    docs = write_files(
        tmp_path / "docs", {"a.txt": "The default port is 5432.", "b.txt": "A backup each hour."}
    )
    values = {"documents": {"workers": 1}, "indexes": str(domain.parent)}
    made = Assistant("manual", settings=load_settings(values, environment={}), embedder=HashEmbedder(32))
    made.index(docs)
    return made


def _refused(domain, name, data=b"text"):
    with pytest.raises(UsageError) as found:
        keep_upload(domain, name, data, most=0.001)
    return f"{found.value} {found.value.hint}"


@pytest.mark.parametrize(
    "name",
    ["../out.txt", "/etc/out.txt", "a\\b.txt", ".hidden.txt", "a:b.txt", "", " a.txt", "a\n.txt", "a" * 300],
)
def test_a_name_that_leads_elsewhere_is_refused(domain, name):
    assert "no name of a file" in _refused(domain, name)
    assert not domain.exists()


def test_what_nobody_reads_or_takes_is_refused(domain):
    assert "no reader for .exe" in _refused(domain, "a.exe")
    assert "no reader for .principals" in _refused(domain, "a.txt.principals")
    assert "has 0.0 MB" in _refused(domain, "a.txt", b"")
    assert "at most 0.001 MB" in _refused(domain, "a.txt", b"x" * 2_000)
    assert not domain.exists()


def test_the_same_file_again_is_no_conflict_and_another_of_its_name_is(domain):
    first = keep_upload(domain, "a.txt", b"one", most=1)
    assert keep_upload(domain, "a.txt", b"one", most=1).source == first.source
    assert "another file was uploaded as a.txt" in _refused(domain, "a.txt", b"two")
    assert first.path.read_bytes() == b"one"


def test_only_what_was_taken_is_listed(domain):
    kept = keep_upload(domain, "a b.txt", b"one", most=1, readers=["anna"])
    (kept.path.parent / "link.txt").symlink_to(kept.path)
    (kept.path.parent / "a.txt.77.tmp").write_bytes(b"half of it")
    assert [file.source for file in uploads(domain).files] == [kept.source]
    assert is_upload(kept.source)
    assert not is_upload("uploads/a b.txt")
    drop_upload(domain, kept.source)
    assert uploads(domain).files == ()
    assert not list(kept.path.parent.glob("*.principals"))


def test_the_file_of_a_document_lies_in_its_folder_or_among_the_uploads(domain, tmp_path, write_files):
    docs = write_files(tmp_path / "docs", {"sub/a.txt": "one", "rows.csv": "text\none\n"})
    outside = write_files(tmp_path, {"secret.txt": "no"}) / "secret.txt"
    (docs / "link.txt").symlink_to(outside)
    kept = keep_upload(domain, "a.txt", b"one", most=1)
    assert file_of(domain, str(docs), "sub/a.txt") == docs / "sub/a.txt"
    assert file_of(domain, str(docs), "rows.csv#1") == docs / "rows.csv"
    assert file_of(domain, str(docs / "rows.csv"), "rows.csv#1") == docs / "rows.csv"
    assert file_of(domain, str(docs), kept.source) == kept.path
    for source in ("../secret.txt", "link.txt", str(outside), "gone.txt", ".uploads/../../CURRENT"):
        assert file_of(domain, str(docs), source) is None


@pytest.mark.slow
def test_an_upload_stays_when_the_folder_is_indexed_again_or_anew(assistant, tmp_path):
    docs = tmp_path / "docs"
    (docs / "b.txt").write_text("A backup each day.")  # a change in the folder waits for its own update
    stages = []
    report = assistant.upload(
        "c.md", b"# Zebras\n\nThey live in Africa.\n", progress=lambda *told: stages.append(told)
    )
    (source,) = report.plan.added
    assert report.plan.kept == ("a.txt", "b.txt")
    assert {stage.value for stage, _, _ in stages} == {"reading", "embedding", "building"}
    assert assistant.search("Where do zebras live?")[0].chunk.source == source
    for rebuild in (False, True):
        assistant.index(docs, rebuild=rebuild)
        assert source in assistant.status(files=True).sources
    assert assistant.search("How often is a backup?")[0].chunk.text == "A backup each day."
    assert assistant.status().stale is None
    assistant.remove([source])
    assistant.index(docs)
    assert assistant.status(files=True).sources == ("a.txt", "b.txt")


@pytest.mark.slow
def test_an_upload_saves_no_folder_that_is_gone_from_being_missed(assistant, tmp_path):
    assistant.upload("c.txt", b"Zebras live in Africa.")
    for name in ("a.txt", "b.txt"):
        (tmp_path / "docs" / name).unlink()
    with pytest.raises(IndexMismatch, match="nothing to index"):
        assistant.index(tmp_path / "docs")


@pytest.mark.slow
def test_a_file_that_cannot_be_read_is_not_kept(assistant, domain):
    with pytest.raises(UsageError, match=r"c\.pdf is not indexed: damaged"):
        assistant.upload("c.pdf", b"no PDF")
    assert uploads(domain).files == ()
    assistant.upload("c.txt", b"Zebras live in Africa.")
    assert assistant.status().rejected == ()


@pytest.mark.slow
def test_in_a_restricted_domain_an_upload_is_its_users_alone(assistant, tmp_path):
    (tmp_path / "docs" / "a.txt.principals").write_text("anna, staff")
    assistant.index(tmp_path / "docs")
    with pytest.raises(UsageError, match="no user asks"):
        assistant.upload("c.txt", b"Zebras live in Africa.")
    assistant.upload("c.txt", b"Zebras live in Africa.", as_user=("anna", "staff"))
    found = {user: assistant.search("zebras", as_user=user) for user in ("anna", "staff", "bob")}
    assert ".uploads/c.txt" in {hit.chunk.source for hit in found["anna"]}
    assert {hit.chunk.source for hit in found["staff"]} == {"a.txt"}
    assert found["bob"] == []


@pytest.mark.slow
def test_a_file_that_was_kept_before_a_kill_is_taken_by_the_next_update(assistant, domain, tmp_path):
    keep_upload(domain, "c.txt", b"Zebras live in Africa.", most=1)
    assert ".uploads/c.txt" not in assistant.status(files=True).sources
    assert assistant.estimate(tmp_path / "docs").plan.added == (".uploads/c.txt",)
    assistant.index(tmp_path / "docs")
    assert ".uploads/c.txt" in assistant.status(files=True).sources
