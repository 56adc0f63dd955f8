"""Settings: flag > HYBRID_* variable > ``hybrid.toml`` here > the user's own file > default, checked once."""

from __future__ import annotations

import dataclasses
import json
import math
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

from annotated_types import Ge, Gt, Le, Lt

from hybrid.errors import ConfigError, did_you_mean
from hybrid.files import adapter_of, write_atomic
from hybrid.trust import Endpoint, StoreAddress, refuse_untrusted

CONFIG_FILE = "hybrid.toml"
_PREFIX = "HYBRID_"
# Read before any setting, by other modules or by the shell: not settings, and not mistakes.
_NOT_SETTINGS = {"HYBRID_CONFIG", "HYBRID_API_KEY", "HYBRID_CACHE", "HYBRID_TOKEN", "HYBRID_USER_KEY"}


class Effort(StrEnum):
    """One dial: how much work to spend for a better answer."""

    QUICK = "quick"
    STANDARD = "standard"
    THOROUGH = "thorough"


class RetrievalMode(StrEnum):
    """Which side finds the chunks."""

    DENSE = "dense"
    LEXICAL = "lexical"
    FUSION = "fusion"


class FusionMethod(StrEnum):
    """How the two sides become one ranking."""

    WEIGHTED = "weighted"
    RECIPROCAL_RANK = "reciprocal_rank"


class Reader(StrEnum):
    """Who turns passages into an answer where there are passages.

    ``quoting`` is the generator too, asked for a verbatim quote with its citation before the answer: what
    an adapter for reading is trained to write. ``writer`` is the generator asked for answer, citations and
    doubt as JSON: for an endpoint, or a model of a billion parameters or more.
    """

    EXTRACTIVE = "extractive"
    GENERATOR = "generator"
    QUOTING = "quoting"
    WRITER = "writer"


class Engine(StrEnum):
    """What computes the words of the generator; on this machine torch tells how likely given ones are."""

    TORCH = "torch"
    OPENVINO = "openvino"
    LLAMACPP = "llamacpp"
    ENDPOINT = "endpoint"


class EnginePrecision(StrEnum):
    """The number format in which weights are written for an engine; OpenVINO reads Q4_1 unfaithfully."""

    F16 = "f16"
    Q8_0 = "q8_0"


class Rewriting(StrEnum):
    """Who makes a question of its own of a follow-up: rules, or the generator, which has to be able to."""

    RULES = "rules"
    GENERATOR = "generator"


class Method(StrEnum):
    """How a model is changed: by a low-rank adapter in one of its kinds, scales, all weights, or additions.

    ``prompt`` and ``prefix`` put virtual tokens before every prompt, ``bottleneck`` small layers behind the
    sublayers, ``fusion`` weighs several stored bottleneck adapters by what is read.
    """

    LORA = "lora"
    RSLORA = "rslora"
    DORA = "dora"
    PISSA = "pissa"
    QLORA = "qlora"
    IA3 = "ia3"
    PROMPT = "prompt"
    PREFIX = "prefix"
    BOTTLENECK = "bottleneck"
    FUSION = "fusion"
    FULL = "full"


class Targets(StrEnum):
    """Which linear layers are tuned: queries and values, those of the feed-forward part, or all."""

    QV = "qv"
    MLP = "mlp"
    ALL = "all"


class ShownPassages(StrEnum):
    """Which label examples show passages: those about a document of the index (``auto``), all, or none."""

    AUTO = "auto"
    ALWAYS = "always"
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class DocumentSettings:
    """Limits on files, so that a hostile one costs a reason and not the run.

    ``ocr`` names the languages of scanned pages as tesseract does (``eng+deu``); empty, they are not read.
    """

    max_megabytes: Annotated[float, Gt(0)] = 64.0
    max_pages: Annotated[int, Gt(0)] = 5_000
    max_characters: Annotated[int, Gt(0)] = 20_000_000
    max_zip_ratio: Annotated[float, Gt(1)] = 200.0
    max_zip_megabytes: Annotated[float, Gt(0)] = 512.0
    max_seconds: Annotated[float, Gt(0)] = 60.0
    max_memory_megabytes: Annotated[int, Ge(256)] = 2_048
    workers: Annotated[int, Ge(0), Le(64)] = 0
    exclude: tuple[str, ...] = ()
    text_field: str = "text"
    ocr: str = ""

    @property
    def seconds_a_file(self) -> float:
        """Return how long a file may take: pictures of pages take seconds each."""
        return self.max_seconds * (30 if self.ocr else 1)


