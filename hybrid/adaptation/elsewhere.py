"""Adapters elsewhere: taken in from plain PEFT (axolotl, unsloth, TRL), and proved active at an endpoint."""

from __future__ import annotations

import contextlib
import itertools
import json
import math
import re
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

from hybrid.adaptation.methods.generator import Base
from hybrid.adaptation.store import write_card
from hybrid.adaptation.values import AdapterKind, Card, Data
from hybrid.config import Method, Reader
from hybrid.doctor import Diagnosis, Health
from hybrid.errors import AdapterError, RemoteError, UsageError
from hybrid.files import storage_errors, write_json
from hybrid.models.adapters import CONFIG, WEIGHTS
from hybrid.models.fidelity import PROBES, last_logarithms
from hybrid.models.generator import TransformersGenerator
from hybrid.models.pretrained import why_unreadable
from hybrid.models.servers import ask_server, client_for, server_key
from hybrid.trust import Endpoint
from hybrid.types import Message, MessageRole

_PREFIX = "base_model.model."
_PICKLED = "adapter_model.bin"
_CONVERT = (
    'convert it where you trust it: python -c "import torch, safetensors.torch as s; '
    "s.save_file({{k: v.contiguous() for k, v in torch.load('{0}', weights_only=True).items()}}, "
    "'{1}')\""
)
_FETCH = "fetch the adapter again"
_MERGE = (
    "merge it with its own base by PEFT (merge_and_unload), and name the merged folder as models.generator"
)
# What decides what an adapter does and is taken over, beside the modules, which the weights themselves name.
_TAKEN = {
    "LORA": ("lora_alpha", "use_rslora", "use_dora", "fan_in_fan_out", "bias", "modules_to_save"),
    "IA3": ("fan_in_fan_out", "modules_to_save"),
}
# What says where weights are, which training they had, or who wrote them.
_WITHOUT_EFFECT = frozenset(
    key
    for keys in (
        "peft_type task_type auto_mapping peft_version base_model_name_or_path revision inference_mode r",
        "target_modules exclude_modules layers_to_transform layers_pattern rank_pattern alpha_pattern",
        "feedforward_modules lora_dropout megatron_core loftq_config qalora_group_size runtime_config",
        "eva_config lora_ga_config ensure_weight_tying init_lora_weights init_ia3_weights",
    )
    for key in keys.split()
)
# Trained on a base that was changed first: on the base as it is they do something else.
_CHANGED_BASE = ("pissa", "olora", "corda", "loftq", "lora_ga")
_PLAIN = re.compile(r"[\w.-]+")
# What quantised copies and mirrors put around the name of a model.
_COPY = re.compile(r"[-_.](?:unsloth|bnb|nf4|4bit|8bit|bf16|fp16|gguf|gptq|awq|hf)\b")
# Of so many questions those are asked that tell the two apart best.
_CANDIDATES, _ASKED = 32, 4
_NEW_TOKENS = 16
_PATIENCE = 120.0
_LIKELIEST = 5
# Less than this, in nats, is the noise of another engine, or of rounded weights.
_NOISE = 0.05
# What is not among the likeliest is at most about as likely as this.
_UNLIKELY = -8.0


def kind_of(folder: Path) -> AdapterKind:
    """Return what an adapter changes, by its configuration."""
    embeds = _config(folder).get("task_type") == "FEATURE_EXTRACTION"
    return AdapterKind.EMBEDDER if embeds else AdapterKind.GENERATOR


def take_in(folder: Path, kind: AdapterKind, base: Base, out: Path) -> tuple[Card, tuple[str, ...]]:
    """Write what a folder holds as an adapter of ours; return its card, and what is not known for sure.

    The configuration is written anew: modules are those that have weights, so no pattern is run; what else
    decides what the adapter does is taken over or refused. Nothing but it and the weights is copied.

    ``kind``: what it changes. ``base``: to serve with; whether the adapter fits it is seen when it is loaded.
    """
    config = _config(folder)
    shapes = _shapes(folder / WEIGHTS)
    form = str(config["peft_type"])
    told = _low_rank(config, shapes) if form == "LORA" else _scales(shapes)
    if not told["target_modules"]:
        raise AdapterError(
            f"{folder / WEIGHTS} has no weights of {form}: {', '.join(list(shapes)[:3])}", hint=_MERGE
        )
    taken = {key: config[key] for key in _TAKEN[form] if config.get(key) is not None}
    written = {"peft_type": form, **told, **taken}
    with storage_errors(str(out)):
        out.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(folder / WEIGHTS, out / WEIGHTS)
        write_json(out / CONFIG, written)
    named = str(config.get("base_model_name_or_path") or "")
    card = Card(
        name="",
        kind=kind,
        base=base.name,
        base_digest=base.digest,
        method=_method(config),
        data=Data("", "not stated", {}),
        settings=({"rank": told["r"], "alpha": config["lora_alpha"]} if form == "LORA" else {})
        | {"base named by its maker": named},
        reader=Reader.GENERATOR if kind is AdapterKind.GENERATOR else None,
        versions={"peft": str(config.get("peft_version") or "not stated")},
    )
    write_card(out, card)
    notes = ["its data, licence, gain and cost are not known"]
    if _plain_name(named) != _plain_name(base.name):
        notes.append(
            f"it names {named or 'no model'} as its base, and shall serve with {base.name}: that its weights "
            "fit and have an effect is shown, that it was trained on these weights is not"
        )
    return card, tuple(notes)


