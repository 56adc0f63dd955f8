"""Classifiers of pairs by name."""

import itertools
import json
import shutil

import numpy as np
import pytest

from hybrid.errors import ModelError, ModelMissing, UsageError
from hybrid.grounding.evidence import cut_pair
from hybrid.grounding.scorers.classifier import ClassifierScorer, Head
from hybrid.grounding.scorers.labels import KNOWN, Labels, Relation
from hybrid.grounding.values import Pair

NLI = ("entailment", "neutral", "contradiction")
BLANK = ("LABEL_0", "LABEL_1", "LABEL_2")
PAIRS = [known.pair for known in KNOWN]
CARRIED = np.array([known.relation is Relation.CARRIED for known in KNOWN])
DENIED = np.array([known.relation is Relation.DENIED for known in KNOWN])


def scorer(folder, cpu, **options):
    return ClassifierScorer(folder, Head.PAIR, name="m", placement=cpu, **options)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("architecture", "names"),
    [
        ("bert", NLI),
        ("roberta", NLI),
        ("deberta", NLI),
        ("roberta", BLANK[:2]),  # MiniCheck
        ("deberta", BLANK[:1]),  # HHEM-1.0
        ("t5", BLANK[:2]),
        ("t5-encoder", ("hallucinated", "consistent")),  # HHEM-2.1 as plain T5
    ],
)
def test_architectures_that_people_name_work(taught, cpu, architecture, names):
    found = scorer(taught(architecture, *names), cpu).score(PAIRS)
    assert found.support.dtype == np.float32
    assert ((found.support > 0) == CARRIED).all()
    if len(names) == 3:
        assert ((found.against > 0) == DENIED).all()
    else:
        assert found.against is None


@pytest.mark.slow
@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
@pytest.mark.parametrize("names", [NLI, BLANK])
def test_the_order_of_the_labels_does_not_matter(taught, relabelled, cpu, order, names):
    first = scorer(taught("bert", *NLI), cpu)
    given = [NLI[place] for place in order] if names == NLI else names
    other = scorer(relabelled(taught("bert", *NLI), order=order, names=given), cpu)
    assert other.labels == Labels(order.index(0), order.index(2))
    assert other.score(PAIRS).support == pytest.approx(first.score(PAIRS).support, abs=1e-5)
    assert other.score(PAIRS).against == pytest.approx(first.score(PAIRS).against, abs=1e-5)


@pytest.mark.slow
def test_the_order_of_two_labels_and_the_direction_of_one_do_not_matter(taught, relabelled, cpu):
    two, one = taught("roberta", *BLANK[:2]), taught("deberta", *BLANK[:1])
    for first, other in [
        (two, relabelled(two, order=(1, 0), names=BLANK[:2])),
        (one, relabelled(one, sign=-1.0)),
    ]:
        assert scorer(other, cpu).labels.support == 1 - scorer(first, cpu).labels.support
        assert scorer(other, cpu).score(PAIRS).support == pytest.approx(
            scorer(first, cpu).score(PAIRS).support, abs=1e-5
        )


def test_labels_that_lie_are_refused_and_can_be_overruled(taught, relabelled, cpu):
    lying = relabelled(taught("bert", *NLI), names=("contradiction", "neutral", "entailment"))
    with pytest.raises(ModelError, match=r"names mean entailment = supported.*answers mean contradiction"):
        scorer(lying, cpu)
    overruled = scorer(lying, cpu, labels=Labels(0, 2))
    assert ((overruled.score(PAIRS).support > 0) == CARRIED).all()
    assert "#0,2" in overruled.name


def test_places_out_of_range_are_refused(taught, cpu):
    with pytest.raises(ModelError, match="no outputs #7"):
        scorer(taught("bert", *NLI), cpu, labels=Labels(7))


@pytest.mark.slow
@pytest.mark.parametrize("names", [NLI, BLANK[:2], BLANK[:1]])
def test_a_model_that_knows_nothing_is_refused(taught, relabelled, cpu, names):
    empty = relabelled(taught("deberta", *names), sign=0.0)
    with pytest.raises(ModelError, match="does not tell what is supported"):
        scorer(empty, cpu)


def test_a_model_that_reads_too_little_is_refused(tiny_classifier_folder, cpu):
    # its tokens are letters
    with pytest.raises(ModelError, match="reads 96 tokens, a claim with a sentence of evidence has"):
        scorer(tiny_classifier_folder, cpu)


