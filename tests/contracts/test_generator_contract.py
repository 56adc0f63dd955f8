"""What every generator promises."""

import pytest

from hybrid.types import Message, MessageRole

_ASK = [Message(MessageRole.SYSTEM, "Be short."), Message(MessageRole.USER, "Which port is the default?")]


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
    assert "".join(generator.stream(_ASK, max_new_tokens=12)) == written.text


def test_a_text_ends_before_the_first_stop_string(generator):
    (whole,) = generator.generate([_ASK], max_new_tokens=12)
    mark = whole.text[3:6]
    (written,) = generator.generate([_ASK], max_new_tokens=12, stop=[mark])
    assert written.text == whole.text[: whole.text.index(mark)].strip()
    assert "".join(generator.stream(_ASK, max_new_tokens=12, stop=[mark])) == written.text


_OTHER = [Message(MessageRole.USER, "Is a port a number?")]
_OPTIONS = [["Yes", "No"], ["five thousand", "5432", "a default port of the server"]]


def test_every_continuation_has_a_likelihood(generator):
    judged = generator.log_likelihoods([_ASK, _OTHER], _OPTIONS)
    assert [len(row) for row in judged] == [2, 3]
    assert all(value < 0 for row in judged for value in row)
    assert generator.log_likelihoods([], []) == []


def test_likelihoods_in_a_batch_are_those_alone(generator):
    together = generator.log_likelihoods([_ASK, _OTHER, _ASK], [*_OPTIONS, _OPTIONS[0][::-1]])
    alone = [
        generator.log_likelihoods([turns], [[text]])[0][0]
        for turns, texts in zip([_ASK, _OTHER, _ASK], [*_OPTIONS, _OPTIONS[0][::-1]], strict=True)
        for text in texts
    ]
    assert [value for row in together for value in row] == pytest.approx(alone, abs=1e-4)


def test_a_generator_has_a_digest_that_stays(generator):
    assert generator.digest == generator.digest != ""
