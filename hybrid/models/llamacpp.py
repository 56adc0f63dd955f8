"""llama.cpp as what writes tokens: its server inside this process, on loopback, behind a key of its own."""

from __future__ import annotations

import secrets
import weakref
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

import httpx2

from hybrid.errors import ModelError
from hybrid.models.decoding import BATCH_TOKENS, LOOK_SECONDS, Stepper, Wanted, told_to

# Rows that are written at a time, and tokens that one is asked for at a time: a stream shows so many at
# once, and who leaves is let go after them.
_SLOTS = 8
_CHUNK = 16


class LlamaServer:
    """A server over one file; call it with a path and a body, and ``close`` it.

    ``adapter`` is a LoRA file that is loaded beside it. ``slots`` texts are written at a time, which have
    ``tokens`` together; 0 ``threads`` leave that to llama.cpp.

    Raises:
        ModelError: llama.cpp cannot read the file.
    """

    def __init__(
        self, file: Path, *, adapter: Path | None = None, slots: int = 1, tokens: int = 1024, threads: int = 0
    ) -> None:
        import xllamacpp

        key = secrets.token_urlsafe()
        params = xllamacpp.CommonParams()
        params.model.path, params.n_ctx, params.n_parallel = str(file), tokens, slots
        # what was read for one conversation is not kept for others: 8 GiB would be
        params.kv_unified, params.cache_ram_mib = True, 0
        params.warmup, params.verbosity, params.api_keys = False, -1, [key]
        if threads:
            params.cpuparams.n_threads = params.cpuparams_batch.n_threads = threads
        if adapter is not None:
            params.lora_adapters = [xllamacpp.CommonAdapterLoraInfo(str(adapter), 1.0)]
        try:
            self._server: Any = xllamacpp.Server(params)
        except (RuntimeError, ValueError) as error:
            raise ModelError(f"llama.cpp cannot read {file}: {error}") from error
        self._url = self._server.listening_address
        # this machine alone is asked
        self._client = httpx2.Client(timeout=600, trust_env=False, headers={"Authorization": f"Bearer {key}"})
        weakref.finalize(self, self._client.close)

    def __call__(self, path: str, **body: Any) -> dict[str, Any]:
        """Return what the server answers."""
        response = self._client.post(self._url + path, json=body)
        if response.is_error:
            raise ModelError(f"llama.cpp refuses {path}: {response.text[:200]}")
        answer: dict[str, Any] = response.json()
        return answer

    def close(self) -> None:
        """End it."""
        self._client.close()
        self._server = None


class LlamaCppStepper(Stepper):
    """A step is over when some row has its next few tokens; the server batches what is asked meanwhile.

    A row is asked for a few tokens at a time, each time behind all before, which the server still has read:
    so tokens come as numbers, where its streams leave out those that are only part of a letter. It draws
    nothing by chance: rounding there depends on what else is written, and so would a sample. The file of the
    weights is in GGUF; tokens of ``ends`` end a text.
    """

    def __init__(self, file: Path, *, ends: frozenset[int], threads: int) -> None:
        super().__init__()
        self._server = LlamaServer(file, slots=_SLOTS, tokens=BATCH_TOKENS, threads=threads)
        self._ends = ends
        self._threads = ThreadPoolExecutor(_SLOTS, thread_name_prefix="llama.cpp")
        self._free = list(range(_SLOTS))
        self._asked: dict[Future[dict[str, Any]], tuple[int, Wanted]] = {}

    def _step(self) -> None:
        """Let in who waits as far as there is room, wait for tokens a while, and ask for the next."""
        self._let_in()
        done, _ = wait(self._asked, timeout=LOOK_SECONDS, return_when=FIRST_COMPLETED)
        for one in done:
            slot, row = self._asked.pop(one)
            with told_to([row]):
                said = one.result()
                for token in said["tokens"]:
                    if not row.done:
                        row.take(token, self._ends)
                row.done |= said["stop_type"] == "eos" or not said["tokens"]
            if row.done or row.left:
                self._free.append(slot)
            else:
                self._ask(slot, row)

    def _let_in(self) -> None:
        with self._changed:
            while self._waiting and self._free and self._has_room(self._waiting[0]):
                row = self._waiting.popleft()
                if not row.left:
                    self._ask(self._free.pop(), row)

    def _has_room(self, row: Wanted) -> bool:
        rows = [*(other for _, other in self._asked.values()), row]
        return len(rows) == 1 or sum(len(one.prompt) + one.most for one in rows) <= BATCH_TOKENS

    def _ask(self, slot: int, row: Wanted) -> None:
        body: dict[str, Any] = {
            "prompt": [*row.prompt, *row.written],
            "n_predict": min(_CHUNK, row.most - len(row.written)),
            "id_slot": slot,
            "return_tokens": True,
            # what another conversation left there would change how the prompt is read, if by rounding only
            "cache_prompt": bool(row.written),
            "temperature": 0,
        }
        self._asked[self._threads.submit(self._server, "/completion", **body)] = (slot, row)
