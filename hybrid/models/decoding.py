"""Continuous batching: what several threads ask of a model is decoded together, admitted between steps."""

from __future__ import annotations

import contextlib
import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from hybrid.models.cancelling import require_patience, resting
from hybrid.models.device import batch_room
from hybrid.models.dialogue import Draws, Rectangle, left_padded

if TYPE_CHECKING:
    from torch import Tensor

# Measured on two cores in float32, a step of 1, 8, 16, 32, 60 rows: 39, 77, 85, 152, 232 ms. So many rows
# at once, as long as all their tokens stay below the limit: it bounds the memory of long prompts, where
# more rows gain nothing (12 prompts of 1,000 tokens: 2.1 GB at 16,384, 1.7 GB at 8,192, in equal time).
BATCH_ROWS = 64
BATCH_TOKENS = 12_288
# Prompts are read so many tokens at a time, half a second on two cores: so long nobody is heard, be it who
# asks or who leaves. An accelerator reads faster.
_STRETCH, _FAST_STRETCH = 256, 8_192
# Who waits for another thread's step looks so often whether somebody still waits for the answer.
LOOK_SECONDS = 0.2


class Forward(Protocol):
    """The model: logits of the last tokens, and the cache of all."""

    def __call__(self, ids: Tensor, mask: Tensor, *, keep: int, past_key_values: Any, use_cache: bool) -> Any:
        """Read tokens behind a cache; the mask covers both."""


@dataclass(eq=False, slots=True)
class Wanted:
    """Tokens to be written behind those of a prompt: at most ``most``, until ``ended`` takes them for all.

    ``draw`` chooses a token by chance; None takes the likeliest. ``done`` tells that there will be no more,
    ``failed`` what went wrong, ``left`` that nobody waits for it.
    """

    prompt: Sequence[int]
    most: int
    ended: Callable[[list[int]], bool]
    draw: Draws | None = None
    written: list[int] = field(default_factory=list)
    done: bool = False
    failed: BaseException | None = None
    left: bool = False

    def take(self, token: int, ends: frozenset[int]) -> None:
        """Go on with a token, or end with it."""
        if token in ends:
            self.done = True
            return
        self.written.append(token)
        self.done = len(self.written) == self.most or self.ended(self.written)


@dataclass(eq=False, slots=True)
class _Together:
    """Rows that are read or written in one call of the model.

    ``mask`` covers what is in the cache and ``ids``, which is still to be read; both have a line a row.
    """

    rows: list[Wanted]
    ids: Tensor
    mask: Tensor
    cache: Any = None

    @property
    def longest(self) -> int:
        """Return how many tokens a line may have in the end."""
        return self.mask.shape[1] + max(row.most - len(row.written) for row in self.rows)

    def keep(self, places: Sequence[int]) -> None:
        """Let go of all other rows, and of what only they needed."""
        import torch

        if len(places) == len(self.rows):
            return
        self.rows = [self.rows[place] for place in places]
        chosen = torch.tensor(places, dtype=torch.long, device=self.mask.device)
        self.ids, self.mask = self.ids[chosen], self.mask[chosen]
        if self.cache is None or not places:
            return
        # all kinds of layers know it, those of linear attention too
        self.cache.reorder_cache(chosen)
        empty = int(self.mask.any(0).nonzero()[0])
        if empty and _grows(self.cache):
            self.mask = self.mask[:, empty:]
            for layer in self.cache.layers:
                layer.keys, layer.values = layer.keys[:, :, empty:], layer.values[:, :, empty:]

    def join(self, other: _Together) -> None:
        """Take in the rows of another one, after the own."""
        import torch

        width = max(self.mask.shape[1], other.mask.shape[1])
        for layer, more in zip(self.cache.layers, other.cache.layers, strict=True):
            layer.keys = torch.cat([_widened(one.keys, width - 1, 2) for one in (layer, more)])
            layer.values = torch.cat([_widened(one.values, width - 1, 2) for one in (layer, more)])
        self.mask = torch.cat([_widened(one.mask, width, 1) for one in (self, other)])
        self.ids = torch.cat([self.ids, other.ids])
        self.rows += other.rows


