"""Judges are measured and calibrated from Python; scorers are fakes, the claims lie in files."""

import json

import numpy as np
import pytest

from hybrid import Assistant
from hybrid.config import ModelSettings
from hybrid.errors import UsageError
from hybrid.grounding.calibration import read_fitted
from hybrid.grounding.service import calibrate_scorer, measure_scorers
from hybrid.grounding.values import Logits

MODELS = ModelSettings()


class Loud:
    """Tell whether the last word of a claim stands in the evidence, and be far too sure of it."""

    name, max_words, megabytes = "loud", 100, 1.5

    def score(self, pairs):
        found = [1.0 if pair.claim.split()[-1] in pair.evidence.split() else -1.0 for pair in pairs]
        return Logits((np.array(found) * 40).astype(np.float32))


@pytest.fixture(autouse=True)
def asked(monkeypatch):
    """The scorers that were loaded."""
    names = []

    def scorer_for(name, models):
        names.append(name)
        return Loud()

    monkeypatch.setattr("hybrid.grounding.service.scorer_for", scorer_for)
    return names


@pytest.fixture
def claims(tmp_path):
    """claims("one", first=0) -> a file of 120 claims of 20 sources, one in eight of them labelled wrong."""

    def call(name, *, first=0):
        path = tmp_path / f"{name}.jsonl"
        rows = [
            {
                "id": f"{name}-{place}",
                "claim": f"The port {place} is {'open' if (place % 3 == 0) != (place % 8 == 0) else 'shut'}",
                "evidence": [f"Port {place} is open"],
                "label": "supported" if place % 3 == 0 else "not in evidence",
                "source": f"d{first + place % 20}",
            }
            for place in range(120)
        ]
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return path

    return call


def test_scorers_are_measured_on_each_set_and_on_their_mean(claims, asked):
    told = []
    found = measure_scorers(
        [claims("one"), claims("two", first=50)],
        MODELS,
        scorers=["loud", "loud"],
        progress=lambda *given: told.append(given),
    )
    assert asked == ["loud"]
    assert [each.name for each in found.sets] == ["one", "two"]
    assert [mean.name for mean in found.means].count("loud") == 1
    assert told[-1] == ("loud", 120, 120)


def test_what_is_judged_is_not_fitted_on(claims):
    said = []
    measure_scorers(
        [claims("one")], MODELS, scorers=["loud"], threshold_from=claims("half", first=10), note=said.append
    )
    assert said == ["half: 60 claims of documents that are judged are left out of the fitting"]
    with pytest.raises(UsageError, match="are judged too"):
        measure_scorers([claims("one")], MODELS, scorers=["loud"], threshold_from=claims("same"))


def test_a_calibration_that_gains_is_kept_and_can_be_judged_by(claims, tmp_path):
    kept = tmp_path / "kept" / "loud.json"
    found = calibrate_scorer(claims("one"), kept, MODELS, scorer="loud")
    assert (found.path, read_fitted(kept)) == (kept, found.card.fitted)
    assert found.card.better and found.card.labels == 120
    measured = measure_scorers([claims("two")], MODELS, scorers=["loud"], calibration=kept)
    assert [str(each.fitted_on) for each in measured.sets[0].results if each.name == "loud"] == ["other data"]
    with pytest.raises(UsageError, match="is of the scorer loud"):
        measure_scorers([claims("two")], MODELS, scorers=["align"], calibration=kept)


def test_a_calibration_that_gains_nothing_is_not(claims, tmp_path, monkeypatch):
    monkeypatch.setattr("hybrid.grounding.service.CalibrationCard.better", False)
    found = calibrate_scorer(claims("one"), tmp_path / "kept.json", MODELS, scorer="loud")
    assert found.path is None
    assert not (tmp_path / "kept.json").exists()


def test_the_judge_of_a_domain_is_calibrated_in_its_folder(claims):
    assistant = Assistant("manual")
    before = assistant.grounder
    found = assistant.calibrate(claims("one"), scorer="loud")
    assert found.path == assistant.folder / "grounding" / "loud.json"
    assert found.path.is_file()
    assert assistant.grounder is not before
