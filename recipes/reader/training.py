"""From libraries to examples of reading, and from these to an adapter with its card.

Both are kept in the work folder, and go on where they were stopped.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from safetensors.torch import load_file, save_file

from hybrid import Assistant, load_settings
from hybrid.adaptation.data.examples import load_examples, save_examples
from hybrid.adaptation.data.material import Objective
from hybrid.adaptation.data.reading import ReadingLesson
from hybrid.adaptation.store import read_card, write_card
from hybrid.adaptation.values import Example, Examples
from hybrid.adaptation.workshop import Material
from hybrid.config import Reader, Settings
from hybrid.models.adapters import CONFIG, WEIGHTS, saved_digest
from hybrid.models.device import cpu_has_bf16
from hybrid.questions.making import MakingSettings, make_questions, spread
from hybrid.questions.sets import deep_search, read_candidates
from hybrid.questions.splits import unit_hash
from hybrid.types import Question
from recipes.reader.sets import LICENCES, Library

# What the adapter is called in the store.
NAME = "reader"
# So many examples tell when to stop, and as many whether it helped.
_CHECKED = 24
# A small generator that is often shown how to decline does little else.
_WITHOUT, _NEAR_MISS = 0.08, 0.05


@dataclass(frozen=True, slots=True)
class Shape:
    """How long passages are, which are cheaper the shorter, and what is trained how."""

    passage_tokens: int = 120
    layers: float = 1.0
    rank: int = 16
    rate: float = 5e-4
    epochs: float = 1.0


def settings_for(work: Path, shape: Shape) -> Settings:
    """Return the settings of the training; nothing is rehearsed, and drift is left to the gate."""
    values: dict[str, object] = {
        "indexes": str(work),
        "models": {"dtype": "bfloat16" if cpu_has_bf16() else "float32", "offline": True},
        "generation": {"passage_tokens": shape.passage_tokens},
        "adaptation": {
            "rank": shape.rank,
            "layers": shape.layers,
            "learning_rate": shape.rate,
            "epochs": shape.epochs,
            "rehearsal": 0.0,
        },
    }
    return load_settings(values, environment={})


def examples_of(library: Library, settings: Settings, kept: Path) -> list[Example]:
    """Return the examples of a set, made once."""
    if not kept.is_file():
        assistant = Assistant(library.name, settings=settings)
        assistant.update(library.documents)
        retriever = assistant.retriever
        asked = [*library.asked, *made_questions(assistant, library.made)]
        lesson = ReadingLesson(
            retriever, settings.generation, settings.adaptation.seed, without=_WITHOUT, near_miss=_NEAR_MISS
        )
        made = lesson.examples([one for one in asked if not is_whole(one)])
        made += replace(lesson, swaps=0.0).examples([one for one in asked if is_whole(one)])
        save_examples(kept, [without_repeating(example) for example in made])
    return load_examples(kept)


def made_questions(assistant: Assistant, count: int) -> Sequence[Question]:
    """Return so many questions made from the documents of a domain."""
    if not count:
        return ()
    index = assistant.retriever.index
    return make_questions(
        spread(sorted(index.sources()), lambda source: read_candidates(index, source), seed=1),
        MakingSettings(count, unanswerable=0.0, hold_out=0.0, seed=1),
        search=deep_search(assistant.retriever),
        counter=assistant.embedder,
    ).questions


def is_whole(question: Question) -> bool:
    """Tell whether its answer is all of its evidence: that of another question would answer nothing."""
    return question.answers[0] == question.evidence[0].quote.strip()


def without_repeating(example: Example) -> Example:
    """Return an example that quotes alone, where the answer is the quote over again."""
    quote, _, answer = example.completion.partition("\n")
    repeats = bool(answer) and answer in quote and len(answer) > len(quote) / 2
    return replace(example, completion=quote) if repeats else example


def parted(examples: Sequence[Example], most: int) -> Examples:
    """Return so many examples in any order, and some that share no document with them, to tell by."""
    order = sorted(
        examples, key=lambda one: unit_hash("reader", one.source, one.completion, one.prompt[-1].content)
    )
    kept = order[: most + 2 * _CHECKED]
    apart = {one.source for one in kept[: 2 * _CHECKED]}
    checked = [one for one in kept if one.source in apart][: 2 * _CHECKED]
    return Examples(tuple(one for one in kept if one.source not in apart), tuple(checked))


def train(examples: Examples, settings: Settings, progress: Callable[[int, int, float], None]) -> Path:
    """Train the adapter, or go on with it; return its folder, in a domain that has no documents."""
    assistant = Assistant(NAME, settings=settings)
    if NAME not in assistant.adapters.names():
        material = Material(examples, (), (), (Objective.READING,), LICENCES, Reader.QUOTING)
        assistant.adaptation.tune_generator(material, name=NAME, progress=progress)
    return assistant.adapters.folder(NAME)


def half(made: Path, out: Path) -> Path:
    """Write an adapter in half precision, which is how it ships and is measured; return the folder."""
    out.mkdir(parents=True, exist_ok=True)
    tensors = load_file(made / WEIGHTS)
    save_file({name: own.half().contiguous() for name, own in tensors.items()}, out / WEIGHTS)
    shutil.copyfile(made / CONFIG, out / CONFIG)
    write_card(out, replace(read_card(made), weights=saved_digest(out)))
    return out
