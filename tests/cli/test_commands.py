"""The commands as a user types them, with the real embedder on a small folder."""

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

from hybrid.cli.app import run

pytestmark = pytest.mark.real_model

PORT = "# Connections\n\nThe default port of the server is 5432. It listens on localhost.\n"
VACUUM = "# Maintenance\n\nVACUUM removes dead rows. Autovacuum runs it every minute.\n"


@pytest.fixture
def folder(tmp_path):
    docs = tmp_path / "manual"
    docs.mkdir()
    (docs / "port.md").write_text(PORT)
    (docs / "vacuum.md").write_text(VACUUM)
    return docs


@pytest.fixture
def indexed(folder, capsys):
    assert run(["index", str(folder)]) == 0
    capsys.readouterr()
    return folder


def output(capsys, *arguments, code=0):
    assert run(list(arguments)) == code
    return capsys.readouterr().out


def document(capsys, *arguments, code=0):
    return json.loads(output(capsys, *arguments, "--json", code=code))


@pytest.mark.slow
def test_a_folder_becomes_a_domain_of_its_name_and_is_asked_without_naming_it(folder, capsys):
    assert "manual: added 2" in output(capsys, "index", str(folder))
    answer = output(capsys, "ask", "What is the default port?")
    assert "5432" in answer
    assert "[1] Connections, line 3, port.md" in answer


@pytest.mark.slow
def test_a_condition_that_nothing_meets_is_named(indexed, capsys):
    for verb in ("ask", "search"):
        assert run([verb, "What is the default port?", "--where", "source=nowhere.md"]) == 0
        assert "no passage matches --where source=nowhere.md" in capsys.readouterr().err


@pytest.mark.slow
def test_a_folder_of_rules_is_told_with_how_to_ask(folder, capsys):
    (folder / ".principals").write_text("staff")
    assert run(["index", str(folder)]) == 0
    assert "--domain manual --as-user NAME" in capsys.readouterr().err
    assert "found with --as-user only" in output(capsys, "status")
    assert "None" not in output(capsys, "ask", "What is the default port?", "--as-user", "staff")


def test_a_list_of_commands_cuts_no_sentence(capsys):
    for line in (("--help",), ("router", "--help")):
        _, commands = output(capsys, *line).split("[ARGS]...", 1)
        assert "...\n" not in commands


@pytest.mark.slow
def test_an_answer_as_json_has_citations_that_hold(indexed, capsys):
    answer = document(capsys, "ask", "What is the default port?")
    (citation, *_) = answer["citations"]
    # the reader drops the mark of the heading; offsets are into the document's own text
    assert citation["text"] in PORT
    assert answer["abstained"] is False


@pytest.mark.slow
def test_nothing_relevant_is_an_abstention(indexed, capsys):
    answer = document(capsys, "ask", "Who won the football World Cup in Brazil?")
    assert answer["abstained"] is True
    assert answer["citations"] == []


@pytest.mark.slow
def test_an_unchanged_folder_embeds_nothing(indexed, capsys):
    report = document(capsys, "index", str(indexed))["report"]
    assert report["embedded"] == 0
    assert len(report["plan"]["kept"]) == 2


@pytest.mark.slow
def test_rejected_files_are_listed_and_the_exit_code_is_6(indexed, capsys):
    (indexed / "broken.pdf").write_bytes(b"%PDF-1.7 not really")
    (indexed / "empty.txt").write_bytes(b"")
    assert run(["index", str(indexed)]) == 6
    shown = capsys.readouterr()
    assert "broken.pdf" in shown.err
    assert "empty.txt" in shown.err
    report = document(capsys, "index", str(indexed), code=6)["report"]
    assert {item["source"] for item in report["rejected"]} == {"broken.pdf", "empty.txt"}
    assert report["embedded"] == 0


@pytest.mark.slow
def test_an_index_older_than_its_folder_says_so_when_asked(indexed, capsys):
    questions = (["ask", "What is the default port?"], ["search", "port"], ["status"])
    for question in questions:
        assert run(list(question)) == 0
        assert "changed since" not in capsys.readouterr().err
    (indexed / "new.md").write_text("# New")
    (indexed / "vacuum.md").unlink()
    for question in questions:
        assert run(list(question)) == 0
        told = capsys.readouterr().err
        assert "changed since it was indexed (1 new, 0 changed, 1 gone)" in told
        assert f"hybrid index {indexed.resolve()} -d manual" in told
        found = document(capsys, *question)
        stale = found["domains"][0]["stale"] if question == ["status"] else found["stale"]["manual"]
        assert (stale["added"], stale["changed"], stale["removed"]) == (1, 0, 1)


@pytest.mark.slow
def test_a_dry_run_writes_nothing(folder, tmp_path, capsys):
    estimate = document(capsys, "index", str(folder), "--dry-run")["estimate"]
    assert len(estimate["plan"]["added"]) == 2
    assert estimate["chunks"] >= 2
    assert estimate["seconds"] > 0
    assert not (tmp_path / "indexes").exists()


@pytest.mark.slow
def test_search_shows_the_scores_of_each_side(indexed, capsys):
    hits = document(capsys, "search", "default port")["hits"]
    assert hits[0]["chunk"]["source"] == "port.md"
    assert hits[0]["dense"] > 0
    assert hits[0]["lexical"] > 0
    assert "lexical" in output(capsys, "search", "default port", "-k", "1")