class Stepper(ABC):
    """Write behind the prompts of all threads that ask, in steps that go on with all of them.

    It has no thread of its own: of those that wait for a token one makes the next step for all of them.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._stepping = False
        self._waiting: deque[Wanted] = deque()

    def write(self, rows: Sequence[Wanted]) -> Generator[tuple[int, int], None, None]:
        """Yield place and token as they come, of rows that end at different times.

        Raises:
            GivenUp: nobody waits for them.
        """
        told = [0] * len(rows)
        going = list(range(len(rows)))
        with self._changed:
            self._waiting.extend(rows)
        try:
            while going:
                with resting():
                    self._wait_for_news([(rows[place], told[place]) for place in going])
                for place in tuple(going):
                    row = rows[place]
                    done = row.done  # asked first: what is done gets no further token
                    while told[place] < len(row.written):
                        told[place] += 1
                        yield place, row.written[told[place] - 1]
                    if done:
                        going.remove(place)
                        if row.failed is not None:
                            raise row.failed
        finally:
            for row in rows:
                row.left = True

    def _wait_for_news(self, known: Sequence[tuple[Wanted, int]]) -> None:
        """Return once a row has more tokens than are known, or is done; meanwhile step, or let others."""
        while True:
            with self._changed:
                while not any(row.done or len(row.written) > told for row, told in known):
                    require_patience()
                    if not self._stepping:
                        break
                    self._changed.wait(LOOK_SECONDS)
                else:
                    return
                self._stepping = True
            try:
                self._step()
            finally:
                with self._changed:
                    self._stepping = False
                    self._changed.notify_all()

    @abstractmethod
    def _step(self) -> None:
        """Go on with every row, and with those that wait as far as there is room.

        What goes wrong is told to its rows.
        """

    def _taken(self) -> list[Wanted]:
        """Return those that wait and for whom somebody waits; they wait no longer."""
        with self._changed:
            taken = [row for row in self._waiting if not row.left]
            self._waiting.clear()
        return taken


class Decoder(Stepper):
    """Write by torch, a token for each row at a step.

    ``forward`` is the model; tokens of ``ends`` end a text, ``filler`` is any token, for what is padded.
    """

    def __init__(self, forward: Forward, *, ends: frozenset[int], filler: int, device: Any) -> None:
        super().__init__()
        self._forward, self._ends, self._filler, self._device = forward, ends, filler, device
        room = batch_room(str(device))
        self._rows, self._tokens = room * BATCH_ROWS, room * BATCH_TOKENS
        self._stretch = _STRETCH if str(device) == "cpu" else _FAST_STRETCH
        # whose prompts are being read, and the whole of these
        self._reading: tuple[_Together, Rectangle] | None = None
        # one, unless the cache of the model cannot be put together
        self._writing: list[_Together] = []

    def _step(self) -> None:
        """Read a stretch of prompts, and write a token of every row."""
        self._part_with_left()
        self._begin()
        if self._reading is not None:
            read, prompts = self._reading
            self._reading = None  # unless there is more to be read
            with told_to(read.rows):
                self._read(read, prompts)
        for together in self._writing:
            with told_to(together.rows):
                self._take(together, self._run(together))

    def _part_with_left(self) -> None:
        """Let go of rows that nobody waits for, or that failed."""
        with self._changed:
            self._waiting = deque(row for row in self._waiting if not row.left)
        for together in self._writing:
            going = [place for place, row in enumerate(together.rows) if not (row.left or row.done)]
            together.keep(going)
        self._writing = [one for one in self._writing if one.rows]
        if self._reading is not None and all(row.left for row in self._reading[0].rows):
            self._reading = None

    def _begin(self) -> None:
        """Take from those that wait as many as can be read in one stretch and have room; a long one alone."""
        taken: list[Wanted] = []
        with self._changed:
            while self._reading is None and self._waiting:
                rows = [*taken, self._waiting[0]]
                widest = max(len(row.prompt) for row in rows)
                fits = len(rows) == 1 or len(rows) * widest <= self._stretch
                if not fits or not self._has_room(rows):
                    break
                taken.append(self._waiting.popleft())
        if taken:
            prompts = left_padded([row.prompt for row in taken], filler=self._filler, device=self._device)
            ids, mask = prompts.ids[:, : self._stretch], prompts.mask[:, : self._stretch]
            self._reading = (_Together(taken, ids, mask), prompts)

    def _has_room(self, rows: Sequence[Wanted]) -> bool:
        """Tell whether rows have room beside those that are written; one has, where there are none."""
        count = len(rows) + sum(len(one.rows) for one in self._writing)
        longest = max(
            *(one.longest for one in self._writing), *(len(row.prompt) + row.most for row in rows), 0
        )
        return count == 1 or (count <= self._rows and count * longest <= self._tokens)

    def _read(self, read: _Together, prompts: Rectangle) -> None:
        """Read the next stretch of prompts; with the last one their rows have a first token."""
        logits, done = self._run(read), read.mask.shape[1]
        if done < prompts.ids.shape[1]:
            until = done + self._stretch
            read.ids, read.mask = prompts.ids[:, done:until], prompts.mask[:, :until]
            self._reading = (read, prompts)
            return
        self._take(read, logits)
        if not read.rows:
            return
        for together in self._writing:
            if together.rows and _grows(together.cache) and _grows(read.cache):
                together.join(read)
                return
        self._writing.append(read)

    def _run(self, together: _Together) -> Tensor:
        import torch

        with torch.inference_mode():
            output = self._forward(
                together.ids, together.mask, keep=1, past_key_values=together.cache, use_cache=True
            )
        together.cache = output.past_key_values
        logits: Tensor = output.logits[:, -1]
        return logits

    def _take(self, together: _Together, logits: Tensor) -> None:
        """Give every row its next token, and part with those that have ended."""
        import torch

        with torch.inference_mode():
            chosen = logits.argmax(-1)
            for place, row in enumerate(together.rows):
                if row.draw is not None:
                    chosen[place] = row.draw(logits[place : place + 1])[0]
            going = []
            for place, (row, token) in enumerate(zip(together.rows, chosen.tolist(), strict=True)):
                row.take(token, self._ends)
                if not row.done:
                    going.append(place)
            together.ids = chosen[:, None]
            together.mask = torch.cat(
                [together.mask, torch.ones_like(together.ids, dtype=together.mask.dtype)], dim=1
            )
            together.keep(going)


@contextlib.contextmanager
def told_to(rows: Sequence[Wanted]) -> Iterator[None]:
    """Tell rows what goes wrong in the block: each raises it where it is waited for."""
    try:
        yield
    except BaseException as error:
        for row in rows:
            row.failed, row.done = error, True
        if not isinstance(error, Exception):
            raise


def _grows(cache: Any) -> bool:
    """Tell whether a cache holds a place for every token, and nothing else, so that two can be one."""
    from transformers.cache_utils import DynamicLayer

    return all(type(layer) is DynamicLayer for layer in cache.layers)


def _widened(tensor: Tensor, width: int, dimension: int) -> Tensor:
    """Return a tensor with zeros before it along one dimension."""
    import torch

    lacking = width - tensor.shape[dimension]
    before = [0, 0] * (tensor.dim() - 1 - dimension) + [lacking, 0]
    return torch.nn.functional.pad(tensor, before) if lacking else tensor
