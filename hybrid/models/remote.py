"""A generator behind an OpenAI-compatible endpoint (vLLM, llama.cpp, a gateway), with $HYBRID_API_KEY."""

from __future__ import annotations

import contextlib
import copy
import json
import re
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
    behind_thoughts,
    cut_at_stop,
    cut_short,
    hold_back,
    opens_with_thoughts,
    require_samples,
    without_thoughts,
)
from hybrid.models.servers import (
    DONE,
    STOPPED,
    Reply,
    client_for,
    error_of,
    read_events,
    server_key,
    told_to_wait,
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
# A server that is busy is asked again after so many seconds, or as many as it says up to the longest; one
# that failed, or hung up before it said anything, once.
_BUSY = (408, 425, 429, 502, 503, 504, 529)
_WAITS = (1.0, 2.0, 4.0)
_LONGEST_WAIT = 30.0
_FAILED = 500
_HUNG_UP = (httpx2.RemoteProtocolError, httpx2.ReadError, httpx2.WriteError)
# What a server may not know, and does not tell before it is asked.
_REFUSES = (400, 422, 501)
_LIMIT, _NEWER_LIMIT = "max_tokens", "max_completion_tokens"
_FORMAT = "response_format"
_LEFT_OUT = (_FORMAT, "temperature", "stop")
_KEY_HINT = "check the key in $HYBRID_API_KEY"
_LATER_HINT = "it is busy, or what stands behind it failed, or a quota is used up: ask again later"
_LOG_HINT = "see the log of the server"
_LENGTH_HINT = "check models.generator; is the prompt too long for it? lower generation.context_tokens"
_PLACE_HINT = "check models.endpoint, which often ends in /v1, and models.generator; see `hybrid doctor`"
_HINTS = dict.fromkeys((400, 413, 422), _LENGTH_HINT) | dict.fromkeys((401, 403), _KEY_HINT)
_HINTS |= dict.fromkeys((404, 405), _PLACE_HINT) | dict.fromkeys(_BUSY, _LATER_HINT)
# Why an answer is no whole one, by the reason to finish; a stream that gave none was cut, and what is neither
# here nor a word for an end is told as it is.
_ENDED = re.compile(r"stop(_sequence|_token)?|eos(_token)?|end(_turn)?|completed?|done|finished")
_LENGTH = "length"
_FILTERED, _CALLED = "cut by a filter of the server", "the model called a tool in place of an answer"
_INCOMPLETE = {
    "": "the stream broke off",
    "error": "the server stopped",
    **dict.fromkeys(("content_filter", "safety", "recitation", "sensitive"), _FILTERED),
    **dict.fromkeys(("tool_calls", "function_call", "tool_use"), _CALLED),
}
# Other words of gateways for a limit.
_LENGTHS = ("max_tokens", "model_length", "max_output_tokens", "model_context_window_exceeded")
# What servers that do not know a model's own end of a turn hand through.
_NAMED_ENDS = ("im_end", "eot_id", "eom_id", "end", "end_of_text", "endoftext")
_TURN_ENDS = (*(f"<|{name}|>" for name in _NAMED_ENDS), "<end_of_turn>", "<｜end▁of▁sentence｜>")
_UNANSWERED = "the model thought, and did not answer"


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
        self._url = self._endpoint.rstrip("/").removesuffix("/chat/completions") + "/chat/completions"
        self._model = model
        self._habits = _Habits()
        self._schema: Mapping[str, object] | None = None
        self._sleep = sleep
        key = server_key()
        if not (key.reveal().isascii() and key.reveal().isprintable()):
            # a library would refuse it, and quote it
            raise ConfigError("$HYBRID_API_KEY holds a letter that no request can carry", hint="copy it anew")
        login = self._endpoint.basic
        self._secrets = [key, self._endpoint.login, Secret(login[1] if login else "")]
        self._client = client_for(self._endpoint, timeout=_TIMEOUT, key=key)

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
        reply = Reply(prompt_tokens=self.count_prompt_tokens(messages))
        pieces = self._pieces(self._body(messages, max_new_tokens, stop) | {"stream": True}, reply)
        # what is held to a schema is told from thoughts by its form
        begun = not self._habits.plain and self._schema is None
        ends = (*stop, *_TURN_ENDS)
        yield from hold_back(behind_thoughts(self._redacted_pieces(pieces), begun=begun), ends)
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

    def _pieces(self, body: dict[str, Any], reply: Reply) -> Iterator[str]:
        try:
            with contextlib.ExitStack() as opened:
                with resting():
                    response = opened.enter_context(self._response(body))
                for event in read_events(_resting_between(response.iter_bytes())):
                    require_patience()
                    if event.data == DONE:
                        reply.finish = reply.finish or STOPPED
                    elif event.error and reply.text:
                        reply.failed = f"the server stopped: {self._redacted(event.error)[:200]}"
                        return
                    elif event.error:
                        raise self._failed(event.error)
                    elif not (event.cut and reply.text):
                        yield self._read(reply, event.data, streamed=event.streamed)
        except httpx2.HTTPError as error:
            if not reply.text:
                raise self._unreachable(error) from error

    def _ask(
        self,
        messages: Sequence[Message],
        max_new_tokens: int,
        stop: Sequence[str],
        options: Mapping[str, float] | None = None,
    ) -> Generation:
        reply = Reply(prompt_tokens=self.count_prompt_tokens(messages))
        try:
            body = self._body(messages, max_new_tokens, stop) | dict(options or {})
            with self._response(body) as response:
                response.read()
        except httpx2.HTTPError as error:
            raise self._unreachable(error) from error
        self._read(reply, response.text, streamed=False)
        # where the server counts nothing
        reply.completion_tokens = reply.completion_tokens or -(-len(reply.text) // _LETTERS_A_TOKEN)
        return self._generation(reply, max_new_tokens, stop)

    @contextlib.contextmanager
    def _response(self, body: dict[str, Any]) -> Iterator[httpx2.Response]:
        """Yield what the server answers, asked again if it is busy or knows the limit by another name."""
        waits, again = iter(_WAITS), True
        while True:
            with contextlib.ExitStack() as opened:
                try:
                    response = opened.enter_context(self._client.stream("POST", self._url, json=body))
                except _HUNG_UP:
                    if not again:
                        raise
                    again, response = False, None
                if response is not None and response.is_success:
                    yield response
                    return
                if response is not None:
                    response.read()
            if response is None:
                self._sleep(_WAITS[0])
                continue
            if response.status_code in _REFUSES and self._adjusted(body, response.text):
                continue
            wait = next(waits, None) if response.status_code in _BUSY else None
            if response.status_code == _FAILED and again:
                again, wait = False, _WAITS[0]
            seconds = None if wait is None else told_to_wait(response.headers, wait)
            if seconds is None or seconds > _LONGEST_WAIT:
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

    def _read(self, reply: Reply, text: str, *, streamed: bool) -> str:
        try:
            return reply.add(json.loads(text.removeprefix("\ufeff")), streamed=streamed)
        except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
            raise self._unreadable(text) from error

    def _generation(self, reply: Reply, limit: int, stop: Sequence[str]) -> Generation:
        whole = self._redacted(reply.text)
        spoken = without_thoughts(whole)
        if spoken.strip():
            self._habits.plain = spoken == whole or opens_with_thoughts(whole)
        text = cut_at_stop(spoken, (*stop, *_TURN_ENDS))
        thought = reply.thought or spoken != whole
        cut = dict.fromkeys((_LENGTH, *_LENGTHS), cut_short(limit, text.strip(), thought=thought))
        unanswered = _UNANSWERED if thought and not spoken.strip() else ""
        ended = (
            unanswered if _ENDED.fullmatch(reply.finish) else f"the server ended it: {reply.finish[:40]!r}"
        )
        why = reply.failed or (_INCOMPLETE | cut).get(reply.finish, ended)
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
        code, moved = response.status_code, response.headers.get("Location", "")
        told = f"it moved to {moved}" if moved else response.text
        hint = (
            "name that place as models.endpoint" if moved else _HINTS.get(code, "see the log of the server")
        )
        return RemoteError(f"{self._url} answered {code}: {self._redacted(told)[:200]}", hint=hint)

    def _failed(self, told: str) -> RemoteError:
        return RemoteError(
            f"{self._url} answered with an error: {self._redacted(told)[:200]}",
            hint="see the log of the server; check models.generator",
        )

    def _unreadable(self, text: str) -> RemoteError:
        if told := error_of(text):
            return self._failed(told)
        found = self._redacted(text)[:200]
        return RemoteError(
            f"{self._url} answered something that is not a chat completion: {found!r}", hint=_PLACE_HINT
        )

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
