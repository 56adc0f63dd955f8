"""Tests of tokens, of what a model finds of them, and of batches."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from hybrid.adaptation.methods import encoding as likelihood
from hybrid.adaptation.methods.encoding import (
    Encoded,
    TokenStretch,
    collate,
    compare,
    continuation,
    encode,
    grouped,
    log_likelihoods,
    number_format,
    pieces,
)
from hybrid.adaptation.values import Example, ExampleKind
from hybrid.errors import UsageError
from hybrid.models.device import Placement
from hybrid.models.dialogue import Dialogue
from hybrid.types import Message, MessageRole

_TEXTS = ["the port of the server is a default", "a port", "in the server and to the port (8080) of it", "of"]


@pytest.fixture(scope="module")
def dialogue(tiny_generator_folder):
    from transformers import AutoTokenizer

    return Dialogue(AutoTokenizer.from_pretrained(tiny_generator_folder))


def _example(question="the port", answer="is 5", kind=ExampleKind.INSTRUCTION):
    return Example(kind, (Message(MessageRole.USER, question),), answer)


def test_an_example_is_laid_out_as_it_is_served_and_ends(dialogue, tiny_generator_folder):
    from hybrid.models.generator import TransformersGenerator

    example = _example()
    (item,) = encode([example], dialogue, max_tokens=100).encoded
    placement = Placement("cpu", "float32", "test")
    generator = TransformersGenerator(tiny_generator_folder, name="tiny", placement=placement)
    assert item.start == generator.count_prompt_tokens(example.prompt)
    assert dialogue.tokenizer.decode(item.ids[item.start : -1]).split() == ["is", "5"]
    assert item.ids[-1] == dialogue.end


def test_of_a_plain_text_everything_but_the_first_token_is_learned(dialogue):
    (item,) = encode([Example(ExampleKind.TEXT, (), "the port is 5")], dialogue, max_tokens=100).encoded
    assert item.start == 1 and item.judged == len(item.ids) - 1
    assert item.ids[-1] != dialogue.end


def test_what_is_too_long_or_empty_is_left_out_and_counted(dialogue):
    examples = [_example(), _example(answer="is a " * 100), _example(answer=" ")]
    found = encode(examples, dialogue, max_tokens=60)
    assert len(found.encoded) == 1
    left_out = {(left.reason.split()[0], left.count) for left in found.left_out}
    assert left_out == {("longer", 1), ("without", 1)}


def test_a_text_cannot_end_its_turn(dialogue):
    (item,) = encode([_example(answer="</s> the port")], dialogue, max_tokens=100).encoded
    assert item.ids.count(dialogue.end) - item.ids[: item.start].count(dialogue.end) == 1


_ITEMS = st.lists(st.tuples(st.integers(1, 30), st.integers(1, 9)), min_size=1, max_size=80).map(
    lambda sizes: [
        Encoded((7,) * prompt + tuple(range(10, 10 + tail)), prompt, Example(ExampleKind.TEXT, (), str(n)))
        for n, (prompt, tail) in enumerate(sizes)
    ]
)


@pytest.mark.slow
@given(_ITEMS, st.integers(1, 9), st.integers(0, 3))
def test_an_epoch_holds_every_example_once(items, size, epoch):
    batches = grouped(items, size, seed=1, epoch=epoch)
    assert sorted(id(item) for batch in batches for item in batch) == sorted(map(id, items))
    assert all(len(batch) <= size for batch in batches)
    assert batches == grouped(items, size, seed=1, epoch=epoch)


@pytest.mark.slow
@given(_ITEMS)
def test_completions_end_at_the_same_column(items):
    batch = collate(items, pad=0)
    kept = batch.targets.shape[1]
    for row, item in enumerate(items):
        assert batch.ids[row][batch.mask[row] == 1].tolist() == list(item.ids)
        assert batch.targets[row][batch.targets[row] >= 0].tolist() == list(item.ids[item.start :])
        targets = batch.ids[row, -kept:]
        assert all(t in (-100, int(i)) for t, i in zip(batch.targets[row].tolist(), targets, strict=True))
        assert batch.positions[row, -1] == len(item.ids) - 1


@pytest.fixture
def exact(monkeypatch):
    """Measure in float32, where equal means equal."""
    monkeypatch.setattr(likelihood, "number_format", lambda subject: "float32")


def _alone(generator, stretch):
    """Return the likelihood by one plain call of the model."""
    with generator.lent() as module, torch.no_grad():
        logs = module(input_ids=torch.tensor([stretch.ids])).logits[0].log_softmax(-1)
    places = range(stretch.start, len(stretch.ids))
    return sum(float(logs[place - 1, stretch.ids[place]]) for place in places)


def _stretches(generator):
    whole = [stretch for text in _TEXTS for stretch in pieces(generator, text)]
    return [
        *whole,
        continuation(generator, "the port of", " the server"),
        continuation(generator, "", "a port"),
    ]


def test_batches_say_what_the_model_says_of_each_text_alone(tiny_generator, exact):
    stretches = _stretches(tiny_generator)
    expected = [_alone(tiny_generator, stretch) for stretch in stretches]
    assert log_likelihoods(tiny_generator, stretches) == pytest.approx(expected, abs=1e-4)


def test_small_batches_say_the_same(tiny_generator, exact, monkeypatch):
    stretches = _stretches(tiny_generator)
    together = log_likelihoods(tiny_generator, stretches)
    monkeypatch.setattr(likelihood, "_BATCH_TOKENS", 1)
    assert log_likelihoods(tiny_generator, stretches) == pytest.approx(together, abs=1e-4)


def test_a_text_longer_than_the_context_is_read_in_pieces(tiny_generator):
    text = "the default port of the server is a port " * 60
    (ids,) = tiny_generator.dialogue.tokens([text])
    found = pieces(tiny_generator, text)
    assert len(found) > 1
    assert max(len(stretch.ids) for stretch in found) <= tiny_generator.context_tokens
    # without a token to begin with, the first one of each piece cannot be judged
    assert sum(stretch.judged for stretch in found) == len(ids) - len(found)


@pytest.mark.parametrize("text", ["", " ", "of"])
def test_a_text_with_nothing_to_judge_has_no_pieces(tiny_generator, text):
    assert pieces(tiny_generator, text) == []


def test_what_stands_before_is_not_judged(tiny_generator):
    stretch = continuation(tiny_generator, "the port", " of the server")
    (before,) = tiny_generator.dialogue.tokens(["the port"])
    assert stretch.start == len(before)
    assert stretch.ids[: stretch.start] == tuple(before)


def test_nothing_to_judge_or_too_much_is_refused(tiny_generator):
    with pytest.raises(UsageError, match="0 tokens to judge"):
        continuation(tiny_generator, "the port", "")
    with pytest.raises(UsageError, match="at most 256 together"):
        continuation(tiny_generator, "the port " * 200, "of")


def test_a_tokenizer_with_a_token_of_its_own_begins_with_it(tiny_generator, monkeypatch):
    dialogue = tiny_generator.dialogue
    real = dialogue.tokenizer

    class Beginning:
        def __call__(self, text, **options):
            found = real(text, add_special_tokens=False)
            if options.get("add_special_tokens", True):
                found["input_ids"] = [7, *found["input_ids"]]
            return found

        def __getattr__(self, name):
            return getattr(real, name)

    monkeypatch.setattr(dialogue, "tokenizer", Beginning())
    (stretch,) = pieces(tiny_generator, "the port")
    assert stretch.ids[0] == 7
    assert stretch.start == 1


def test_a_model_is_no_distance_from_itself(tiny_generator):
    stretches = _stretches(tiny_generator)
    found = list(compare(tiny_generator, tiny_generator, stretches))
    assert len(found) == len(stretches) > 0
    for apart in found:
        assert apart.before == apart.after > 0
        assert apart.divergence == 0


@pytest.mark.slow
def test_two_models_are_as_far_apart_as_their_distributions(
    tiny_generator, tiny_generator_folder, make_adapter, tmp_path, exact
):
    adapted = tiny_generator.adapted(make_adapter(tiny_generator_folder, tmp_path / "a"))
    stretches = _stretches(tiny_generator)
    found = compare(tiny_generator, adapted, stretches)
    assert stretches
    for stretch, apart in zip(stretches, found, strict=True):
        logs = []
        for subject in (tiny_generator, adapted):
            with subject.lent() as module, torch.no_grad():
                rows = module(input_ids=torch.tensor([stretch.ids])).logits[0].log_softmax(-1)
            logs.append(rows[stretch.start - 1 : -1])
        expected = float((logs[0].exp() * (logs[0] - logs[1])).sum())
        assert apart.divergence == pytest.approx(expected, abs=1e-3)
        assert apart.divergence > 0
        assert apart.after == pytest.approx(-_alone(adapted, stretch), abs=1e-3)
        assert math.isfinite(apart.before)


def test_the_number_format_is_one_for_base_and_adapter(
    tiny_generator, tiny_generator_folder, make_adapter, tmp_path
):
    adapted = tiny_generator.adapted(make_adapter(tiny_generator_folder, tmp_path / "a"))
    assert number_format(tiny_generator) == number_format(adapted) in ("float32", "bfloat16")


def test_no_texts_no_values(tiny_generator):
    assert log_likelihoods(tiny_generator, []) == []
    assert compare(tiny_generator, tiny_generator, []) == []
    assert TokenStretch((1, 2, 3), 1).judged == 2
