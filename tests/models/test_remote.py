"""A generator behind an OpenAI-compatible endpoint, tried against a local server."""

import base64
import json
import socket
import threading
import traceback
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from hybrid.config import ModelSettings
from hybrid.errors import ConfigError, RemoteError, UsageError
from hybrid.models import Generation
from hybrid.models.loading import load_generator
from hybrid.models.remote import RemoteGenerator
from hybrid.types import Message, MessageRole

_SECRET, _PASSWORD = "sk-secret-123", "pass-word-9"
_ASK = [Message(MessageRole.SYSTEM, "Be short."), Message(MessageRole.USER, "Which port?")]


class _Endpoint:
    """What the server answers next, and what it was asked."""

    def __init__(self):
        self.status, self.body, self.events = 200, None, []
        self.requests = []

    def says(self, text):
        self.body = {
            "choices": [{"message": {"role": "assistant", "content": text}}],
            "usage": {"prompt_tokens": 11, "completion_tokens": 7},
        }


@pytest.fixture
def endpoint():
    state = _Endpoint()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            state.requests.append((self.path, dict(self.headers), asked))
            self.send_response(state.status)
            self.end_headers()
            if asked.get("stream") and state.events:
                for event in state.events:
                    self.wfile.write(event.encode())
            else:
                body = state.body if state.body is not None else _echo(asked)
                self.wfile.write(body if isinstance(body, bytes) else json.dumps(body).encode())

        def log_message(self, *arguments):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    state.url = f"http://127.0.0.1:{server.server_port}/v1"
    yield state
    server.shutdown()
    server.server_close()
    thread.join()


def _echo(asked):
    return {"choices": [{"message": {"content": asked["messages"][-1]["content"].upper()}}]}


def _event(text):
    return "data: " + json.dumps({"choices": [{"delta": {"content": text}}]}) + "\n\n"


def test_a_conversation_is_sent_and_the_answer_read(endpoint):
    endpoint.says(" It is 5432. ")
    (written,) = RemoteGenerator(endpoint.url, model="m").generate([_ASK], max_new_tokens=9, stop=["\n"])
    assert (written.text, written.prompt_tokens, written.completion_tokens) == ("It is 5432.", 11, 7)
    path, headers, asked = endpoint.requests[0]
    assert path == "/v1/chat/completions"
    assert "Authorization" not in headers
    assert asked == {
        "model": "m",
        "messages": [{"role": "system", "content": "Be short."}, {"role": "user", "content": "Which port?"}],
        "max_tokens": 9,
        "temperature": 0,
        "stop": ["\n"],
    }


@pytest.mark.slow
def test_many_conversations_keep_their_order(endpoint):
    asked = [[Message(MessageRole.USER, f"question {number}")] for number in range(20)]
    written = RemoteGenerator(endpoint.url, model="m").generate(asked, max_new_tokens=9)
    assert [item.text for item in written] == [f"QUESTION {number}" for number in range(20)]


def test_a_stream_of_events_becomes_pieces(endpoint):
    endpoint.events = [
        'data: {"choices": [{"delta": {"role": "assistant"}}]}\n\n',
        _event("It is"),
        ": keep-alive\n\n",
        _event(" 5432."),
        'data: {"choices": [], "usage": {"prompt_tokens": 3}}\n\n',
        "data: [DONE]\n\n",
    ]
    generator = RemoteGenerator(endpoint.url, model="m")
    *pieces, whole = generator.stream(_ASK, max_new_tokens=9)
    # it might have been thoughts whose opening the server kept to itself
    assert [piece for piece in pieces if piece] == ["It is 5432."]
    assert whole == Generation("It is 5432.", 3, 2)
    *pieces, whole = generator.stream(_ASK, max_new_tokens=9)
    assert [piece for piece in pieces if piece] == ["It is", " 5432."]
    assert endpoint.requests[0][2]["stream"] is True


def test_stop_strings_hold_even_where_the_endpoint_ignores_them(endpoint):
    endpoint.says("It is 5432.\nQuestion: and more")
    endpoint.events = [_event(" It is 5432.\nQue"), _event("stion: and more "), "data: [DONE]\n\n"]
    generator = RemoteGenerator(endpoint.url, model="m")
    (written,) = generator.generate([_ASK], max_new_tokens=9, stop=["\nQuestion:"])
    assert written.text == "It is 5432."
    *pieces, whole = generator.stream(_ASK, max_new_tokens=9, stop=["\nQuestion:"])
    assert ("".join(pieces), whole.text, whole.incomplete) == ("It is 5432.", "It is 5432.", "")


