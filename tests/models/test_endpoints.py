"""What servers do beside answering, tried on a scripted one."""

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from hybrid.errors import RemoteError
from hybrid.models.remote import RemoteGenerator
from hybrid.models.servers import told_to_wait
from hybrid.types import Message, MessageRole
from tests.scripted_server import Reply, ScriptedServer, refused

_ASK = [Message(MessageRole.SYSTEM, "Be short."), Message(MessageRole.USER, "Which port?")]
_SCHEMA = {"type": "object", "properties": {"answer": {"type": "string"}}}
_ANSWER = "Grüße: it is 5432 – the “default” \u2028 of 服务器 🙂."


def generator_of(server, **options):
    return RemoteGenerator(server.url, model="writer", **options)


def streamed(generator):
    *pieces, whole = generator.stream(_ASK, max_new_tokens=9)
    return [piece for piece in pieces if piece], whole


def test_letters_that_come_in_parts_and_odd_ends_of_lines_are_read_as_they_were_sent():
    with ScriptedServer(Reply(_ANSWER, split=True)) as server:
        pieces, whole = streamed(generator_of(server))
        assert "".join(pieces) == whole.text == _ANSWER
        assert whole.incomplete == ""


@pytest.mark.parametrize(
    "said",
    [
        "<|begin_of_thought|>Hm.<|end_of_thought|>\n<|begin_of_solution|>It is 5432.<|end_of_solution|>",
        "<|START_THINKING|>Hm.<|END_THINKING|><|START_RESPONSE|>It is 5432.<|END_RESPONSE|>",
        "<think>Hm.</think>\n<answer>\nIt is 5432.\n</answer>",
        '<details type="reasoning" done="true"><summary>Hm</summary>Well.</details>\nIt is 5432.',
        "<unused94>thought\nHm.<unused95>It is 5432.",
        "<|inner_prefix|>Hm.<|inner_suffix|>It is 5432.",
        "<scratchpad>Hm.</scratchpad><response>It is 5432.</response>",
        "analysisThe user asks. It is 5433?assistantanalysisNo.assistantfinalIt is 5432.",
        "<|start|>assistant<|channel|>analysis<|message|>Hm<|end|><|start|>assistant<|channel|>final<|message|>"
        "It is 5432.<|return|>",
        "<|channel|>analysis<|message|>I.<|end|><|channel|>final <|constrain|>json<|message|>It is 5432.",
        "<thinking>Hm.</think>It is 5432.",
        "<|think|>Hm.<|/think|>It is 5432.",
        "```thinking\nHm.\n```\nIt is 5432.",
        "<|assistant|>It is 5432.<|end|>",
        "It is 5432.<|im_end|>\n<|im_start|>user",
        "It is 5432.<|eot_id|>",
    ],
)
def test_neither_thoughts_nor_marks_of_a_family_are_shown(said):
    with ScriptedServer(Reply(said)) as server:
        generator = generator_of(server)
        (written,) = generator.generate([_ASK], max_new_tokens=9)
        pieces, whole = streamed(generator)
    assert "".join(pieces) == whole.text == written.text == "It is 5432."
    assert whole.incomplete == written.incomplete == ""


@pytest.mark.parametrize("said", ["analysis shows it.", "Analysis: 5.", "[internal] Keep it.", "finally 5"])
def test_what_only_looks_like_thoughts_is_shown(said):
    with ScriptedServer(Reply(said)) as server:
        pieces, whole = streamed(generator_of(server))
    assert "".join(pieces) == whole.text == said


@pytest.mark.parametrize("opening", ["<think>", ""])
def test_thoughts_are_never_shown_whether_the_server_tells_their_opening_or_not(opening):
    said = f"{opening}The user asks. I don't know.\n</think>\n\nIt is 5432."
    with ScriptedServer(Reply(said)) as server:
        generator = generator_of(server)
        for _ in range(2):
            pieces, whole = streamed(generator)
            assert "".join(pieces) == whole.text == "It is 5432."
        assert generator.generate([_ASK], max_new_tokens=9)[0].text == "It is 5432."


