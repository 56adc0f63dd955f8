"""The card of an adapter: what it was made from, how, and what it gained and cost.

Takes values, gives ``card.json`` and back. Knows nothing about weights or about where adapters are kept.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

from hybrid.adaptation.values import Change, Data, LossPoint
from hybrid.config import Method, Reader
from hybrid.errors import AdapterError
from hybrid.files import write_json

CARD = "card.json"
# Of the file: a reader of another version says so instead of guessing.
SCHEMA_VERSION = 1

Setting: TypeAlias = bool | int | float | str


class AdapterKind(StrEnum):
    """What an adapter changes."""

    GENERATOR = "generator"
    EMBEDDER = "embedder"


@dataclass(frozen=True, slots=True)
class Card:
    """What is known of an adapter.

    ``base`` is the name of the model that it was trained on and ``base_digest`` the digest of that model's
    weights; ``weights`` is the digest of the adapter's own. ``strength`` is what its change was multiplied by
    after training, already part of the weights. ``reader`` is who answers from passages in the arm ``both``,
    None for an embedder. ``gain`` is on held-out documents, ``forgetting`` on general text and tasks; None
    and empty mean that it was not measured. ``seconds`` is the time of training, ``created`` a time in ISO
    8601, ``parent`` the adapter that it was made from, ``versions`` those of the libraries.
    """

    name: str
    kind: AdapterKind
    base: str
    base_digest: str
    method: Method
    data: Data
    settings: Mapping[str, Setting] = field(default_factory=dict)
    curve: tuple[LossPoint, ...] = ()
    strength: float = 1.0
    reader: Reader | None = None
    gain: Change | None = None
    forgetting: tuple[Change, ...] = ()
    created: str = ""
    seconds: float = 0.0
    parent: str = ""
    seed: int = 0
    versions: Mapping[str, str] = field(default_factory=dict)
    weights: str = ""


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
    """Return the card as plain JSON values."""
    return {"schema_version": SCHEMA_VERSION} | dataclasses.asdict(card)


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
    if unknown := values.keys() - {entry.name for entry in dataclasses.fields(Card)}:
        raise ValueError(f"unknown: {', '.join(sorted(unknown))}")
    try:
        card: Card = _adapter().validate_python(values)
    except ValidationError as error:
        first = error.errors()[0]
        raise ValueError(f"`{'.'.join(str(part) for part in first['loc'])}`: {first['msg']}") from None
    return card


@cache
def _adapter() -> Any:
    from pydantic import TypeAdapter

    return TypeAdapter(Card)
