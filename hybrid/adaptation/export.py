"""An adapter written anew: weaker, or as another program takes it: checked, merged, compared."""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import re
import shutil
import tarfile
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hybrid.adaptation.store import card_values, read_card, write_card
from hybrid.adaptation.values import AdapterKind, Card, Destination, Note, silent
from hybrid.errors import AdapterError, UsageError
from hybrid.files import fsync_file, fsync_folder, storage_errors, write_atomic, write_json, write_tensors
from hybrid.models.adapters import CONFIG, FULL_WEIGHTS, WEIGHTS, Swap, read_adapter, read_config
from hybrid.models.device import Placement
from hybrid.models.embedder import load_sentence_transformer
from hybrid.models.fidelity import prove
from hybrid.models.gguf import Precision, Source, write_adapter, write_model
from hybrid.models.labels import HEAD, HEAD_WEIGHTS
from hybrid.models.pretrained import load_causal, load_tokenizer
from hybrid.models.resolve import weights_digest
from hybrid.models.vocabulary import end_tokens

if TYPE_CHECKING:
    from torch import Tensor

    from hybrid.models.generator import TransformersGenerator

_ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz")
_EPOCH = (1980, 1, 1, 0, 0, 0)
# By kind, parts of the names of what the change is linear in: the outer factors of LoRA, the scales of IA3
# about 1, what leads out of a bottleneck.
_OUTER = {"LORA": (".lora_B.", ".lora_embedding_B"), "IA3": (".ia3_l",), "BOTTLENECK": (".up", ".shift")}
# What vLLM takes as --max-lora-rank.
_RANKS = (8, 16, 32, 64, 128, 256, 320, 512)
_TURNS = (("system", "⟪S⟫"), ("user", "⟪U⟫"), ("assistant", "⟪A⟫"), ("user", "⟪V⟫"))
_CONTEXT = 8_192


def scale(adapter: Path, strength: float, out: Path, *, base: Path | None = None) -> Path:
    """Write an adapter with a strength into a new folder, without card; return the folder.

    ``base``: the folder of the model that it was made for; needed where all weights were tuned.
    """
    from safetensors.torch import load_file

    if not 0 < strength <= 2:
        raise UsageError(f"a strength of {strength:g} makes no sense", hint="give one from 0 to 1")
    if (adapter / WEIGHTS).is_file():
        kind, tensors = _require_linear(adapter), load_file(adapter / WEIGHTS)
        scaled = {name: _scaled(kind, name, value, strength) for name, value in tensors.items()}
        write_tensors(out / WEIGHTS, scaled)
        write_json(out / CONFIG, read_config(adapter))
    else:
        if base is None:
            raise UsageError("an adapter of all weights is scaled towards its base", hint="name the base")
        write_tensors(out / FULL_WEIGHTS, _between(base, load_file(adapter / FULL_WEIGHTS), strength))
    return out


def merge(adapter: Path, base: Path, out: Path) -> Path:
    """Write the base with the adapter merged in, as a model folder of its own; return it."""
    card = read_card(adapter)
    files = read_adapter(adapter, weights_digest(base), base=base.name)
    require_no_head(adapter)
    with new_folder(out) as beside:
        if card.kind is AdapterKind.GENERATOR:
            model = load_causal(base, dtype="auto")
            swap = Swap(model.eval())
            with swap.using(swap.merged(files)):
                _untie_if_apart(model)
                model.save_pretrained(beside)
            load_tokenizer(base).save_pretrained(beside)
        else:
            encoder = load_sentence_transformer(base, Placement("cpu", "float32", "exact"))
            transformer: Any = encoder[0]
            swap = Swap(transformer.auto_model)
            with swap.using(swap.merged(files)):
                encoder.save_pretrained(str(beside))
        write_json(beside / "adapter-card.json", card_values(portable(card)))
    return out


def require_no_head(adapter: Path) -> None:
    """Raise an AdapterError for an adapter with a label head, for which other programs have no place."""
    if (adapter / HEAD).is_file():
        raise AdapterError(
            f"{adapter.name} tells labels by a head, which no merged model and no other engine has",
            hint="serve it from here: hybrid serve; or tune with --method rslora, which leaves no head",
        )


