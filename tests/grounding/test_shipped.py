"""The scorer that ships: small, of permissive data, calibrated, and no mere counter of words."""

import dataclasses
import json

import numpy as np
import pytest

from hybrid import Arm, Assistant
from hybrid.config import load_settings
from hybrid.grounding.calibration import CALIBRATION, read_fitted
from hybrid.grounding.head import judge
from hybrid.grounding.judge import load_grounder
from hybrid.grounding.scorers.names import SHIPPED
from hybrid.grounding.scorers.trained import load_trained
from hybrid.grounding.values import Pair, Status

SETTINGS = load_settings({"models": {"offline": True}}, environment={})
# Evidence, what it carries, and the same with one fact changed; most changes are of words that it also has.
PAIRS = (
    (
        "The bridge was opened in 1932 by the mayor of Linz.",
        "Linz's mayor opened the bridge.",
        "The mayor opened the bridge in Graz.",
    ),
    (
        "Sales rose by 12 percent in the second quarter, after a fall in the first.",
        "Sales increased in the second quarter.",
        "Sales decreased in the second quarter.",
    ),
    (
        "The drug lowered blood pressure in men but had no effect in women.",
        "The drug reduced blood pressure in men.",
        "The drug reduced blood pressure in women.",
    ),
    (
        "Autovacuum is enabled by default and runs in the background.",
        "Autovacuum is on by default.",
        "Autovacuum is off by default.",
    ),
    (
        "Anna Berg designed the tower; her brother Karl paid for it.",
        "Anna Berg designed the tower.",
        "Karl Berg designed the tower.",
    ),
    (
        "The server must be restarted after the file was changed.",
        "After a change of the file a restart of the server is needed.",
        "After a change of the file no restart of the server is needed.",
    ),
    (
        "Most of the patients recovered within three weeks.",
        "The majority of patients recovered within three weeks.",
        "All of the patients recovered within three weeks.",
    ),
    (
        "The company sold its Dutch unit to a Swedish rival for 40 million euros.",
        "A Swedish rival bought the Dutch unit.",
        "A Dutch rival bought the Swedish unit.",
    ),
    (
        "Connections are encrypted only if the option ssl is set.",
        "Without the option ssl connections are not encrypted.",
        "Without the option ssl connections are encrypted.",
    ),
    (
        "The meeting was moved from Monday to Thursday because the room was taken.",
        "The meeting is on Thursday.",
        "The meeting is on Monday.",
    ),
    (
        "The vaccine protects against measles; it does not protect against mumps.",
        "The vaccine protects against measles.",
        "The vaccine protects against mumps.",
    ),
    (
        "The committee rejected the proposal by seven votes to two.",
        "The proposal was rejected by the committee.",
        "The proposal was accepted by the committee.",
    ),
)


@pytest.fixture(scope="module")
def scorer():
    return load_trained(SETTINGS.models, SHIPPED)


def test_it_is_small_and_of_permissive_data():
    files = [path for path in SHIPPED.iterdir() if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= 6_000_000
    card = json.loads((SHIPPED / "card.json").read_text())
    assert card["licence"] == "Apache-2.0"
    told = " ".join(card["made"]["licences"])
    assert told and "NC" not in told and "SA" not in told
    assert card["made"]["above_words"]["low"] > 0
    assert (SHIPPED / "README.md").is_file()


def test_its_calibration_is_better_than_none_and_its_threshold_is_told():
    card, fitted = json.loads((SHIPPED / CALIBRATION).read_text()), read_fitted(SHIPPED / CALIBRATION)
    assert card["brier_after"] < card["brier_before"] and card["gain"]["low"] > 0
    assert 0 < fitted.calibration.probabilities([fitted.threshold])[0] < 1


@pytest.mark.slow
@pytest.mark.real_model
def test_it_tells_minimal_pairs_apart(scorer):
    right = scorer.score([Pair(evidence, right) for evidence, right, _ in PAIRS]).support
    wrong = scorer.score([Pair(evidence, wrong) for evidence, _, wrong in PAIRS]).support
    assert np.mean(right > wrong) >= 0.8


@pytest.mark.slow
@pytest.mark.real_model
def test_it_is_the_default_judge_and_a_rerun_is_the_same():
    grounder = load_grounder(SETTINGS)
    assert grounder.scorer.name.startswith("trained")
    passages = [evidence for evidence, _, _ in PAIRS]
    answer = "The bridge was opened in 1932. The bridge was opened in 1945. Sales rose in the second quarter."
    first = grounder.ground(answer, passages)
    assert [v.status for v in first.verdicts] == [Status.SUPPORTED, Status.NOT_IN_EVIDENCE, Status.SUPPORTED]
    assert first == grounder.ground(answer, passages)
    turned = grounder.ground(answer, passages[::-1])
    assert [v.support for v in turned.verdicts] == [v.support for v in first.verdicts]


@pytest.mark.real_model
def test_it_shows_which_words_are_not_carried(scorer):
    claim = "The bridge was opened in 1932 by the queen of Denmark."
    reads = scorer.reads([Pair(PAIRS[0][0], claim)])
    logits = sum(found.unsupported for head in scorer.heads for _, found in judge(head, reads))
    places = reads[0].claim.places[(logits[: len(reads[0].claim)] > 0).numpy()]
    words = " ".join(claim[start:end] for start, end in places)
    assert "queen" in words or "denmark" in words.lower()
    assert "1932" not in words


@pytest.mark.slow
@pytest.mark.real_model
def test_it_judges_what_an_assistant_answers(tmp_path, write_files):
    manual = {
        "port.md": "# Connections\n\nThe default port of the server is 5432. It listens on localhost.\n",
        "vacuum.md": "# Maintenance\n\nVACUUM removes dead rows. Autovacuum runs it every minute.\n",
    }
    assistant = Assistant("manual", settings=SETTINGS)
    assistant.index(write_files(tmp_path / "manual", manual))
    answer = assistant.ask("What is the default port of the server?", arm=Arm.RAG)
    assert answer.citations[0].text == "The default port of the server is 5432."
    assert {verdict.status for verdict in assistant.check(answer).verdicts} == {Status.SUPPORTED}
    # what another model might have made of the same passages
    said = (
        "The default port of the server is 5432 [1]. The default port of the server is 5433 [1]. "
        "Elephants are the largest animals on land [1]."
    )
    grounding = assistant.check(dataclasses.replace(answer, text=said))
    assert [verdict.status for verdict in grounding.verdicts] == [
        Status.SUPPORTED,
        Status.CONTRADICTED,
        Status.NOT_IN_EVIDENCE,
    ]
    supported, _, unrelated = (verdict.support for verdict in grounding.verdicts)
    assert supported > 0.7 and unrelated < 0.3
