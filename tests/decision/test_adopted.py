"""The file that says by which arm a domain answers: written by us, and read as if by anyone."""

import json

import pytest

from hybrid.config import load_settings
from hybrid.decision.adopted import adopt, adopted, arm_costs, experiment
from hybrid.errors import UsageError
from hybrid.evaluation.outcomes import Outcome, append_outcomes

SETTINGS = load_settings({"models": {"generator": "mine", "reranker": "judge"}}, environment={})


def named(folder, arm):
    (folder / "DECISION").write_text(json.dumps({"arm": arm, "experiment": "x"}))
    return adopted(folder, SETTINGS)


def test_a_chosen_arm_is_kept(tmp_path):
    assert adopted(tmp_path, SETTINGS) is None
    adopt(tmp_path, "rag:k=4", experiment="first", sentence="Run rag:k=4.")
    found = adopted(tmp_path, SETTINGS)
    assert (found.name, found.settings.retrieval.k) == ("rag:k=4", 4)
    assert found.settings.models == SETTINGS.models


@pytest.mark.parametrize("text", ["", "[]", '{"arms": "rag"}', "rag", '{"arm": 3}', '{"arm": ["rag"]}'])
def test_a_file_that_names_no_arm_is_refused(tmp_path, text):
    (tmp_path / "DECISION").write_text(text)
    with pytest.raises(UsageError, match="does not name an arm") as caught:
        adopted(tmp_path, SETTINGS)
    assert "hybrid decide" in caught.value.hint


@pytest.mark.parametrize("arm", ["oracle", "rag:kk=3", "rag:k=0", "rag:reader=oracle"])
def test_an_arm_that_there_is_not_is_refused(tmp_path, arm):
    with pytest.raises(UsageError, match="names an arm that cannot be used"):
        named(tmp_path, arm)


@pytest.mark.parametrize(
    ("option", "found"),
    [
        (
            "reader=generator:endpoint=http://127.0.0.1:8099/v1",
            "models.endpoint = 'http://127.0.0.1:8099/v1'",
        ),
        ("models.endpoint=https://example.org", "models.endpoint"),
        ("generator=/tmp/evil", "models.generator = '/tmp/evil'"),
        ("embedder=./evil", "models.embedder = './evil'"),
        ("reranker=evil/cross-encoder", "models.reranker"),
        ("device=cuda:0", "models.device"),
        ("offline=true", "models.offline"),
    ],
)
def test_models_and_endpoints_are_not_the_folders_to_choose(tmp_path, option, found):
    with pytest.raises(UsageError, match="does not choose models or endpoints") as caught:
        named(tmp_path, f"rag:{option}")
    assert found in str(caught.value)
    assert "the settings say" in str(caught.value)
    assert "set models." in caught.value.hint


@pytest.mark.parametrize(
    "arm",
    [
        "rag:reader=generator:k=3:abstain_below=0.1",
        "both:generator_adapter=generator-002",
        "rag:embedder_adapter=none",
        "rag:generator=mine:reranker=judge",
        "rag:reranker=",
    ],
)
def test_retrieval_generation_adapters_and_the_users_own_models_are(tmp_path, arm):
    assert named(tmp_path, arm).name == arm


def test_what_would_steer_a_terminal_is_refused_and_not_repeated(tmp_path):
    with pytest.raises(UsageError, match="does not name an arm") as caught:
        named(tmp_path, "rag:k=4:generator=\x1b]0;owned\x07x")
    assert str(caught.value).isprintable()


def test_what_the_arms_took_is_read_from_the_experiment_of_the_decision(tmp_path):
    assert experiment(tmp_path) == ""
    adopt(tmp_path, "rag", experiment="first", sentence="Run rag.")
    assert experiment(tmp_path) == "first"
    assert arm_costs(tmp_path, "first", SETTINGS.prices) == {}
    folder = tmp_path / "experiments" / "first"
    folder.mkdir(parents=True)
    took = [Outcome("k", "rag", f"q{n}", "yes", prompt_tokens=100 * n, seconds=float(n)) for n in (1, 3)]
    append_outcomes(folder / "outcomes.jsonl", [*took, Outcome("k", "base", "q1", "no", completion_tokens=7)])
    found = arm_costs(tmp_path, "first", SETTINGS.prices)
    assert (found["rag"].seconds, found["rag"].prompt_tokens, found["base"].completion_tokens) == (2, 200, 7)
    assert arm_costs(tmp_path / "experiments", "../experiments/first", SETTINGS.prices) == {}
