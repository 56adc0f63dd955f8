"""Which set is this? By the names of files and the fields of the first row.

Takes a file or a folder, gives its dataset or says what was found and what was expected.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from hybrid.errors import UsageError
from hybrid.grounding.data.loaders import halueval, ragtruth, scifact
from hybrid.grounding.data.loaders.aggrefact import load_aggrefact
from hybrid.grounding.data.loaders.faithbench import load_binary, load_faithbench
from hybrid.grounding.data.loaders.own import load_own
from hybrid.grounding.data.loaders.pairs import load_covid_fact, load_factcheck, load_q2
from hybrid.grounding.data.loaders.reading import Raw, raw_rows
from hybrid.grounding.data.loaders.summedits import load_summedits
from hybrid.grounding.data.loaders.wice import load_marked_wice, load_wice
from hybrid.grounding.data.values import Dataset

_SUFFIXES = (".json", ".jsonl", ".csv")


@dataclass(frozen=True, slots=True)
class Format:
    """A format and the fields that its rows have; ``load`` takes all files of it."""

    name: str
    fields: frozenset[str]
    load: Callable[[Sequence[Path]], Dataset]


def _format(name: str, fields: str, load: Callable[[Sequence[Path]], Dataset]) -> Format:
    return Format(name, frozenset(fields.split()), load)


def _one(load: Callable[[Path], Dataset]) -> Callable[[Sequence[Path]], Dataset]:
    """Make a function of a file one of files: each is a set of its own, so there may be only one."""

    def load_only(paths: Sequence[Path]) -> Dataset:
        if len(paths) != 1:
            raise UsageError(
                f"{len(paths)} files of one set: {', '.join(path.name for path in paths)}",
                hint="name one of them",
            )
        return load(paths[0])

    return load_only


def _beside(load: Callable[[Path], Dataset]) -> Callable[[Sequence[Path]], Dataset]:
    return _one(lambda path: load(path.parent))


# More fields first: the first format whose fields are all there is taken.
FORMATS = (
    _format(
        "WiCE, marked words",
        "claim evidence supporting_sentences claim_tokens non_supported_spans",
        load_marked_wice,
    ),
    _format("WiCE", "claim evidence label supporting_sentences meta", load_wice),
    _format("RAGTruth", "source_id model labels quality response", _beside(ragtruth.load_ragtruth)),
    _format("RAGTruth, sources", "source_id task_type source_info", _beside(ragtruth.load_ragtruth)),
    _format("SummEdits", "doc summary label original_summary", load_summedits),
    _format("FaithBench", "source summary annotations", load_faithbench),
    _format(
        "HaluEval, questions",
        "knowledge question right_answer hallucinated_answer",
        _one(halueval.load_questions),
    ),
    _format(
        "HaluEval, dialogues",
        "knowledge dialogue_history right_response hallucinated_response",
        _one(halueval.load_dialogues),
    ),
    _format(
        "HaluEval, summaries", "document right_summary hallucinated_summary", _one(halueval.load_summaries)
    ),
    _format("LLM-AggreFact", "dataset doc claim label", load_aggrefact),
    _format("SciFact", "id claim cited_doc_ids evidence", _one(scifact.load_scifact)),
    _format("FactCheckGPT", "claim evidence stance", load_factcheck),
    _format("Q² Wizard of Wikipedia", "id context message text label", load_q2),
    _format("Covid-Fact", "id context text label source", load_covid_fact),
    _format("summaries with one label", "source summary label", load_binary),
    _format("your own: claim", "claim evidence label", load_own),
    _format("your own: claim", "claim passages label", load_own),
    _format("your own: answer", "answer passages label", load_own),
    _format("your own: answer", "answer evidence label", load_own),
)


def load(path: Path) -> Dataset:
    """Read the labelled set in a file, or in the files of a folder (not below it).

    Raises:
        UsageError: there is nothing, it is in no known format, the folder holds several sets, or a row is
            not as its format says; the message names what was found and what was expected.
    """
    if path.is_file():
        return _known(path).load((path,))
    if not path.is_dir():
        raise UsageError(f"there is no file or folder {path}", hint="name the file with the labelled claims")
    # named by their files: one of the two says nothing alone
    if (path / ragtruth.RESPONSES).is_file():
        return ragtruth.load_ragtruth(path)
    files = sorted(file for file in path.iterdir() if file.suffix.lower() in _SUFFIXES and file.is_file())
    found = {file: format_ for file in files if (format_ := _format_of(file)) is not None}
    formats = list(dict.fromkeys(found.values()))
    if not formats:
        raise UsageError(f"{path} holds no labelled set: {len(files)} files of JSON or CSV", hint=_expected())
    if len(formats) > 1:
        listed = "; ".join(f"{file.name} ({format_.name})" for file, format_ in found.items())
        raise UsageError(f"{path} holds several sets: {listed}", hint="name one of the files")
    return formats[0].load(tuple(found))


def _known(path: Path) -> Format:
    format_ = _format_of(path)
    if format_ is None:
        first = _first(path)
        fields = ", ".join(sorted(first.fields)) if first else ""
        found = (
            f"its first row has {f'the fields {fields}' if fields else 'no fields'}"
            if first
            else "it is empty"
        )
        raise UsageError(f"{path} is in no format that is known: {found}", hint=_expected())
    return format_


def _format_of(path: Path) -> Format | None:
    first = _first(path)
    if first is None:
        return None
    return next((format_ for format_ in FORMATS if format_.fields <= first.fields), None)


def _first(path: Path) -> Raw | None:
    return next(raw_rows(path), None)


def _expected() -> str:
    known = "; ".join(f"{format_.name} ({', '.join(sorted(format_.fields))})" for format_ in FORMATS)
    return f"expected rows of one of: {known}"
