"""An adapter leaves: checked for what the other program refuses, merged where it must be, compared."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hybrid.adaptation.export import export, merge, new_folder, portable, require_no_head, write_text
from hybrid.adaptation.store import read_card
from hybrid.adaptation.values import AdapterKind, Card, Destination
from hybrid.errors import AdapterError
from hybrid.models.adapters import CONFIG, WEIGHTS, Swap, read_adapter
from hybrid.models.fidelity import prove
from hybrid.models.gguf import Precision, Source, write_adapter, write_model
from hybrid.models.pretrained import load_causal, load_tokenizer
from hybrid.models.resolve import weights_digest
from hybrid.models.vocabulary import end_tokens

if TYPE_CHECKING:
    from hybrid.models.generator import TransformersGenerator

# What vLLM takes as --max-lora-rank.
_RANKS = (8, 16, 32, 64, 128, 256, 320, 512)
_TURNS = (("system", "⟪S⟫"), ("user", "⟪U⟫"), ("assistant", "⟪A⟫"), ("user", "⟪V⟫"))
_CONTEXT = 8_192


def leave(
    adapter: Path,
    base: Callable[[], Path],
    out: Path,
    destination: Destination,
    *,
    generator: Callable[[], TransformersGenerator],
    precision: Precision = Precision.F16,
    note: Callable[[str], None] = lambda said: None,
) -> Path:
    """Write an adapter as another program takes it; return where to.

    Args:
        adapter: its folder.
        base: gives the folder of the model that it was made for, where that is needed.
        out: a folder; for ``gguf`` a file, for ``peft`` an archive too. It must not be there yet.
        destination: who takes it.
        generator: gives the base, to compare what a file says with what the model says.
        precision: of the matrices in GGUF.
        note: told what was merged, what stays here, and what was compared.

    Raises:
        AdapterError: the destination cannot take it, and it cannot be merged.
        ModelError: the base cannot be written, or the file says something else than the model.
        UsageError: ``out`` is there.
    """
    card = read_card(adapter)
    if card.kind is AdapterKind.EMBEDDER and destination not in (Destination.PEFT, Destination.MERGED):
        raise AdapterError(
            f"{adapter.name} is an adapter of the embedder, and {destination} is for generators",
            hint="write it --for merged, which sentence-transformers loads, or --for peft",
        )
    if destination is not Destination.PEFT:
        require_no_head(adapter)
    kind = _kind(adapter)
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
    apart = destination is Destination.OLLAMA and not stays
    # refused before anything large is written
    told = modelfile(folder, apart=apart) if destination is Destination.OLLAMA else ""
    with new_folder(out) as beside:
        # a file takes the place of the folder
        file = beside / ("model.gguf" if told else "packed")
        written = _written(adapter, folder, file, beside / "adapter.gguf" if apart else None, card, precision)
        if told:
            write_text(beside / "Modelfile", told)
        if told and stays:
            note(why)
        note(prove(generator().adapted(adapter), written.source, written.file, adapter=written.apart).told)
    return out


@dataclass(frozen=True, slots=True)
class _Written:
    """A file in GGUF, what it was written from, and an adapter that is loaded beside it."""

    source: Source
    file: Path
    apart: Path | None


def _written(
    adapter: Path, base: Path, file: Path, apart: Path | None, card: Card, precision: Precision
) -> _Written:
    """Write a base as GGUF, with the adapter merged in or in a file apart."""
    name, changed = portable(card).base, {}
    if apart is None:
        files = read_adapter(adapter, weights_digest(base), base=base.name)
        changed = dict(Swap(load_causal(base, dtype="auto").eval()).merged(files).tensors)
        name += f" + {card.name}"
    source = Source(base, changed)
    write_model(source, file, precision, name=name)
    if apart is not None:
        write_adapter(source, adapter, apart, name=card.name)
    return _Written(source, file, apart)


def modelfile(base: Path, *, apart: bool) -> str:
    """Return what Ollama makes a model of: weights, an adapter apart from them, template, stop words.

    Raises:
        AdapterError: the template of the base does more than lay out turns.
    """
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
        rank = int(json.loads((adapter / CONFIG).read_text(encoding="utf-8"))["r"])
        line = (
            f"vllm serve {portable(card).base} --enable-lora --lora-modules {card.name}=./{out.name} "
            f"--max-lora-rank {next(taken for taken in _RANKS if taken >= rank)}"
        )
    write_text(
        out / "LAUNCH.md",
        f"# {card.name} in vLLM\n\nIn the folder that holds this one:\n\n```bash\n{line}\n```\n\n"
        f"It was made for {portable(card).base} with the weights {card.base_digest[:12]}…; ask for the model "
        f"`{card.name}`. That it is active there is proved by\n\n```bash\n"
        f"hybrid doctor --endpoint http://localhost:8000/v1 --adapter {card.name}\n```\n",
    )


def _kind(adapter: Path) -> str:
    """Return the kind of an adapter as PEFT calls it, empty where all weights were tuned."""
    if not (adapter / CONFIG).is_file():
        return ""
    return str(json.loads((adapter / CONFIG).read_text(encoding="utf-8")).get("peft_type", ""))


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
    config: dict[str, Any] = json.loads((adapter / CONFIG).read_text(encoding="utf-8"))
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
    """Return what stands around the turns of each role, what begins an answer, and the default system.

    Raises:
        ValueError: the template is not made of these alone.
    """
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