@dataclass(frozen=True, slots=True)
class ChunkSettings:
    """How documents are split, in tokens of the embedder; 0 = as much as the embedder takes."""

    max_tokens: Annotated[int, Ge(0)] = 0
    overlap_tokens: Annotated[int, Ge(0)] = 24
    heading_tokens: Annotated[int, Ge(0)] = 40


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """Which models, and where they may come from.

    An adapter is named as it is stored in the domain; without a name it is the one that was promoted.
    ``endpoint`` is shown and stored without the login that its URL may carry. ``offline`` keeps to this
    machine: no hub, and no endpoint but one of its own. ``query_prefix`` and ``document_prefix`` are put
    before what is embedded, such as "query: "; empty are those that the embedder names. ``engine`` computes
    what the generator writes, ``precision`` is that of its weights there; a named endpoint is one by itself.
    """

    embedder: str = "sentence-transformers/all-MiniLM-L6-v2"
    query_prefix: str = ""
    document_prefix: str = ""
    generator: str = "HuggingFaceTB/SmolLM2-135M-Instruct"
    generator_adapter: str = ""
    embedder_adapter: str = ""
    reranker: str = ""
    endpoint: Endpoint = field(default_factory=Endpoint)
    engine: Engine = Engine.TORCH
    precision: EnginePrecision = EnginePrecision.Q8_0
    device: str = "auto"
    dtype: str = "auto"
    offline: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "endpoint", Endpoint(self.endpoint))


@dataclass(frozen=True, slots=True)
class RetrievalSettings:
    """How many hits, from which side, and what is left out.

    ``dense_weight`` is the share of the dense side in a fusion, from 0 to 1. ``candidates`` is
    how deep each side is asked. ``min_score`` is a floor on the cosine of a hit.
    ``duplicate_overlap`` is the share of common word 5-grams from which on a lower hit is left out;
    1 keeps all. ``glossary`` says that a question is also asked with what its words stand for, as the
    documents explain them.
    """

    mode: RetrievalMode = RetrievalMode.FUSION
    fusion: FusionMethod = FusionMethod.WEIGHTED
    k: Annotated[int, Gt(0), Le(1000)] = 6
    candidates: Annotated[int, Gt(0), Le(10_000)] = 200
    dense_weight: Annotated[float, Ge(0), Le(1)] = 0.45
    rerank_depth: Annotated[int, Gt(0)] = 30
    min_score: Annotated[float, Ge(-1), Le(1)] = -1.0
    duplicate_overlap: Annotated[float, Gt(0), Le(1)] = 0.8
    glossary: bool = True


@dataclass(frozen=True, slots=True)
class GenerationSettings:
    """How an answer is made from the hits.

    ``abstain_below`` is the relevance under which the answer is an abstention, ``support`` the
    share of a generated sentence's content words that its passages must hold. ``prompt`` is a variant of
    the language's prompts, or a file ``*.toml`` of one's own. The quoting reader sees ``passages`` of
    ``passage_tokens`` each, the part of a hit that has most to do with the question.
    """

    reader: Reader = Reader.EXTRACTIVE
    language: str = "en"
    prompt: str = ""
    context_tokens: Annotated[int, Ge(64)] = 1_200
    max_new_tokens: Annotated[int, Gt(0), Le(4096)] = 160
    sentences: Annotated[int, Gt(0), Le(10)] = 3
    abstain_below: Annotated[float, Ge(0), Le(1)] = 0.38
    support: Annotated[float, Ge(0), Le(1)] = 0.6
    passages: Annotated[int, Gt(0), Le(20)] = 3
    passage_tokens: Annotated[int, Ge(32)] = 120


