"""Who may read a document (access control list): by its own fields, a file beside it, or the caller."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from hybrid.documents.source import SourceFile, Unreadable
from hybrid.errors import UsageError

# Gives who may read the document of a source; None where it says nothing.
Principals = Callable[[str], Sequence[str] | None]

RULE_SUFFIX = ".principals"
_FIELD = "principals"
_HINT = 'write names between commas or on lines of their own, or a JSON list such as ["anna", "staff"]'
# What stands for something else in JSON, YAML or a comment is hardly part of a name.
_NOT_IN_A_NAME = re.compile(r'["\[\]{}#|>]')


def rule_for(file: SourceFile, principals: Principals | None) -> tuple[str, ...] | None:
    """Return who may read a file as the caller says it, else the file beside it; None where neither does.

    Raises:
        UsageError: what says it cannot be read, or names nobody in a way that is known.
    """
    given = principals(file.source) if principals is not None else None
    said = "principals=" if given is not None else f"{file.source}{RULE_SUFFIX}"
    try:
        return parse_principals(_beside(file.path) if given is None else given)
    except _NoRule:
        return None
    except Unreadable as error:
        raise UsageError(f"{said} does not say who may read {file.source!r}: {error}", hint=_HINT) from error


def is_rule(field: str) -> bool:
    """Tell whether a field says who may read the document, in whatever letters."""
    return field.strip().strip("\"'").casefold() == _FIELD


def rule_of(fields: Iterable[tuple[str, object]]) -> tuple[str, ...] | None:
    """Return who may read a document by its own fields; None where none of them says it.

    Raises:
        Unreadable: a rule that nobody can read rejects the document, so that it is never read by all.
    """
    rules = [value for name, value in fields if is_rule(name)]
    if len(rules) > 1:
        raise Unreadable(f"{len(rules)} fields `{_FIELD}` say who may read it; keep one")
    try:
        return parse_principals(rules[0]) if rules else None
    except Unreadable as error:
        raise Unreadable(f"its field `{_FIELD}` does not say who may read it: {error}; {_HINT}") from error


def parse_principals(value: object) -> tuple[str, ...]:
    """Return who is named, sorted, each once: by a list of texts, or a text with commas or lines.

    Nothing named is nobody.
    """
    names = _split(value) if isinstance(value, str) else [] if value is None else value
    if not isinstance(names, (list, tuple, set, frozenset)):
        raise Unreadable(f"expected names, found {type(value).__name__}")
    wrong = [name for name in names if not (isinstance(name, str) and name.strip() and name.isprintable())]
    if wrong:
        raise Unreadable(f"{wrong[0]!r} is no name")
    return tuple(sorted({name.strip() for name in names}))


class _NoRule(Exception):
    """There is no file beside it."""


def _beside(path: Path) -> str:
    rule = path.with_name(path.name + RULE_SUFFIX)
    try:
        return rule.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        if rule.is_symlink():
            raise Unreadable("a link that leads nowhere") from error
        raise _NoRule from error
    except UnicodeDecodeError as error:
        raise Unreadable("it is not UTF-8") from error
    except OSError as error:
        raise Unreadable(f"it cannot be read: {error.strerror}") from error


def _split(text: str) -> object:
    text = text.strip()
    if text.startswith("["):
        try:
            return json.loads(text)
        except (ValueError, RecursionError):  # a list as YAML has it
            text = text[1:].removesuffix("]") if text.endswith("]") else text
    parts = (part.strip() for part in re.split(r"[,;\n]", text))
    names = [_unquoted(part) for part in parts if part]
    if wrong := [name for name in names if _NOT_IN_A_NAME.search(name)]:
        raise Unreadable(f"{wrong[0][:40]!r} is no name")
    return names


def _unquoted(name: str) -> str:
    return name[1:-1] if len(name) > 1 and name[0] == name[-1] and name[0] in "\"'" else name
