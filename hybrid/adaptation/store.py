"""The adapter store of a domain: cards, folders that never change, the gate, and which adapters serve."""

from __future__ import annotations

import contextlib
import json
import math
import re
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hybrid.adaptation.values import AdapterKind, Budget, Card, Change, Reasons, reasons
from hybrid.arms import ArmAdapters, ArmSpec
from hybrid.changes import Switched, record
from hybrid.errors import AdapterError, AdapterMissing, GateFailed, UsageError
from hybrid.files import adapter_of, folder_lock, fsync_file, fsync_folder, storage_errors, write_json
from hybrid.index.generations import current, read_manifest
from hybrid.models.adapters import adapter_digest, saved_digest
from hybrid.types import Arm

CARD = "card.json"
# Of the card: a reader of another version says so instead of guessing.
SCHEMA_VERSION = 1
# Of a change and of a point of the curve: null in a card where they are not known.
_NUMBERS = frozenset({"before", "after", "change", "low", "high", "domain"})

# Letters, digits, dashes, dots, low lines; no dot in front: such folders are being made or removed.
_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}")
# What names the base itself where the name of an adapter is expected.
NO_ADAPTER = "none"
_RESERVED = (NO_ADAPTER, "lock", *(kind.name for kind in AdapterKind))
# What is written under the lock takes milliseconds, so another writer is worth waiting for.
_PATIENCE = 10.0


@dataclass(frozen=True, slots=True)
class _Pointer:
    """Which adapter is in use, and which ones were before it, the latest last."""

    name: str = ""
    previous: tuple[str, ...] = ()