@dataclass(frozen=True, slots=True)
class AdaptationSettings:
    """How adapters are made, and what they may cost.

    ``rank`` 0 and ``learning_rate`` 0 leave the choice to the amount of data and the method; alpha is twice
    the rank, which is also the width of a bottleneck and the number of virtual tokens. ``over`` names the
    stored bottleneck adapters of a fusion. ``targets`` are the modules that are tuned, ``layers`` the share
    of the layers, from the top; virtual tokens have neither. ``rehearsal`` is the share of training tokens
    that keep the model what it was, ``divergence`` the weight of the KL divergence from
    the base on them. ``ewc`` and ``l2`` are the weights of what is paid for a change of the weights, by what
    they are worth to the base (elastic weight consolidation) or all alike. ``upper_first`` is the share of
    the training in which only the upper third of the layers is tuned. ``stop_nats`` is how much the general
    loss may rise before training ends, 0 for four times its budget, which strength can bring back.
    ``hold_out`` is the share of documents that are never trained on, ``validation`` the
    share of the others that tells when to stop. ``budget_nats`` and ``budget_points`` are how much may be
    forgotten: of general text in nats a token, of general tasks in points of 100. ``budget_refusal`` is how
    many points fewer may be declined rightly, more declined wrongly, or fewer answered from the passage.
    ``beta`` holds preferences to what the model was: the larger, the nearer.
    ``passages`` says which label examples are asked as ``both`` asks.
    """

    method: Method = Method.LORA
    over: tuple[str, ...] = ()
    targets: Targets = Targets.ALL
    rank: Annotated[int, Ge(0), Le(512)] = 0
    learning_rate: Annotated[float, Ge(0), Lt(1)] = 0.0
    dropout: Annotated[float, Ge(0), Lt(1)] = 0.0
    layers: Annotated[float, Gt(0), Le(1)] = 1.0
    epochs: Annotated[float, Gt(0), Le(100)] = 2.0
    batch: Annotated[int, Gt(0), Le(1024)] = 8
    max_tokens: Annotated[int, Ge(32)] = 672
    examples: Annotated[int, Gt(0)] = 400
    rehearsal: Annotated[float, Ge(0), Lt(1)] = 0.1
    divergence: Annotated[float, Ge(0)] = 2.0
    ewc: Annotated[float, Ge(0)] = 0.0
    l2: Annotated[float, Ge(0)] = 0.0
    upper_first: Annotated[float, Ge(0), Lt(1)] = 0.0
    passages: ShownPassages = ShownPassages.AUTO
    stop_nats: Annotated[float, Ge(0)] = 0.0
    hold_out: Annotated[float, Ge(0), Lt(1)] = 0.2
    validation: Annotated[float, Ge(0), Lt(1)] = 0.15
    budget_nats: Annotated[float, Gt(0)] = 0.05
    budget_points: Annotated[float, Gt(0)] = 1.0
    budget_refusal: Annotated[float, Gt(0)] = 5.0
    beta: Annotated[float, Gt(0)] = 0.1
    seed: Annotated[int, Ge(0)] = 0


@dataclass(frozen=True, slots=True)
class GroundingSettings:
    """What judges answers: ``scorer`` is a name that ``hybrid grounding evaluate`` takes."""

    scorer: str = "trained"


@dataclass(frozen=True, slots=True)
class ConversationSettings:
    """How a follow-up is understood with the turns before it."""

    rewriting: Rewriting = Rewriting.RULES


@dataclass(frozen=True, slots=True)
class FeedbackSettings:
    """How many days the server keeps questions and answers, with the votes on them; 0 keeps none."""

    keep_days: Annotated[int, Ge(0)] = 30


@dataclass(frozen=True, slots=True)
class DecisionSettings:
    """How arms are compared: ``margin`` is how much worse is still as good, as a share of the score.

    ``level`` is the accepted chance of a wrong claim, ``metric`` the score that decides, ``alone`` how
    many questions are also asked one at a time, for the latency that a user sees.
    """

    metric: str = "correct"
    margin: Annotated[float, Gt(0), Lt(1)] = 0.01
    level: Annotated[float, Gt(0), Lt(0.5)] = 0.05
    replicates: Annotated[int, Ge(1_000), Le(1_000_000)] = 10_000
    alone: Annotated[int, Ge(0)] = 10
    seed: Annotated[int, Ge(0)] = 0


@dataclass(frozen=True, slots=True)
class ServeSettings:
    """Where the server listens, and what one request may take.

    A ``port`` of 0 is a free one. Bodies are files where files are uploaded; all others are limited by
    ``max_body_kilobytes``. ``max_seconds`` is how long a client waits at most for an answer. ``parallel``
    questions are worked on at a time, ``queue`` more may wait; ``per_key`` is how many of both one key may
    have, where a client sends one. ``workers`` processes serve, each with models and limits of its own.
    """

    host: str = "127.0.0.1"
    port: Annotated[int, Ge(0), Le(65_535)] = 8_765
    max_body_kilobytes: Annotated[int, Gt(0)] = 1_024
    max_seconds: Annotated[float, Gt(0)] = 120.0
    parallel: Annotated[int, Gt(0), Le(256)] = 16
    queue: Annotated[int, Ge(0)] = 128
    per_key: Annotated[int, Gt(0)] = 64
    workers: Annotated[int, Gt(0), Le(64)] = 1


