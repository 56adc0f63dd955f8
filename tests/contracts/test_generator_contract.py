"""What every generator promises."""

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
