"""A generator behind an OpenAI-compatible endpoint (vLLM, llama.cpp, a gateway), with $HYBRID_API_KEY."""

from __future__ import annotations

import contextlib
import copy
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import httpx2

from hybrid.errors import ConfigError, LikelihoodMissing, RemoteError
from hybrid.files import hash_text
from hybrid.models import Generation
from hybrid.models.cancelling import require_patience, resting
from hybrid.models.dialogue import (
    THOUGHTS,
    behind_thoughts,
    cut_at_stop,
    cut_short,
    hold_back,
    require_samples,
    without_thoughts,
)
from hybrid.trust import Endpoint, Secret
from hybrid.types import Message

_TIMEOUT = httpx2.Timeout(120.0, connect=10.0)
_PARALLEL = 8
# What a server is taken to read at the least.
_CONTEXT_TOKENS = 4_096
# An endpoint does not tell its tokenizer: letters a token, on the safe side for English.
_LETTERS_A_TOKEN = 3
_TEMPLATE_TOKENS = 8
# A server that is busy is asked again after so many seconds, or as many as it says up to the longest.
_BUSY = (429, 503)
_WAITS = (1.0, 2.0, 4.0)
_LONGEST_WAIT = 30.0
# What a server may not know, and does not tell before it is asked.
_REFUSES = (400, 422, 501)
_LIMIT, _NEWER_LIMIT = "max_tokens", "max_completion_tokens"
_FORMAT = "response_format"
_LEFT_OUT = (_FORMAT, "temperature", "stop")
_KEY_HINT = "check the key in $HYBRID_API_KEY"
_LATER_HINT = "it is busy, or a quota is used up: ask again later"
_HINTS = {
    400: "check models.generator; is the prompt too long for it? lower generation.context_tokens",
    401: _KEY_HINT,
    403: _KEY_HINT,
    404: "check models.endpoint, which often ends in /v1, and models.generator; see `hybrid doctor`",
    429: _LATER_HINT,
    503: _LATER_HINT,
}
# Why an answer is no whole one, by the reason to finish; a stream that gave none was cut.
_STOPPED = "stop"
_INCOMPLETE = {
    "": "the stream broke off",
    "content_filter": "cut by a filter of the server",
    "error": "the server stopped",
}


@dataclass
class _Reply:
    """What is known of an answer while it comes: ``failed`` is what the server says that it failed of.

    ``thought`` is whether some of it were thoughts.
    """

    text: str = ""
    finish: str = ""
    failed: str = ""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    thought: bool = False

    def add(self, value: Any, *, streamed: bool) -> str:
        """Take in an event of a stream or a whole completion, and return its text."""
        # a last event may carry usage and no choice
        choice = (value["choices"] or [{}])[0]
        message = choice.get("delta") or {} if streamed else choice["message"]
        said = _said(message)
        self.text += said
        self.thought |= bool(message.get("reasoning_content") or message.get("reasoning")) or THOUGHTS in said
        self.finish = str(choice.get("finish_reason") or self.finish or ("" if streamed else _STOPPED))
        usage = value.get("usage") or {}
        self.prompt_tokens = int(usage.get("prompt_tokens", self.prompt_tokens))
        # without a count a piece of a stream is taken for a token
        pieces = self.completion_tokens + (streamed and said != "")
        self.completion_tokens = int(usage.get("completion_tokens", pieces))
        return said


@dataclass
class _Habits:
    """What a server turned out to do, for all that ask it.

    ``unknown`` are parameters that it does not know. ``plain`` is whether a text begins with what is meant to
    be read: a server that keeps the opening of the thoughts to itself is known by their end alone.
    """

    limit: str = _LIMIT
    unknown: frozenset[str] = frozenset()
    plain: bool = False