@contextlib.contextmanager
def named(built: Path, folder: Path) -> Iterator[None]:
    """Tell what is wrong with what was built by the name of the folder that it was taken from."""
    try:
        yield
    except AdapterError as error:
        why = str(error).replace(str(built), str(folder))
        raise AdapterError(why, hint=f"was it made for this model? name its own, or {_FETCH}") from error


def _low_rank(config: Mapping[str, Any], shapes: Mapping[str, Sequence[int]]) -> dict[str, Any]:
    """Return the modules of LoRA weights, and their ranks."""
    ranks = {
        name.removeprefix(_PREFIX).partition(".lora_")[0]: shape[0]
        for name, shape in shapes.items()
        if ".lora_A" in name or ".lora_embedding_A" in name
    }
    told = {config.get("r"), *(config.get("rank_pattern") or {}).values()}
    if strange := sorted(set(ranks.values()) - told):
        raise AdapterError(
            f"{CONFIG} tells the rank {config.get('r')}, and {WEIGHTS} has weights of rank {strange[0]}: "
            "they are not of one adapter, and its strength is not known",
            hint=_FETCH,
        )
    rank = max(Counter(ranks.values()).items(), key=lambda found: found[1], default=(0, 0))[0]
    return {
        "r": rank,
        "target_modules": sorted(ranks),
        "rank_pattern": {name: own for name, own in ranks.items() if own != rank},
        "alpha_pattern": config.get("alpha_pattern") or {},
    }


def _scales(shapes: Mapping[str, Sequence[int]]) -> dict[str, Any]:
    """Return the modules of IA3 scales; those that scale what goes into a module have one row."""
    rows = {
        name.removeprefix(_PREFIX).removesuffix(".ia3_l"): shape[0]
        for name, shape in shapes.items()
        if name.endswith(".ia3_l")
    }
    return {
        "target_modules": sorted(rows),
        "feedforward_modules": sorted(name for name, count in rows.items() if count == 1),
    }


def _config(folder: Path) -> dict[str, Any]:
    """Return the configuration of an adapter that can be served; everything else is refused."""
    path = folder / CONFIG
    if not folder.is_dir():
        raise UsageError(f"there is no folder {folder}", hint=f"name a folder with {CONFIG} and {WEIGHTS}")
    if not path.is_file():
        inner = sorted(found.parent for found in folder.glob(f"*/{CONFIG}"))
        whole = (folder / "config.json").is_file()
        raise AdapterError(
            f"{folder} is no adapter: it has no {CONFIG}",
            hint=f"there is one in {inner[-1]}"
            if inner
            else "it is a whole model: name it as models.generator"
            if whole
            else f"name a folder with {CONFIG} and {WEIGHTS}",
        )
    if not (folder / WEIGHTS).is_file():
        if (folder / _PICKLED).is_file():
            raise AdapterError(
                f"{folder / _PICKLED} is pickled, which can run any code when it is read",
                hint=_CONVERT.format(folder / _PICKLED, folder / WEIGHTS),
            )
        raise AdapterError(f"{folder} has no {WEIGHTS}", hint="save the adapter as safetensors")
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        why = why_unreadable(path) or f"not JSON: {error}"
        raise AdapterError(f"{path} is {why}", hint=_FETCH) from error
    if not isinstance(config, dict):
        raise AdapterError(f"{path} is not a JSON object", hint=_FETCH)
    _refuse_unfit(config, path)
    return config


