"""OpenVINO GenAI as what writes tokens: a GGUF file in a pipeline of continuous batching, on this CPU."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from hybrid.errors import ModelError
from hybrid.models.decoding import BATCH_ROWS, Stepper, Wanted, told_to
from hybrid.models.dialogue import LIKELIEST, MASS

# Prompts are read so many tokens at a time, beside what is written.
_STRETCH = 256
_TELEMETRY = "openvino_telemetry"


class OpenVinoStepper(Stepper):
    """A step is a token of every row; rows come and go between steps.

    Sums are computed in float32: in bfloat16, its default where a CPU has it, a text depends on what else is
    in the batch. The file of the weights is in GGUF; one of Q4_1 is read otherwise than it was written, see
    ``Precision``. Tokens of ``ends`` end a text.

    Raises:
        ModelError: OpenVINO cannot read the file.
    """

    def __init__(self, file: Path, *, ends: frozenset[int], threads: int) -> None:
        super().__init__()
        self._library = library()
        self._ends = ends
        self._requests = 0
        self._going: list[tuple[Wanted, Any]] = []
        scheduler = self._library.SchedulerConfig()
        scheduler.max_num_seqs, scheduler.max_num_batched_tokens = BATCH_ROWS, _STRETCH
        told = {"INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": "f32"}
        try:
            self._pipeline = self._library.ContinuousBatchingPipeline(str(file), scheduler, "CPU", told)
        except RuntimeError as error:
            raise ModelError(
                f"OpenVINO cannot read {file}: {str(error).strip().splitlines()[-1]}",
                hint="set models.engine = llamacpp, or torch",
            ) from error

    def _step(self) -> None:
        """Let in who waits and out who left, then give every row its next token."""
        fresh = self._taken()
        with told_to(fresh):
            for row in fresh:
                self._going.append((row, self._asked(row)))
        self._part_with_ended()
        if not self._going:
            return
        with told_to([row for row, _ in self._going]):
            self._pipeline.step()
        for row, handle in self._going:
            with told_to([row]):
                self._read(row, handle)
        self._part_with_ended()

    def _asked(self, row: Wanted) -> Any:
        """Ask the pipeline for a text; return the handle of the request."""
        import numpy as np
        from openvino import Tensor

        config = self._library.GenerationConfig()
        config.max_new_tokens = row.most
        config.stop_token_ids, config.eos_token_id = set(self._ends), min(self._ends)
        config.do_sample = row.draw is not None
        if row.draw is not None:
            config.temperature, config.top_p, config.top_k = row.draw.temperature, MASS, LIKELIEST
            config.rng_seed = row.draw.seed
        self._requests += 1
        prompt = Tensor(np.array([row.prompt], dtype=np.int64))
        return self._pipeline.add_request(self._requests, prompt, config)

    def _read(self, row: Wanted, handle: Any) -> None:
        while not row.done and handle.can_read():
            for output in handle.read().values():
                for token in output.generated_ids:
                    if not row.done:
                        row.take(token, self._ends)
        status = self._library.GenerationStatus
        if handle.get_status() == status.IGNORED and not row.done:
            raise ModelError(
                f"OpenVINO lacks memory for a prompt of {len(row.prompt)} tokens and an answer of {row.most}",
                hint="lower generation.context_tokens, or ask fewer at a time",
            )
        row.done |= handle.get_status() != status.RUNNING and not handle.can_read()

    def _part_with_ended(self) -> None:
        for row, handle in self._going:
            if row.done or row.left:
                handle.cancel()
        self._going = [(row, handle) for row, handle in self._going if not (row.done or row.left)]
        if not self._going and self._pipeline.has_non_finished_requests():
            # it lets go of the memory of those that left with its next step
            self._pipeline.step()


def library() -> Any:
    """Return OpenVINO GenAI without its telemetry.

    OpenVINO imports a package that reports the use of its converter to its maker, unless that package is not
    there; so it is not, as long as OpenVINO is imported.
    """
    if "openvino" in sys.modules or _TELEMETRY in sys.modules:
        import openvino_genai

        return openvino_genai
    sys.modules[_TELEMETRY] = None  # type: ignore[assignment]  # what the import system takes for "not there"
    try:
        import openvino_genai
    finally:
        del sys.modules[_TELEMETRY]
    return openvino_genai
