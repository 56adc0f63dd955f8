"""Names become scorers."""

import pytest

from hybrid.config import ModelSettings
from hybrid.errors import ModelMissing, UsageError
from hybrid.grounding.scorers.labels import KNOWN
from hybrid.grounding.scorers.names import scorer_for
from hybrid.grounding.values import Pair
from hybrid.testing import HashEmbedder

NLI = ("entailment", "neutral", "contradiction")
SETTINGS = ModelSettings(device="cpu", dtype="float32", offline=True)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["nli", "hf"])
def test_a_classifier_of_pairs_by_its_folder(taught, kind):
    folder = taught("bert", *NLI)
    made = scorer_for(f"{kind}:{folder}", SETTINGS)
    assert made.name.startswith(f"{kind}:{folder}#0,2 (float32")
    assert made.score([KNOWN[0].pair]).support[0] > 0


@pytest.mark.slow
def test_the_places_of_the_outputs_can_be_said(taught, relabelled):
    lying = relabelled(taught("bert", *NLI), names=NLI[::-1])
    assert scorer_for(f"nli:{lying}#0,2", SETTINGS).labels.against == 2
    assert scorer_for(f"nli:{lying}#0", SETTINGS).score([KNOWN[0].pair]).against is None


@pytest.mark.slow
def test_a_classifier_of_tokens_by_its_folder(taught):
    made = scorer_for(f"tokens:{taught('bert-tokens', 'LABEL_0', 'LABEL_1')}", SETTINGS)
    assert made.score([KNOWN[6].pair]).support[0] < 0


def test_a_generator_as_judge_by_its_folder(tiny_generator_folder):
    made = scorer_for(f"judge:{tiny_generator_folder}", SETTINGS)
    assert made.name.startswith(f"judge:{tiny_generator_folder} (")
    set_as = ModelSettings(generator=str(tiny_generator_folder), device="cpu", dtype="float32", offline=True)
    assert scorer_for("judge", set_as).name == made.name


@pytest.mark.parametrize("kind", ["nli", "hf", "tokens", "judge"])
def test_a_model_that_is_nowhere_is_missing_with_the_command_that_gets_it(kind):
    with pytest.raises(ModelMissing, match="the hub is off") as caught:
        scorer_for(f"{kind}:some/model", SETTINGS)
    assert "hf download some/model" in caught.value.hint


@pytest.mark.parametrize("name", ["", "nil:m", "nli", "nli:", "tokens:", "overlap:x", "Judge"])
def test_an_unknown_name_lists_what_there_is(name):
    with pytest.raises(UsageError, match="there is no scorer") as caught:
        scorer_for(name, SETTINGS)
    for kind in ("overlap", "align", "trained:FOLDER", "nli:MODEL", "hf:MODEL", "tokens:MODEL", "judge"):
        assert kind in caught.value.hint


@pytest.mark.parametrize("name", ["overlap", "align"])
def test_our_own_scorers_have_plain_names(name, tiny_embedder_folder):
    settings = ModelSettings(embedder=str(tiny_embedder_folder), device="cpu", dtype="float32", offline=True)
    assert len(scorer_for(name, settings).score([Pair("a lamp", "a lamp")]).support) == 1


def test_words_are_aligned_by_an_embedder_that_is_given():
    nowhere = ModelSettings(embedder="some/model", offline=True)
    assert scorer_for("align", nowhere, embedder=HashEmbedder(name="m")).name == "word alignment, m"