def test_a_server_that_fails_in_a_stream_says_of_what_and_keeps_what_was_said():
    with ScriptedServer(Reply("It is 5432 by default.", events=2, error="engine died")) as server:
        pieces, whole = streamed(generator_of(server))
        assert "".join(pieces) == whole.text == "It is 5432 by"
        assert whole.incomplete == "the server stopped: engine died"
    with (
        ScriptedServer(Reply("It is", events=0, error="engine died")) as server,
        pytest.raises(RemoteError, match="answered with an error: engine died"),
    ):
        streamed(generator_of(server))


def test_a_connection_that_is_dropped_leaves_what_was_said_or_an_error():
    with ScriptedServer(Reply("It is 5432 by default.", events=2)) as server:
        pieces, whole = streamed(generator_of(server))
        assert "".join(pieces) == whole.text == "It is 5432 by"
        assert whole.incomplete == "the stream broke off"
    with ScriptedServer(Reply("It is", events=0)) as server, pytest.raises(RemoteError, match="not answer"):
        streamed(generator_of(server))


@pytest.mark.parametrize("body", [{"error": {"message": "model is loading"}}, {"error": "model is loading"}])
def test_an_error_in_place_of_a_completion_is_told_in_the_words_of_the_server(body):
    with ScriptedServer(Reply(body=json.dumps(body).encode())) as server:
        generator = generator_of(server)
        with pytest.raises(RemoteError, match="answered with an error: model is loading") as caught:
            generator.generate([_ASK], max_new_tokens=9)
        assert "models.generator" in caught.value.hint
        with pytest.raises(RemoteError, match="model is loading"):
            streamed(generator)


def test_parts_of_a_text_and_whole_answers_are_read_in_a_stream_too():
    parts = [{"type": "text", "text": "It is "}, {"type": "text", "text": "5432."}]
    with ScriptedServer(Reply(parts), Reply("It is 5432.", whole=True)) as server:
        generator = generator_of(server)
        assert streamed(generator)[1].text == streamed(generator)[1].text == "It is 5432."


def test_a_busy_server_is_waited_for_as_long_as_it_says():
    waited = []
    busy = refused("slow down", status=429, Retry_After="7")
    with ScriptedServer(busy, Reply("It is 5432.")) as server:
        generator = generator_of(server, sleep=waited.append)
        assert generator.generate([_ASK], max_new_tokens=9)[0].text == "It is 5432."
    assert waited == [7]


def test_what_a_server_does_not_know_is_left_out_and_not_asked_twice():
    unknown = ("response_format", "temperature", "stop")
    with ScriptedServer(Reply("It is 5432."), unknown=unknown, newer=True) as server:
        generator = generator_of(server).structured(_SCHEMA)
        for _ in range(2):
            (written,) = generator.generate([_ASK], max_new_tokens=9, stop=["\n\n"])
            assert written.text == "It is 5432."
        assert len(server.requests) == 4 + 1 + 1
        assert set(server.requests[-1]) == {"model", "messages", "max_completion_tokens"}


def test_the_schema_is_sent_and_dropped_where_it_is_refused_in_other_words():
    def script(asked):
        return refused("failed to parse the grammar") if "response_format" in asked else Reply("It is 5432.")

    with ScriptedServer(script=script) as server:
        generator = generator_of(server)
        assert generator.structured(_SCHEMA).generate([_ASK], max_new_tokens=9)[0].text == "It is 5432."
        first, second = server.requests
        assert first["response_format"]["json_schema"]["schema"] == _SCHEMA
        assert "response_format" not in second
        # what it was found out of is a view: all know it
        generator.structured(_SCHEMA).generate([_ASK], max_new_tokens=9)
        generator.generate([_ASK], max_new_tokens=9)
        assert len(server.requests) == 4


def test_samples_are_drawn_as_they_were_asked_or_not_at_all():
    with ScriptedServer(Reply("It is 5432."), unknown=["temperature"]) as server:
        with pytest.raises(RemoteError, match="'temperature' is not supported"):
            generator_of(server).sample([_ASK], 1, max_new_tokens=9, temperature=0.5)
        assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("status", "hint"),
    [
        (400, "context_tokens"),
        (401, "HYBRID_API_KEY"),
        (404, "/v1"),
        (413, "context_tokens"),
        (429, "later"),
        (500, "log of the server"),
        (504, "later"),
    ],
)
def test_a_refusal_says_what_helps_against_it(status, hint):
    with (
        ScriptedServer(refused("no", status=status)) as server,
        pytest.raises(RemoteError, match=f"answered {status}") as caught,
    ):
        generator_of(server, sleep=lambda seconds: None).generate([_ASK], max_new_tokens=9)
    assert hint in caught.value.hint


