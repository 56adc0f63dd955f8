"""What every generator promises."""

import pytest

from hybrid.errors import UsageError
from hybrid.types import Message, MessageRole

_ASK = [Message(MessageRole.SYSTEM, "Be short."), Message(MessageRole.USER, "Which port is the default?")]


@pytest.mark.slow
def test_there_is_one_answer_a_conversation(generator):
    written = generator.generate([_ASK, _ASK], max_new_tokens=12)
    assert len(written) == 2
    assert written[0] == written[1]
    assert written[0].prompt_tokens == generator.count_prompt_tokens(_ASK) > 0
    assert generator.generate([], max_new_tokens=12) == []
    assert generator.name
    assert generator.context_tokens > 100


def test_a_text_has_no_space_around_it_and_a_stream_is_the_same_text(generator):
    (written,) = generator.generate([_ASK], max_new_tokens=12)
    assert written.text == written.text.strip()
    *pieces, whole = generator.stream(_ASK, max_new_tokens=12)
    assert "".join(pieces) == written.text
    assert whole == written


def test_a_text_ends_before_the_first_stop_string(generator):
    (whole,) = generator.generate([_ASK], max_new_tokens=12)
    mark = whole.text[3:6]
    (written,) = generator.generate([_ASK], max_new_tokens=12, stop=[mark])
    assert written.text == whole.text[: whole.text.index(mark)].strip()
    *pieces, streamed = generator.stream(_ASK, max_new_tokens=12, stop=[mark])
    assert "".join(pieces) == streamed.text == written.text
    assert not streamed.incomplete


_OTHER = [Message(MessageRole.USER, "Is a port a number?")]
_OPTIONS = [["Yes", "No"], ["five thousand", "5432", "a default port of the server"]]


def test_every_continuation_has_a_likelihood(judge):
    judged = judge.log_likelihoods([_ASK, _OTHER], _OPTIONS)
    assert [len(row) for row in judged] == [2, 3]
    assert all(value < 0 for row in judged for value in row)
    assert judge.log_likelihoods([], []) == []


def test_likelihoods_in_a_batch_are_those_alone(judge):
    asked = [_ASK, _OTHER, _ASK]
    options = [*_OPTIONS, _OPTIONS[0][::-1]]
    together = judge.log_likelihoods(asked, options)
    alone = [judge.log_likelihoods([turns], [texts])[0] for turns, texts in zip(asked, options, strict=True)]
    assert [value for row in together for value in row] == pytest.approx(
        [value for row in alone for value in row], abs=1e-4
    )


def test_a_generator_has_a_digest_that_stays(generator):
    assert generator.digest == generator.digest != ""


def test_the_tokens_of_a_continuation_sum_up_to_its_likelihood(judge):
    judged = judge.log_probabilities([_ASK, _OTHER], _OPTIONS)
    assert all(value <= 0 for row in judged for tokens in row for value in tokens)
    whole = [sum(tokens) for row in judged for tokens in row]
    likelihoods = judge.log_likelihoods([_ASK, _OTHER], _OPTIONS)
    assert whole == pytest.approx([value for row in likelihoods for value in row], abs=1e-6)
    assert judge.log_probabilities([], []) == []


@pytest.mark.slow
def test_the_same_seed_gives_the_same_samples_and_more_of_them_begin_alike(generator):
    first = generator.sample([_ASK, _OTHER], 3, max_new_tokens=12, seed=4)
    assert [len(row) for row in first] == [3, 3]
    assert generator.sample([_ASK, _OTHER], 3, max_new_tokens=12, seed=4) == first
    more = generator.sample([_ASK, _OTHER], 4, max_new_tokens=12, seed=4)
    assert [row[:3] for row in more] == first
    assert generator.sample([], 3, max_new_tokens=12) == []


def test_a_sample_has_no_space_around_it_and_ends_before_a_stop_string(generator):
    ((whole,),) = generator.sample([_ASK], 1, max_new_tokens=12)
    assert whole.text == whole.text.strip()
    assert whole.prompt_tokens == generator.count_prompt_tokens(_ASK)
    mark = whole.text[3:6]
    ((written,),) = generator.sample([_ASK], 1, max_new_tokens=12, stop=[mark])
    assert written.text == whole.text[: whole.text.index(mark)].strip()


@pytest.mark.parametrize(("count", "temperature"), [(0, 1.0), (2, 0.0), (2, -1.0), (2, float("nan"))])
def test_what_cannot_be_sampled_is_a_usage_error(generator, count, temperature):
    with pytest.raises(UsageError, match="expected at least one"):
        generator.sample([_ASK], count, max_new_tokens=12, temperature=temperature)