class AdapterStore:
    """The adapters of one domain.

    The folder ``domain`` is made when the first adapter is; ``budget`` is how much one that is put in use may
    have forgotten. To name an adapter that is not there, or whose card is damaged, is an ``AdapterError``.
    """

    def __init__(self, domain: Path, budget: Budget | None = None) -> None:
        self.domain = domain
        self.budget = budget or Budget()
        self._folder = domain / "adapters"

    def names(self) -> list[str]:
        """Return the names of all adapters, in alphabetical order."""
        if not self._folder.is_dir():
            return []
        return sorted(path.parent.name for path in self._folder.glob(f"[!.]*/{CARD}"))

    def cards(self) -> list[Card]:
        """Return the cards of all adapters, in the order of their names."""
        return [self.card(name) for name in self.names()]

    def card(self, name: str) -> Card:
        """Return the card of an adapter."""
        return replace(read_card(self.folder(name)), name=name)

    def folder(self, name: str) -> Path:
        """Return the folder of an adapter."""
        there = self.names()
        if name not in there:
            known = f"there are: {', '.join(there)}" if there else "the domain has none"
            raise AdapterMissing(
                f"there is no adapter {name!r} in the domain {self.domain.name!r}; {known}",
                hint="make one with `hybrid adapt generator` or `hybrid adapt embedder`",
            )
        return self._folder / name

    def new_name(self, kind: AdapterKind) -> str:
        """Reserve a name that no adapter has or had, such as ``generator-003``.

        The name stays reserved, as an empty folder, also when no adapter comes of it.
        """
        with self._writing():
            numbered = re.compile(rf"{kind}-(\d+)")
            used = [
                int(match[1]) for path in self._folder.iterdir() if (match := numbered.fullmatch(path.name))
            ]
            name = f"{kind}-{max(used, default=0) + 1:03d}"
            with storage_errors(str(self._folder / name)):
                (self._folder / name).mkdir()
        return name

    def add(self, name: str, built: Path, card: Card) -> Card:
        """Move a finished folder in under a name; return the card as it is kept, with name, time and digest.

        It appears as a whole, by one rename, so a kill or a full disk leaves all others and no half one. The
        folder ``built``, best on the same disk, is gone afterwards, and as it was if an error is raised;
        ``name`` is the user's own, without it the next free one.

        Raises:
            UsageError: the name is taken, or is none.
            ModelMissing: the folder holds no weights in safetensors.
            StorageError: the disk is full.
        """
        name = name or self.new_name(card.kind)
        self.require_free(name)
        created = card.created or datetime.now(UTC).isoformat(timespec="seconds")
        card = replace(card, name=name, weights=saved_digest(built), created=created)
        with self._writing():
            self.require_free(name)
            beside = self._folder / f".{name}.new"
            shutil.rmtree(beside, ignore_errors=True)
            try:
                with storage_errors(str(self._folder / name)):
                    _copy(built, beside)
                write_card(beside, card)
                with storage_errors(str(self._folder / name)):
                    self._put(beside, name)
            except BaseException:
                shutil.rmtree(beside, ignore_errors=True)
                raise
        shutil.rmtree(built, ignore_errors=True)
        return card

    def require_free(self, name: str) -> None:
        """Raise a UsageError for a name that is taken or cannot be one; the empty one is not chosen yet."""
        if not name:
            return
        if not _NAME.fullmatch(name) or name in _RESERVED:
            raise UsageError(
                f"{name!r} is not a name for an adapter", hint="use letters, digits, dashes and dots"
            )
        folder = self._folder / name
        if (folder / CARD).exists():
            raise UsageError(f"there is an adapter {name!r} already", hint="choose another --name")
        if folder.exists() and any(folder.iterdir()):
            raise UsageError(
                f"{folder} is in the way: it is no adapter, and not empty", hint="move it away, or --name"
            )

    def promoted(self, kind: AdapterKind) -> str | None:
        """Return the adapter in use, None if the base itself is.

        Raises:
            AdapterError: the pointer is damaged, or names an adapter that is gone.
        """
        name = self._pointer(kind).name
        if not name:
            return None
        self.folder(name)
        return name

    def reasons(self, name: str) -> Reasons:
        """Return what stands against an adapter by the gate of its kind; one never checked fails."""
        return reasons(self.card(name), self.budget)

    def require_passed(self, name: str) -> None:
        """Refuse an adapter that the gate does not let through.

        Raises:
            GateFailed: with all that stands against it.
        """
        found = self.reasons(name)
        if found.against:
            raise GateFailed(
                f"{name} may not be put in use: {'; '.join(found.against)}",
                against=found.against,
                advice=found.advice,
            )

    def promote(self, name: str, *, force: bool = False) -> Reasons:
        """Put an adapter in use if the gate lets it through; return what was overruled.

        With ``force`` it is put in use whatever stands against it.

        Raises:
            GateFailed: something stands against it, or it was never checked; what was in use stays in use.
        """
        with self._writing():
            if not force:
                self.require_passed(name)
            card = self.card(name)
            now = self._pointer(card.kind)
            if now.name != name:
                before = (*now.previous, now.name) if now.name else now.previous
                self._point(card.kind, _Pointer(name, before))
            return reasons(card, self.budget)

    def before(self, kind: AdapterKind) -> str | None:
        """Return the adapter that ``rollback`` would put in use, None for the base.

        Raises:
            UsageError: none is in use.
        """
        return self._older(kind).name or None

    def rollback(self, kind: AdapterKind) -> str | None:
        """Put the adapter before the one in use back in use; return its name, None for the base.

        Raises:
            UsageError: none is in use.
        """
        with self._writing():
            older = self._older(kind)
            self._point(kind, older)
            return older.name or None

    def restore(self, kind: AdapterKind, name: str) -> None:
        """Put an adapter back in use, in which the gate has no say; the base by an empty name."""
        with self._writing():
            if name:
                self.folder(name)
            now = self._pointer(kind)
            before = now.previous
            if name in before:  # what came after it is forgotten
                before = before[: len(before) - 1 - before[::-1].index(name)]
            elif now.name and name:
                before = (*before, now.name)
            self._point(kind, _Pointer(name, before if name else ()))

    def _older(self, kind: AdapterKind) -> _Pointer:
        now = self._pointer(kind)
        if not now.name:
            raise UsageError(
                f"no {kind} adapter is in use, so there is none to go back from",
                hint="`hybrid adapters list` shows those that there are",
            )
        there = set(self.names())
        left = [name for name in now.previous if name in there]
        return _Pointer(left[-1] if left else "", tuple(left[:-1]))

    def remove(self, name: str) -> None:
        """Remove an adapter; its name is not given again.

        Raises:
            UsageError: it is in use.
        """
        with self._writing():
            folder = self.folder(name)
            for kind in AdapterKind:
                if self._pointer(kind).name == name:
                    raise still_in_use(name, kind)
            beside = self._folder / f".{name}.old"
            shutil.rmtree(beside, ignore_errors=True)
            with storage_errors(str(folder)):
                folder.rename(beside)
                folder.mkdir()
        shutil.rmtree(beside, ignore_errors=True)

    def annotate(
        self, name: str, *, gain: Change | None = None, forgetting: Sequence[Change] | None = None
    ) -> Card:
        """Write what a later check measured into the card; what is not given stays as it was."""
        with self._writing():
            card = self.card(name)
            if gain is not None:
                card = replace(card, gain=gain)
            if forgetting is not None:
                card = replace(card, forgetting=tuple(forgetting))
            write_card(self.folder(name), card)
            return card

    def _put(self, beside: Path, name: str) -> None:
        folder = self._folder / name
        if folder.exists():
            folder.rmdir()  # reserved, and empty
        beside.rename(folder)
        fsync_folder(self._folder)

    def _pointer(self, kind: AdapterKind) -> _Pointer:
        path = self._folder / kind.name
        try:
            value = json.loads(path.read_text(encoding="utf-8"))
            return _Pointer(str(value["name"]), tuple(str(name) for name in value["previous"]))
        except FileNotFoundError:
            return _Pointer()
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise AdapterError(
                f"{path} does not name an adapter",
                hint="remove the file, then promote one with `hybrid adapters promote NAME`",
            ) from error

    def _point(self, kind: AdapterKind, pointer: _Pointer) -> None:
        record(self.domain, Switched(kind), self._pointer(kind).name, pointer.name)
        write_json(self._folder / kind.name, asdict(pointer))

    def _writing(self) -> contextlib.AbstractContextManager[None]:
        """Hold the folder of the adapters alone; the index of the domain is not held."""
        return folder_lock(self._folder, wait=_PATIENCE)


