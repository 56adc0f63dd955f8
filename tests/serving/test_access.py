"""Who is let in, in whose name, with how much; and what a failure tells."""

import gzip
import hashlib
import hmac
import json
import socket
import time
from urllib.parse import quote, urlsplit

import httpx2
import openai
import pytest

from hybrid.errors import ConfigError, StorageError, UsageError
from hybrid.serving.app import listen
from hybrid.serving.protocol import Access, AccessDenied, OutOfTime, Overloaded
from hybrid.serving.service import Service
from hybrid.trust import Secret
from hybrid.types import Document

TOKEN, USER_KEY = "a token of many letters", "a key for signing users"
PORT = "What is the default port of the server?"
BODY = {"model": "hybrid/manual/rag", "messages": [{"role": "user", "content": PORT}]}


@pytest.fixture(scope="module")
def guarded(open_domains, serve_at):
    """A server with a token and a key for users, of a domain of which each file has its readers."""
    port = Document("port.txt", "The default port of the server is 5432.", principals=("anna", "staff"))
    assistants = open_domains({"manual": {"port.txt": port}})
    with serve_at(Service.over(assistants, Access(Secret(TOKEN), Secret(USER_KEY)))) as url:
        yield url


def _signed(*names, key=USER_KEY, seconds=None):
    seconds = int(time.time()) if seconds is None else seconds
    told = ",".join(quote(name, safe="") for name in names)
    signature = hmac.new(key.encode(), f"{seconds} {told}".encode(), hashlib.sha256).hexdigest()
    return {"X-Hybrid-User": f"{seconds} {signature} {told}"}


def _asked(url, headers, body=BODY):
    return httpx2.post(
        f"{url}/v1/chat/completions", json=body, headers={"Authorization": f"Bearer {TOKEN}"} | headers
    )


def test_a_host_beyond_loopback_wants_a_token_that_is_none_to_guess():
    assert not Access.of({}, "127.0.0.1").token and not Access.of({}, "::1").token
    with pytest.raises(ConfigError, match="reached from other machines"):
        Access.of({}, "0.0.0.0")
    with pytest.raises(ConfigError, match="HYBRID_TOKEN has 5 characters"):
        Access.of({"HYBRID_TOKEN": "short"}, "0.0.0.0")
    assert Access.of({"HYBRID_TOKEN": TOKEN}, "0.0.0.0").admits(f"Bearer {TOKEN}")


@pytest.mark.parametrize(
    "sent", ["", "Bearer", "Bearer ", f"Basic {TOKEN}", f"Bearer {TOKEN}x", "Bearer \u00e9"]
)
def test_only_the_token_opens(sent):
    assert not Access(Secret(TOKEN)).admits(sent)
    assert Access().admits(sent)


def test_a_user_is_who_the_signature_says():
    access = Access(Secret(TOKEN), Secret(USER_KEY))
    assert access.user(_signed("anna", "staff, all")["X-Hybrid-User"]) == ("anna", "staff, all")
    assert access.user("") is None


@pytest.mark.parametrize(
    "header",
    # a signature holds the time: as a name of a test it would be another one in every process
    [
        pytest.param(_signed("anna", key="another key for it")["X-Hybrid-User"], id="another key"),
        pytest.param(_signed("anna", seconds=1_000)["X-Hybrid-User"], id="too old"),
        pytest.param(_signed("anna")["X-Hybrid-User"].replace("anna", "otto"), id="another user"),
        "anna",
        "1 2",
        "   ",
    ],
)
def test_a_signature_that_does_not_hold_is_refused(header):
    with pytest.raises(AccessDenied):
        Access(Secret(TOKEN), Secret(USER_KEY)).user(header)
    with pytest.raises(AccessDenied):
        Access(Secret(TOKEN)).user(header)


@pytest.mark.slow
def test_a_server_with_a_token_answers_those_who_have_it(guarded):
    for path in ("/healthz", "/readyz", "/", "/page/app.js"):
        assert httpx2.get(f"{guarded}{path}").status_code == 200
    for path in ("/v1/models", "/openapi.json", "/domains", "/v1/answers/answer-1"):
        sent = httpx2.get(f"{guarded}{path}")
        assert sent.status_code == 401 and sent.headers["www-authenticate"] == "Bearer"
    wrong = openai.OpenAI(base_url=f"{guarded}/v1", api_key="wrong", max_retries=0)
    with wrong as client, pytest.raises(openai.AuthenticationError):
        client.models.list()
    with openai.OpenAI(base_url=f"{guarded}/v1", api_key=TOKEN, max_retries=0) as client:
        assert next(iter(client.models.list())).id == "hybrid/auto"


@pytest.mark.slow
def test_what_a_user_may_not_read_is_not_answered_from(guarded):
    assert "5432" in _asked(guarded, _signed("anna")).text
    assert "5432" in _asked(guarded, _signed("otto", "staff")).text
    assert "5432" not in _asked(guarded, _signed("otto")).text
    assert _asked(guarded, {}).status_code == 400
    assert _asked(guarded, {"X-Hybrid-User": "anna"}).status_code == 401
    # who may read a document is not for the body to say
    assert "5432" not in _asked(guarded, _signed("otto"), BODY | {"user": "anna", "as_user": "anna"}).text


