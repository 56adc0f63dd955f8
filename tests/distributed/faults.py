"""Work and embedders that end their own process at chosen moments; imported by worker processes."""

import os
import signal
from dataclasses import dataclass
from pathlib import Path

from hybrid.testing import HashEmbedder
from hybrid.types import Answer, Arm


@dataclass(frozen=True)
class Shout:
    """Make texts loud; the process ends at ``deadly`` so many times, counted by files in a folder."""

    folder: Path
    deadly: str = "no such text"
    deaths: int = 1
    error: str = ""
    name: str = "shout"

    def open(self):
        return self._shout

    def _shout(self, texts):
        if self.deadly in texts:
            if self.error:
                raise ValueError(self.error)
            die(self.folder, self.deaths)
        return " ".join(texts).upper().encode()


class DyingEmbedder(HashEmbedder):
    """Embed; the process ends when it reads a word, so many times."""

    def __init__(self, folder, word="poison", deaths=1):
        super().__init__(16)
        self._folder, self._word, self._deaths = folder, word, deaths

    def embed_documents(self, texts):
        if any(self._word in text for text in texts):
            die(self._folder, self._deaths)
        return super().embed_documents(texts)


def die(folder, deaths):
    """End this process as kill -9 does, unless it was ended so often before."""
    for number in range(deaths):
        marker = folder / f"death-{number}"
        if not marker.exists():
            marker.touch()
            os.kill(os.getpid(), signal.SIGKILL)


class Parrot:
    """An arm that says what it hears; the process ends at one question, so many times."""

    name = "parrot"

    def __init__(self, folder, *, deadly="", deaths=1, identity="one index"):
        self._folder, self._deadly, self._deaths = folder, deadly, deaths
        self.identity = {"index": identity}
        self.heard = []

    def prepare(self, questions):
        pass

    def answer_all(self, questions):
        if any(question.text == self._deadly for question in questions):
            die(self._folder, self._deaths)
        self.heard += [question.id for question in questions]
        return [Answer(one.text, f"{one.text}!", Arm.RAG, "fake") for one in questions]