def still_in_use(name: str, kind: AdapterKind) -> UsageError:
    """Return the error of removing what serves."""
    return UsageError(
        f"{name} is in use and cannot be removed", hint=f"go back first: hybrid adapters rollback {kind}"
    )


def _copy(source: Path, target: Path) -> None:
    """Give the files a second name, durably; copy them where that cannot be, as on another disk."""
    target.mkdir()
    for path in sorted(source.rglob("*")):
        copy = target / path.relative_to(source)
        if path.is_dir():
            copy.mkdir()
            continue
        try:
            copy.hardlink_to(path)
        except OSError:
            shutil.copy2(path, copy)
        fsync_file(copy)


def read_card(folder: Path) -> Card:
    """Return the card in a folder.

    Raises:
        AdapterError: there is none, or it is damaged.
    """
    path = folder / CARD
    try:
        return parse_card(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise AdapterError(
            f"{folder} is no adapter of this package: it has no {CARD}",
            hint="adapters are made with `hybrid adapt`, and listed with `hybrid adapters list`",
        ) from error
    except (OSError, ValueError) as error:
        raise AdapterError(
            f"{path} cannot be read as the card of an adapter: {error}",
            hint="remove the adapter with `hybrid adapters remove`, or put back the file as it was written",
        ) from error


def write_card(folder: Path, card: Card) -> None:
    """Write the card atomically."""
    write_json(folder / CARD, card_values(card))


def card_values(card: Card) -> dict[str, Any]:
    """Return the card as plain values; as JSON, what is no finite number is null, for not known."""
    return {"schema_version": SCHEMA_VERSION} | asdict(card)


def parse_card(text: str) -> Card:
    """Return the card that was written as this text.

    Raises:
        ValueError: it is not JSON, of another version, or a value is missing or of the wrong kind.
    """
    from pydantic import ValidationError

    values = json.loads(text)
    if not isinstance(values, dict):
        raise ValueError(f"expected an object, found {type(values).__name__}")  # noqa: TRY004 - of a file
    version = values.pop("schema_version", None)
    if version != SCHEMA_VERSION:
        raise ValueError(f"format {version!r}, this version reads format {SCHEMA_VERSION}")
    if unknown := values.keys() - {entry.name for entry in fields(Card)}:
        raise ValueError(f"unknown: {', '.join(sorted(unknown))}")
    try:
        card: Card = adapter_of(Card).validate_python(_numbers(values))
    except ValidationError as error:
        first = error.errors()[0]
        raise ValueError(f"`{'.'.join(str(part) for part in first['loc'])}`: {first['msg']}") from None
    return card


def _numbers(value: Any) -> Any:
    """Return the values of a card with no number where it has null for one that is not known."""
    if isinstance(value, dict):
        return {
            key: math.nan if inner is None and key in _NUMBERS else _numbers(inner)
            for key, inner in value.items()
        }
    return [_numbers(inner) for inner in value] if isinstance(value, list) else value


def generator_card(store: AdapterStore, name: str = "") -> Card:
    """Return the card of the adapter of the generator: the named one, else the promoted one.

    Raises:
        AdapterError: none is in use, there is no such one, or it is the embedder's.
    """
    name = name or store.promoted(AdapterKind.GENERATOR) or NO_ADAPTER
    if name != NO_ADAPTER:
        return _of_kind(store, AdapterKind.GENERATOR, name)
    there = [one for one in store.names() if store.card(one).kind is AdapterKind.GENERATOR]
    known = f"; there are: {', '.join(there)}" if there else ""
    raise AdapterMissing(
        "the arms adapter and both need a generator adapter, and none is in use in the domain "
        f"{store.domain.name!r}{known}",
        hint=f"hybrid adapters promote {there[-1]}; or compare it so: adapter:generator_adapter={there[-1]}"
        if there
        else "make one with: hybrid adapt generator",
    )


def embedder_card(store: AdapterStore, name: str = "") -> Card | None:
    """Return the card of the adapter of the embedder: the named one, else the one that made the index.

    None is the embedder without one.

    Raises:
        AdapterError: there is no such one, it is the generator's, or the one that made the index is gone.
    """
    if name == NO_ADAPTER:
        return None
    if name:
        return _of_kind(store, AdapterKind.EMBEDDER, name)
    if not (store.domain / "CURRENT").is_file():
        return None
    digest = read_manifest(store.domain, current(store.domain)).embedder.adapter
    if not digest:
        return None
    for there in store.names():
        if adapter_digest(store.folder(there)) == digest:
            return store.card(there)
    raise AdapterError(
        f"the index in force was embedded with an adapter (digest {digest[:12]}…) that the domain "
        f"{store.domain.name!r} no longer has",
        hint="go back with `hybrid rollback`, or embed anew without it: "
        "HYBRID_MODELS__EMBEDDER_ADAPTER=none hybrid index FOLDER --rebuild",
    )


def arm_adapters(store: AdapterStore, spec: ArmSpec, *, own_embedder: bool) -> ArmAdapters:
    """Return the adapters that an arm is served with: those that its settings name, else those in use.

    ``own_embedder``: whether an embedder of the user's own serves, which takes only an adapter that is named.

    Raises:
        AdapterError: the arm needs one that is not there, or that is none of its kind.
    """
    cards, models = [], spec.settings.models
    if spec.arm in (Arm.ADAPTER, Arm.BOTH):
        cards.append(generator_card(store, models.generator_adapter))
    if spec.retrieves and (models.embedder_adapter or not own_embedder):
        found = embedder_card(store, models.embedder_adapter)
        cards += [] if found is None else [found]
    folders = {card.kind: store.folder(card.name) for card in cards}
    return ArmAdapters(
        generator=folders.get(AdapterKind.GENERATOR),
        embedder=folders.get(AdapterKind.EMBEDDER),
        reader=next((card.reader for card in cards if card.kind is AdapterKind.GENERATOR), None),
        training_minutes=sum(card.seconds for card in cards) / 60,
    )


def in_use(store: AdapterStore, kind: AdapterKind) -> str | None:
    """Return the name of the adapter that serves where no setting names one, None for the base."""
    if kind is AdapterKind.GENERATOR:
        return store.promoted(kind)
    card = embedder_card(store)
    return None if card is None else card.name


def _of_kind(store: AdapterStore, kind: AdapterKind, name: str) -> Card:
    card = store.card(name)
    if card.kind is not kind:
        raise AdapterMissing(
            f"{name} is an adapter of the {card.kind}, and cannot serve the {kind}",
            hint="`hybrid adapters list` shows which is which",
        )
    return card
