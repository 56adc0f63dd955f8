import json

import numpy as np
import pytest

from hybrid import Assistant
from hybrid.config import ModelSettings
from hybrid.errors import UsageError
from hybrid.grounding.calibration import Calibration, CurveKind, Fitted, card_path, cross_fitted, read_fitted
from hybrid.grounding.examples import sources_of
from hybrid.grounding.metrics import ScorerLogits
from hybrid.grounding.service import calibrate_scorer, calibrated, card_values, measure_scorers, write_card
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


@pytest.mark.slow
def test_scorers_are_measured_on_each_set(claims, asked):
    told = []
    found = measure_scorers(
        [claims("one"), claims("two", first=50)],
        MODELS,
        scorers=["loud", "loud"],
        progress=lambda *given: told.append(given),
    )
    assert asked == ["loud"]
    assert [each.name for each in found] == ["one", "two"]
    assert told[-1] == ("loud", 120, 120)


@pytest.mark.slow
def test_a_calibration_that_gains_is_kept_and_can_be_judged_by(claims, tmp_path):
    kept = tmp_path / "kept" / "loud.json"
    found = calibrate_scorer(claims("one"), kept, MODELS, scorer="loud")
    assert (found.path, read_fitted(kept).threshold) == (kept, found.card.threshold)
    assert found.card.better and found.card.labels == 120
    measured = measure_scorers([claims("two")], MODELS, scorers=["loud"], calibration=kept)
    assert [str(each.fitted_on) for each in measured[0].results if each.name == "loud"] == ["other data"]
    with pytest.raises(UsageError, match="is of the scorer loud"):
        measure_scorers([claims("two")], MODELS, scorers=["align"], calibration=kept)


def test_a_calibration_that_gains_nothing_is_not(claims, tmp_path, monkeypatch):
    monkeypatch.setattr("hybrid.grounding.service.CalibrationCard.better", False)
    found = calibrate_scorer(claims("one"), tmp_path / "kept.json", MODELS, scorer="loud")
    assert found.path is None
    assert not (tmp_path / "kept.json").exists()


def test_the_judge_of_a_domain_is_calibrated_in_its_folder(claims):
    assistant = Assistant("manual")
    found = calibrate_scorer(claims("one"), card_path(assistant.folder, "loud"), MODELS, scorer="loud")
    assert found.path == assistant.folder / "grounding" / "loud.json"
    assert found.path.is_file()


def test_a_scorer_that_is_too_sure_is_calibrated_and_the_gain_is_cross_fitted(labelled, scored):
    claims = labelled(200)
    scores = scored(claims, "sure", 1.0)
    loud = ScorerLogits("sure", scores.logits * 20 - 30)
    card = calibrated(claims, loud, data="mine", created="2026-01-02T03:04:05+00:00")
    assert (card.scorer, card.labels, card.sources, card.data) == ("sure", 200, 40, "mine")
    assert card.calibration.method is CurveKind.PLATT and card.better
    labels = np.array([claim.supported for claim in claims])
    fresh = cross_fitted(loud.logits, labels, sources_of(claims))
    assert card.brier_after == pytest.approx(np.mean((fresh - labels) ** 2))
    assert card.gain.value == pytest.approx(card.brier_before - card.brier_after)
    assert 0 < card.gain.low < card.gain.value < card.gain.high
    assert card.error_after.error < card.error_before.error


def test_what_gains_nothing_is_told(labelled):
    claims = labelled(120)
    # what it says holds already
    labels = np.array([claim.supported for claim in claims])
    card = calibrated(claims, ScorerLogits("right", np.where(labels, 9.0, -9.0)))
    assert not card.better
    # even against the calibration that it replaces
    assert (
        calibrated(
            claims, ScorerLogits("right", np.where(labels, 9.0, -9.0)), before=card.calibration
        ).gain.value
        < 0.01
    )


def test_few_labels_start_from_the_calibration_before_them(labelled, scored):
    claims = labelled(30)
    scores = scored(claims, "few", 1.0)
    known = Calibration(CurveKind.PLATT, 0.5, 1.0, labels=5_000)
    alone, started = calibrated(claims, scores), calibrated(claims, scores, before=known)
    assert alone.calibration.method is CurveKind.TEMPERATURE
    assert started.calibration.method is CurveKind.PLATT and started.before == known
    free = calibrated(claims, scores, method=CurveKind.PLATT).calibration
    assert abs(started.calibration.slope - known.slope) < 0.8 * abs(free.slope - known.slope)
    labels = np.array([claim.supported for claim in claims])
    fresh = cross_fitted(scores.logits, labels, sources_of(claims), prior=known)
    assert started.brier_after == pytest.approx(np.mean((fresh - labels) ** 2))


def test_what_is_written_is_read_back(labelled, scored, tmp_path):
    claims = labelled(600)
    card = calibrated(claims, scored(claims, "isotonic", 1.0))
    path = card_path(tmp_path, "hf:some/model#1,0")
    assert path == tmp_path / "grounding" / "hf-some-model-1-0.json"
    write_card(path, card)
    assert card.calibration.method is CurveKind.ISOTONIC
    assert read_fitted(path) == Fitted(card.calibration, card.threshold, card.scorer)
    written = json.loads(path.read_text())
    assert written["gain"] == {"value": card.gain.value, "low": card.gain.low, "high": card.gain.high}
    assert written == json.loads(json.dumps(card_values(card)))


@pytest.mark.parametrize("name", ["", "..", "../../etc", "ä/ö", ".hidden"])
def test_no_name_leaves_the_folder(name, tmp_path):
    path = card_path(tmp_path, name)
    assert path.parent == tmp_path / "grounding"
    assert path.name.strip(".") not in ("", "json")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "cannot be read"),
        ("[]", "no calibration of format 1"),
        ("{}", "no calibration of format 1"),
        ('{"schema_version": 2}', "no calibration of format 1"),
        ('{"schema_version": 1}', "`calibration`"),
        (b"\xff", "cannot be read"),
        (None, "cannot be read"),
    ],
)
def test_a_damaged_file_is_refused(text, message, tmp_path):
    path = tmp_path / "card.json"
    if text is not None:
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(UsageError, match=message) as error:
        read_fitted(path)
    assert "hybrid grounding calibrate" in error.value.hint


def test_a_file_whose_curve_falls_is_refused(labelled, scored, tmp_path):
    claims = labelled(60)
    values = card_values(calibrated(claims, scored(claims, "good", 1.0)))
    values["calibration"]["slope"] = -1.0
    (tmp_path / "card.json").write_text(json.dumps(values))
    with pytest.raises(UsageError, match="no platt calibration"):
        read_fitted(tmp_path / "card.json")
