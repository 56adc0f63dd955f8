"""The command that trains a scorer on documents and labels of its user."""

import json
import re

import pytest

from hybrid.cli.app import run
from hybrid.statistics import Estimate, Interval
from recipes.grounding.own import main
from recipes.grounding.recipe import Worth

_THINGS = ("bridge", "tower", "museum", "harbour", "station", "market")


@pytest.fixture
def labels(tmp_path):
    """Claims that copy their evidence or say another number: words alone tell them apart."""
    path = tmp_path / "labels.jsonl"
    rows = []
    for n in range(40):
        thing = _THINGS[n % 6]
        text = f"The {thing} was opened in the spring. It is used by {n + 120} people a day."
        for said in (n + 120, n + 333):
            claim = f"It is used by {said} people a day."
            label = "supported" if said == n + 120 else "refuted"
            rows.append({"claim": claim, "evidence": [text], "label": label, "source": f"d{n}"})
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def _train(*arguments):
    return main(["--heads", "1", "--epochs", "2", *map(str, arguments)])


@pytest.mark.slow
def test_heads_that_add_nothing_are_not_kept(labels, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("recipes.grounding.leaks.MOST_OVERLAP", 1.0)
    out = tmp_path / "model"
    assert _train(labels, "--out", out) == 7
    told = capsys.readouterr().out
    assert "not stored" in told and float(re.search(r"kinds not seen +(\S+)", told)[1]) > 0.9
    assert not out.exists()


@pytest.mark.slow
def test_what_is_kept_scores_by_its_folder(labels, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("recipes.grounding.leaks.MOST_OVERLAP", 1.0)
    shown = Worth(Estimate(0.9, Interval(0.8, 1.0, 0.95)), Estimate(0.1, Interval(0.05, 0.15, 0.95)))
    monkeypatch.setattr("recipes.grounding.building.worth", lambda kinds, seed: shown)
    out = tmp_path / "model"
    assert _train(labels, "--out", out) == 0
    card = json.loads((out / "card.json").read_text())
    assert card["made"]["sets"] == {"labels": 80} and card["heads"] == 1
    capsys.readouterr()
    asked = ["grounding", "evaluate", str(labels), "--scorer", f"trained:{out}", "--offline", "--json"]
    assert run(asked) == 0
    assert json.loads(capsys.readouterr().out)["auroc"] > 0.8


def test_a_set_that_words_give_away_is_refused(labels, tmp_path, capsys):
    assert _train(labels, "--out", tmp_path / "model") == 2
    assert ".80" in capsys.readouterr().err


def test_nothing_to_train_on_and_a_folder_that_is_there_are_told(labels, tmp_path, capsys):
    assert _train("--out", tmp_path / "model") == 2
    assert "nothing to train on" in capsys.readouterr().err
    assert _train(labels, "--out", tmp_path) == 2
    assert "is there already" in capsys.readouterr().err