@dataclass(frozen=True, slots=True)
class PriceSettings:
    """What things cost; edit it. The default is a small rented machine of two cores, and free tokens."""

    currency: str = "USD"
    machine_hour: Annotated[float, Ge(0)] = 0.10
    million_prompt_tokens: Annotated[float, Ge(0)] = 0.0
    million_completion_tokens: Annotated[float, Ge(0)] = 0.0
    training_hour: Annotated[float, Ge(0)] = 0.10


@dataclass(frozen=True, slots=True)
class TracingSettings:
    """What is kept of every question that is asked, and of every stage of its answer; never its words.

    ``store`` keeps it in ``traces.sqlite`` beside the domains, for ``days`` and in ``megabytes``.
    ``endpoint`` is a collector that takes OTLP over HTTP, such as http://localhost:4318; without it the one
    that ``OTEL_EXPORTER_OTLP_ENDPOINT`` names. ``content`` adds questions, answers and passages, in both.
    ``questions`` keeps on which side of 16 random planes the embedding of a question lies, here and nowhere
    else, so that ``hybrid monitor`` sees questions drift.
    """

    store: bool = True
    content: bool = False
    questions: bool = True
    days: Annotated[float, Gt(0)] = 30.0
    megabytes: Annotated[float, Ge(1)] = 256.0
    endpoint: Endpoint = field(default_factory=Endpoint)

    def __post_init__(self) -> None:
        object.__setattr__(self, "endpoint", Endpoint(self.endpoint))


@dataclass(frozen=True, slots=True)
class MonitorSettings:
    """When a domain in use is told to have changed, and who is told.

    ``level`` is the accepted chance of a false alarm, ``tolerance`` how much higher than in the calibration
    window a risk may be. ``webhook`` is sent the alerts; it names no question.
    """

    level: Annotated[float, Gt(0), Lt(0.5)] = 0.05
    tolerance: Annotated[float, Ge(0), Lt(1)] = 0.05
    webhook: Endpoint = field(default_factory=Endpoint)

    def __post_init__(self) -> None:
        object.__setattr__(self, "webhook", Endpoint(self.webhook))


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that can be set.

    ``vectors`` is the address of the vector store that searches the vectors of the domains, such as
    ``qdrant://localhost:6333``; empty, they are searched in files of the index.
    """

    indexes: str = "indexes"
    vectors: StoreAddress = field(default_factory=StoreAddress)
    domain: str = ""
    effort: Effort = Effort.STANDARD
    documents: DocumentSettings = field(default_factory=DocumentSettings)
    chunks: ChunkSettings = field(default_factory=ChunkSettings)
    models: ModelSettings = field(default_factory=ModelSettings)
    retrieval: RetrievalSettings = field(default_factory=RetrievalSettings)
    generation: GenerationSettings = field(default_factory=GenerationSettings)
    adaptation: AdaptationSettings = field(default_factory=AdaptationSettings)
    grounding: GroundingSettings = field(default_factory=GroundingSettings)
    conversation: ConversationSettings = field(default_factory=ConversationSettings)
    feedback: FeedbackSettings = field(default_factory=FeedbackSettings)
    decision: DecisionSettings = field(default_factory=DecisionSettings)
    prices: PriceSettings = field(default_factory=PriceSettings)
    tracing: TracingSettings = field(default_factory=TracingSettings)
    monitor: MonitorSettings = field(default_factory=MonitorSettings)
    serve: ServeSettings = field(default_factory=ServeSettings)

    def __post_init__(self) -> None:
        object.__setattr__(self, "vectors", StoreAddress(self.vectors))


# What the dial changes; anything set by the user wins over it.
_EFFORTS: dict[Effort, dict[str, dict[str, Any]]] = {
    Effort.QUICK: {
        "retrieval": {"k": 4, "candidates": 100},
        "generation": {"context_tokens": 600, "max_new_tokens": 96},
        "adaptation": {"examples": 120, "epochs": 1.0, "layers": 0.34, "learning_rate": 1e-3, "batch": 4},
        "decision": {"replicates": 2_000, "alone": 4},
    },
    Effort.STANDARD: {},
    Effort.THOROUGH: {
        "retrieval": {"k": 10, "candidates": 400, "rerank_depth": 100},
        "generation": {"context_tokens": 2_400, "max_new_tokens": 256},
        "adaptation": {"examples": 2_000, "epochs": 3.0},
        "decision": {"replicates": 20_000, "alone": 30},
    },
}


# What goes with a reader that writes JSON: its form takes room, and so does a model that thinks first.
WRITER_ROOM: Mapping[str, int] = {"max_new_tokens": 512, "context_tokens": 2_400}


@dataclass(frozen=True, slots=True)
class Loaded:
    """Settings, the source of each key that was set, and the keys that the current folder's file changed."""

    settings: Settings
    origins: Mapping[str, str]
    by_folder: tuple[str, ...]


