"""Promotion and rollback: arm, adapters, prompts and generation of a domain switch together, and back."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from hybrid.adaptation.values import AdapterKind
from hybrid.arms import ArmSpec, parse_arm
from hybrid.assistant import Assistant
from hybrid.changes import LoggedChange, Switched, read_changes, record, together
from hybrid.decision.adopted import adopt, restore_decision
from hybrid.errors import HybridError, IndexError_, UsageError
from hybrid.generation.versions import version_of
from hybrid.index.generations import current
from hybrid.index.sync import Progress
from hybrid.operations.traffic import end_where_usual, read_split
from hybrid.types import Arm

_ADAPTERS = {Switched(kind): kind for kind in AdapterKind}


def promote(
    assistant: Assistant,
    *,
    arm: str = "",
    adapters: Sequence[str] = (),
    prompt: str = "",
    generation: str = "",
    force: bool = False,
    why: str = "",
    note: Callable[[str], None] = lambda said: None,
    progress: Progress | None = None,
) -> list[LoggedChange]:
    """Switch several things of a domain at once: who asks meanwhile is answered by the old ones or the new.

    All is loaded and checked first. If one of them fails nothing is switched, or what was is switched back.

    Args:
        assistant: of the domain.
        arm: that answers from now on where none is named; it may name a prompt or an adapter.
        adapters: that are in use from now on, each if its gate lets it through.
        prompt: a version that answered before, by the beginning of its digest.
        generation: of the index, one that is still there.
        force: whatever stands against the adapters.
        why: in words, for the log.
        note: told what is being measured.
        progress: told how far embedding is.

    Returns:
        What was switched, as it stands in the log.

    Raises:
        UsageError: nothing is named; an arm that there is not, or that is on trial.
        GateFailed: something stands against an adapter.
        AdapterError, IndexMissing: an adapter or a generation that is not there.
    """
    if not (arm or adapters or prompt or generation):
        raise UsageError("nothing to promote is named", hint="--arm, --adapter, --prompt or --generation")
    for name in adapters:
        assistant.adaptation.prepare(name, force=force, note=note, progress=progress)
    spec = _loaded(assistant, arm, adapters) if arm else None
    running = read_split(assistant)
    if spec is not None and running is not None and running.arm == spec.name:
        raise UsageError(
            f"{spec.name} is on trial since {running.begun}, and would be held against itself",
            hint="end it with `hybrid traffic stop`, which says what it has shown, and promote then",
        )

    def switch() -> None:
        for name in adapters:
            assistant.adaptation.promote(name, force=force)
        if generation and generation != current(assistant.folder):
            assistant.rollback(to=generation)
        if prompt:
            restore_prompts(assistant, prompt)
        if spec is not None:
            adopt(assistant.folder, spec.name, experiment="", sentence=why or "It was put in force by hand.")

    return _switched(assistant, switch, why=why)


def rollback(assistant: Assistant, what: Switched | None = None, *, why: str = "") -> list[LoggedChange]:
    """Take back the last switch that was not taken back yet, with all that was switched together.

    The trial of an arm that answers again by that ends.

    Args:
        assistant: of the domain.
        what: take back the last switch of this alone.
        why: in words, for the log.

    Returns:
        What was switched back, as it stands in the log.

    Raises:
        UsageError: nothing was switched that could be taken back.
        IndexMissing: there is no generation before the one in force.
        AdapterError: the adapter of then is gone.
    """
    last = _last(read_changes(assistant.folder.parent), assistant.domain, what)
    if not last and what not in (None, Switched.GENERATION, *_ADAPTERS):
        raise UsageError(
            f"the log has no {what} of the domain {assistant.domain!r} to go back from", hint="hybrid history"
        )
    kind = _ADAPTERS.get(what) if what is not None else None
    if kind is not None and (before := assistant.adapters.before(kind)) is not None:
        assistant.adaptation.prepare(before, force=True)

    def switch() -> None:
        if kind is not None:  # the documents may be others than then
            assistant.adaptation.rollback(kind)
        elif not last:  # the index is older than the log
            assistant.rollback()
        for change in reversed(last if kind is None else ()):
            _take_back(assistant, change, why)

    batch = last[0].batch if last else 0
    return _switched(assistant, switch, why=why or f"{batch or what} taken back", undoes=batch)


def prompts_in_force(assistant: Assistant) -> str:
    """Return the digest of the prompts that answer now where the arm names none."""
    own = assistant.prompts.in_force(assistant.settings.generation)
    return version_of(own.language, own.prompt)


def restore_prompts(assistant: Assistant, version: str = "", *, why: str = "") -> str:
    """Answer by an earlier version of the prompts, until the settings name another prompt.

    ``version`` is the beginning of its digest; default: the one that was in use before.

    Returns:
        Its whole digest.
    """
    prompts, now = assistant.prompts, prompts_in_force(assistant)
    if not version:
        before = [use.digest for use in prompts.uses() if use.digest != now]
        if not before:
            raise UsageError("no other prompts were in use", hint="hybrid prompts list shows all that were")
        version = before[-1]
    found = prompts.find(version)
    with together(assistant.folder.parent):
        record(assistant.folder, Switched.PROMPT, now, found, why=why)
        prompts.put_back(found, assistant.settings.generation)
    return found


def disagreements(assistant: Assistant, changes: Sequence[LoggedChange]) -> Iterator[str]:
    """Yield where what is in force is not what the log says last, after a kill or a hand on the files."""
    for what in (Switched.ARM, *_ADAPTERS, Switched.GENERATION):
        of_it = [one for one in changes if (one.domain, one.what) == (assistant.domain, what)]
        if of_it and (found := _in_force(assistant, what)) != of_it[-1].after:
            said = of_it[-1].after or "none"
            yield f"{assistant.domain}: the {what} is {found or 'none'}, and the log says {said}"


def _loaded(assistant: Assistant, arm: str, adapters: Sequence[str]) -> ArmSpec:
    """Return an arm that was loaded, with the adapter named that it is to answer by."""
    spec = parse_arm(arm, assistant.settings)
    cards = [assistant.adapters.card(name) for name in adapters]
    generators = [card.name for card in cards if card.kind is AdapterKind.GENERATOR]
    if generators and spec.arm in (Arm.ADAPTER, Arm.BOTH) and ":generator_adapter=" not in arm:
        spec = parse_arm(f"{arm}:generator_adapter={generators[-1]}", assistant.settings)
    (contender,) = assistant.asked.contenders(spec.name, [])
    return contender.spec


def _switched(
    assistant: Assistant, switch: Callable[[], None], *, why: str, undoes: int = 0
) -> list[LoggedChange]:
    """Switch, back again where it fails on the way, and return what the log has of it."""
    indexes = assistant.folder.parent
    with together(indexes, why=why, undoes=undoes):
        known = len(read_changes(indexes))
        try:
            switch()
            end_where_usual(assistant)
        except HybridError:
            for change in reversed(read_changes(indexes)[known:]):
                _take_back(assistant, change, "the switch failed")
            raise
        return read_changes(indexes)[known:]


def _last(changes: Sequence[LoggedChange], domain: str, what: Switched | None) -> list[LoggedChange]:
    """Return the changes of the last batch that was not taken back; those of trials end by themselves."""
    taken: set[tuple[int, Switched]] = set()
    found: list[LoggedChange] = []
    for change in reversed(changes):
        if change.domain != domain or change.what is Switched.TRIAL:
            continue
        if found and change.batch != found[0].batch:
            break
        if change.undoes:
            taken.add((change.undoes, change.what))
        elif (change.batch, change.what) not in taken and what in (None, change.what):
            found.insert(0, change)
    return found


def _take_back(assistant: Assistant, change: LoggedChange, why: str) -> None:
    if change.what is Switched.ARM:
        restore_decision(assistant.folder, change.held, why=why)
    elif change.what in _ADAPTERS:
        assistant.adapters.restore(_ADAPTERS[change.what], change.before)
    elif change.what is Switched.GENERATION:
        assistant.rollback(to=change.before)
    elif change.what is Switched.PROMPT:
        restore_prompts(assistant, change.before, why=why)


def _in_force(assistant: Assistant, what: Switched) -> str:
    if what is Switched.ARM:
        decided = assistant.asked.decided
        return decided.name if decided is not None else ""
    if what in _ADAPTERS:
        return assistant.adapters.promoted(_ADAPTERS[what]) or ""
    try:
        return current(assistant.folder)
    except IndexError_:
        return ""
