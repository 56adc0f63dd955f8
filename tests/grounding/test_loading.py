"""Which judge a domain gets: the scorer of the settings, with the calibration nearest to it."""

import pytest

from hybrid.config import load_settings
from hybrid.errors import UsageError
from hybrid.grounding import judge
from hybrid.grounding.calibration import (
    UNCALIBRATED,
    Calibration,
    CurveKind,
    card_file,
    card_path,
    read_fitted,
)
from hybrid.grounding.judge import DEFAULT_THRESHOLDS, fitted_for, load_grounder
from hybrid.grounding.labelled import LabelledClaim, ScorerLogits
from hybrid.grounding.service import write_card
from hybrid.testing import HashEmbedder

SETTINGS = load_settings({"grounding": {"scorer": "overlap"}}, environment={})


def kept(path, slope):
    """Write a calibration of 60 labels whose curve rises so fast."""
    from hybrid.grounding.service import calibrated

    claims = [LabelledClaim(f"c{n}", "a", ("a",), n % 3 > 0, f"s{n // 2}") for n in range(60)]
    logits = [slope * (1.0 if claim.supported else -1.0) + (n % 7) / 3 for n, claim in enumerate(claims)]
    write_card(path, calibrated(claims, ScorerLogits("overlap", logits)))
    return read_fitted(path)


def test_a_scorer_without_a_calibration_is_taken_at_its_word(monkeypatch, tmp_path):
    monkeypatch.setattr(judge, "SHIPPED", tmp_path)
    grounder = load_grounder(SETTINGS)
    assert grounder.scorer.name == "2-gram overlap"
    assert grounder.calibration == UNCALIBRATED
    assert grounder.thresholds == DEFAULT_THRESHOLDS


def test_words_are_aligned_by_an_embedder_that_is_given():
    models = {"embedder": "some/model", "offline": True}
    settings = load_settings({"models": models, "grounding": {"scorer": "align"}}, environment={})
    found = load_grounder(settings, embedder=HashEmbedder(name="m"))
    assert found.scorer.name == "word alignment, m"


def test_the_calibration_of_the_domain_wins_over_the_one_that_ships(monkeypatch, tmp_path):
    monkeypatch.setattr(judge, "SHIPPED", tmp_path / "shipped")
    domain = tmp_path / "manual"
    shipped = kept(tmp_path / "shipped" / card_file("overlap"), 1.0)
    assert load_grounder(SETTINGS, domain).calibration == shipped.calibration
    own = kept(card_path(domain, "overlap"), 3.0)
    grounder = load_grounder(SETTINGS, domain)
    assert grounder.calibration == own.calibration != shipped.calibration
    assert grounder.thresholds.supported == pytest.approx(own.calibration.probabilities([own.threshold])[0])
    assert load_grounder(SETTINGS).calibration == shipped.calibration


def test_what_is_doubted_never_supports_however_low_the_threshold(monkeypatch, tmp_path):
    from hybrid.grounding.calibration import Fitted

    low = Fitted(Calibration(CurveKind.PLATT, 1.0, -4.0, labels=60), 0.0)
    monkeypatch.setattr(judge, "fitted_for", lambda *_: low)
    found = load_grounder(SETTINGS).thresholds
    assert found.doubted < found.supported < 0.1


def test_a_damaged_calibration_is_told(tmp_path):
    path = card_path(tmp_path, "overlap")
    path.parent.mkdir(parents=True)
    path.write_text("{")
    with pytest.raises(UsageError, match="cannot be read as a calibration"):
        fitted_for("overlap", tmp_path)