def export(adapter: Path, out: Path) -> Path:
    """Write an adapter in PEFT's format with its card; return where to.

    ``out``: a folder, or an archive by its name: ``.zip``, ``.tar``, ``.tar.gz``; it must not be there yet.
    """
    card = read_card(adapter)
    config = read_config(adapter)
    weights = [name for name in (WEIGHTS, FULL_WEIGHTS, HEAD, HEAD_WEIGHTS) if (adapter / name).is_file()]
    archive = next((suffix for suffix in _ARCHIVES if out.name.lower().endswith(suffix)), "")
    with new_folder(out) as beside:
        inner = beside / adapter.name if archive else beside
        inner.mkdir(exist_ok=True)
        write_card(inner, portable(card))
        if config:
            write_json(inner / CONFIG, config | {"base_model_name_or_path": portable(card).base})
        for name in weights:
            shutil.copyfile(adapter / name, inner / name)
            fsync_file(inner / name)
        if archive:
            _pack(inner, beside / "packed", archive)
            fsync_file(beside / "packed")
    return out


@contextlib.contextmanager
def new_folder(out: Path) -> Iterator[Path]:
    """Give a folder beside ``out`` that takes its place at the end, or its file ``packed`` does."""
    if out.exists():
        raise UsageError(f"{out} is there already", hint="choose another place, or remove it first")
    beside = out.with_name(f".{out.name}.{os.getpid()}.tmp")
    try:
        with storage_errors(str(out)):
            beside.mkdir(parents=True)
            yield beside
            packed = beside / "packed"
            (packed if packed.is_file() else beside).rename(out)
            fsync_folder(out.parent)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _pack(folder: Path, target: Path, suffix: str) -> None:
    """Pack the files of a folder: the same files are the same bytes."""
    with contextlib.ExitStack() as opened:
        raw: Any = opened.enter_context(target.open("wb"))
        if suffix == ".zip":
            zipped = opened.enter_context(zipfile.ZipFile(raw, "w"))
            for path in sorted(folder.iterdir()):
                told = zipfile.ZipInfo(f"{folder.name}/{path.name}", _EPOCH)
                told.external_attr = 0o644 << 16
                with zipped.open(told, "w", force_zip64=True) as inner, path.open("rb") as stream:
                    shutil.copyfileobj(stream, inner)
            return
        if suffix != ".tar":
            raw = opened.enter_context(gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0))
        tarred = opened.enter_context(tarfile.open(fileobj=raw, mode="w"))
        for path in sorted(folder.iterdir()):
            entry = tarfile.TarInfo(f"{folder.name}/{path.name}")
            entry.size = path.stat().st_size
            with path.open("rb") as stream:
                tarred.addfile(entry, stream)


def portable(card: Card) -> Card:
    """Return the card without paths of this machine."""
    base = Path(card.base)
    return replace(card, base=base.name) if base.is_absolute() or base.exists() else card


def _untie_if_apart(model: Any) -> None:
    """Save both embeddings where the adapter changed only one of what is tied in the base."""
    read, written = model.get_input_embeddings(), model.get_output_embeddings()
    if written is not None and read.weight.data_ptr() != written.weight.data_ptr():
        model.config.tie_word_embeddings = False


def _scaled(kind: str, name: str, value: Tensor, strength: float) -> Tensor:
    if not any(part in name for part in _OUTER[kind]):
        return value
    return 1 + (value - 1) * strength if kind == "IA3" else value * strength


def _require_linear(adapter: Path) -> str:
    """Return the kind of an adapter that has a strength."""
    config = read_config(adapter)
    others = [key for key in ("use_dora", "modules_to_save", "trainable_token_indices") if config.get(key)]
    others += ["bias"] if config.get("bias", "none") != "none" else []
    kind = str(config.get("peft_type"))
    if kind not in _OUTER or others:
        what = ", ".join(others) or kind
        raise AdapterError(
            f"{adapter.name} cannot be made weaker without training: {what} does not change the weights in "
            "proportion to its own",
            hint="tune again with more rehearsal or a lower learning rate",
        )
    return kind


def _between(base: Path, tuned: Mapping[str, Tensor], strength: float) -> dict[str, Tensor]:
    """Return what lies between the tensors of the base and the tuned ones."""
    from safetensors import safe_open

    found: dict[str, Tensor] = {}
    for file in sorted(base.glob("*.safetensors")):
        with safe_open(file, framework="pt") as tensors:
            for name in set(tensors.keys()) & tuned.keys():
                own = tensors.get_tensor(name).float()
                found[name] = (own + strength * (tuned[name].float() - own)).to(tuned[name].dtype)
    if missing := sorted(tuned.keys() - found.keys()):
        raise AdapterError(
            f"{len(missing)} tensors are not in {base} ({missing[0]}, …)", hint="name the base of the adapter"
        )
    return found