_SAYS = "It is 5432."


def _event(**choice):
    return "data: " + json.dumps({"choices": [choice]}) + "\n\n"


_WHOLE = (
    _event(delta={"content": "It is "})
    + _event(delta={"content": "5432."})
    + _event(delta={}, finish_reason="stop")
)
_DONE = "data: [DONE]\n\n"


@pytest.mark.parametrize(
    "stream",
    [
        (_WHOLE + _DONE).replace("\n", "\r\n"),
        (_WHOLE + _DONE).replace("\n", "\r"),
        (_WHOLE + _DONE).replace("\n\n", "\n"),
        (_WHOLE + _DONE).replace("data: ", "data:"),
        "\ufeff" + _WHOLE,
        ": ping\n\nretry: 5\nevent: message\nid: 1\n" + _WHOLE + ": ping\n\n" + _DONE,
        "data:\n\n" + _WHOLE + "data: \n\n" + _DONE,
        'data: {"choices":\ndata: [{"delta": {"content": "It is 5432."}, "finish_reason": "stop"}]}\n\n',
        'data: {"type": "ping"}\n\n' + _WHOLE + 'data: {"usage": {"prompt_tokens": 3}}\n\n' + _DONE,
        _event(delta=None) + _WHOLE.replace("}]}", '}], "usage": null}'),
        _event(message={"content": _SAYS}, finish_reason="stop"),
        _event(text=_SAYS, finish_reason="stop"),
        _event(delta={"reasoning_content": "Let me see."}) + _WHOLE,
    ],
)
def test_streams_are_read_however_servers_write_them(stream):
    with ScriptedServer(Reply(body=stream.encode())) as server:
        pieces, whole = streamed(generator_of(server))
    assert ("".join(pieces), whole.text, whole.incomplete) == (_SAYS, _SAYS, "")


@pytest.mark.parametrize(
    ("end", "why"),
    [
        ('data: {"choices": [{"del', "the stream broke off"),
        ('data: {"choices": [{"delta": {"content": "Gr\udcc3', "the stream broke off"),
        ('event: error\ndata: {"message": "engine died"}\n\n', "the server stopped: engine died"),
    ],
)
def test_what_came_before_a_stream_was_cut_within_an_event_is_kept(end, why):
    stream = _event(delta={"content": "It is "}) + end
    with ScriptedServer(Reply(body=stream.encode(errors="surrogateescape"))) as server:
        whole = streamed(generator_of(server))[1]
    assert (whole.text, whole.incomplete) == ("It is", why)


@pytest.mark.parametrize(
    ("reply", "text", "why"),
    [
        (Reply([_SAYS]), _SAYS, ""),
        (Reply([{"type": "output_text", "text": {"value": _SAYS}}]), _SAYS, ""),
        (Reply([{"type": "reasoning", "text": "Hm."}, {"type": "text", "text": _SAYS}]), _SAYS, ""),
        (Reply("<Thinking>Hm.</Thinking>\n" + _SAYS), _SAYS, ""),
        (Reply("[THINK]Hm.[/THINK]" + _SAYS), _SAYS, ""),
        (Reply("<think>Hm.</think>\n<think>Well.</think>" + _SAYS), _SAYS, ""),
        (Reply("<|channel|>analysis<|message|>Hm.<|end|><|channel|>final<|message|>" + _SAYS), _SAYS, ""),
        (Reply("<think>Hm, it"), "", "the model thought, and did not answer"),
        (Reply(None, "tool_calls", {"tool_calls": []}), "", "the model called a tool in place of an answer"),
        (Reply("It is", "MAX_TOKENS"), "It is", "cut at 9 tokens"),
        (Reply("It is", "model_context_window_exceeded"), "It is", "cut at 9 tokens"),
        (Reply("It is", "abort"), "It is", "the server ended it: 'abort'"),
        (Reply(_SAYS, "end_turn"), _SAYS, ""),
        (Reply("", "SAFETY"), "", "cut by a filter of the server"),
        (Reply(None, message={"refusal": "I cannot."}), "I cannot.", ""),
        (
            Reply(body=json.dumps({"choices": [{"text": _SAYS}], "usage": {"prompt_tokens": None}}).encode()),
            _SAYS,
            "",
        ),
        (Reply(body=b"\xef\xbb\xbf" + json.dumps(Reply(_SAYS).completion()).encode()), _SAYS, ""),
    ],
)
def test_an_answer_is_read_in_whatever_shape_it_comes_and_says_why_it_is_none(reply, text, why):
    with ScriptedServer(reply) as server:
        (written,) = generator_of(server).generate([_ASK], max_new_tokens=9)
    assert (written.text, written.incomplete) == (text, why)