def test_the_key_is_sent_and_never_shown(endpoint, monkeypatch):
    monkeypatch.setenv("HYBRID_API_KEY", "sk-secret-123")
    endpoint.status, endpoint.body = 401, b'{"error": "Incorrect API key provided: sk-secret-123"}'
    generator = RemoteGenerator(endpoint.url, model="m")
    for call in (
        lambda: generator.generate([_ASK], max_new_tokens=9),
        lambda: list(generator.stream(_ASK, max_new_tokens=9)),
    ):
        with pytest.raises(RemoteError, match="answered 401") as caught:
            call()
        assert "sk-secret-123" not in str(caught.value) + caught.value.hint
        assert "HYBRID_API_KEY" in caught.value.hint
    assert endpoint.requests[0][1]["Authorization"] == "Bearer sk-secret-123"
    assert "sk-secret-123" not in repr(generator)


def test_a_key_with_the_newline_of_its_file_is_sent_without(endpoint, monkeypatch):
    monkeypatch.setenv("HYBRID_API_KEY", "sk-secret-123\n")
    endpoint.says("ok")
    RemoteGenerator(endpoint.url, model="m").generate([_ASK], max_new_tokens=9)
    assert endpoint.requests[0][1]["Authorization"] == "Bearer sk-secret-123"


_THOUGHTS_ALONE = ", all of them thoughts: raise generation.max_new_tokens"


def _finished(content, reason, **more):
    return {"choices": [{"message": {"content": content, **more}, "finish_reason": reason}]}


@pytest.mark.parametrize(
    ("said", "text", "incomplete"),
    [
        (_finished("It is 5432.", "stop"), "It is 5432.", ""),
        (_finished("It is", "length"), "It is", "cut at 9 tokens"),
        (_finished(None, "length", reasoning_content="well"), "", f"cut at 9 tokens{_THOUGHTS_ALONE}"),
        (_finished("<think>It is 54", "length"), "", f"cut at 9 tokens{_THOUGHTS_ALONE}"),
        (_finished("It is 5432.", "length", reasoning="well"), "It is 5432.", "cut at 9 tokens"),
        (_finished("<think>It is?</think>\n\nIt is 5432.", "stop"), "It is 5432.", ""),
        (_finished("It", "content_filter"), "It", "cut by a filter of the server"),
        (_finished([{"type": "text", "text": "It is "}, {"text": "5432."}], "stop"), "It is 5432.", ""),
        (_finished(None, "stop", refusal="I cannot help."), "I cannot help.", ""),
    ],
)
def test_an_answer_comes_as_text_and_one_that_is_not_whole_says_so(endpoint, said, text, incomplete):
    endpoint.body = said
    generator = RemoteGenerator(endpoint.url, model="m")
    (written,) = generator.generate([_ASK], max_new_tokens=9)
    assert (written.text, written.incomplete) == (text, incomplete)
    # the server knows no streams and answers as a whole
    *pieces, whole = generator.stream(_ASK, max_new_tokens=9)
    assert ("".join(pieces), whole.text, whole.incomplete) == (text, text, incomplete)


@pytest.mark.parametrize(
    ("end", "incomplete"),
    [
        (["data: [DONE]\n\n"], ""),
        (['data: {"choices": [{"delta": {}, "finish_reason": "stop"}]}\n\n'], ""),
        (['data: {"choices": [{"delta": {}, "finish_reason": "length"}]}\n\n'], "cut at 9 tokens"),
        ([], "the stream broke off"),
    ],
)
def test_a_stream_that_ends_too_early_is_incomplete(endpoint, end, incomplete):
    endpoint.events = [_event("It is"), _event(" 5432"), *end]
    *pieces, whole = RemoteGenerator(endpoint.url, model="m").stream(_ASK, max_new_tokens=9)
    assert "".join(pieces) == whole.text == "It is 5432"
    assert whole.incomplete == incomplete


