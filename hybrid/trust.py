"""Who is trusted with what: secrets, addresses, and what the file of a folder may set."""

from __future__ import annotations

import base64
import ipaddress
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NoReturn, Self
from urllib.parse import SplitResult, quote, unquote, urlsplit

from hybrid.errors import ConfigError

_HIDDEN = "***"
# A key this short is a placeholder such as `EMPTY` or `ollama`, and likely a word of an honest answer.
_PLACEHOLDER = 6
# scheme, login, the rest; without a scheme all before an @ counts as login
_URL = re.compile(r"\s*((?:[A-Za-z][A-Za-z0-9+.-]*:)?//)?(?:([^/?#]*)@)?(.*?)\s*", re.DOTALL)


class Secret:
    """A password or key: shown as ``***`` by str, repr, format and copies; ``reveal`` is the only way in."""

    __slots__ = ("_forms", "_value")

    def __init__(self, value: str = "") -> None:
        self._value = value
        self._forms = tuple(_forms(value)) if len(value) > _PLACEHOLDER else ()

    def reveal(self) -> str:
        """Return the value; for the request that needs it, and for nothing that is kept."""
        return self._value

    def redact(self, text: str) -> str:
        """Return a text that others wrote without the secret in it: plain, in base64, in hex or in a URL."""
        for form in self._forms:
            text = re.sub(re.escape(form), _HIDDEN, text, flags=re.IGNORECASE)
        return text

    def begun(self, text: str) -> int:
        """Return how many letters at the end of a text may be the beginning of the secret."""
        end = text.lower()
        lengths = range(min(max(map(len, self._forms), default=1) - 1, len(end)), 0, -1)
        starts = [form.lower() for form in self._forms]
        return next((n for n in lengths if any(form.startswith(end[-n:]) for form in starts)), 0)

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._value == other._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __repr__(self) -> str:
        return f"Secret({_HIDDEN})" if self._value else "Secret()"

    def __str__(self) -> str:
        return _HIDDEN if self._value else ""

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a secret is not written down")


class Endpoint(str):
    """The address of a server, such as ``http://localhost:8000/v1``, or nothing.

    As a text it has no login, so wherever it is shown or stored there is none; ``login`` has the
    ``user:password`` that stood before the host.

    Raises:
        ConfigError: it is no address that a request can be sent to; the message does not repeat it.
    """

    __slots__ = ("login",)
    _NOT_ONE = "`endpoint` is not an address, expected a URL such as http://localhost:8000/v1"
    login: Secret

    def __new__(cls, url: str = "") -> Self:
        """Part a URL into address and login."""
        if isinstance(url, cls):
            return url
        found = _URL.fullmatch(url)
        assert found is not None, "every text matches"
        scheme, login, rest = found.groups(default="")
        address = super().__new__(cls, scheme + rest)
        address.login = Secret(login)
        if address:
            address._require_sound()
        return address

    @property
    def is_loopback(self) -> bool:
        """Tell whether the server is on this machine."""
        return is_loopback(urlsplit(self).hostname or "")

    @property
    def basic(self) -> tuple[str, str] | None:
        """Return user and password for the request, None if the URL had none."""
        user, _, password = self.login.reveal().partition(":")
        return (unquote(user), unquote(password)) if self.login else None

    def _require_sound(self) -> None:
        try:
            parts = urlsplit(self)
            sound = self._is_whole(parts) and (parts.port or 1) > 0
        except ValueError:  # a port that is no number, a bracket that does not close
            sound = False
        # what stands behind ? may be a key, and a login with a / in it is read as host and path
        if not sound or not self.isprintable() or any(letter in self for letter in "?#\\@ "):
            raise ConfigError(self._NOT_ONE, hint="no ? and no #; write / and @ of a password as %2F and %40")

    def _is_whole(self, parts: SplitResult) -> bool:
        return parts.scheme in ("http", "https") and bool(parts.hostname)

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        from pydantic_core import core_schema

        return core_schema.no_info_plain_validator_function(cls._validated)

    @classmethod
    def __get_pydantic_json_schema__(cls, source: Any, handler: Any) -> dict[str, str]:
        return {"type": "string"}

    @classmethod
    def _validated(cls, value: object) -> Self:
        if not isinstance(value, str):
            raise ValueError("expected a text")  # noqa: TRY004  as pydantic wants it
        return cls(value)


