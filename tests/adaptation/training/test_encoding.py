"""Tokens of examples: as they are served, loss on the completion, little padding, nothing lost in batches."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid.adaptation.training.encoding import Encoded, by_length, collate, encode, grouped
from hybrid.adaptation.values import Example, ExampleKind
from hybrid.models.device import Placement
from hybrid.models.dialogue import Dialogue
from hybrid.types import Message, MessageRole


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
    assert item.start == 1 and item.completion_tokens == len(item.ids) - 1
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
        Encoded(Example(ExampleKind.TEXT, (), str(n)), (7,) * prompt + tuple(range(10, 10 + tail)), prompt)
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
@given(_ITEMS, st.integers(1, 9))
def test_measuring_asks_every_example_once(items, size):
    assert sorted(place for batch in by_length(items, size) for place in batch) == list(range(len(items)))


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