def load_settings(
    flags: Mapping[str, Any] | None = None,
    *,
    file: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> Settings:
    """Merge every source and check the result.

    A variable is ``HYBRID_<SECTION>__<KEY>``, such as ``HYBRID_RETRIEVAL__K=5``, and ``HYBRID_<KEY>`` for
    keys without a section. The user's own file is ``hybrid/hybrid.toml`` below ``$XDG_CONFIG_HOME`` or
    ``~/.config``; it is trusted, as is one that the user named, and that of the current folder is not. Where
    an endpoint is named and no reader, the endpoint writes.

    Args:
        flags: nested like the file; a value of None means "not given".
        file: the TOML file; without it $HYBRID_CONFIG, or ``hybrid.toml`` if it is there.
        environment: instead of ``os.environ``.

    Raises:
        ConfigError: a file that cannot be read, an unknown key, a value out of range, or one that the file of
            the current folder may not set.
    """
    return load(flags, file=file, environment=environment).settings


def load(
    flags: Mapping[str, Any] | None = None,
    *,
    file: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> Loaded:
    """Do as ``load_settings`` does, and tell where each key comes from."""
    environment = os.environ if environment is None else environment
    named = file or (Path(environment["HYBRID_CONFIG"]) if "HYBRID_CONFIG" in environment else None)
    user = user_file(environment)
    sources = [
        (str(user), _read_file(user, must_be=False) if user else {}),
        (str(named or CONFIG_FILE), _read_file(named or Path(CONFIG_FILE), must_be=named is not None)),
        ("the environment", _read_environment(environment)),
        ("the command", _without_none(flags or {})),
    ]
    merged: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for source, values in sources:
        _refuse_unknown(values, source)
        merged = _merge(merged, values)
        origins |= dict.fromkeys(_flat(values), source)
    effort = _checked_effort(merged.get("effort", Effort.STANDARD))
    # the file of the current folder was named by nobody
    given = _flat(sources[1][1]) if named is None else {}
    usual = _flat(settings_dict(Settings())).items()
    # a file spells a tuple as a list
    there = {key: list(value) if isinstance(value, tuple) else value for key, value in usual}
    there |= _flat(sources[0][1])
    changed = [key for key, value in given.items() if origins[key] == CONFIG_FILE and value != there[key]]
    refuse_untrusted({key: given[key] for key in changed}, CONFIG_FILE)
    defaults = dict(_EFFORTS[effort])
    reader = merged.get("generation", {}).get("reader")
    if reader == Reader.WRITER or (reader is None and merged.get("models", {}).get("endpoint")):
        defaults = _merge(defaults, {"generation": {"reader": Reader.WRITER, **WRITER_ROOM}})
    return Loaded(_validate(_merge(defaults, merged)), origins, tuple(changed))


def settings_dict(settings: Settings) -> dict[str, Any]:
    """Return the settings as plain JSON values."""
    return dataclasses.asdict(settings)


def settings_schema() -> dict[str, Any]:
    """Return the JSON schema of ``hybrid.toml``."""
    schema: dict[str, Any] = adapter_of(Settings).json_schema()
    return schema


def write_settings(path: Path, values: Mapping[str, Mapping[str, str]]) -> None:
    """Set keys, by section, in a settings file, and leave all else in it as it is, comments too.

    Raises:
        ConfigError: it cannot be read, or is laid out so that its lines cannot be edited.
        StorageError: the disk is full.
    """
    before = _read_file(path, must_be=False)
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    for section, keys in values.items():
        for key, value in keys.items():
            text = _with_key(text, section, f"{key} = {json.dumps(value)}")
    try:
        sound = tomllib.loads(text) == _merge(before, values)
    except tomllib.TOMLDecodeError:
        sound = False
    if not sound:
        lines = "; ".join(f"{s}.{k} = {json.dumps(v)}" for s, keys in values.items() for k, v in keys.items())
        raise ConfigError(f"{path} cannot be edited line by line", hint=f"set it yourself: {lines}")
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, text)


def _with_key(text: str, section: str, line: str) -> str:
    """Return a TOML text with a line in a section, in place of the one with its key."""
    lines = text.splitlines()
    heads = [place for place, found in enumerate(lines) if found.lstrip().startswith("[")]
    begin = next((place for place in heads if lines[place].split("#")[0].strip() == f"[{section}]"), None)
    if begin is None:
        return "\n".join([*lines, *([""] if lines else []), f"[{section}]", line, ""])
    end = min((place for place in heads if place > begin), default=len(lines))
    key = line.partition("=")[0].strip()
    same = [place for place in range(begin + 1, end) if lines[place].partition("=")[0].strip() == key]
    lines[begin + 1 : begin + 1] = [line]
    return "\n".join([one for place, one in enumerate(lines) if place - 1 not in same] + [""])


def user_file(environment: Mapping[str, str]) -> Path | None:
    """Return the user's own file; a folder that is not absolute would be one of the current folder."""
    own = Path(environment.get("XDG_CONFIG_HOME") or Path(environment.get("HOME", "")) / ".config")
    return own / "hybrid" / CONFIG_FILE if own.is_absolute() else None


def _read_file(path: Path, *, must_be: bool) -> dict[str, Any]:
    if not must_be and not path.is_file():
        return {}
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigError(f"there is no settings file {path}", hint="check --config") from error
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigError(f"{path} cannot be read as TOML: {error}") from error


def _read_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name in sorted(environment):
        if not name.startswith(_PREFIX) or name in _NOT_SETTINGS:
            continue
        section, _, key = name.removeprefix(_PREFIX).lower().partition("__")
        if key:
            inner = values.setdefault(section, {})
            if not isinstance(inner, dict):
                raise ConfigError(f"${_PREFIX}{section.upper()} is set, but `{section}` is a section of keys")
            text = environment[name]
            # the only lists among the settings; a variable spells them with commas
            is_list = (section, key) in (("documents", "exclude"), ("adaptation", "over"))
            inner[key] = [part for part in text.split(",") if part] if is_list else text
        else:
            values[section] = environment[name]
    return values


def _without_none(values: Mapping[str, Any]) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            if inner := _without_none(value):
                kept[key] = inner
        elif value is not None:
            kept[key] = value
    return kept


def _merge(low: Mapping[str, Any], high: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(low)
    for key, value in high.items():
        below = merged.get(key)
        both = isinstance(value, Mapping) and isinstance(below, Mapping)
        merged[key] = _merge(below, value) if both and below is not None else value
    return merged


def _flat(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return values by their whole key, such as ``retrieval.k``."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            flat |= {f"{key}.{inner}": item for inner, item in value.items()}
        else:
            flat[key] = value
    return flat


def _refuse_unknown(values: Mapping[str, Any], source: str) -> None:
    known = list(_flat(settings_dict(Settings())))
    sections = dict.fromkeys(key.partition(".")[0] for key in known if "." in key)
    for key, value in values.items():
        if key in sections and not isinstance(value, Mapping):
            raise ConfigError(f"{source}: `{key}` is a section with keys of its own, found {value!r}")
        if key not in sections and key not in known:
            raise _unknown(key, [*(name for name in known if "." not in name), *sections], source)
        for inner in value if key in sections else ():
            if f"{key}.{inner}" not in known:
                raise _unknown(f"{key}.{inner}", [n for n in known if n.startswith(f"{key}.")], source)


def _unknown(key: str, valid: list[str], source: str) -> ConfigError:
    hint = did_you_mean(key, valid, f"valid keys: {', '.join(sorted(valid))}")
    return ConfigError(f"{source}: unknown setting `{key}`", hint=hint)


def _checked_effort(value: str) -> Effort:
    try:
        return Effort(value)
    except ValueError:
        choices = ", ".join(Effort)
        raise ConfigError(f"`effort` is {value!r}, expected one of: {choices}") from None


def _validate(values: Mapping[str, Any]) -> Settings:
    from pydantic import ValidationError

    try:
        settings: Settings = adapter_of(Settings).validate_python(values)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        # an address may carry a password
        found = "" if key.endswith(".endpoint") or key == "vectors" else f" {first['input']!r}"
        raise ConfigError(f"`{key}` is{found}: {first['msg']}") from error
    for key, value in _flat(settings_dict(settings)).items():
        if isinstance(value, float) and not math.isfinite(value):
            raise ConfigError(f"`{key}` is {value!r}, expected a finite number")
    return settings
