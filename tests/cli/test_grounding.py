"""The commands on scorers of grounding, as a user types them; scorers and sets are fakes."""

import json

import numpy as np
import pytest

from hybrid.cli.app import run
from hybrid.errors import UsageError
from hybrid.grounding.calibration import CALIBRATION, read_fitted
from hybrid.grounding.examples import Dataset, Label, LabelledClaim
from hybrid.grounding.scorers.names import SHIPPED
from hybrid.grounding.values import Logits


def dataset(name, count, *, sources=30, first=0):
    """Return claims whose last word stands in the evidence if they are supported; one in eight is wrong."""
    examples = []
    for place in range(count):
        label = list(Label)[place % 3 if place % 2 else 0]
        word = "open" if (label is Label.SUPPORTED) != (place % 8 == 0) else "shut"
        examples.append(
            LabelledClaim(
                f"{name}-{place}",
                f"The port {place} is {word}",
                (f"Port {place} is open", "Nothing"),
                label,
                f"d{first + place % sources}",
                domain="news" if place % sources < 15 else "law",
                task="qa",
                kind="" if label is Label.SUPPORTED else "swap",
            )
        )
    return Dataset(name, tuple(examples))


class Fake:
    max_words = 100
    megabytes = 1.5

    def __init__(self, name, scale=4.0):
        self.name, self._scale = name, scale

    def score(self, pairs):
        words = [(pair.claim.split()[-1:], pair.evidence.split()) for pair in pairs]
        found = [1.0 if said and said[0] in there else -1.0 for said, there in words]
        wobble = [(len(pair.claim) * 7 + len(pair.evidence)) % 5 / 10 for pair in pairs]
        return Logits(((np.array(found) + wobble) * self._scale).astype(np.float32))


@pytest.fixture
def fakes(monkeypatch):
    """Sets by the name of their file; scorers `good` and `loud`, and one that knows nothing."""
    sets = {
        "one.jsonl": dataset("one", 240),
        "two.jsonl": dataset("two", 120, sources=20),
        "other.jsonl": dataset("other", 120, first=100),
        "half.jsonl": dataset("half", 120, first=15),
        "small.jsonl": dataset("small", 8, sources=8),
        "empty.jsonl": dataset("empty", 0),
    }
    asked = []

    def load(path):
        if path.name not in sets:
            raise UsageError(f"there is no file or folder {path}")
        return sets[path.name]

    def scorer_for(name, settings):
        asked.append(name)
        if name not in ("good", "loud", "overlap", "align", "trained"):
            raise UsageError(f"there is no scorer {name!r}")
        return Fake(name, 40.0 if name == "loud" else 4.0)

    monkeypatch.setattr("hybrid.grounding.service.load_labelled", load)
    monkeypatch.setattr("hybrid.grounding.service.scorer_for", scorer_for)
    return asked


def said(capsys, *arguments, code=0):
    assert run(["grounding", *arguments]) == code
    return capsys.readouterr()


def document(capsys, *arguments, code=0):
    return json.loads(said(capsys, *arguments, "--json", code=code).out)


# --- evaluate -----------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_scorer_is_shown_under_the_floors_with_its_figures(fakes, capsys):
    told = said(capsys, "evaluate", "one.jsonl", "--scorer", "good")
    lines = told.out.splitlines()
    assert lines[0].startswith("one: 240 claims of 30 sources, 67% supported; calibration and threshold from")
    assert lines[1].split()[:2] == ["scorer", "AUROC"]
    assert lines[2].startswith("word overlap (floor)")
    (row,) = [line for line in lines if line.startswith("good ")]
    assert row.endswith("1.5")
    assert any(line.startswith("domain ") for line in lines) and any(
        line.startswith("contrast ") for line in lines
    )
    assert not any(line.startswith("task  ") for line in lines)  # there is only one
    assert "good: 240 of 240 claims" in told.err


@pytest.mark.slow
def test_json_is_one_object_with_the_only_scorer_at_the_top(fakes, capsys):
    found = document(capsys, "evaluate", "one.jsonl", "--scorer", "good")
    assert found["auroc"] == found["scorers"]["good"]["auroc"] > 0.7
    assert found["low"] < found["auroc"] < found["high"]
    assert found["data"] == "one" and found["n"] == 240
    assert found["megabytes"] == 1.5 and found["pairs_per_second"] > 0
    assert set(found["scorers"]["good"]["contrasts"]) == {"refuted", "not in evidence"}
    assert "word overlap" in found["floors"]


