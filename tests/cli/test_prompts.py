"""The commands on prompts: which are in use since when, what differs, and the one before back in force."""

import json

import pytest

from hybrid import Assistant
from hybrid.changes import Switched, read_changes
from hybrid.cli.app import run
from hybrid.config import load_settings
from hybrid.testing import HashEmbedder, ScriptedGenerator
from hybrid.tracing import names
from hybrid.tracing.spans import sent_to

pytestmark = pytest.mark.slow


class Kept(list):
    """Keeps all spans."""

    def add(self, spans):
        self.extend(spans)

    def close(self):
        pass


class Noting(ScriptedGenerator):
    """Keeps what it was told."""

    def generate(self, conversations, **given):
        self.told = conversations
        return super().generate(conversations, **given)


@pytest.fixture
def ask(tmp_path, write_files):
    """Ask with a prompt of the settings; give what the generator was told, and the digest in the trace."""
    write_files(tmp_path / "docs", {"a.txt": "The secret port is 5432."})

    def call(prompt=""):
        generator = Noting(["The secret port is 5432. [1]"] * 3)
        given = {"documents": {"workers": 1}, "generation": {"prompt": prompt, "abstain_below": 0.1}}
        settings = load_settings(given)
        own = Assistant("d", settings=settings, embedder=HashEmbedder(), generator=generator)
        own.index(tmp_path / "docs")
        kept = Kept()
        with sent_to([kept]):
            own.ask("Which secret port?", arm="rag:reader=generator")
        (asked,) = (one for one in kept if one.name == names.ASK)
        return generator.told[0][0].content, asked.attributes[names.PROMPT_DIGEST]

    return call


def _listed(capsys, *more):
    assert run(["prompts", "list", "--json", *more]) == 0
    return json.loads(capsys.readouterr().out)


def test_versions_are_listed_compared_and_put_back(ask, capsys, tmp_path):
    usual, first = ask()
    mine = tmp_path / "mine.toml"
    mine.write_text('[rag]\nsystem = "Answer in rhymes."\n')
    rhymes, second = ask(str(mine))
    assert (rhymes, first != second) == ("Answer in rhymes.", True)
    (tmp_path / "hybrid.toml").write_text(f'[generation]\nprompt = "{mine}"\n')
    listed = _listed(capsys)
    assert [(one["digest"], one["in_force"]) for one in listed] == [(first, False), (second, True)]
    assert listed[1]["since"] >= listed[0]["since"] > "2020"
    assert run(["prompts", "diff"]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert '+Answer in rhymes."""' in shown
    assert shown[:2] == [f"--- {first}", f"+++ {second}"]
    assert run(["prompts", "rollback"]) == 0
    assert capsys.readouterr().out == f"d: prompts {first} instead of {second}\n"
    assert ask(str(mine)) == (usual, first)
    assert [one["in_force"] for one in _listed(capsys)] == [False, False, True]
    *_, logged = read_changes(tmp_path / "indexes")
    assert (logged.what, logged.before, logged.after) == (Switched.PROMPT, second, first)
    assert run(["prompts", "rollback", "--to", second[:5]]) == 0
    assert ask(str(mine)) == (rhymes, second)
    assert run(["rollback", "--domain", "d"]) == 0  # what was switched last, whatever it was
    assert ask(str(mine)) == (usual, first)


def test_with_one_version_there_is_nothing_to_go_back_to(ask, capsys):
    ask()
    for command in ("diff", "rollback"):
        assert run(["prompts", command]) == 2
        assert "no other prompts" in capsys.readouterr().err
    assert len(_listed(capsys, "-d", "d")) == 1


def test_before_anything_was_asked_nothing_differs(tmp_path, write_files, capsys):
    write_files(tmp_path / "docs", {"a.txt": "The secret port is 5432."})
    Assistant("d", embedder=HashEmbedder()).index(tmp_path / "docs")
    assert run(["prompts", "diff"]) == 2
    assert "no prompts were in use yet" in capsys.readouterr().err
