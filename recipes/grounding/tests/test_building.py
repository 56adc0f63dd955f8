"""From labelled sets to a folder that serves, or to nothing."""

import dataclasses
import json

import numpy as np
import pytest

from hybrid.config import ModelSettings
from hybrid.errors import UsageError
from hybrid.grounding.calibration import CALIBRATION, Calibration, CurveKind, read_fitted
from hybrid.grounding.examples import Dataset, Label, LabelledClaim
from hybrid.grounding.judge import fitted_for
from hybrid.grounding.scorers.names import scorer_for
from hybrid.grounding.values import Pair
from recipes.grounding.building import HELD_OUT, build, even_logit, evened
from recipes.grounding.making import MADE
from recipes.grounding.recipe import Kind
from recipes.grounding.training import TrainingSettings

_SETTINGS = TrainingSettings(epochs=6, batch=16, warmup=5)
_ROADS = ("north", "south", "east", "west", "upper", "lower")


def examples(count, domain):
    """Claims about roads whose words are all in the evidence: which road is closed is a matter of order.

    No run of words tells it either.
    """
    made = []
    for n in range(count):
        one, other = _ROADS[n % 6], _ROADS[(n + 1 + n % 5) % 6]
        text = f"The {one} road, we hear, is closed and the {other} road, we hear, is open for {n + 2} days."
        for road, label in ((one, Label.SUPPORTED), (other, Label.REFUTED)):
            claim = f"The {road} road is closed."
            made.append(
                LabelledClaim(f"{domain}{n}/{road}", claim, (text,), label, f"{domain}{n}", domain=domain)
            )
    return made


@pytest.fixture(scope="module")
def built(encoder, tmp_path_factory):
    sets = [Dataset(name, tuple(examples(30, name))) for name in ("a", "b", "c")]
    said = []
    out = tmp_path_factory.mktemp("made") / "weights"
    return build(sets, encoder, _SETTINGS, out=out, heads=1, note=said.append), out, said


@pytest.mark.slow
def test_a_folder_comes_out_that_serves_with_its_calibration(built):
    found, out, _ = built
    assert found.worth.shown and found.worth.auroc.value > 0.8
    scorer = scorer_for(f"trained:{out}", ModelSettings(offline=True))
    new = [each for each in examples(60, "new") if int(each.source[3:]) >= 30]
    support = scorer.score([Pair(each.evidence[0], each.claim) for each in new]).support
    assert np.mean(support[::2] > support[1::2]) > 0.8
    fitted = fitted_for(f"trained:{out}")
    assert fitted == read_fitted(out / CALIBRATION)
    assert (fitted.calibration, fitted.threshold) == (
        found.calibration.calibration,
        found.calibration.threshold,
    )


@pytest.mark.slow
def test_what_was_said_of_each_example_by_others_is_kept(built):
    _, out, _ = built
    rows = [json.loads(line) for line in (out / HELD_OUT).read_text().splitlines()]
    assert len(rows) == 180
    right = [row["kind_head"] for row in rows[::2]]
    wrong = [row["kind_head"] for row in rows[1::2]]
    assert np.mean(np.array(right) > np.array(wrong)) > 0.75


def test_a_set_that_gives_its_labels_away_is_refused(encoder, tmp_path):
    leaking = [
        LabelledClaim(
            f"{n}", "It is here now." if n % 2 else "Zebras do not fly.", ("It is here now.",), label, f"d{n}"
        )
        for n, label in ((n, Label.SUPPORTED if n % 2 else Label.REFUTED) for n in range(80))
    ]
    with pytest.raises(UsageError, match="gives its labels away"):
        build([Dataset("leaking", tuple(leaking))], encoder, _SETTINGS, out=tmp_path / "w")
    assert not (tmp_path / "w").exists()


@pytest.mark.slow
def test_nothing_is_written_where_heads_add_nothing_to_words(encoder, tmp_path):
    chance = np.random.default_rng(0)
    # labels drawn by lot: nothing can be learned of them
    drawn = [
        LabelledClaim(
            each.id,
            each.claim,
            each.evidence,
            Label.SUPPORTED if lot else Label.REFUTED,
            each.source,
            each.domain,
        )
        for each in examples(40, "a")
        for lot in [chance.random() < 0.5]
    ]
    found = build(
        [Dataset("drawn", tuple(drawn))],
        encoder,
        TrainingSettings(epochs=1),
        out=tmp_path / "w",
        heads=1,
    )
    assert not found.worth.shown
    assert not (tmp_path / "w").exists()


def test_kinds_and_labels_weigh_alike_in_the_calibration():
    few, many = examples(10, "few"), examples(100, "many")
    # all supported claims of the large set, and few of the others
    uneven = [one for n, one in enumerate(many) if one.supported or n < 20]
    nothing = np.zeros(len(uneven))
    kinds = [
        Kind(Dataset("few", tuple(few)), *[np.arange(20.0)] * 5),
        Kind(Dataset("many", tuple(uneven)), *[nothing] * 5),
        Kind(Dataset("rules", (dataclasses.replace(few[0], task=MADE),)), *[np.ones(1)] * 5),
    ]
    chosen, logits = evened(kinds)
    counts = {(one.domain, one.supported) for one in chosen}
    assert len(chosen) == len(logits) == 40 and len(counts) == 4
    assert sorted(logits[:20]) == list(range(20))


def test_the_threshold_is_where_the_probability_is_one_half():
    curve = Calibration(CurveKind.PLATT, slope=2.0, intercept=-1.0)
    assert curve.probabilities([even_logit(curve)])[0] == pytest.approx(0.5)
    assert even_logit(Calibration(CurveKind.PLATT, slope=0.0)) == 0.0