@pytest.mark.slow
def test_several_scorers_are_asked_once_each(fakes, capsys):
    found = document(
        capsys,
        "evaluate",
        "other.jsonl",
        "two.jsonl",
        "--scorer",
        "good",
        "--scorer",
        "loud",
        "--scorer",
        "good",
    )
    assert fakes == ["good", "loud"]
    assert [each["data"] for each in found["sets"]] == ["other", "two"]
    assert list(found["sets"][0]["scorers"]) == ["good", "loud"]


@pytest.mark.slow
def test_without_a_name_those_that_ship_are_compared(fakes, capsys):
    found = document(capsys, "evaluate", "two.jsonl")
    assert list(found["scorers"]) == ["overlap", "align", "trained"] == fakes
    assert "auroc" not in found


@pytest.mark.slow
def test_a_limit_takes_whole_documents(fakes, capsys):
    found = document(capsys, "evaluate", "one.jsonl", "--scorer", "good", "--limit", "80")
    assert (found["n"], found["sources"]) == (80, 10)
    assert "equal to 1" in said(capsys, "evaluate", "one.jsonl", "--limit", "0", code=2).err


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["missing.jsonl"], "there is no file"),
        (["empty.jsonl", "--scorer", "good"], "holds no labelled claims"),
        (["one.jsonl", "--scorer", "nobody"], "there is no scorer 'nobody'"),
        (["one.jsonl", "one.jsonl"], "two sets are called 'one'"),
        (["one.jsonl", "--calibration", "none.json"], "cannot be read as a calibration"),
        ([], "Missing argument"),
    ],
)
def test_what_makes_no_sense_says_why(fakes, capsys, arguments, message):
    told = said(capsys, "evaluate", *arguments, code=2)
    assert message in told.err and told.out == ""


# --- calibrate ----------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_calibration_that_gains_is_kept_with_its_card_and_used(fakes, capsys, tmp_path):
    told = said(capsys, "calibrate", "one.jsonl", "--scorer", "loud", "--out", "kept/loud.json")
    card = json.loads((tmp_path / "kept" / "loud.json").read_text())
    assert (card["scorer"], card["labels"], card["sources"], card["data"]) == ("loud", 240, 30, "one")
    assert card["brier_after"] < card["brier_before"] and card["created"]
    for part in (
        "240 claims of 30 sources",
        "platt, threshold",
        "lower by +0.",
        "a perfect one: 0.",
        "kept/loud.json",
    ):
        assert part in told.out
    found = document(capsys, "evaluate", "other.jsonl", "--scorer", "loud", "--calibration", "kept/loud.json")
    assert found["fitted_on"] == "other data"


def test_a_calibration_starts_from_the_one_that_ships(fakes, capsys, monkeypatch):
    found = document(capsys, "calibrate", "one.jsonl", "--scorer", "trained", "--out", "kept/trained.json")
    shipped = read_fitted(SHIPPED / CALIBRATION).calibration
    assert found["card"]["before"]["slope"] == shipped.slope
    assert found["card"]["before"]["method"] == "platt"


@pytest.mark.slow
def test_a_calibration_that_gains_nothing_is_refused(fakes, capsys, tmp_path, monkeypatch):
    monkeypatch.setattr("hybrid.grounding.service.CalibrationCard.better", False)
    told = said(capsys, "calibrate", "one.jsonl", "--scorer", "good", "--out", "kept.json", code=7)
    assert "not stored: the Brier score is not better" in told.out
    assert not (tmp_path / "kept.json").exists()
    found = document(capsys, "calibrate", "one.jsonl", "--scorer", "good", "--out", "kept.json", code=7)
    assert (found["better"], found["stored"]) == (False, None)
    assert found["card"]["labels"] == 240


def test_a_calibration_goes_into_the_folder_of_the_domain(fakes, capsys, tmp_path):
    told = said(capsys, "calibrate", "one.jsonl", "--scorer", "loud", code=4)
    assert "hybrid index" in told.err and fakes == []
    folder = tmp_path / "indexes" / "manual"
    folder.mkdir(parents=True)
    (folder / "CURRENT").write_text("000001\n")
    found = document(capsys, "calibrate", "one.jsonl", "--scorer", "loud")
    assert found["stored"].endswith("indexes/manual/grounding/loud.json")
    assert read_fitted(folder / "grounding" / "loud.json").scorer == "loud"


def test_too_few_labels_say_how_many_are_wanted(fakes, capsys):
    told = said(capsys, "calibrate", "small.jsonl", "--scorer", "good", "--out", "kept.json", code=2)
    assert "8 labels are too few" in told.err
