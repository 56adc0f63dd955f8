"""Tasks of lm-eval, with a stand-in for the harness: what is paired, what is left out, what is refused."""

import contextlib
import sys
from types import ModuleType, SimpleNamespace

import pytest

from hybrid.adaptation.forgetting import harness
from hybrid.adaptation.forgetting.harness import measure_tasks
from hybrid.adaptation.gate import Budget, judge
from hybrid.errors import ExtraMissing, UsageError


class Subject:
    """A generator that lends a name instead of a model."""

    context_tokens = 64

    def __init__(self, name):
        self.name = name
        self.dialogue = SimpleNamespace(tokenizer=f"tokenizer of {name}")

    @contextlib.contextmanager
    def lent(self):
        yield self.name


def sample(number, value, **more):
    return {"doc_id": number, "filter": "none", "metrics": ["acc"], "acc": value} | more


@pytest.fixture
def lm_eval(monkeypatch):
    """Put a harness in place that answers what is set: answers[model] = results."""
    fake = SimpleNamespace(answers={}, calls=[])

    def simple_evaluate(**options):
        fake.calls.append(options)
        found = fake.answers[options["model"].pretrained]
        if isinstance(found, Exception):
            raise found
        return found

    top, models, hub = (
        ModuleType(name) for name in ("lm_eval", "lm_eval.models", "lm_eval.models.huggingface")
    )
    top.simple_evaluate = simple_evaluate
    hub.HFLM = lambda **options: SimpleNamespace(**options)
    for module in (top, models, hub):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr(harness, "find_spec", lambda name: object())
    return fake


def results(values, *, metric="acc", rising=True, task="arc_easy"):
    rows = [sample(n, value) | {"metrics": [metric], metric: value} for n, value in enumerate(values)]
    return {"samples": {task: rows}, "higher_is_better": {task: {metric: rising}}}


_BASE, _ADAPTED = Subject("base"), Subject("adapted")


def test_samples_are_paired_by_document(lm_eval):
    lm_eval.answers = {
        "base": results([1.0] * 40),
        "adapted": results([0.0] * 20 + [1.0] * 20),
    }
    (change,) = measure_tasks(_BASE, _ADAPTED, ["arc_easy"], items=40, seed=3)
    assert (change.measure, change.unit, change.items) == ("arc_easy: acc", "points", 40)
    assert (change.before, change.after, change.change) == (100, 50, -50)
    assert change.high < -20
    assert not judge([change], Budget()).passed
    first = lm_eval.calls[0]
    assert (first["tasks"], first["limit"], first["log_samples"]) == (["arc_easy"], 40, True)
    assert first["model"].tokenizer == "tokenizer of base"


def test_only_numbers_from_0_to_1_with_a_direction_are_taken(lm_eval):
    found = results([1.0] * 12)
    for row in found["samples"]["arc_easy"]:
        row |= {"metrics": ["acc", "word_perplexity", "tokens", "unknown"]}
        row |= {"word_perplexity": (3.0, 7), "tokens": 80, "unknown": 0.5}
    lm_eval.answers = {"base": found, "adapted": found}
    changes = measure_tasks(_BASE, _ADAPTED, ["arc_easy"])
    assert [change.measure for change in changes] == ["arc_easy: acc"]
    assert changes[0].change == 0


def test_filters_are_measures_of_their_own(lm_eval):
    rows = [sample(n, 1.0, filter=name) for n in range(12) for name in ("strict", "loose")]
    found = {"samples": {"gsm8k": rows}, "higher_is_better": {"gsm8k": {"acc": True}}}
    lm_eval.answers = {"base": found, "adapted": found}
    names = {change.measure for change in measure_tasks(_BASE, _ADAPTED, ["gsm8k"])}
    assert names == {"gsm8k: acc, strict", "gsm8k: acc, loose"}


def test_a_metric_that_should_fall_is_read_the_other_way(lm_eval):
    lm_eval.answers = {
        "base": results([0.1] * 30, metric="error", rising=False),
        "adapted": results([0.9] * 30, metric="error", rising=False),
    }
    (change,) = measure_tasks(_BASE, _ADAPTED, ["arc_easy"])
    assert not change.higher_is_better


def test_a_task_without_such_a_metric_is_refused(lm_eval):
    found = {"samples": {"wikitext": [sample(0, 0.5) | {"metrics": []}]}, "higher_is_better": {}}
    lm_eval.answers = {"base": found, "adapted": found}
    with pytest.raises(UsageError, match="no metric is a number from 0 to 1"):
        measure_tasks(_BASE, _ADAPTED, ["wikitext"])


@pytest.mark.parametrize("error", [KeyError("Tasks not found: nonsense"), ConnectionError("no network")])
def test_what_the_harness_cannot_do_is_told(lm_eval, error):
    lm_eval.answers = {"base": error}
    with pytest.raises(UsageError, match="lm-eval cannot run nonsense"):
        measure_tasks(_BASE, _ADAPTED, ["nonsense"])


def test_without_the_harness_the_command_that_installs_it_is_named(monkeypatch):
    monkeypatch.setattr(harness, "find_spec", lambda name: None)
    with pytest.raises(ExtraMissing, match="arc_easy needs: lm-eval") as caught:
        measure_tasks(_BASE, _ADAPTED, ["arc_easy"])
    assert caught.value.hint == "pip install 'hybrid-assistant[harness]'"
