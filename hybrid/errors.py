"""The exceptions of the package, each with a hint and the exit code of the command line.

::

    HybridError                 1  something unexpected
    ├── UsageError              2  a call or a command that makes no sense
    │   └── LikelihoodMissing      the generator judges no given texts, as chat endpoints do not
    ├── ConfigError             3  a setting that is unknown or out of range
    ├── IndexError_             4  the index on disk
    │   ├── IndexMissing           there is none
    │   ├── IndexCorrupt           its files are not what its manifest says
    │   ├── IndexMismatch          it was built with another embedder or schema
    │   ├── IndexLocked            another process is writing (retryable)
    │   └── VectorsUnreachable     the vector store of the domain does not answer (retryable)
    ├── ModelError              5  a model, an optional package or memory is missing
    │   ├── ModelMissing           nowhere to be found, or damaged
    │   ├── ExtraMissing           an optional package is not installed
    │   ├── RemoteError            the endpoint did not answer as it should (retryable)
    │   └── AdapterError           an adapter is unsafe, inactive, or was made for another base
    │       └── AdapterMissing     there is none that could serve so
    ├── GateFailed              7  an adapter that the gate does not let into use
    ├── TrainingFailed          1  the loss is not a number, or validation got no better
    └── StorageError            1  the disk is full or refuses (retryable)

Exit code 6 (partial: some files were rejected, or answers failed) belongs to results, not to exceptions, and
so does 7 where a command only asks what a gate says. A caller writes::

    try:
        assistant.index("docs")
    except HybridError as error:
        print(error, error.hint)
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import ClassVar

EXIT_PARTIAL = 6
EXIT_GATE_FAILED = 7
EXIT_INTERRUPTED = 130


class HybridError(Exception):
    """Report what was found and what was expected; ``hint`` says what to do about it."""

    exit_code: ClassVar[int] = 1
    retryable: ClassVar[bool] = False

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint
        if hint:
            self.add_note(hint)


class UsageError(HybridError):
    """A call whose arguments do not fit together."""

    exit_code = 2


class LikelihoodMissing(UsageError):
    """The generator writes texts and does not tell how likely given ones are."""


class ConfigError(HybridError):
    """A setting that is unknown, of the wrong kind or out of range."""

    exit_code = 3


class IndexError_(HybridError):
    """Something is wrong with what lies on disk for a domain."""

    exit_code = 4


class IndexMissing(IndexError_):
    """The domain has no index yet."""


class IndexCorrupt(IndexError_):
    """A file of the index is missing or is not what the manifest recorded."""


class IndexMismatch(IndexError_):
    """The index was built with another embedder, other weights or another schema."""


class IndexLocked(IndexError_):
    """Another process is writing this domain."""

    retryable = True


class VectorsUnreachable(IndexError_):
    """The vector store that searches a domain's vectors does not answer, or refuses."""

    retryable = True


class ModelError(HybridError):
    """A model or what it needs cannot be had."""

    exit_code = 5


class ModelMissing(ModelError):
    """The weights are nowhere to be found, or are damaged."""


class ExtraMissing(ModelError):
    """An optional package is not installed."""


class RemoteError(ModelError):
    """A remote generator refused, timed out or answered something unreadable."""

    retryable = True


class StorageError(HybridError):
    """The disk is full or refuses; what was in force stays in force."""

    retryable = True


class AdapterError(ModelError):
    """An adapter that is not there, not safe to read, does nothing, or belongs to another base."""


class AdapterMissing(AdapterError):
    """There is no such adapter, none is in use, or it is of another kind; or the generator takes none."""


class TrainingFailed(HybridError):
    """Training that cannot go on; what was there before is untouched."""


class GateFailed(HybridError):
    """An adapter that may not be put in use: what stands against it, and what to do about that."""

    exit_code = EXIT_GATE_FAILED

    def __init__(self, message: str, *, against: tuple[str, ...], advice: tuple[str, ...]) -> None:
        super().__init__(message, hint=next(iter(advice), "put it in use all the same with force"))
        self.against = against
        self.advice = advice


def did_you_mean(name: str, known: Iterable[str], otherwise: str) -> str:
    """Return a hint with the known name that is most alike, case aside; another one where none is."""
    folded = {each.casefold(): each for each in known}
    near = get_close_matches(name.casefold(), folded, n=1)
    return f"did you mean {folded[near[0]]!r}?" if near else otherwise