def leave(
    adapter: Path,
    base: Callable[[], Path],
    out: Path,
    destination: Destination,
    *,
    generator: Callable[[], TransformersGenerator],
    precision: Precision = Precision.F16,
    note: Note = silent,
) -> Path:
    """Write an adapter as another program takes it; return where to.

    ``out``: a folder; for ``gguf`` a file, for ``peft`` an archive too. It must not be there yet.
    """
    card = read_card(adapter)
    if card.kind is AdapterKind.EMBEDDER and destination not in (Destination.PEFT, Destination.MERGED):
        raise AdapterError(
            f"{adapter.name} is an adapter of the embedder, and {destination} is for generators",
            hint="write it --for merged, which sentence-transformers loads, or --for peft",
        )
    if destination is not Destination.PEFT:
        require_no_head(adapter)
    kind = str(read_config(adapter).get("peft_type", ""))
    if destination is Destination.PEFT:
        _require_known_to_peft(adapter, kind)
        return export(adapter, out)
    if destination is Destination.MERGED:
        return merge(adapter, base(), out)
    folder, stays = base(), _not_loadable(adapter, kind)
    why = f"merged into the base, since {destination} does not load: {', '.join(stays)}"
    if destination is Destination.VLLM:
        _for_vllm(adapter, folder, out, card, merged=bool(stays))
        if stays:
            note(why)
        return out
    # refused before anything large is written
    told = modelfile(folder, apart=not stays) if destination is Destination.OLLAMA else ""
    with new_folder(out) as beside:
        # a file takes the place of the folder
        file = beside / ("model.gguf" if told else "packed")
        apart = beside / "adapter.gguf" if told and not stays else None
        source = _write_gguf(adapter, folder, file, apart, card, precision)
        if told:
            write_atomic(beside / "Modelfile", told)
        if told and stays:
            note(why)
        note(prove(generator().adapted(adapter), source, file, adapter=apart).told)
    return out


def _write_gguf(
    adapter: Path, base: Path, file: Path, apart: Path | None, card: Card, precision: Precision
) -> Source:
    """Write a base as GGUF, with the adapter merged in or in a file apart; return the source."""
    name, changed = portable(card).base, {}
    if apart is None:
        files = read_adapter(adapter, weights_digest(base), base=base.name)
        changed = dict(Swap(load_causal(base, dtype="auto").eval()).merged(files).tensors)
        name += f" + {card.name}"
    source = Source(base, changed)
    write_model(source, file, precision, name=name)
    if apart is not None:
        write_adapter(source, adapter, apart, name=card.name)
    return source


def modelfile(base: Path, *, apart: bool) -> str:
    """Return what Ollama makes a model of: weights, an adapter apart from them, template, stop words."""
    tokenizer = load_tokenizer(base)
    ends = dict.fromkeys([tokenizer.eos_token_id, *end_tokens(base)])
    template, system = _go_template(tokenizer)
    context = min(int(getattr(Source(base).config, "max_position_embeddings", _CONTEXT)), _CONTEXT)
    lines = [
        "FROM ./model.gguf",
        *(["ADAPTER ./adapter.gguf"] if apart else []),
        f'TEMPLATE """{template}"""',
        *([f'SYSTEM """{system}"""'] if system else []),
        *(
            f"PARAMETER stop {json.dumps(tokenizer.convert_ids_to_tokens(end), ensure_ascii=False)}"
            for end in ends
            if end is not None
        ),
        f"PARAMETER num_ctx {context}",
        "PARAMETER temperature 0",
    ]
    return "\n".join(lines) + "\n"


def _for_vllm(adapter: Path, base: Path, out: Path, card: Card, *, merged: bool) -> None:
    """Write a folder that vLLM loads, with the line that starts it."""
    if merged:
        merge(adapter, base, out)
        line = f"vllm serve ./{out.name} --served-model-name {card.name}"
    else:
        export(adapter, out)
        rank = int(read_config(adapter)["r"])
        line = (
            f"vllm serve {portable(card).base} --enable-lora --lora-modules {card.name}=./{out.name} "
            f"--max-lora-rank {next(taken for taken in _RANKS if taken >= rank)}"
        )
    write_atomic(
        out / "LAUNCH.md",
        f"# {card.name} in vLLM\n\nIn the folder that holds this one:\n\n```bash\n{line}\n```\n\n"
        f"It was made for {portable(card).base} with the weights {card.base_digest[:12]}…; ask for the model "
        f"`{card.name}`. That it is active there is proved by\n\n```bash\n"
        f"hybrid doctor --endpoint http://localhost:8000/v1 --adapter {card.name}\n```\n",
    )


