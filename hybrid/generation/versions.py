"""Versions of prompts: kept by digest in the domain when first used; an earlier one may come back."""

from __future__ import annotations

import dataclasses
import functools
import json
import logging
import re
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from hybrid.config import GenerationSettings
from hybrid.errors import HybridError, UsageError
from hybrid.files import (
    append_jsonl,
    checked,
    hash_text,
    read_jsonl,
    storage_errors,
    write_atomic,
    write_json,
)
from hybrid.generation.prompts import load_prompts, load_writing_prompt

FOLDER = "prompts"
_USED, _IN_FORCE = "used.jsonl", "IN_FORCE"
_DIGITS = 12
_MEND = "remove it: the prompts of the settings are in force then"
# What a text of TOML may not hold as it is.
_ESCAPED = re.compile(r'[\\\x00-\x08\x0b-\x1f\x7f]|"(?="")|"\Z')
_log = logging.getLogger("hybrid.prompts")


@dataclass(frozen=True, slots=True)
class PromptUse:
    """A version of the prompts that a domain answered by where its arm named none, and since when.

    ``prompt`` is as the settings named it, empty for that of the language; ``since`` is ISO 8601 in UTC.
    """

    digest: str
    language: str
    prompt: str
    since: str


@dataclass(frozen=True, slots=True)
class _PromptInForce:
    """A version that was put back in force, as long as the settings give the one that it stands for."""

    digest: str
    instead_of: str


@functools.cache
def version_of(language: str, prompt: str) -> str:
    """Return the first digits of the digest of all texts that answers are asked for with, as in traces."""
    texts = load_prompts(language, prompt).digest, load_writing_prompt(language, prompt).digest
    return hash_text(*texts)[:_DIGITS]


class PromptVersions:
    """The versions of the prompts of one domain.

    Args:
        domain: its folder.
    """

    def __init__(self, domain: Path) -> None:
        self._domain = domain
        self._folder = domain / FOLDER
        self._lock = threading.Lock()
        self._known: tuple[str, bool] | None = None

    def in_force(self, given: GenerationSettings) -> GenerationSettings:
        """Return settings with the prompts that are in force: theirs, or an earlier version put back.

        Raises:
            UsageError: the file that names it is damaged, or the version is not kept.
        """
        pinned = self._pinned()
        if pinned is None or version_of(given.language, given.prompt) != pinned.instead_of:
            return given
        return dataclasses.replace(given, prompt=str(self._path(pinned.digest)))

    def used(self, generation: GenerationSettings, *, named: bool) -> None:
        """Keep the version that answers now, and that it does; an answer waits for it once, and never fails.

        Args:
            generation: what is in force.
            named: whether the arm names the prompt: it is kept then, and is not that of the domain.
        """
        version = version_of(generation.language, generation.prompt)
        with self._lock:
            if self._known == (version, named) or not self._domain.is_dir():
                return
            self._known = version, named
            try:
                self._keep(version, generation, named=named)
            except (HybridError, OSError) as error:
                _log.warning("the version %s of the prompts was not kept: %s", version, error)

    def uses(self) -> list[PromptUse]:
        """Return what was in use and since when, the earliest first; each change once.

        Raises:
            UsageError: the file is damaged.
        """
        path = self._folder / _USED
        found: list[PromptUse] = []
        try:
            for number, line in read_jsonl(path) if path.is_file() else ():
                use = checked(PromptUse, line, f"{path}, line {number}", hint="remove the line")
                if not found or found[-1].digest != use.digest:
                    found.append(use)
        except ValueError as error:  # a line that a kill cut short, which the next use mends
            _log.warning("%s", error)
        return found

    def text(self, version: str) -> str:
        """Return a version as TOML, by the beginning of its digest.

        Raises:
            UsageError: none or several are kept that begin so.
        """
        return self._path(self.find(version)).read_text(encoding="utf-8")

    def find(self, version: str) -> str:
        """Return the digest that begins so, of a version that is kept; raises as ``text``."""
        found = sorted(path.stem for path in self._folder.glob("*.toml") if path.stem.startswith(version))
        if len(found) != 1:
            there = ", ".join(path.stem for path in sorted(self._folder.glob("*.toml"))) or "none"
            raise UsageError(
                f"{len(found)} versions of the prompts begin with {version!r}; kept: {there}",
                hint="name one by the beginning of its digest; `hybrid prompts list` shows them",
            )
        return found[0]

    def put_back(self, version: str, given: GenerationSettings) -> None:
        """Answer by a version that is kept until the settings name another prompt; theirs ends that at once.

        Args:
            version: the whole digest.
            given: the settings of the domain.

        Raises:
            StorageError: the disk refuses.
        """
        now = version_of(given.language, given.prompt)
        path = self._folder / _IN_FORCE
        if version == now:
            with storage_errors(str(path)):
                path.unlink(missing_ok=True)
        else:
            write_json(path, {"digest": version, "instead_of": now})

    def _keep(self, version: str, generation: GenerationSettings, *, named: bool) -> None:
        self._folder.mkdir(exist_ok=True)
        if not self._path(version).is_file():
            write_atomic(self._path(version), _as_toml(generation.language, generation.prompt))
        uses = self.uses()
        if named or (uses and uses[-1].digest == version):
            return
        now = datetime.now(UTC).isoformat(timespec="seconds")
        # of a version that came back the file has no name of its own
        earlier = next((use.prompt for use in uses if use.digest == version), generation.prompt)
        append_jsonl(
            self._folder / _USED, [dataclasses.asdict(PromptUse(version, generation.language, earlier, now))]
        )

    def _pinned(self) -> _PromptInForce | None:
        path = self._folder / _IN_FORCE
        try:
            text = path.read_text(encoding="utf-8")
        except OSError:  # there is none
            return None
        try:
            value = json.loads(text)
        except ValueError as error:
            raise UsageError(f"{path} is no JSON", hint=_MEND) from error
        pinned = checked(_PromptInForce, value, str(path), hint=_MEND)
        if not self._path(pinned.digest).is_file():
            raise UsageError(f"{path} names the version {pinned.digest}, which is not kept", hint=_MEND)
        return pinned

    def _path(self, version: str) -> Path:
        return self._folder / f"{version}.toml"


def _as_toml(language: str, prompt: str) -> str:
    """Return all texts as a prompt file of their own."""
    tables: dict[str, dict[str, str]] = {"": {}}
    for name, text in dataclasses.asdict(load_prompts(language, prompt)).items():
        table, _, key = name.partition("_")
        tables.setdefault(table if key else "", {})[key or table] = text
    tables["writing"] = dataclasses.asdict(load_writing_prompt(language, prompt))
    lines = []
    for table, texts in tables.items():
        lines += [f"[{table}]"] if table else []
        lines += [f'{key} = """\n{_escaped(text)}"""' for key, text in texts.items()]
        lines.append("")
    return "\n".join(lines)


def _escaped(text: str) -> str:
    return _ESCAPED.sub(lambda found: f"\\u{ord(found.group()):04x}", text)
