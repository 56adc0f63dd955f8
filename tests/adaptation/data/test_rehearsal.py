import pytest

from hybrid.adaptation.data.rehearsal import instructions, rehearsal_examples, sample
from hybrid.adaptation.forgetting.suites import shipped_suite
from hybrid.adaptation.values import ExampleKind
from hybrid.models.dialogue import Dialogue
from hybrid.questions.checking import NEAR, shingles
from hybrid.types import Message, MessageRole


@pytest.fixture(scope="module")
def base(tiny_generator_folder):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(tiny_generator_folder)
    tokenizer = AutoTokenizer.from_pretrained(tiny_generator_folder)
    tokenizer.pad_token = tokenizer.eos_token
    return model, Dialogue(tokenizer)


def made(base, cache, tokens=300, seed=0, digest="d"):
    return rehearsal_examples(*base, digest=digest, tokens=tokens, seed=seed, cache=cache)


def counted(base, examples):
    return sum(map(len, base[1].tokens([example.completion for example in examples])))


@pytest.mark.slow
def test_about_as_much_as_wanted_is_made_of_texts_and_answers(base, tmp_path):
    examples = made(base, tmp_path, tokens=1_000)
    assert {example.kind for example in examples} == {ExampleKind.REHEARSAL}
    assert {example.made for example in examples} <= {"answered", "made up"}
    assert all(not example.prompt for example in examples if example.made == "made up")
    assert 1_000 <= counted(base, examples) <= 1_200
    assert made(base, tmp_path, tokens=0) == []


@pytest.mark.slow
def test_the_same_base_and_seed_give_the_same_and_others_others(base, tmp_path):
    first = made(base, tmp_path / "a")
    assert made(base, tmp_path / "b") == first
    assert made(base, tmp_path / "b", seed=1) != first
    assert len(list((tmp_path / "b" / "rehearsal").iterdir())) == 2


@pytest.mark.slow
def test_what_was_made_is_kept_and_serves_less_too(base, tmp_path):
    more = made(base, tmp_path, tokens=900)
    (kept,) = (tmp_path / "rehearsal").iterdir()
    before = kept.stat().st_mtime_ns
    less = rehearsal_examples(None, base[1], digest="d", tokens=300, seed=0, cache=tmp_path)
    assert less == more[: len(less)]
    assert 0 < len(less) < len(more)
    assert kept.stat().st_mtime_ns == before
    made(base, tmp_path, digest="another base")
    assert len(list((tmp_path / "rehearsal").iterdir())) == 2


def test_samples_are_fixed_by_the_seed_and_independent_of_padding(base):
    model, dialogue = base
    prompts = dialogue.tokens(["a", "a long prompt with many letters"])
    first = list(sample(model, dialogue, prompts, max_new_tokens=12, temperature=1.0, seed=4))
    again = list(sample(model, dialogue, prompts, max_new_tokens=12, temperature=1.0, seed=4))
    assert first == again
    # nearly no temperature: the likeliest token, whatever stands beside it
    cold = list(sample(model, dialogue, prompts, max_new_tokens=12, temperature=1e-4, seed=4))
    alone = list(sample(model, dialogue, prompts[:1], max_new_tokens=12, temperature=1e-4, seed=9))
    assert cold[0] == alone[0]


@pytest.mark.slow
def test_a_sample_ends_where_the_model_ends_it_unless_it_may_not(base):
    model, dialogue = base
    prompts = dialogue.tokens(["a"] * 40)
    ended = [end for _, end in sample(model, dialogue, prompts, max_new_tokens=60, temperature=3.0, seed=0)]
    assert any(ended)
    for ids, end in sample(model, dialogue, prompts, max_new_tokens=20, temperature=3.0, seed=0, end=False):
        assert not end
        assert len(ids) == 20
        assert dialogue.end not in ids


def test_the_shipped_instructions_are_many_and_different():
    texts = instructions()
    assert len(texts) >= 50
    assert len(set(texts)) == len(texts)


def test_the_shipped_instructions_are_not_what_forgetting_is_measured_by():
    suite = shipped_suite()
    measured = [probe.prompt for probe in suite.probes] + [choice.question for choice in suite.choices]
    assert len(measured) > 100 and len(instructions()) > 50
    for text in instructions():
        own = shingles(text)
        for other in map(shingles, measured):
            assert len(own & other) < NEAR * len(own | other)


@pytest.mark.slow
def test_answers_stop_at_the_end_of_a_sentence(base, tmp_path):
    answered = [example for example in made(base, tmp_path, tokens=2_000) if example.made == "answered"]
    assert answered
    for example in answered:
        assert example.prompt[0].role is MessageRole.USER
        assert example.prompt == (Message(MessageRole.USER, example.prompt[0].content),)
        assert example.completion.strip()
