"""HaluEval: to each question, dialogue or document a right text and one that a model made up on purpose.

Takes its files as they are published (JSON lines), gives datasets (Li et al. 2023, arXiv:2305.11747; MIT).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hybrid.grounding.data.loaders.reading import checked_rows, document_name
from hybrid.grounding.data.values import Dataset, Example, Label


@dataclass(frozen=True, slots=True)
class Question:
    """A row of ``qa_data.json``."""

    knowledge: str
    question: str
    right_answer: str
    hallucinated_answer: str


@dataclass(frozen=True, slots=True)
class Dialogue:
    """A row of ``dialogue_data.json``."""

    knowledge: str
    dialogue_history: str
    right_response: str
    hallucinated_response: str


@dataclass(frozen=True, slots=True)
class Summary:
    """A row of ``summarization_data.json``."""

    document: str
    right_summary: str
    hallucinated_summary: str


@dataclass(frozen=True, slots=True)
class _Pair:
    """A right text and a wrong one for the same knowledge."""

    number: int
    knowledge: str
    question: str
    right: str
    wrong: str


def load_questions(path: Path) -> Dataset:
    """Read question answering; an answer is often a name alone, which its ``question`` makes a claim."""
    rows = ((row.number, row.value) for row in checked_rows(path, Question))
    return _dataset(
        "qa",
        (_Pair(n, row.knowledge, row.question, row.right_answer, row.hallucinated_answer) for n, row in rows),
    )


def load_dialogues(path: Path) -> Dataset:
    """Read dialogues; ``question`` is what was said before."""
    rows = ((row.number, row.value) for row in checked_rows(path, Dialogue))
    return _dataset(
        "dialogue",
        (
            _Pair(n, row.knowledge, row.dialogue_history, row.right_response, row.hallucinated_response)
            for n, row in rows
        ),
    )


def load_summaries(path: Path) -> Dataset:
    """Read summaries."""
    rows = ((row.number, row.value) for row in checked_rows(path, Summary))
    return _dataset(
        "summary",
        (_Pair(n, row.document, "", row.right_summary, row.hallucinated_summary) for n, row in rows),
    )


def _dataset(task: str, pairs: Iterator[_Pair]) -> Dataset:
    examples = (_example(task, pair, right) for pair in pairs for right in (True, False))
    return Dataset(f"HaluEval {task}", tuple(examples), ("kind",))


def _example(task: str, pair: _Pair, right: bool) -> Example:
    # whether the knowledge refutes what was made up, nobody said
    return Example(
        id=f"halueval-{task}-{pair.number}-{'right' if right else 'hallucinated'}",
        claim=pair.right if right else pair.wrong,
        evidence=(pair.knowledge,),
        label=Label.SUPPORTED if right else Label.UNSUPPORTED,
        source=document_name(pair.knowledge),
        domain=f"halueval-{task}",
        task=task,
        unsupported_spans=() if right else None,
        licence="MIT",
        question=pair.question,
        generator="" if right else "ChatGPT",
    )