def _refuse_unfit(config: Mapping[str, Any], path: Path) -> None:
    kind = config.get("peft_type")
    if kind not in _TAKEN:
        raise AdapterError(
            f"{path}: adapters of the kind {kind!r} are not taken in, only LoRA and IA3", hint=_MERGE
        )
    begun = str(config.get("init_lora_weights")).lower()
    if begun.startswith(_CHANGED_BASE):
        raise AdapterError(
            f"{path}: `init_lora_weights` is {begun!r}: it was trained on a base that was changed before, "
            "and does something else on the base as it is",
            hint="save it anew with path_initial_model_for_weight_conversion of PEFT, or merge it there",
        )
    unknown = sorted(
        key for key, value in config.items() if value and key not in {*_TAKEN[kind], *_WITHOUT_EFFECT}
    )
    if unknown:
        raise AdapterError(
            f"{path}: {', '.join(f'`{key}`' for key in unknown)} cannot be served here", hint=_MERGE
        )
    alpha = config.get("lora_alpha")
    if kind == "LORA" and not (isinstance(alpha, int | float) and 0 <= alpha < math.inf):
        raise AdapterError(f"{path}: expected a number as `lora_alpha`, found {alpha!r}", hint=_FETCH)
    patterns = [*(config.get("alpha_pattern") or {}), *(config.get("modules_to_save") or [])]
    for name in patterns:
        if not _PLAIN.fullmatch(str(name)):
            raise AdapterError(
                f"{path}: {str(name)[:60]!r} is a pattern, and patterns of others are not run",
                hint="list the plain names of the modules that it matches",
            )


def _shapes(path: Path) -> dict[str, list[int]]:
    """Return the shape of every tensor; nothing else is read."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            return {name: file.get_slice(name).get_shape() for name in file.keys()}  # noqa: SIM118 - no dict
    except (OSError, SafetensorError) as error:
        raise AdapterError(f"{path} is {why_unreadable(path, error)}", hint=_FETCH) from error


def _method(config: Mapping[str, Any]) -> Method:
    if config["peft_type"] == "IA3":
        return Method.IA3
    if config.get("use_dora"):
        return Method.DORA
    return Method.RSLORA if config.get("use_rslora") else Method.LORA


def _plain_name(name: str) -> str:
    """Return the last part of a model's name, without what tells a copy in another number format."""
    return _COPY.sub("", name.rstrip("/").rpartition("/")[2].lower())


@dataclass(frozen=True, slots=True)
class _SaidThere:
    """An answer, and how likely its first tokens were, where that is told."""

    text: str
    first: Mapping[str, float]

    def far_from(self, other: _SaidThere) -> float:
        """Return nats between the likeliest first tokens, or else the share of letters not in common."""
        if self.first and other.first:
            words = self.first.keys() | other.first.keys()
            apart = (abs(self.first.get(w, _UNLIKELY) - other.first.get(w, _UNLIKELY)) for w in words)
            return sum(apart) / len(words)
        pairs = zip(self.text, other.text, strict=False)
        common = sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs))
        return 1 - common / max(len(self.text), len(other.text), 1)


def prove_active(
    generator: TransformersGenerator,
    adapter: Path,
    endpoint: Endpoint,
    *,
    base: str,
    questions: Sequence[str] = (),
) -> Diagnosis:
    """Say whether an endpoint answers with an adapter: active, inactive, or cannot tell, and why.

    ``adapter``: the folder; the endpoint serves it by the folder's name. ``base``: the name of the base at
    the endpoint.
    """
    name, tuned = adapter.name, generator.adapted(adapter)
    title = f"adapter {name} at {endpoint}"
    asked = _telling([*PROBES, *questions][:_CANDIDATES], generator, tuned)
    if not asked:
        return Diagnosis(
            title,
            Health.NOTE,
            f"cannot tell: on {min(_CANDIDATES, len(PROBES) + len(questions))} questions the adapter "
            "says here what the base says",
            "put questions that it was made for into the domain: hybrid questions make",
        )
    there = _served(endpoint, name, base)
    # a server without adapters by name has one model, which is the adapter or is not
    active = there.get(name, next(iter(there.values())))
    plain = None if there.get(base) == active else there.get(base)
    with client_for(endpoint, timeout=_PATIENCE, key=server_key()) as client:
        said = [_ask(client, endpoint, active, question) for question in asked]
        bare = [] if plain is None else [_ask(client, endpoint, plain, question) for question in asked]
    own, without = ([_own(view, question) for question in asked] for view in (tuned, generator))
    sides = zip(said, own, without, strict=True)
    nearer = sum(answer.far_from(ours) < answer.far_from(base_says) for answer, ours, base_says in sides)
    how = "by the logarithms of the first tokens" if said[0].first else "by their texts"
    evidence = (
        f"of {len(said)} answers of {active} {nearer} are nearer to the adapter here than to the base, "
        f"{how}; asked {asked[0]!r} it says {said[0].text[:40]!r}, the adapter {own[0].text[:40]!r}, "
        f"the base {without[0].text[:40]!r}"
    )
    if nearer == len(said):
        return Diagnosis(title, Health.OK, f"active: {evidence}")
    # the base there may not be asked
    silent = bare and all(
        answer.far_from(other) <= (_NOISE if answer.first else 0)
        for answer, other in zip(said, bare, strict=True)
    )
    if silent or nearer == 0:
        same = f"{active} and {plain} answer alike" if silent else f"{active} answers as the base does here"
        return Diagnosis(
            title,
            Health.BAD,
            f"inactive: {same}; {evidence}",
            "start the server with the adapter: hybrid adapters export --for vllm writes the line",
        )
    return Diagnosis(
        title,
        Health.NOTE,
        f"cannot tell: {evidence}",
        "does it serve these weights of the base, and this version of the adapter? export it again",
    )


