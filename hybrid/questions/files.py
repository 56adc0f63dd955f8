"""Question sets as JSON lines, ours and public ones, and test collections for retrieval in BEIR's format."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hybrid.errors import UsageError
from hybrid.files import is_name, read_jsonl, write_atomic
from hybrid.types import Evidence, Question, Span

_UTF16 = (b"\xff\xfe", b"\xfe\xff")
# The fields of training data that hold text.
_TRAINED = (
    *("prompt", "completion", "question", "answers", "text", "messages", "conversations"),
    *("instruction", "input"),
    *("context", "output", "response", "chosen", "rejected", "query", "passage"),
)


def load_questions(path: Path) -> list[Question]:
    """Read a question set: JSON lines, or one JSON list; rows of the common public sets too (``as_row``).

    Each line is an object with ``question``, and optionally ``id``, ``answers`` (strings, several
    are alternatives), ``answerable``, ``options`` (labels to choose from), ``evidence`` (objects with
    ``source``, ``quote`` and optionally ``start`` and ``end``), ``source`` (the document that it was
    asked of), ``withheld`` (sources that may not be retrieved), ``slices`` and ``made``.

    Raises:
        UsageError: the file is missing, a line is not such an object, or two have the same ``id``; the
            message names the line.
    """
    if not path.is_file():
        raise UsageError(f"there is no question set {path}")
    questions: dict[str, Question] = {}
    for number, value in read_rows(path):
        question = question_of(value, number, path)
        if question.id in questions:
            raise UsageError(
                f"{path}, line {number}: the id {question.id!r} stands on a line before, too",
                hint="give each question an id of its own, or none of them",
            )
        questions[question.id] = question
    if not questions:
        raise UsageError(f"{path} holds no questions")
    return [*questions.values()]


def save_questions(path: Path, questions: Sequence[Question]) -> None:
    """Write a question set atomically; what is empty is left out.

    Raises:
        UsageError: the name of the file cannot be one.
    """
    if not is_name(path.name):
        raise UsageError(
            f"{path.name!r} is not a name for a question set", hint="use letters, digits, dashes"
        )
    lines = [json.dumps(question_row(question), ensure_ascii=False) + "\n" for question in questions]
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, "".join(lines))


def question_row(question: Question) -> dict[str, Any]:
    """Return a question as the object that stands on its line."""
    row: dict[str, Any] = {"id": question.id, "question": question.text}
    row |= {"answers": list(question.answers), "answerable": question.answerable}
    optional: dict[str, Any] = {
        "options": list(question.options),
        "evidence": [_evidence_row(evidence) for evidence in question.evidence],
        "source": question.source,
        "withheld": list(question.withheld),
        "slices": list(question.slices),
    }
    return row | {key: value for key, value in optional.items() if value} | {"made": question.made}


def load_texts(path: Path) -> list[str]:
    """Read what an adapter was trained on: the texts of every line, joined where a line has several.

    Lines are objects with any field of training data, such as ``prompt``, ``answers`` or ``messages``; a
    value is a text, a list of texts, or turns with ``content`` or ``value``.

    Raises:
        UsageError: the file is missing, is not JSON lines, or a line has none of these.
    """
    if not path.is_file():
        raise UsageError(f"there is no file {path}", hint="name the training data, JSON lines")
    texts: list[str] = []
    for number, value in read_rows(path):
        parts = [part for key in _TRAINED for part in _texts(value, key)]
        if not parts:
            raise UsageError(
                f"{path}, line {number}: expected an object with one of {', '.join(_TRAINED)}, "
                f"found {json.dumps(value)[:80]}"
            )
        texts.append("\n".join(parts))
    return texts


def _lines(path: Path) -> Iterator[tuple[int, Any]]:
    try:
        yield from read_jsonl(path)
    except ValueError as error:
        raise UsageError(str(error)) from error


def _not_utf8(path: Path, content: bytes, start: int, why: str) -> UsageError:
    encoding = "LATIN1"
    if content[:2] in _UTF16:
        encoding = "UTF-16"
    elif b"\0" in content[:2]:
        encoding = "UTF-16BE" if content[:1] == b"\0" else "UTF-16LE"
    elif b"\0" in content[:1_000]:
        return UsageError(f"{path} is no text, but binary", hint="export it as JSON lines or as CSV in UTF-8")
    return UsageError(
        f"{path}, line {content[:start].count(10) + 1}: not UTF-8 ({why})",
        hint=f"save the file as UTF-8: iconv -f {encoding} -t UTF-8 {path.name} > utf8{path.suffix}",
    )


def text_of(path: Path, *, table: bool = False) -> str:
    """Return the text of a file in UTF-8; a ``table`` may be CSV, or in UTF-16 that says so.

    Raises:
        UsageError: it is of another kind or encoding; with how to convert it.
        OSError: it cannot be read.
    """
    how = _OTHER_FILES.get(path.suffix.lower())
    if how and not (table and path.suffix.lower() in (".csv", ".tsv")):
        raise UsageError(f"{path} is not JSON lines", hint=f"convert it: {how.format(path.name)}")
    content = path.read_bytes()
    try:
        text = content.decode("utf-16" if table and content[:2] in _UTF16 else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise _not_utf8(path, content, error.start, error.reason) from error
    if "\0" in text[:1_000]:
        raise _not_utf8(path, content, 0, "every other byte is 0")
    return text


def read_rows(path: Path) -> Iterator[tuple[int, Any]]:
    """Yield the rows of a file by their number: lines, or items of a file that is one JSON value.

    Raises:
        UsageError: it is of another kind, not UTF-8, or a line is not JSON; the message names the line.
    """
    text = text_of(path)
    try:
        whole = rows_of(json.loads(text))
    except (ValueError, RecursionError) as error:  # lines, or not JSON at all, which is told by line
        if isinstance(error, json.JSONDecodeError) and error.msg != "Extra data" and text.lstrip()[:1] == "[":
            raise UsageError(f"{path}, line {error.lineno}: not JSON ({error.msg})") from error
        whole = None
    return _lines(path) if whole is None else enumerate(whole, start=1)


def _texts(value: Any, key: str) -> list[str]:
    found = value.get(key, ()) if isinstance(value, dict) else ()
    items = found if isinstance(found, list) else [found]
    contents = [item.get("content", item.get("value")) if isinstance(item, dict) else item for item in items]
    return [content for content in contents if isinstance(content, str) and content.strip()]


def question_of(value: Any, number: int, path: Path) -> Question:
    """Return the question that stands on a line.

    Raises:
        UsageError: it is no such object; the message names the line.
    """
    place = f"{path}, line {number}"
    row = as_row(value, place)
    options = _strings(row, "options", place)
    answers = tuple(row.get("answers", ()))
    if options and len({option.strip() for option in options} - {""}) < max(len(options), 2):
        raise UsageError(
            f"{place}: expected two or more `options` that differ, found {_short(options)}",
            hint="leave out what is there twice or blank; a question that is free to answer has no `options`",
        )
    if options and answers and not set(options) & set(answers):
        raise UsageError(
            f"{place}: expected an answer that is one of the `options` {_short(options)}, "
            f"found {_short(answers)}",
            hint="write the right option as it stands, not its letter or number",
        )
    return Question(
        id=str(row.get("id") if row.get("id") is not None else number),
        text=row["question"],
        answers=answers,
        answerable=row.get("answerable", True),
        evidence=_evidence(row.get("evidence") or (), place),
        slices=_strings(row, "slices", place),
        options=options,
        source=str(row.get("source") or ""),
        withheld=_strings(row, "withheld", place),
        made=str(row.get("made") or "gold"),
    )


def _strings(row: Any, key: str, place: str) -> tuple[str, ...]:
    found = row.get(key) or ()
    if not isinstance(found, list | tuple) or not all(isinstance(item, str) for item in found):
        raise UsageError(
            f"{place}, `{key}`: expected a list of texts, found {json.dumps(found)[:80]}",
            hint=f'write it as "{key}": ["...", "..."]',
        )
    return tuple(found)


def _evidence(found: Any, place: str) -> tuple[Evidence, ...]:
    try:
        return tuple(
            Evidence(
                str(one["source"]),
                str(one["quote"]),
                Span(int(one["start"]), int(one["end"])) if one.get("start") is not None else None,
            )
            for one in found
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise UsageError(
            f"{place}, `evidence`: expected objects with `source` and `quote`, found {_short(found)}",
            hint='write "evidence": [{"source": "FILE", "quote": "..."}], with `start` and `end` as numbers',
        ) from error


def _evidence_row(evidence: Evidence) -> dict[str, Any]:
    row: dict[str, Any] = {"source": evidence.source, "quote": evidence.quote}
    return row | ({"start": evidence.span.start, "end": evidence.span.end} if evidence.span else {})


_QRELS_HINT = "a line is query-id, corpus-id, score between tabs, or TREC's query 0 document score"


@dataclass(frozen=True, slots=True)
class Collection:
    """A test collection: queries and, for each, the grade of the documents that were judged."""

    corpus: Path
    queries: Mapping[str, str]
    qrels: Mapping[str, Mapping[str, int]]


def load_beir(folder: Path, *, split: str = "test") -> Collection:
    """Read a folder with ``corpus.jsonl``, ``queries.jsonl`` and ``qrels/<split>.tsv``.

    ``split`` may name several, joined by ``+``. A single ``qrels.tsv`` serves where there is no folder
    of splits. A judgement is query, document and grade, or as in TREC four columns of which the second says
    nothing. Grades below 1 count as not relevant.

    Raises:
        UsageError: a file is missing or not in the format, or what is judged is not there; with the line.
    """
    corpus, asked = folder / "corpus.jsonl", folder / "queries.jsonl"
    for path in (corpus, asked):
        if not path.is_file():
            raise UsageError(
                f"{path} is missing", hint="a BEIR folder has corpus.jsonl, queries.jsonl and qrels"
            )
    files = _qrel_files(folder, split)
    try:
        texts = {str(row["_id"]): str(row["text"]) for _, row in read_jsonl(asked)}
        rows = ((number, row.get("_id") or row.get("id")) for number, row in read_jsonl(corpus))
        # a row without a name is found by its number
        documents = {str(name or f"{corpus.name}#{number}") for number, name in rows}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(f"{folder} is not in BEIR's format: {error}") from error
    qrels: dict[str, dict[str, int]] = {}
    missed = ""
    for path in files:
        for number, query, document, grade in _qrels(path):
            # judgements may be of more queries than are asked, but a document that is nowhere is never found
            if query not in texts:
                missed = missed or f": {query!r} in line {number} of {path.name}"
            elif document not in documents:
                raise UsageError(
                    f"{path}, line {number}: the document {document!r} is not in {corpus}", hint=_QRELS_HINT
                )
            else:
                qrels.setdefault(query, {})[document] = grade
    if not qrels:
        raise UsageError(
            f"no query of {asked} has a judgement in the split {split!r}{missed}", hint=_QRELS_HINT
        )
    return Collection(corpus, {query: texts[query] for query in qrels}, qrels)


def _qrel_files(folder: Path, split: str) -> list[Path]:
    files = [folder / "qrels" / f"{name}.tsv" for name in split.split("+")]
    if not (folder / "qrels").is_dir():
        files = [folder / "qrels.tsv"]
    for path in files:
        if not path.is_file():
            there = ", ".join(sorted(found.stem for found in path.parent.glob("*.tsv"))) or "none"
            raise UsageError(f"{path} is missing", hint=f"judgements that are there: {there}")
    return files


def _qrels(path: Path) -> Iterator[tuple[int, str, str, int]]:
    """Yield the line, the query, the document and the grade of every judgement."""
    with path.open(encoding="utf-8-sig") as stream:
        for number, line in enumerate(stream, start=1):
            cells = line.rstrip("\r\n").split("\t") if "\t" in line else line.split()
            if not cells:
                continue
            wrong = "" if len(cells) in (3, 4) else f"{len(cells)} columns"
            try:
                grade = int(float(cells[-1]))
            except (ValueError, OverflowError) as error:
                if number == 1 and not wrong:
                    continue  # the names of the columns
                wrong = wrong or str(error)
            if wrong:
                raise UsageError(
                    f"{path}, line {number} is not in BEIR's format: {wrong} in {line.strip()[:80]!r}",
                    hint=_QRELS_HINT,
                )
            yield number, cells[0], cells[-2], grade


Row = dict[str, Any]

_SHAPE = (
    "a question set has lines with `question` and `answers`, a list of texts; or convert each row to "
    '{"question": "...", "answers": ["..."]}'
)
# What else the fields are called: SQuAD and Natural Questions, HotpotQA, ragas, TriviaQA, DeepEval.
_QUESTION = ("question", "user_input", "query", "input")
# An `answer` beside a truth is what a model said.
_GOLD = (
    *("answers", "ground_truth", "ground_truths", "reference", "gold", "golds"),
    *("expected_output", "expected_answer", "target", "answer"),
)
# What people keep rows in that is not read, and what makes JSON lines of it.
_PANDAS = 'python -c \'import pandas; pandas.{0}.to_json("data.jsonl", orient="records", lines=True)\''
_CSV = (
    "python -c 'import csv, json; [print(json.dumps(row)) for row in "
    'csv.DictReader(open("{0}", encoding="utf-8-sig"))]\' > data.jsonl'
)
_OTHER_FILES = {
    ".csv": _CSV,
    ".tsv": _CSV.replace('utf-8-sig")', 'utf-8-sig"), delimiter="\\t"'),
    **dict.fromkeys((".xlsx", ".xls", ".ods"), _PANDAS.format('read_excel("{0}")')),
    **dict.fromkeys((".arrow", ".feather"), _PANDAS.format('read_feather("{0}")')),
    ".parquet": _PANDAS.format('read_parquet("{0}")'),
    ".gz": "gunzip -k {0}",
    ".zip": "unzip {0}",
}
# A list that a spreadsheet or a data frame wrote as a text.
_LIST = re.compile(r"\[['\"]")
_TEXTS = ("text", "value", "aliases", "normalized_aliases")


def as_row(value: Any, place: str) -> Row:
    """Return a row of a known public shape with the names of ours; one of ours comes back as it is.

    Known are SQuAD 1 and 2 as published on hubs, Natural Questions (open), HotpotQA, TriviaQA, ragas,
    DeepEval and exports of LangSmith; ``place`` names file and line in errors.

    Raises:
        UsageError: it is no object, or has no question, or its golds are in no known shape.
    """
    if not isinstance(value, dict):
        raise UsageError(f"{place}: expected an object with `question`, found {_short(value)}", hint=_SHAPE)
    row = dict(value)
    if isinstance(row.get("inputs"), dict):  # LangSmith
        gold = row.get("reference_outputs") or row.get("outputs")
        gold = gold if isinstance(gold, dict) else {}
        if len(gold) == 1 and not gold.keys() & set(_GOLD):
            gold = {"answer": next(iter(gold.values()))}
        row = {"id": row.get("id")} | row["inputs"] | gold
    asked = [key for key in _QUESTION if isinstance(row.get(key), str) and row[key].strip()]
    if not asked:
        why = "a query without its gold" if "_id" in row and "text" in row else "no text `question`"
        raise UsageError(
            f"{place}: expected an object with `question`, found {why}: {_short(row)}", hint=_SHAPE
        )
    if "choices" in row:
        raise UsageError(
            f"{place}: `choices` is not read, found {_short(row['choices'])}",
            hint='write the texts as "options": ["...", "..."] and the right one as "answers": ["..."]',
        )
    require_letters(row, place)
    row["question"] = row[asked[0]]
    row.setdefault("id", row.get("_id", row.get("question_id")))
    golds = [key for key in _GOLD if row.get(key) is not None]
    if golds:
        row["answers"] = golds_of(row[golds[0]], f"{place}, `{golds[0]}`")
    else:
        row.pop("answers", None)
    if "is_impossible" in row:
        row["answerable"] = not _flag(row["is_impossible"], f"{place}, `is_impossible`")
    elif golds == ["answers"] and isinstance(value.get("answers"), dict) and not row["answers"]:
        row["answerable"] = False  # SQuAD 2 on hubs
    if "answerable" in row:
        row["answerable"] = _flag(row["answerable"], f"{place}, `answerable`")
    return row


def golds_of(value: Any, place: str) -> list[str]:
    """Return the gold answers: a text, a list of texts or numbers, or objects that hold such.

    Raises:
        UsageError: anything else, such as null in a list.
    """
    if isinstance(value, dict):
        named = [value[key] for key in _TEXTS if value.get(key) is not None]
        if not named:
            raise UsageError(f"{place}: expected texts, found {_short(value)}", hint=_SHAPE)
        return list(dict.fromkeys(gold for one in named for gold in golds_of(one, place)))
    if isinstance(value, list):
        # a blank one beside others is a slip of who made the set, and would stand in every answer
        said = [one for one in value if not isinstance(one, str) or one.strip()] or value
        for one in said:  # a yes, or the word of a program
            if isinstance(one, bool):
                found = f"{place}: expected texts, found {_short(one)} among them"
                raise UsageError(found, hint=f'write "{"yes" if one else "no"}", or "{_short(one)}"')
        return list(dict.fromkeys(gold for one in said for gold in golds_of(one, place)))
    if isinstance(value, bool):
        return ["yes" if value else "no"]
    text = str(value).strip()
    if isinstance(value, str | int | float) and value == value and text and not _LIST.match(text):
        return [str(value)]
    raise UsageError(
        f"{place}: expected a text, found {_short(value)}",
        hint='leave it out, or write the right text; several as a list, ["...", "..."]',
    )


def rows_of(whole: Any) -> Iterator[Any] | None:
    """Return the rows of a file that is one JSON value: a list, or SQuAD's articles; None of another."""
    if isinstance(whole, list):
        return iter(whole)
    articles = whole.get("data") if isinstance(whole, dict) else None
    return _squad(articles) if isinstance(articles, list) else None


def _squad(articles: list[Any]) -> Iterator[Any]:
    for article in articles:
        if not (isinstance(article, dict) and isinstance(article.get("paragraphs"), list)):
            yield article
            continue
        for paragraph in article["paragraphs"]:
            for asked in paragraph["qas"]:
                yield {**asked, "slices": [str(article["title"])] if article.get("title") else []}


def require_letters(row: Row, place: str) -> None:
    """Refuse a row with half a character, which no file can hold."""
    try:
        json.dumps(row, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise UsageError(
            f"{place}: half a character (a lone surrogate, \\ud800 to \\udfff)",
            hint="write the file anew from its source, as UTF-8",
        ) from None


def _flag(value: Any, place: str) -> bool:
    if not isinstance(value, bool):
        raise UsageError(
            f"{place}: expected true or false, found {_short(value)}", hint="write it without quotes"
        )
    return value


def _short(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)[:80]