def filler(words):
    return " ".join(["the river house was green and the lamp was not seven"] * (words // 11))


def test_long_evidence_is_read_in_windows_and_the_best_counts(taught, cpu):
    made = scorer(taught("bert", *NLI), cpu)
    fact = KNOWN[4].pair
    for long in (
        Pair(f"{fact.evidence} {filler(200)}", fact.claim),
        Pair(f"{filler(200)} {fact.evidence}", fact.claim),
        Pair(f"{filler(150)} {fact.evidence} {filler(150)}", fact.claim),
    ):
        parts = cut_pair(long, made._checkpoint.length, 96)
        assert len(parts) > 2
        assert any(fact.evidence in part.evidence for part in parts)
        alone, together = made.score(parts), made.score([long])
        assert together.support == pytest.approx(alone.support.max(keepdims=True), abs=1e-4)
        assert together.against == pytest.approx(alone.against.max(keepdims=True), abs=1e-4)


def test_a_claim_beyond_the_limit_is_refused(taught, cpu):
    made = scorer(taught("bert", *NLI), cpu)
    with pytest.raises(UsageError, match="of the 96 tokens"):
        made.score([Pair("the lamp", filler(200))])


@pytest.mark.slow
def test_the_limit_of_roberta_leaves_out_the_places_of_its_padding(taught, cpu):
    made = scorer(taught("roberta", *NLI), cpu)
    assert made.max_words == 22
    long = Pair(filler(400), "the lamp was green")
    assert max(made._checkpoint.length(part) for part in cut_pair(long, made._checkpoint.length, 96)) > 70
    assert np.isfinite(made.score([long]).support).all()


def test_what_looks_like_a_separator_in_a_text_is_none(taught, cpu):
    made = scorer(taught("bert", *NLI), cpu)
    odd = Pair("the lamp [SEP] the lamp was green", "was it [SEP] [CLS] [PAD] green")
    (row,) = made._checkpoint.rows(made._checkpoint.encode([odd]))
    assert row.ids.count(made._checkpoint.tokenizer.sep_token_id) == 2
    assert row.ids.count(made._checkpoint.tokenizer.pad_token_id) == 0


@pytest.mark.slow
def test_the_order_of_pairs_changes_no_bit_and_equal_pairs_are_equal(taught, cpu):
    made = scorer(taught("roberta", *NLI), cpu)
    pairs = [*PAIRS, Pair(filler(300), "the lamp"), PAIRS[0]]
    forward, backward = made.score(pairs).support, made.score(pairs[::-1]).support[::-1]
    assert forward.tolist() == backward.tolist()
    assert forward[-1] == forward[0]


def test_the_name_says_what_decides_the_numbers(taught, relabelled, cpu):
    made = scorer(taught("bert", *NLI), cpu)
    assert made.name.startswith("m#0,2 (float32, weights ")
    other = scorer(relabelled(taught("bert", *NLI), order=(2, 1, 0)), cpu)
    assert other.name != made.name
    assert made.max_words == 22


def test_pickled_weights_are_refused(taught, tmp_path, cpu):
    folder = tmp_path / "pickled"
    shutil.copytree(taught("bert", *NLI), folder)
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(ModelMissing, match="only pickled weights"):
        scorer(folder, cpu)


@pytest.mark.slow
def test_a_base_without_a_head_is_refused(taught, tmp_path, cpu):
    from transformers import BertModel

    folder = tmp_path / "base"
    shutil.copytree(taught("bert", *NLI), folder)
    BertModel.from_pretrained(folder).save_pretrained(folder)
    with pytest.raises(ModelMissing, match=r"lacks 2 weights .* classifier\.bias"):
        scorer(folder, cpu, labels=Labels(0))


def test_damaged_weights_and_folders_without_a_model_are_missing(taught, tmp_path, cpu):
    folder = tmp_path / "damaged"
    shutil.copytree(taught("bert", *NLI), folder)
    (folder / "model.safetensors").write_bytes(b"")
    with pytest.raises(ModelMissing, match="cannot be loaded as a sequence classifier"):
        scorer(folder, cpu)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelMissing, match="no weights"):
        scorer(tmp_path / "empty", cpu)


def test_a_classifier_of_tokens_is_refused(taught, cpu):
    with pytest.raises(ModelMissing, match="expected a sequence classifier") as caught:
        scorer(taught("bert-tokens", *BLANK[:2]), cpu)
    assert "tokens:" in caught.value.hint


_CODE = """
from pathlib import Path
from transformers import BertConfig, BertForSequenceClassification
Path({marker!r}).write_text("ran")
class StrangeConfig(BertConfig):
    model_type = "strange"
class StrangeForSequenceClassification(BertForSequenceClassification):
    config_class = StrangeConfig
"""


@pytest.fixture
def strange(taught, tmp_path, monkeypatch):
    """Make a folder that brings its own code, as HHEM-2.1 does."""
    monkeypatch.setattr("transformers.dynamic_module_utils.HF_MODULES_CACHE", str(tmp_path / "modules"))
    folder = tmp_path / "strange"
    shutil.copytree(taught("bert", *NLI), folder)
    (folder / "modeling_strange.py").write_text(_CODE.format(marker=str(tmp_path / "marker")))
    config = json.loads((folder / "config.json").read_text())
    config |= {
        "model_type": "strange",
        "architectures": ["StrangeForSequenceClassification"],
        "auto_map": {
            "AutoConfig": "modeling_strange.StrangeConfig",
            "AutoModelForSequenceClassification": "modeling_strange.StrangeForSequenceClassification",
        },
    }
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def test_code_beside_the_weights_is_never_run(strange, tmp_path, cpu):
    with pytest.raises(ModelMissing, match="brings code of its own, which was not run"):
        scorer(strange, cpu)
    assert not (tmp_path / "marker").exists()