@pytest.mark.slow
def test_an_answer_is_there_for_the_user_who_asked(guarded):
    answer = _asked(guarded, _signed("anna")).json()["id"]
    bearer = {"Authorization": f"Bearer {TOKEN}"}
    path = f"{guarded}/v1/answers/{answer}"
    assert httpx2.get(path, headers=bearer | _signed("anna")).status_code == 200
    assert httpx2.get(path, headers=bearer | _signed("otto", "staff")).status_code == 404
    assert httpx2.get(path, headers=bearer).status_code == 404


@pytest.mark.slow
def test_without_a_token_only_this_machine_is_answered_under_its_own_names(url):
    port = urlsplit(url).port
    for host in ("localhost", "127.0.0.1", "[::1]"):
        assert httpx2.get(f"{url}/v1/models", headers={"Host": f"{host}:{port}"}).status_code == 200
    for host in ("evil.example", "127.0.0.1.evil.example", "[::1"):
        sent = httpx2.get(f"{url}/v1/models", headers={"Host": host})
        assert (sent.status_code, sent.json()["error"]["code"]) == (421, "host")
    assert "found 'evil.example'" in httpx2.get(url, headers={"Host": "evil.example:80"}).text


def test_another_site_may_not_ask(url):
    for origin in ("http://evil.example", "null", "http://["):
        assert (
            httpx2.post(f"{url}/v1/chat/completions", json=BODY, headers={"Origin": origin}).status_code
            == 403
        )
    assert httpx2.post(f"{url}/v1/chat/completions", json=BODY, headers={"Origin": url}).status_code == 200


def test_bodies_and_headers_have_limits(url):
    large = b'{"model": "' + b"x" * 1_100_000 + b'"}'
    told = {"Content-Type": "application/json"}
    for content in (large, (large[place : place + 50_000] for place in range(0, len(large), 50_000))):
        sent = httpx2.post(f"{url}/v1/chat/completions", content=content, headers=told)
        assert sent.status_code == 413 and "1048576 bytes" in sent.json()["error"]["message"]
    assert httpx2.get(f"{url}/v1/models", headers={"X-Long": "x" * 17_000}).status_code == 431


@pytest.mark.slow
def test_every_response_says_what_a_browser_may_do_with_it(url):
    for path in ("/healthz", "/", "/v1/nothing", "/v1/models"):
        headers = httpx2.get(f"{url}{path}").headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy and "unsafe" not in policy and "http" not in policy
        assert headers["x-content-type-options"] == "nosniff" and headers["x-frame-options"] == "DENY"
        assert headers["cache-control"] == "no-store" and "server" not in headers
        assert "access-control-allow-origin" not in headers


@pytest.mark.parametrize(
    ("method", "path", "content", "status"),
    [
        ("GET", "/nothing", b"", 404),
        ("DELETE", "/v1/models", b"", 405),
        ("POST", "/v1/chat/completions", b"{", 422),
        ("POST", "/v1/chat/completions", b"[" * 100_000, 400),
        ("POST", "/v1/chat/completions", b'{"model": "hybrid/auto", "messages": []}', 422),
        ("POST", "/v1/chat/completions", b'{"model": "hybrid/auto", "messages": [{"role": "user"}]}', 400),
        ("POST", "/v1/embeddings", b'{"model": 7, "input": "a"}', 422),
    ],
)
def test_every_failure_has_one_form(url, method, path, content, status):
    sent = httpx2.request(
        method, f"{url}{path}", content=content, headers={"Content-Type": "application/json"}
    )
    assert sent.status_code == status
    error = sent.json()["error"]
    assert set(error) == {"message", "type", "param", "code"} and error["message"]
    assert error["type"] == "invalid_request_error"


@pytest.mark.parametrize(
    ("content", "kind", "said"),
    [
        (b'{"model"', "application/json", "the body is no JSON: Expecting ':' delimiter at character 8"),
        (b'{"model": "x"}', "text/plain", "is not sent as application/json"),
        (b"[]", "application/json", "the body is no JSON object"),
        (b'{"model": "x"}', "application/json", "messages: Field required"),
        (
            b'{"model": "x", "messages": [{"role": "user", "content": [{"type": "text", "text": 5}]}]}',
            "application/json",
            "messages.0.content.0.text: Input should be a valid string",
        ),
    ],
)
def test_a_body_that_cannot_be_read_is_told_by_what_is_wrong_with_it(url, content, kind, said):
    sent = httpx2.post(f"{url}/v1/chat/completions", content=content, headers={"Content-Type": kind})
    assert sent.status_code == 422 and said in sent.json()["error"]["message"]


@pytest.mark.parametrize("path", ["/ask", "/v1/chat/completions"])
def test_a_question_of_a_book_s_length_is_refused(url, path):
    text = "a-" * 12_000
    body = {"question": text} if path == "/ask" else BODY | {"messages": [{"role": "user", "content": text}]}
    sent = httpx2.post(f"{url}{path}", json=body)
    assert sent.status_code in (400, 422) and "20000" in sent.text