class RemoteGenerator:
    """Speak ``/chat/completions`` to an endpoint such as ``http://localhost:8000/v1``.

    Token counts before the call are estimates; those of a ``Generation`` are the endpoint's own.
    """

    def __init__(self, endpoint: str, *, model: str, sleep: Callable[[float], None] = time.sleep) -> None:
        self._endpoint = Endpoint(endpoint)
        if not self._endpoint:
            raise ConfigError("`models.endpoint` is empty, expected a URL such as http://localhost:8000/v1")
        self._url = self._endpoint.rstrip("/") + "/chat/completions"
        self._model = model
        self._habits = _Habits()
        self._schema: Mapping[str, object] | None = None
        self._sleep = sleep
        key = Secret(os.environ.get("HYBRID_API_KEY", "").strip())
        if not (key.reveal().isascii() and key.reveal().isprintable()):
            # a library would refuse it, and quote it
            raise ConfigError("$HYBRID_API_KEY holds a letter that no request can carry", hint="copy it anew")
        login = self._endpoint.basic
        self._secrets = [key, self._endpoint.login, Secret(login[1] if login else "")]
        self._client = httpx2.Client(
            timeout=_TIMEOUT,
            headers={"Authorization": f"Bearer {key.reveal()}"} if key else {},
            auth=login,
            # what is meant for this machine does not take the way over a proxy
            trust_env=not self._endpoint.is_loopback,
        )

    @property
    def name(self) -> str:
        """Return the model's name at the endpoint."""
        return self._model

    @property
    def digest(self) -> str:
        """Return a digest of endpoint and model name: an endpoint does not tell its weights."""
        return hash_text(self._url, self._model)

    @property
    def context_tokens(self) -> int:
        """Return how many tokens prompt and completion may have together."""
        return _CONTEXT_TOKENS

    def count_prompt_tokens(self, messages: Sequence[Message]) -> int:
        """Estimate the length of the conversation in tokens."""
        return sum(len(m.content) // _LETTERS_A_TOKEN + _TEMPLATE_TOKENS for m in messages)

    def structured(self, schema: Mapping[str, object]) -> RemoteGenerator:
        """Return this generator held to a JSON schema, as far as the server can do that."""
        view = copy.copy(self)
        view._schema = schema
        return view

    def generate(
        self, conversations: Sequence[Sequence[Message]], *, max_new_tokens: int, stop: Sequence[str] = ()
    ) -> list[Generation]:
        """Answer every conversation, several requests at a time.

        Raises:
            RemoteError: the endpoint refused, timed out or answered something unreadable.
        """
        with resting(), ThreadPoolExecutor(_PARALLEL) as threads:
            return list(threads.map(lambda turns: self._ask(turns, max_new_tokens, stop), conversations))

    def sample(
        self,
        conversations: Sequence[Sequence[Message]],
        count: int,
        *,
        max_new_tokens: int,
        temperature: float = 1.0,
        seed: int = 0,
        stop: Sequence[str] = (),
    ) -> list[list[Generation]]:
        """Answer every conversation so many times, each a request with a seed of its own.

        Whether the same seed gives the same samples is up to the endpoint.

        Raises:
            RemoteError: the endpoint refused, timed out or answered something unreadable.
            UsageError: less than one sample, or a temperature that is not above 0.
        """
        require_samples(count, temperature)
        # not one request with n: many servers know no n, or give the same text n times
        chosen = [{"temperature": temperature, "seed": seed + number} for number in range(count)]
        asked = [(turns, options) for turns in conversations for options in chosen]
        with resting(), ThreadPoolExecutor(_PARALLEL) as threads:
            written = list(threads.map(lambda one: self._ask(one[0], max_new_tokens, stop, one[1]), asked))
        return [written[first : first + count] for first in range(0, len(written), count)]

    def stream(
        self, messages: Sequence[Message], *, max_new_tokens: int, stop: Sequence[str] = ()
    ) -> Iterator[str | Generation]:
        """Yield the answer in pieces as server-sent events bring them; what comes as a whole is one piece.

        The first one comes as a whole too, or from where its thoughts end: until then it is not known whether
        the server leaves their opening out.

        Raises:
            RemoteError: as ``generate``; once there is some text, a stream that breaks off is an answer that
                is incomplete.
        """
        reply = _Reply(prompt_tokens=self.count_prompt_tokens(messages))
        pieces = self._pieces(self._body(messages, max_new_tokens, stop) | {"stream": True}, reply)
        # what is held to a schema is told from thoughts by its form
        begun = not self._habits.plain and self._schema is None
        yield from hold_back(behind_thoughts(self._redacted_pieces(pieces), begun=begun), stop)
        yield self._generation(reply, max_new_tokens, stop)

    def log_likelihoods(
        self, conversations: Sequence[Sequence[Message]], continuations: Sequence[Sequence[str]]
    ) -> list[list[float]]:
        """Raise LikelihoodMissing: chat endpoints write texts, they do not judge given ones."""
        raise self._no_judge()

    def log_probabilities(
        self, conversations: Sequence[Sequence[Message]], continuations: Sequence[Sequence[str]]
    ) -> list[list[list[float]]]:
        """Raise LikelihoodMissing, as ``log_likelihoods`` does."""
        raise self._no_judge()

    def _pieces(self, body: dict[str, Any], reply: _Reply) -> Iterator[str]:
        events, others = 0, list[str]()
        try:
            with contextlib.ExitStack() as opened:
                with resting():
                    response = opened.enter_context(self._response(body))
                for line in _lines(_resting_between(response.iter_bytes())):
                    require_patience()
                    if not line.startswith("data:"):
                        others.append(line)
                        continue
                    events += 1
                    event = line.removeprefix("data:").strip()
                    if event == "[DONE]":
                        reply.finish = reply.finish or _STOPPED
                    elif reply.text and (told := _error_of(event)):
                        reply.failed = f"the server stopped: {self._redacted(told)[:200]}"
                        return
                    else:
                        yield self._read(reply, event, streamed=True)
        except httpx2.HTTPError as error:
            if not reply.text:
                raise self._unreachable(error) from error
        if not events:  # the server knows no streams
            yield self._read(reply, "\n".join(others), streamed=False)

    def _ask(
        self,
        messages: Sequence[Message],
        max_new_tokens: int,
        stop: Sequence[str],
        options: Mapping[str, float] | None = None,
    ) -> Generation:
        reply = _Reply()
        try:
            body = self._body(messages, max_new_tokens, stop) | dict(options or {})
            with self._response(body) as response:
                response.read()
        except httpx2.HTTPError as error:
            raise self._unreachable(error) from error
        self._read(reply, response.text, streamed=False)
        return self._generation(reply, max_new_tokens, stop)

    @contextlib.contextmanager
    def _response(self, body: dict[str, Any]) -> Iterator[httpx2.Response]:
        """Yield what the server answers, asked again if it is busy or knows the limit by another name."""
        waits = iter(_WAITS)
        while True:
            with self._client.stream("POST", self._url, json=body) as response:
                if not response.is_error:
                    yield response
                    return
                response.read()
            if response.status_code in _REFUSES and self._adjusted(body, response.text):
                continue
            wait = next(waits, None) if response.status_code in _BUSY else None
            told = response.headers.get("Retry-After", "")
            seconds = float(told) if told.isdecimal() else wait
            if wait is None or seconds is None or seconds > _LONGEST_WAIT:
                raise self._refusal(response)
            self._sleep(seconds)

    def _adjusted(self, body: dict[str, Any], told: str) -> bool:
        """Put the request as the server knows it, by what it says of the one before; False if that was all.

        What samples are drawn by stays: without it they would be others.
        """
        habits = self._habits
        if _LIMIT in body and _NEWER_LIMIT in told:
            habits.limit = _NEWER_LIMIT
            body[_NEWER_LIMIT] = body.pop(_LIMIT)
            return True
        may_go = [name for name in _LEFT_OUT if name in body and (name != "temperature" or not body[name])]
        # the form is refused in many words
        named = [name for name in may_go if name in told] or [name for name in may_go if name == _FORMAT]
        for name in named:
            del body[name]
        habits.unknown |= frozenset(named)
        return bool(named)

    def _read(self, reply: _Reply, text: str, *, streamed: bool) -> str:
        try:
            return reply.add(json.loads(text), streamed=streamed)
        except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
            raise self._unreadable(text) from error

    def _generation(self, reply: _Reply, limit: int, stop: Sequence[str]) -> Generation:
        whole = self._redacted(reply.text)
        spoken = without_thoughts(whole)
        if spoken.strip():
            self._habits.plain = spoken == whole or whole.lstrip().startswith(THOUGHTS)
        text = cut_at_stop(spoken, stop)
        cut = cut_short(limit, text.strip(), thought=reply.thought or spoken != whole)
        why = reply.failed or (_INCOMPLETE | {"length": cut}).get(reply.finish, "")
        # behind a stop string a stream is not read on
        why = why if text == spoken else ""
        return Generation(text.strip(), reply.prompt_tokens, reply.completion_tokens, why)

    def _body(self, messages: Sequence[Message], max_new_tokens: int, stop: Sequence[str]) -> dict[str, Any]:
        body: dict[str, Any] = {
            "model": self._model,
            "messages": [{"role": str(m.role), "content": m.content} for m in messages],
            self._habits.limit: max_new_tokens,
            "temperature": 0,
        }
        if stop:
            body["stop"] = list(stop)
        if self._schema is not None:
            described = {"name": "answer", "strict": True, "schema": dict(self._schema)}
            body[_FORMAT] = {"type": "json_schema", "json_schema": described}
        return {name: value for name, value in body.items() if name not in self._habits.unknown}

    def _no_judge(self) -> LikelihoodMissing:
        return LikelihoodMissing(
            f"{self._url} tells no likelihood of a given text, which questions with options need",
            hint="use a model on this machine: leave models.endpoint empty",
        )

    def _unreachable(self, error: Exception) -> RemoteError:
        return RemoteError(
            f"{self._url} did not answer: {type(error).__name__}",
            hint="is the server running, and is models.endpoint right? `hybrid init` finds those here",
        )

    def _refusal(self, response: httpx2.Response) -> RemoteError:
        return RemoteError(
            f"{self._url} answered {response.status_code}: {self._redacted(response.text)[:200]}",
            hint=_HINTS.get(response.status_code, "see the log of the server"),
        )

    def _unreadable(self, text: str) -> RemoteError:
        if told := _error_of(text):
            return RemoteError(
                f"{self._url} answered with an error: {self._redacted(told)[:200]}",
                hint="see the log of the server; check models.generator",
            )
        found = self._redacted(text)[:200]
        return RemoteError(f"{self._url} answered something that is not a chat completion: {found!r}")

    def _redacted(self, text: str) -> str:
        """Return what the server said without what it was told in confidence: answers are written down."""
        for secret in self._secrets:
            text = secret.redact(text)
        return text

    def _redacted_pieces(self, pieces: Iterator[str]) -> Iterator[str]:
        held = ""
        for piece in pieces:
            held = self._redacted(held + piece)
            ready = len(held) - max(secret.begun(held) for secret in self._secrets)
            yield held[:ready]
            held = held[ready:]
        yield held


def _resting_between(chunks: Iterator[bytes]) -> Iterator[bytes]:
    while True:
        with resting():
            chunk = next(chunks, None)
        if chunk is None:
            return
        yield chunk


def _lines(chunks: Iterator[bytes]) -> Iterator[str]:
    """Yield lines as they come: bytes may end within a letter, and a text may hold other ends of lines."""
    held = b""
    for chunk in chunks:
        *lines, held = (held + chunk).split(b"\n")
        for line in lines:
            yield line.decode("utf-8", "replace").rstrip("\r")
    yield held.decode("utf-8", "replace").rstrip("\r")


def _error_of(text: str) -> str:
    """Return what a server says that it failed of, where it says so in place of a completion."""
    try:
        error = json.loads(text)["error"]
    except (ValueError, KeyError, TypeError):
        return ""
    return str(error.get("message") or error) if isinstance(error, dict) else str(error or "")


def _said(message: Any) -> str:
    """Return the text of a message, which may come in parts, or say why there is none."""
    content = message.get("content") or message.get("refusal") or ""
    if isinstance(content, str):
        return content
    return "".join(part.get("text") or "" for part in content)
