"""Which adapters serve: those that settings name, the promoted one, the one that made the index in force."""

from __future__ import annotations

from hybrid.adaptation.store import NO_ADAPTER, AdapterStore
from hybrid.adaptation.values import AdapterKind, Card
from hybrid.arms import ArmAdapters, ArmSpec
from hybrid.errors import AdapterError, AdapterMissing
from hybrid.index.generations import current, read_manifest
from hybrid.models.adapters import adapter_digest
from hybrid.types import Arm


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