@pytest.mark.parametrize("path", ["//v1/chat/completions", "/v1//chat/completions/"])
def test_a_slash_too_many_is_no_other_route(url, path):
    told = {"Content-Encoding": "Identity"}
    sent = httpx2.post(f"{url}{path}", json=BODY, headers=told, follow_redirects=False)
    assert sent.status_code == 200
    assert httpx2.get(f"{url}/v1/models/").json()["data"]
    assert "ends in /v1" in httpx2.post(f"{url}/chat/completions", json=BODY).json()["error"]["message"]


def test_what_is_packed_is_refused_with_the_reason(url):
    told = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    body = gzip.compress(json.dumps(BODY).encode())
    sent = httpx2.post(f"{url}/v1/chat/completions", content=body, headers=told)
    assert sent.status_code == 415 and "not as 'gzip'" in sent.json()["error"]["message"]


@pytest.mark.slow
def test_who_asks_for_headers_alone_gets_them(url):
    for path, kind in (("/healthz", "json"), ("/", "html"), ("/page/app.js", "javascript")):
        sent, whole = httpx2.head(f"{url}{path}"), httpx2.get(f"{url}{path}")
        assert (sent.status_code, sent.content) == (200, b"") and kind in sent.headers["content-type"]
        assert sent.headers["content-length"] == whole.headers["content-length"]
    assert httpx2.head(f"{url}/v1/answers/none").status_code == 404
    assert httpx2.head(f"{url}/ask").status_code == 405


def test_half_a_letter_is_no_failure_of_the_server(url):
    body = json.dumps(BODY | {"messages": [{"role": "user", "content": "\ud800 default port?"}]})
    told = {"Content-Type": "application/json"}
    sent = httpx2.post(f"{url}/v1/chat/completions", content=body, headers=told)
    assert sent.status_code == 200
    for half in (
        {"role": "\ud800", "content": "port?"},
        {"role": "user", "content": [{"type": "\ud800", "text": "port?"}]},
    ):
        body = json.dumps(BODY | {"messages": [half]})
        sent = httpx2.post(f"{url}/v1/chat/completions", content=body, headers=told)
        assert sent.status_code == 400


class Failing:
    """Fails as it is told, at once or after pieces."""

    error, after = RuntimeError("not told how"), ()

    async def answer(self, asked):
        raise self.error

    async def stream(self, asked):
        for piece in self.after:
            yield piece
        raise self.error

    async def close(self):
        pass


@pytest.fixture(scope="module")
def failing(open_domains, serve_at):
    """What fails, and the address at which it does."""
    one = Failing()
    with serve_at(Service(open_domains({"manual": {"port.txt": "5432"}}), one)) as url:
        yield one, url


@pytest.mark.parametrize(
    ("error", "status", "told"),
    [
        (Overloaded("too many wait", retry_after=2.4), 429, "too many wait"),
        (OutOfTime("not there in 3 s"), 504, "not there"),
        (StorageError("/home/anna/indexes: the disk is full"), 503, "its log says why"),
        (RuntimeError("/home/anna/secret.py broke"), 500, "its log says why"),
    ],
)
def test_a_failure_tells_no_path_and_no_stack(failing, caplog, error, status, told):
    failing, url = failing
    failing.error, failing.after = error, ()
    for body in (BODY, BODY | {"stream": True}):
        sent = httpx2.post(f"{url}/v1/chat/completions", json=body)
        assert sent.status_code == status and told in sent.json()["error"]["message"]
        assert "anna" not in sent.text and "Traceback" not in sent.text
        assert sent.headers["x-content-type-options"] == "nosniff"
        assert sent.headers.get("retry-after") == ("3" if status == 429 else None)
    assert ("anna" in caplog.text) == (status in (500, 503))


def test_a_failure_within_a_stream_is_an_event_of_it(failing):
    failing, url = failing
    failing.error, failing.after = OutOfTime("not there in 3 s"), ["The port"]
    pieces = []
    with openai.OpenAI(base_url=f"{url}/v1", api_key="any", max_retries=0) as client:
        stream = client.chat.completions.create(stream=True, **BODY)
        with pytest.raises(openai.APIError, match="not there in 3 s"):
            pieces.extend(chunk.choices[0].delta.content for chunk in stream)
    assert pieces == ["", "The port"]


def test_a_body_that_does_not_come_is_given_up(url, monkeypatch):
    monkeypatch.setattr("hybrid.serving.doors._SECONDS_TO_SEND", 0.1)
    place = urlsplit(url)
    with socket.create_connection((place.hostname, place.port), timeout=20) as client:
        head = f"POST /ask HTTP/1.1\r\nHost: {place.netloc}\r\nContent-Length: 20\r\n"
        client.sendall(f"{head}Content-Type: application/json\r\n\r\n{{".encode())
        assert client.recv(4_096).startswith(b"HTTP/1.1 408 ")


def test_a_port_that_is_taken_is_said(url):
    with pytest.raises(UsageError, match="cannot listen at 127"):
        listen("127.0.0.1", urlsplit(url).port)