def test_a_busy_server_is_asked_again_and_in_the_end_given_up(endpoint):
    waited = []
    endpoint.status, endpoint.body = 429, b"slow down"

    def sleep(seconds):
        waited.append(seconds)
        if len(waited) == 2:
            endpoint.status = 200
            endpoint.says("It is 5432.")

    generator = RemoteGenerator(endpoint.url, model="m", sleep=sleep)
    assert generator.generate([_ASK], max_new_tokens=9)[0].text == "It is 5432."
    assert waited == [1, 2]
    endpoint.status = 429
    with pytest.raises(RemoteError, match="answered 429") as caught:
        list(generator.stream(_ASK, max_new_tokens=9))
    assert waited == [1, 2, 1, 2, 4]
    assert "ask again later" in caught.value.hint


def test_a_server_that_knows_the_limit_by_its_newer_name_gets_it_so(endpoint):
    endpoint.status = 400
    endpoint.body = b"Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead."
    generator = RemoteGenerator(endpoint.url, model="m")
    with pytest.raises(RemoteError, match="answered 400"):
        generator.generate([_ASK], max_new_tokens=9)
    endpoint.status = 200
    endpoint.says("It is 5432.")
    generator.generate([_ASK], max_new_tokens=9)
    limits = [{key: body[key] for key in body if key.startswith("max_")} for _, _, body in endpoint.requests]
    assert limits == [{"max_tokens": 9}, {"max_completion_tokens": 9}, {"max_completion_tokens": 9}]


@pytest.mark.slow
@pytest.mark.parametrize("status", [400, 401, 404, 429, 500, 503])
def test_a_refusal_tells_its_status(endpoint, status):
    endpoint.status, endpoint.body = status, b"something went wrong"
    generator = RemoteGenerator(endpoint.url, model="m", sleep=lambda seconds: None)
    with pytest.raises(RemoteError, match=f"answered {status}: something went wrong") as caught:
        generator.generate([_ASK], max_new_tokens=9)
    assert caught.value.exit_code == 5
    with pytest.raises(RemoteError, match=f"answered {status}"):
        list(generator.stream(_ASK, max_new_tokens=9))


@pytest.mark.slow
@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b"{}", b'{"choices": []}', b'{"choices": [{}]}', b"\xff\xfe", b"null"]
)
def test_what_is_no_completion_is_said_to_be_none(endpoint, body):
    endpoint.body = body
    with pytest.raises(RemoteError, match="not a chat completion"):
        RemoteGenerator(endpoint.url, model="m").generate([_ASK], max_new_tokens=9)


def test_an_event_that_is_no_completion_is_an_error(endpoint):
    endpoint.events = [_event("It is"), "data: {broken\n\n"]
    with pytest.raises(RemoteError, match="not a chat completion"):
        list(RemoteGenerator(endpoint.url, model="m").stream(_ASK, max_new_tokens=9))


def test_a_server_that_is_not_there_is_a_remote_error():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    generator = RemoteGenerator(f"http://user:secret@127.0.0.1:{port}/v1", model="m")
    for call in (
        lambda: generator.generate([_ASK], max_new_tokens=9),
        lambda: list(generator.stream(_ASK, max_new_tokens=9)),
    ):
        with pytest.raises(RemoteError, match="did not answer") as caught:
            call()
        assert caught.value.retryable
        assert "secret" not in str(caught.value)


@pytest.mark.parametrize("url", ["localhost:8000", "ftp://x", "", "/v1"])
def test_an_endpoint_that_is_no_url_is_a_config_error(url):
    with pytest.raises(ConfigError, match="expected a URL"):
        RemoteGenerator(url, model="m")


def test_the_settings_lead_to_the_endpoint(endpoint):
    generator = load_generator(ModelSettings(endpoint=endpoint.url, generator="some-model"))
    assert generator.name == "some-model"
    assert generator.context_tokens > 0
    assert generator.count_prompt_tokens(_ASK) > 4


def test_samples_are_requests_with_a_temperature_and_a_seed_of_their_own(endpoint):
    asked = [[Message(MessageRole.USER, f"question {number}")] for number in range(2)]
    drawn = RemoteGenerator(endpoint.url, model="m").sample(
        asked, 3, max_new_tokens=9, temperature=0.5, seed=7
    )
    assert [[item.text for item in row] for row in drawn] == [["QUESTION 0"] * 3, ["QUESTION 1"] * 3]
    bodies = [body for _, _, body in endpoint.requests]
    assert {body["temperature"] for body in bodies} == {0.5}
    assert sorted((body["messages"][0]["content"], body["seed"]) for body in bodies) == [
        (f"question {question}", seed) for question in range(2) for seed in (7, 8, 9)
    ]
    with pytest.raises(UsageError, match="expected at least one"):
        RemoteGenerator(endpoint.url, model="m").sample(asked, 0, max_new_tokens=9)