class StoreAddress(Endpoint):
    """Where a vector store is: ``qdrant://HOST:6333``, ``qdrants://`` (TLS), ``postgresql://HOST/DATABASE``.

    ``qdrant:///FOLDER`` is Qdrant's local mode. A login is kept apart as that of an endpoint.
    """

    __slots__ = ()
    _NOT_ONE = (
        "`vectors` is not the address of a vector store, expected one such as qdrant://localhost:6333 or "
        "postgresql://localhost/DATABASE"
    )

    @property
    def is_loopback(self) -> bool:
        """Tell whether the store is on this machine: a folder, a socket, or a host that is."""
        host = urlsplit(self).netloc
        return not host or host.lower().startswith("%2f") or super().is_loopback

    @property
    def revealed(self) -> str:
        """Return the whole address with its login, for the client that connects."""
        scheme, _, rest = self.partition("//")
        return f"{scheme}//{self.login.reveal()}@{rest}" if self.login else str(self)

    def _is_whole(self, parts: SplitResult) -> bool:
        whole = bool(parts.netloc or (parts.scheme == "qdrant" and parts.path.strip("/")))
        return parts.scheme in ("qdrant", "qdrants", "postgresql") and whole


def _forms(value: str) -> Iterator[str]:
    """Yield how a secret may stand in a text, from the longest kind to the shortest."""
    raw = value.encode("utf-8", "surrogatepass")
    yield raw.hex()
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        # inside a longer text it begins at one of three places, and the letters at its ends hold others too
        for before in range(3):
            coded = encode(b"\0" * before + raw).decode().rstrip("=")
            yield coded[(0, 2, 3)[before] : len(coded) - ((before + len(raw)) % 3 > 0)]
    yield quote(raw, safe="")
    yield json.dumps(value)[1:-1]
    yield value


def is_loopback(host: str) -> bool:
    """Tell whether a host is reached from this machine alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def names_files(model: object) -> bool:
    """Tell whether a model is named by anything but a name of the hub, NAME or AUTHOR/NAME, or lies here."""
    return bool(model) and (not _HUB_NAME.fullmatch(str(model)) or holds_model(Path(str(model))))


def holds_model(path: Path) -> bool:
    """Tell whether there is a model at a path: its folder, or a file of weights."""
    if path.suffix == ".gguf":
        return path.is_file()
    # static embedders have only the second
    return any((path / name).is_file() for name in ("config.json", "modules.json"))


def refuse_untrusted(values: Mapping[str, object], source: str) -> None:
    """Refuse what the file of a folder may not set.

    A folder is data: it says how its documents are searched and answered, and nothing about where questions,
    passages and the API key go, which files are taken for models, or where outside of it something is
    written. ``values`` are by key, such as ``models.endpoint``, only those that the user did not set alike;
    ``source`` is the file, for the message.
    """
    for key, value in values.items():
        if key in _REFUSED and _REFUSED[key](value):
            variable = f"HYBRID_{key.upper().replace('.', '__')}"
            raise ConfigError(
                f"{source} of this folder sets `{key}`, and a folder may not say where questions and "
                "documents go, what is loaded, or where something is written",
                hint=f"if you mean it, run with --config {source}, or set it as ${variable} or in "
                "~/.config/hybrid/hybrid.toml; else take the key out",
            )


def _names_own_judge(scorer: object) -> bool:
    kind, _, model = str(scorer).partition(":")
    return bool(model) and (kind == "trained" or names_files(model.partition("#")[0]))


def _leaves_folder(path: object) -> bool:
    here = Path.cwd()
    return not Path(os.path.normpath(here / str(path))).is_relative_to(here)


_HUB_NAME = re.compile(r"(?!\.)[\w.-]+(/(?!\.)[\w.-]+)?")
# What the file of a folder may not set: each with what makes a value one that it may not.
_REFUSED: Mapping[str, Callable[[object], bool]] = {
    "indexes": _leaves_folder,
    "models.endpoint": bool,
    "vectors": bool,
    # on is stricter than off
    "models.offline": lambda offline: offline is not True,
    "models.embedder": names_files,
    "models.generator": names_files,
    "models.reranker": names_files,
    "grounding.scorer": _names_own_judge,
    "monitor.webhook": bool,
    "tracing.endpoint": bool,
    # the user's own environment may send spans elsewhere
    "tracing.content": bool,
    "serve.host": lambda host: not is_loopback(str(host)),
}
