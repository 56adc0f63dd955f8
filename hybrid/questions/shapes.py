"""Rows of public question sets in the shape of ours: SQuAD, Natural Questions, HotpotQA, ragas and others."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hybrid.errors import UsageError

Row = dict[str, Any]

_SHAPE = (
    "a question set has lines with `question` and `answers`, a list of texts; or convert each row to "
    '{"question": "...", "answers": ["..."]}'
)
# What else the fields are called: SQuAD and Natural Questions, HotpotQA, ragas, TriviaQA, DeepEval.
_QUESTION = ("question", "user_input", "query", "input")
_GOLD = (
    *("answers", "answer", "ground_truth", "ground_truths", "reference", "gold", "golds"),
    *("expected_output", "expected_answer", "target"),
)
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
        row = {"id": row.get("id")} | row["inputs"] | (gold if isinstance(gold, dict) else {})
    asked = [key for key in _QUESTION if isinstance(row.get(key), str)]
    if not asked:
        why = "a query without its gold" if "_id" in row and "text" in row else "no text `question`"
        raise UsageError(
            f"{place}: expected an object with `question`, found {why}: {_short(row)}", hint=_SHAPE
        )
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
        return list(dict.fromkeys(gold for one in value for gold in golds_of(one, place)))
    if isinstance(value, bool):
        return ["yes" if value else "no"]
    if isinstance(value, str | int | float) and value == value:
        return [str(value)]
    raise UsageError(
        f"{place}: expected a text, found {_short(value)}",
        hint="leave it out, or write the right text",
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


def _flag(value: Any, place: str) -> bool:
    if not isinstance(value, bool):
        raise UsageError(
            f"{place}: expected true or false, found {_short(value)}", hint="write it without quotes"
        )
    return value


def _short(value: Any) -> str:
    import json

    return json.dumps(value, ensure_ascii=False)[:80]