def _require_known_to_peft(adapter: Path, kind: str) -> None:
    from peft import PeftType

    if kind and kind not in PeftType.__members__:
        raise AdapterError(
            f"{adapter.name} is of the kind {kind}, which is this package's own and PEFT does not read",
            hint="serve it from here: hybrid serve; or tune by LoRA, IA3 or prompt",
        )


def _not_loadable(adapter: Path, kind: str) -> list[str]:
    """Return what of an adapter no other engine loads beside its base, so that it has to be merged."""
    from safetensors import safe_open

    if kind != "LORA":
        return [kind or "weights that were all tuned"]
    config = read_config(adapter)
    refused = ("modules_to_save", "trainable_token_indices", "rank_pattern", "alpha_pattern", "lora_bias")
    found = [*(["DoRA"] if config.get("use_dora") else []), *(key for key in refused if config.get(key))]
    found += ["bias"] if config.get("bias", "none") != "none" else []
    # PiSSA and its like begin by changing the base
    begun = config.get("init_lora_weights", True)
    found += [f"init_lora_weights {begun}"] if isinstance(begun, str) and begun != "gaussian" else []
    found += [f"rank {config['r']} above {_RANKS[-1]}"] if config["r"] > _RANKS[-1] else []
    with safe_open(adapter / WEIGHTS, framework="numpy") as tensors:
        others = [key for key in tensors.keys() if ".layers." not in key]  # noqa: SIM118  no mapping
    return found + (["layers outside of the blocks"] if others and not found else [])


def _go_template(tokenizer: Any) -> tuple[str, str]:
    """Return the template of a conversation in Go's language, and the system message that is the default.

    What stands around each turn is found by laying out marks; the result is held against the template.
    """
    from jinja2 import TemplateError

    try:
        if tokenizer.chat_template:
            around, begin_answer, system = _frames(tokenizer)
            roles = [
                f'{{{{ {"else if" if n else "if"} eq .Role "{role}" }}}}{before}{{{{ .Content }}}}{after}'
                for n, (role, (before, after)) in enumerate(around.items())
            ]
            parts = [*(part for pair in around.values() for part in pair), begin_answer, system]
            if not any(mark in part for part in parts for mark in ("{{", '"""')):
                return "{{ range .Messages }}" + "".join(roles) + "{{ end }}{{ end }}" + begin_answer, system
    except (TemplateError, ValueError) as error:
        raise _no_template() from error
    raise _no_template()


def _frames(tokenizer: Any) -> tuple[dict[str, tuple[str, str]], str, str]:
    """Return what stands around the turns of each role, what begins an answer, and the default system."""
    first = tokenizer("a")["input_ids"][0] == tokenizer.bos_token_id

    def laid_out(turns: Sequence[tuple[str, str]], *, more: bool = True) -> str:
        told = [{"role": role, "content": content} for role, content in turns]
        text = str(tokenizer.apply_chat_template(told, tokenize=False, add_generation_prompt=more))
        # the engine puts the beginning of a text there by itself
        return text.removeprefix(tokenizer.bos_token) if first else text

    before, between, answered, asked, last = re.split("⟪[SUAV]⟫", laid_out(_TURNS))
    after_system = laid_out(_TURNS[:1], more=False).partition("⟪S⟫")[2]
    after_user = laid_out(_TURNS[:2], more=False).partition("⟪U⟫")[2]
    user, begin_answer = between.removeprefix(after_system), last.removeprefix(after_user)
    around = {
        "system": (before, after_system),
        "user": (user, after_user),
        "assistant": (answered.removeprefix(after_user), asked.removesuffix(user)),
    }

    def own(turns: Sequence[tuple[str, str]]) -> str:
        return "".join(around[role][0] + text + around[role][1] for role, text in turns) + begin_answer

    bare = laid_out(_TURNS[1:2])
    system = bare.removesuffix(own(_TURNS[1:2])).removeprefix(before).removesuffix(after_system)
    told = [("system", system)] if system else []
    for turns in (_TURNS[1:2], _TURNS[:2], _TURNS, _TURNS[1:]):
        if own([*([] if turns[0][0] == "system" else told), *turns]) != laid_out(turns):
            raise ValueError(f"it does not lay out {len(turns)} turns as its parts do")
    return around, begin_answer, system


def _no_template() -> AdapterError:
    return AdapterError(
        "the chat template of the base does more than lay out turns, and cannot be told to Ollama",
        hint="write it --for gguf, which carries the template itself, and serve it with llama.cpp",
    )