@pytest.mark.parametrize(
    ("first", "least", "most"),
    [
        (refused("slow down", status=429, Retry_After="1.5"), 1.5, 1.5),
        (refused("slow down", status=429, Retry_After="soon"), 1, 1),
        (refused("overloaded", status=529), 1, 1),
        (refused("bad gateway", status=502), 1, 1),
        (refused("engine restarts", status=500), 1, 1),
    ],
)
def test_what_passes_is_waited_for(first, least, most):
    waited = []
    with ScriptedServer(first, Reply(_SAYS)) as server:
        generator = generator_of(server, sleep=waited.append)
        assert generator.generate([_ASK], max_new_tokens=9)[0].text == _SAYS
    assert len(waited) == 1
    assert least <= waited[0] <= most


@pytest.mark.parametrize("ahead", [-3_600, 3_600])
def test_a_date_is_of_the_clock_of_the_server(ahead):
    now = datetime.now(UTC) + timedelta(seconds=ahead)
    later = format_datetime(now + timedelta(seconds=20), usegmt=True)
    headers = {"date": format_datetime(now, usegmt=True), "retry-after": later}
    assert told_to_wait(headers, 1) == 20
    assert told_to_wait({"retry-after-ms": "1500"}, 1) == 1.5
    assert [told_to_wait({"retry-after": told}, 1) for told in ("2s", "inf", "-1", "")] == [2, 1, 1, 1]


def test_a_date_to_come_back_is_waited_for():
    waited = []
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=20), usegmt=True)
    with ScriptedServer(refused("busy", status=503, Retry_After=later), Reply(_SAYS)) as server:
        generator_of(server, sleep=waited.append).generate([_ASK], max_new_tokens=9)
    assert 10 < waited[0] <= 20


@pytest.mark.parametrize(
    ("reply", "message", "hint"),
    [
        (
            Reply(status=307, headers={"Location": "https://other.example/v1"}, body=b""),
            "moved to",
            "name that",
        ),
        (Reply(body=b"<html>Log in</html>"), "not a chat completion.*Log in", "/v1"),
        (Reply(body=b'{"choices": []}'), "not a chat completion", "/v1"),
        (Reply(body=b'{"detail": "Not here"}'), "answered with an error: Not here", "models.generator"),
    ],
)
def test_what_is_no_answer_says_where_to_look(reply, message, hint):
    with ScriptedServer(reply) as server, pytest.raises(RemoteError, match=message) as caught:
        generator_of(server).generate([_ASK], max_new_tokens=9)
    assert hint in caught.value.hint


def test_what_a_server_does_not_count_is_estimated():
    with ScriptedServer(Reply(_SAYS, usage={})) as server:
        generator = generator_of(server)
        (written,) = generator.generate([_ASK], max_new_tokens=9)
    assert written.prompt_tokens == generator.count_prompt_tokens(_ASK)
    assert 0 < written.completion_tokens < len(_SAYS)


def test_an_endpoint_may_be_named_to_its_end():
    with ScriptedServer(Reply(_SAYS)) as server:
        generator = RemoteGenerator(f"{server.url}/chat/completions", model="writer")
        assert generator.generate([_ASK], max_new_tokens=9)[0].text == _SAYS