def _telling(
    questions: Sequence[str], generator: TransformersGenerator, tuned: TransformersGenerator
) -> list[str]:
    """Return the questions at which base and adapter are furthest apart, by what they say first."""
    apart = {
        q: _SaidThere("", _first(tuned, q)).far_from(_SaidThere("", _first(generator, q))) for q in questions
    }
    return [q for q in sorted(apart, key=lambda q: -apart[q]) if apart[q] > 2 * _NOISE][:_ASKED]


def _own(generator: TransformersGenerator, question: str) -> _SaidThere:
    (answer,) = generator.generate([_turns(question)], max_new_tokens=_NEW_TOKENS)
    return _SaidThere(answer.text, _first(generator, question))


def _first(generator: TransformersGenerator, question: str) -> dict[str, float]:
    dialogue = generator.dialogue
    logs = last_logarithms(generator, dialogue.tokens([dialogue.prompt(_turns(question))])[0], 1)[0]
    likeliest = logs.argsort()[::-1][:_LIKELIEST]
    # ends of a text are told differently
    told = {str(dialogue.tokenizer.decode([token], skip_special_tokens=True)): token for token in likeliest}
    return {text: float(logs[token]) for text, token in told.items() if text}


def _turns(question: str) -> list[Message]:
    return [Message(MessageRole.USER, question)]


def _served(endpoint: Endpoint, *names: str) -> dict[str, str]:
    """Return the models that an endpoint lists by the names that are looked for, or all if none is there."""
    server = ask_server(endpoint, key=server_key())
    if server is None or server.locked:
        raise RemoteError(
            f"{endpoint} does not list its models", hint="is it running? does it want $HYBRID_API_KEY?"
        )
    found = {name: listed for name in names for listed in server.models if listed in (name, f"{name}:latest")}
    if names[0] not in found and len(server.models) != 1:
        raise RemoteError(
            f"{endpoint} lists no {names[0]}, but: {', '.join(server.models) or 'nothing'}",
            hint="start it with the adapter by this name: hybrid adapters export --for vllm writes the line",
        )
    return found if names[0] in found else dict.fromkeys(server.models, server.models[0])


def _ask(client: httpx2.Client, endpoint: Endpoint, model: str, question: str) -> _SaidThere:
    body: dict[str, Any] = {
        "model": model,
        "messages": [{"role": "user", "content": question}],
        "temperature": 0,
        "max_tokens": _NEW_TOKENS,
    }
    try:
        # not every server knows how to tell how likely its words were
        for more in ({"logprobs": True, "top_logprobs": _LIKELIEST}, {}):
            response = client.post(f"{endpoint.rstrip('/')}/chat/completions", json=body | more)
            if not response.is_error:
                break
        response.raise_for_status()
        choice = response.json()["choices"][0]
        return _SaidThere(str(choice["message"]["content"] or "").strip(), dict(_told_first(choice)))
    except (httpx2.HTTPError, ValueError, KeyError, IndexError, TypeError) as error:
        raise RemoteError(f"{endpoint} gives no answer of {model}: {error}") from error


def _told_first(choice: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    places = (choice.get("logprobs") or {}).get("content") or []
    for told in places[0]["top_logprobs"] if places else ():
        if told["token"]:
            yield str(told["token"]), float(told["logprob"])