@pytest.mark.slow
def test_conditions_and_modes(indexed, capsys):
    hits = document(capsys, "search", "default port", "--where", "source=vac*", "--mode", "lexical")["hits"]
    assert {hit["chunk"]["source"] for hit in hits} <= {"vacuum.md"}
    assert run(["search", "x", "--where", "nonsense"]) == 2
    assert run(["search", "x", "--where", "colour=red"]) == 2
    assert "keys to filter by" in capsys.readouterr().err


@pytest.mark.slow
def test_a_restricted_domain_is_asked_in_a_users_name(indexed, capsys, monkeypatch):
    (indexed / "vacuum.md.principals").write_text("anna")
    assert run(["index", str(indexed)]) == 0
    capsys.readouterr()
    assert run(["search", "dead rows"]) == 2
    assert "--as-user" in capsys.readouterr().err
    user = ("--as-user", "x", "--as-user", "anna")
    hits = document(capsys, "search", "default port", *user)["hits"]
    assert {hit["chunk"]["source"] for hit in hits} == {"vacuum.md"}
    question = "What does VACUUM remove?"
    assert "vacuum.md" in output(capsys, "ask", question, "--no-check", *user)
    assert document(capsys, "ask", question, "--no-check", "--as-user", "bob")["abstained"]
    for name, found in (("anna", True), ("bob", False)):
        monkeypatch.setattr("sys.stdin", io.StringIO(question))
        assert ("vacuum.md" in output(capsys, "chat", "--no-check", "--as-user", name)) is found
        monkeypatch.setattr("sys.stdin", io.StringIO(question))
        assert document(capsys, "chat", "--no-check", "--as-user", name)["abstained"] is not found


@pytest.mark.slow
def test_status_rollback_and_remove(indexed, capsys):
    (indexed / "new.md").write_text("# New\n\nA new page.\n")
    output(capsys, "index", str(indexed))
    (state,) = document(capsys, "status", "--files", "--verify")["domains"]
    assert state["sources"] == ["new.md", "port.md", "vacuum.md"]
    assert (state["arm"], state["adapters"]) == ("rag", {})
    assert "000001" in output(capsys, "rollback")
    assert run(["rollback"]) == 4
    capsys.readouterr()
    assert "1 document," in output(capsys, "remove", "vac*")
    assert run(["remove", "nothing*"]) == 2
    assert run(["remove"]) == 2
    capsys.readouterr()
    assert "removed the domain" in output(capsys, "remove", "--all", "--yes")
    assert run(["status"]) == 4


@pytest.mark.slow
def test_status_says_what_answers_even_where_that_cannot_be_used(indexed, capsys):
    folder = Path("indexes") / "manual"
    (folder / "DECISION").write_text(json.dumps({"arm": "rag:k=3"}))
    assert "  answers    by rag:k=3\n" in output(capsys, "status")
    (folder / "DECISION").write_text(json.dumps({"arm": "rag:kk=3"}))
    told = output(capsys, "status")
    assert "  answers    by none: " in told and "documents, " in told


@pytest.mark.slow
def test_several_domains_are_searched_and_can_be_named(indexed, tmp_path, capsys):
    output(capsys, "index", str(indexed), "--domain", "other")
    assert "5432" in output(capsys, "search", "port?")
    assert len(document(capsys, "status")["domains"]) == 2
    assert "5432" in output(capsys, "ask", "What is the default port?", "--domain", "other")


@pytest.mark.slow
def test_chat_answers_line_after_line(indexed, capsys, monkeypatch):
    import io

    monkeypatch.setattr(sys, "stdin", io.StringIO("What is the default port?\n\nWhat removes dead rows?\n"))
    shown = output(capsys, "chat")
    assert "5432" in shown
    assert "VACUUM" in shown


@pytest.mark.slow
def test_a_changed_embedder_is_refused_with_the_mend(indexed, tmp_path, capsys):
    manifest = next((tmp_path / "indexes/manual/generations").glob("*/manifest.json"))
    value = json.loads(manifest.read_text())
    value["embedder"]["weights"] = "0" * 64
    manifest.write_text(json.dumps(value))
    assert run(["ask", "port?"]) == 4
    shown = capsys.readouterr().err
    assert "another embedder" in shown
    assert "--rebuild" in shown


@pytest.mark.slow
def test_a_tampered_index_is_refused_and_can_be_rebuilt(indexed, tmp_path, capsys):
    vectors = next((tmp_path / "indexes/manual/generations").glob("*/dense.faiss"))
    vectors.write_bytes(vectors.read_bytes()[:-4] + b"evil")
    assert run(["search", "port"]) == 4
    assert "checksum" in capsys.readouterr().err
    assert run(["doctor"]) == 1
    capsys.readouterr()
    output(capsys, "index", str(indexed), "--rebuild")
    assert "5432" in output(capsys, "ask", "What is the default port?")


@pytest.mark.slow
def test_bench_retrieval(tmp_path, capsys):
    beir = tmp_path / "beir"
    beir.mkdir()
    (beir / "corpus.jsonl").write_text(json.dumps({"_id": "d1", "title": "", "text": PORT}) + "\n")
    (beir / "queries.jsonl").write_text(json.dumps({"_id": "q1", "text": "default port"}) + "\n")
    (beir / "qrels.tsv").write_text("query-id\tcorpus-id\tscore\nq1\td1\t1\n")
    assert "1.000" in output(capsys, "bench", "retrieval", str(beir))


@pytest.mark.slow
def test_the_console_command_prepares_the_process(tmp_path):
    code = "import os, hybrid.cli.app as app; app.run = lambda a: print(os.environ['OMP_WAIT_POLICY']) or 0\n"
    code += "from hybrid.cli.launcher import main; main()"
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "PASSIVE"
