"""The fields above a page of Markdown (front matter), in YAML, TOML or JSON, and who may read it."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from itertools import takewhile
from typing import Any, NamedTuple

import yaml

from hybrid.documents.source import Unreadable, is_rule, rule_of

_ENDS = {"---": ("---", "..."), "+++": ("+++",)}
_KNOWN = re.compile(
    "title|subtitle|date|author|authors|tags|tag|categories|category|keywords|description|summary|"
    "abstract|excerpt|layout|draft|slug|id|permalink|lang|language|version|status|updated|modified|"
    "lastmod|created|published|type|template|weight|order|sidebar_label|sidebar_position|aliases|"
    "image|cover|toc|url|principals",
    re.IGNORECASE,
)
_NAME = re.compile(r"[a-z_][\w.\-]*:?")
_KEY = re.compile(r"[\"']?[\w.\-]+[\"']?\s*[:=]")
_SENTENCE = re.compile(r"\S+(?:\s+\S+){3,}[.!?]")
_SAYS_WHO = re.compile(r"[\"']principals[\"']\s*:", re.IGNORECASE)
_LENGTH = 500
_Pairs = list[tuple[str, Any]]
# A parser of YAML takes a second for this.
_MAX_FIELDS = 20_000


class FrontMatter(NamedTuple):
    """What stands above a page: its fields, who may read it, and how many lines it takes.

    ``text`` is what looked like front matter and is none; ``cut`` counts the characters of long values that
    were left out.
    """

    fields: dict[str, str]
    rule: tuple[str, ...] | None = None
    lines: int = 0
    text: str = ""
    cut: int = 0


def front_matter(lines: Sequence[str]) -> FrontMatter:
    """Return what stands above a page.

    Prose between two rules is none, and nothing is taken that cannot be read as fields.

    Raises:
        Unreadable: it says who may read the page, and not in a way that is known.
    """
    first = lines[0] if lines else ""
    return _object(lines) if first.startswith("{") else _between(lines, _ENDS.get(first.rstrip(), ()))


def _between(lines: Sequence[str], ends: tuple[str, ...]) -> FrontMatter:
    """Return the fields between the first line and one of ``ends``, in YAML or TOML."""
    if not ends:
        return FrontMatter({})
    end = next((index for index, line in enumerate(lines) if index and line.rstrip() in ends), 0)
    if not end:
        if any(map(_says_who, takewhile(str.strip, lines[1:]))):
            raise Unreadable("its front matter says who may read it and has no end; write --- below it")
        return FrontMatter({})
    held = lines[1:end]
    try:
        _check_length(held)
        pairs = _pairs_of(tomllib.loads("\n".join(held))) if ends == ("+++",) else _yaml("\n".join(held))
    except (ValueError, yaml.YAMLError, RecursionError) as error:
        if any(map(_says_who, held)):
            raise Unreadable("its front matter does not say who may read it: it is damaged") from error
        if not all(map(_may_be_field, filter(str.strip, held))):
            return FrontMatter({})
        pairs = _by_line(held) if isinstance(error, yaml.YAMLError) else []
        if _are_fields(pairs):
            return _with_values(pairs, None, end + 1)
        if any(map(_KEY.match, held)):
            return FrontMatter({}, lines=end + 1, text="\n".join(held))
        return FrontMatter({})
    rule = rule_of((name, _plain(value)) for name, value in _everywhere(pairs))
    if rule is None and not _are_fields(pairs):
        return FrontMatter({})
    return _with_values(pairs, rule, end + 1)


def _object(lines: Sequence[str]) -> FrontMatter:
    """Return the fields of an object of JSON above a page, where one of them is known to be such a field."""
    text = "\n".join(lines[:_MAX_FIELDS])[:_MAX_FIELDS]
    try:
        found, end = json.JSONDecoder(object_pairs_hook=_once).raw_decode(text)
    except (ValueError, RecursionError) as error:
        # blank lines end no object
        if _SAYS_WHO.search("\n".join(takewhile(lambda line: not line.startswith("}"), lines))):
            raise Unreadable("its front matter does not say who may read it: it is damaged") from error
        return FrontMatter({})
    pairs = _pairs_of(found)
    rule = rule_of((name, _plain(value)) for name, value in _everywhere(pairs))
    beside = text[end:].partition("\n")[0].strip()
    if rule is None and (beside or not any(_KNOWN.fullmatch(name) for name, _ in pairs)):
        return FrontMatter({})
    return _with_values(pairs, rule, text.count("\n", 0, end) + 1)._replace(text=beside)


def _once(pairs: _Pairs) -> dict[str, Any]:
    """Return an object of JSON; a name that is there twice would hide what it said first."""
    if len(dict(pairs)) < len(pairs):
        raise ValueError("a name twice")
    return dict(pairs)


def _with_values(pairs: _Pairs, rule: tuple[str, ...] | None, lines: int) -> FrontMatter:
    values = {name.strip().rstrip(":"): ", ".join(_flat(value)) for name, value in pairs if not is_rule(name)}
    fields = {name: value[:_LENGTH] for name, value in values.items() if value}
    cut = sum(max(0, len(value) - _LENGTH) for value in values.values())
    return FrontMatter(fields, rule, lines, cut=cut)


def _check_length(lines: Sequence[str]) -> None:
    if sum(map(len, lines)) > _MAX_FIELDS:
        raise ValueError("too long")


def _yaml(text: str) -> _Pairs:
    """Return the fields with every value as it is written; a mapping stays pairs, so none hides another."""
    # an alias may stand for a million values
    if any(isinstance(token, yaml.AliasToken) for token in yaml.scan(text, Loader=yaml.BaseLoader)):
        raise ValueError("an alias")
    node = yaml.compose(text, Loader=yaml.BaseLoader)
    if node is None:
        return []
    if isinstance(node, yaml.MappingNode):
        return _pairs(node)
    raise ValueError("no fields")


def _pairs(node: Any) -> _Pairs:
    return [(" ".join(_flat(_value(name))), _value(value)) for name, value in node.value]


def _value(node: Any) -> Any:
    if isinstance(node, yaml.MappingNode):
        return dict(enumerate(_pairs(node)))
    return list(map(_value, node.value)) if isinstance(node, yaml.SequenceNode) else str(node.value)


def _by_line(lines: Sequence[str]) -> _Pairs:
    """Return the fields of what is no YAML, as ``title: Broken: yaml: here``: what is behind each name."""
    pairs: _Pairs = []
    for line in lines:
        if found := _KEY.match(line):
            value = line[found.end() :].strip()
            items = value[1:-1].split(",") if value[:1] == "[" and value[-1:] == "]" else [value]
            pairs.append((found[0][:-1].strip(" \"'"), [item.strip(" \"'") for item in items]))
        elif pairs and line[:1] != "#":
            pairs[-1][1].append(line.strip(" \t-\"'"))
    return pairs


def _pairs_of(fields: Mapping[str, Any]) -> _Pairs:
    def value(found: Any) -> Any:
        if isinstance(found, dict):
            return dict(enumerate(_pairs_of(found)))
        if isinstance(found, list):
            return list(map(value, found))
        return "" if found is None else str(found).lower() if isinstance(found, bool) else str(found)

    return [(name, value(found)) for name, found in fields.items()]


def _flat(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for name, inner in value.values():
            yield f"{name}: {', '.join(_flat(inner))}"
    elif isinstance(value, list):
        for inner in value:
            yield from _flat(inner)
    elif value.strip():
        yield " ".join(value.split())


def _plain(value: Any) -> Any:
    return dict(value.values()) if isinstance(value, dict) else value


def _everywhere(pairs: _Pairs) -> Iterator[tuple[str, Any]]:
    """Yield the fields and those inside of them: a rule holds wherever it stands."""
    for name, value in pairs:
        yield name, value
        if not is_rule(name):
            for inner in value if isinstance(value, list) else [value]:
                if isinstance(inner, dict):
                    yield from _everywhere(list(inner.values()))


def _are_fields(pairs: _Pairs) -> bool:
    """Tell fields from prose between two rules, as in ``Warning: the pump must be switched off first.``."""
    if any(_KNOWN.fullmatch(name) for name, _ in pairs):
        return True
    return bool(pairs) and all(
        _NAME.fullmatch(name) and not (isinstance(value, str) and _SENTENCE.fullmatch(value.strip()))
        for name, value in pairs
    )


def _says_who(line: str) -> bool:
    return any(sign in line and is_rule(line.partition(sign)[0].lstrip(" -")) for sign in ":=")


def _may_be_field(line: str) -> bool:
    return line[0] in " \t-#[]}" or _KEY.match(line) is not None