def test_an_endpoint_judges_no_given_text_and_says_so():
    generator = RemoteGenerator("http://user:secret@localhost:1/v1", model="m")
    for asked in ([], [_ASK]):
        with pytest.raises(UsageError, match="tells no likelihood") as caught:
            generator.log_likelihoods(asked, [["a", "b"]] * len(asked))
        assert "secret" not in str(caught.value)
        with pytest.raises(UsageError, match="tells no likelihood"):
            generator.log_probabilities(asked, [["a", "b"]] * len(asked))
    assert "models.endpoint" in caught.value.hint


def test_the_digest_of_an_endpoint_follows_address_and_model():
    one = RemoteGenerator("http://localhost:1/v1", model="m").digest
    assert one == RemoteGenerator("http://localhost:1/v1/", model="m").digest
    assert one != RemoteGenerator("http://localhost:2/v1", model="m").digest
    assert one != RemoteGenerator("http://localhost:1/v1", model="n").digest


_ECHOES = [
    _SECRET,
    base64.b64encode(_SECRET.encode()).decode(),
    base64.urlsafe_b64encode(f"Bearer {_SECRET}".encode()).decode(),
    base64.b64encode(b"someone:" + _PASSWORD.encode()).decode(),
    _PASSWORD,
    _SECRET.encode().hex(),
]


@pytest.mark.slow
@pytest.mark.parametrize("echo", _ECHOES)
def test_a_server_that_echoes_the_key_gets_it_into_no_answer(endpoint, echo, monkeypatch):
    monkeypatch.setenv("HYBRID_API_KEY", _SECRET)
    url = endpoint.url.replace("http://", f"http://someone:{_PASSWORD}@")
    generator = RemoteGenerator(url, model="m")
    endpoint.says(f"It is 5432, {echo}.")
    endpoint.events = [_event(letter) for letter in f"It is 5432, {echo}."] + ["data: [DONE]\n\n"]
    (written,) = generator.generate([_ASK], max_new_tokens=9)
    *pieces, whole = generator.stream(_ASK, max_new_tokens=9)
    assert written.text == "".join(pieces) == whole.text
    assert written.text.startswith("It is 5432, ")
    assert "***" in written.text
    assert echo.rstrip("=") not in written.text
    # the password is used for the request, and for nothing else
    assert (
        base64.b64encode(f"someone:{_PASSWORD}".encode()).decode() in endpoint.requests[0][1]["Authorization"]
    )
    endpoint.body, endpoint.status = f"no: {echo}".encode(), 500
    with pytest.raises(RemoteError) as caught:
        generator.generate([_ASK], max_new_tokens=9)
    assert echo.rstrip("=") not in "".join(traceback.format_exception(caught.value))


def test_an_answer_without_the_key_comes_as_it_is_and_at_once(endpoint, monkeypatch):
    monkeypatch.setenv("HYBRID_API_KEY", _SECRET)
    endpoint.events = [_event("It is"), _event(" a sk"), _event("y."), "data: [DONE]\n\n"]
    generator = RemoteGenerator(endpoint.url, model="m")
    assert "".join(piece for piece in generator.stream(_ASK, max_new_tokens=9) if isinstance(piece, str))
    *pieces, _ = generator.stream(_ASK, max_new_tokens=9)
    assert "".join(pieces) == "It is a sky."
    assert pieces[0] == "It i"  # the s may begin the key


@pytest.mark.parametrize("key", ["sk-secret\n-123", "sk-sécret-123", "sk-secret\x7f", "sk\udcff-secret"])
def test_a_key_that_no_header_can_carry_is_refused_and_not_quoted(key, monkeypatch):
    monkeypatch.setenv("HYBRID_API_KEY", key)
    with pytest.raises(ConfigError, match="HYBRID_API_KEY") as caught:
        RemoteGenerator("http://localhost:1/v1", model="m")
    assert "cret" not in "".join(traceback.format_exception(caught.value)).replace("remote.py", "")


def test_a_request_to_this_machine_takes_no_proxy(endpoint, monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    endpoint.says("ok")
    (written,) = RemoteGenerator(endpoint.url, model="m").generate([_ASK], max_new_tokens=9)
    assert written.text == "ok"
