"""An OpenAI-compatible server on loopback that says what a script tells it: well, badly or slowly."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Reply:
    """What the server says next.

    ``message`` is what else the message holds. ``body`` is sent in place of a completion. ``whole`` answers
    as a whole where a stream was asked. ``size`` is of a piece of a stream in letters, and ``split`` sends
    every byte on its own, so that letters come in parts. After ``events`` pieces the connection is dropped,
    or ``error`` is told in place of the rest. ``pause`` is waited before every piece, in seconds.
    """

    text: Any = ""
    finish: str | None = "stop"
    message: Mapping[str, Any] = field(default_factory=dict)
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    whole: bool = False
    size: int = 7
    split: bool = False
    events: int | None = None
    error: str = ""
    pause: float = 0.0
    usage: Mapping[str, int] = field(default_factory=lambda: {"prompt_tokens": 11, "completion_tokens": 7})

    def completion(self) -> dict[str, Any]:
        """Return the answer as a whole."""
        message = {"role": "assistant", "content": self.text, **self.message}
        return {"choices": [{"message": message, "finish_reason": self.finish}], "usage": self.usage}

    def stream(self) -> Iterator[dict[str, Any] | None]:
        """Yield the events of a stream; None where the connection is dropped."""
        text = self.text if isinstance(self.text, str) else ""
        pieces: list[Any] = [text[at : at + self.size] for at in range(0, len(text), self.size)]
        if isinstance(self.text, list):
            pieces = [[part] for part in self.text]
        deltas = [*({"content": piece} for piece in pieces)] or [dict(self.message)]
        for number, delta in enumerate(deltas):
            if number == self.events:
                yield {"error": {"message": self.error}} if self.error else None
                return
            yield {"choices": [{"delta": delta}]}
        yield {"choices": [{"delta": {}, "finish_reason": self.finish}]}


class ScriptedServer:
    """Serve replies in turn, the last one for ever, or what a function makes of the request.

    ``requests`` keeps the body of each, ``asked_for`` path and authorization of who asks for the models,
    which are ``models`` or what ``listing`` says. A parameter of ``unknown`` is refused with 400, as is a
    ``max_tokens`` where ``newer`` is true.
    """

    def __init__(
        self,
        *replies: Reply,
        script: Callable[[dict[str, Any]], Reply] | None = None,
        unknown: Sequence[str] = (),
        newer: bool = False,
        models: Sequence[str] = ("writer",),
        listing: Reply | None = None,
    ) -> None:
        self.replies, self.script, self.unknown, self.newer = list(replies), script, unknown, newer
        listed = {"object": "list", "data": [{"id": name, "object": "model"} for name in models]}
        self.listing = listing or Reply(body=json.dumps(listed).encode())
        self.requests, self.asked_for = list[dict[str, Any]](), list[tuple[str, str | None]]()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.port = self._server.server_port
        self.url = f"http://127.0.0.1:{self.port}/v1"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)

    def __enter__(self) -> ScriptedServer:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, asked: dict[str, Any]) -> Reply:
        """Return what is said to a request."""
        self.requests.append(asked)
        for name in self.unknown:
            if name in asked:
                return refused(f"Unsupported parameter: '{name}' is not supported with this model.")
        if self.newer and "max_tokens" in asked:
            return refused("Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.")
        if self.script is not None:
            return self.script(asked)
        return self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]


def refused(message: str, status: int = 400, **headers: str) -> Reply:
    """Return a reply that refuses; underscores in the names of headers become hyphens."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status=status, headers=named, body=json.dumps({"error": {"message": message}}).encode())


def _handler(server: ScriptedServer) -> type[BaseHTTPRequestHandler]:  # noqa: C901  a class in a function
    class Handler(BaseHTTPRequestHandler):
        # chunks are of this version
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            server.asked_for.append((self.path, self.headers["Authorization"]))
            self._whole(server.listing)

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            reply = server.answer(asked)
            streamed = asked.get("stream") and not reply.whole and reply.body is None
            (self._stream if streamed else self._whole)(reply)

        def _whole(self, reply: Reply) -> None:
            time.sleep(reply.pause)
            body = json.dumps(reply.completion()).encode() if reply.body is None else reply.body
            self.send_response(reply.status)
            for name, value in {"Connection": "close", **reply.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def _stream(self, reply: Reply) -> None:
            self.send_response(200)
            self.send_header("Connection", "close")
            # so that a connection that is dropped is told from one that ends
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for event in reply.stream():
                time.sleep(reply.pause)
                if event is None:
                    return
                # letters as they are, as most servers send them
                self._send(f"data: {json.dumps(event, ensure_ascii=False)}\n\n".encode(), reply)
            self._send(b"data: [DONE]\n\n", reply)
            self.wfile.write(b"0\r\n\r\n")

        def _send(self, data: bytes, reply: Reply) -> None:
            for at in range(0, len(data), 1 if reply.split else len(data)):
                part = data[at : at + 1] if reply.split else data
                self.wfile.write(b"%x\r\n%b\r\n" % (len(part), part))
                self.wfile.flush()

        def log_message(self, format: str, *arguments: Any) -> None:
            pass

    return Handler
