"""Training, embedding and decoding against bare PyTorch, for whoever has a card: what is made a second.

    python tests/benchmarks/gpu.py                                                        on the card, in bf16
    python tests/benchmarks/gpu.py --device cpu --texts 64 --prompts 2 --new-tokens 8 --steps 3

Each is a process of its own and loads the models before the clock starts. Bare are SentenceTransformer at the
best of three batch sizes, ``generate`` of transformers with all prompts in one batch, and the loop of
``training.py``. The second line only shows that it runs. Target: .90 of the bare rate.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from measure import Run, Target, Values, print_json, print_table, print_verdicts, run_step, serve_steps
from training import settled

_PAGES = Path(__file__).resolve().parents[2] / "examples" / "postgres" / "pages"
_LETTERS = 600
_SHARE = 0.90


def _pieces(count: int) -> list[str]:
    """Return different pieces of the shipped pages, again and again with a number before them."""
    whole = "\n".join(path.read_text(encoding="utf-8") for path in sorted(_PAGES.glob("*")) if path.is_file())
    places = range(0, len(whole) - _LETTERS, _LETTERS)
    return [f"{turn} {whole[places[turn % len(places)] :][:_LETTERS]}" for turn in range(count)]


def _clocked(do: Callable[[], Any], device: str) -> tuple[float, Any]:
    settled(device)
    begun = time.perf_counter()
    made = do()
    settled(device)
    return time.perf_counter() - begun, made


def _embed(arguments: Values) -> Values:
    from hybrid.config import ModelSettings
    from hybrid.models.device import choose_placement
    from hybrid.models.loading import load_embedder

    placement, texts = choose_placement(arguments["device"]), _pieces(arguments["texts"])
    if not arguments["bare"]:
        embedder = load_embedder(ModelSettings(device=placement.device, dtype=placement.dtype, offline=True))
        embedder.embed_documents(texts[:8])
        seconds, _ = _clocked(lambda: embedder.embed_documents(texts), placement.device)
        return {"rate": len(texts) / seconds}
    from sentence_transformers import SentenceTransformer

    from hybrid.models.resolve import fetch

    model = SentenceTransformer(
        str(fetch(ModelSettings().embedder, offline=True)),
        device=placement.device,
        model_kwargs={"dtype": placement.torch_dtype()},
    )
    model.encode(texts[:8])
    times = [
        _clocked(lambda size=size: model.encode(texts, batch_size=size), placement.device)[0]
        for size in (32, 128, 512)
    ]
    return {"rate": len(texts) / min(times)}


def _decode(arguments: Values) -> Values:
    from hybrid.config import ModelSettings
    from hybrid.models.device import choose_placement
    from hybrid.models.loading import load_generator
    from hybrid.types import Message, MessageRole

    placement, most = choose_placement(arguments["device"], exact=True), arguments["new_tokens"]
    turns = [
        [Message(MessageRole.USER, f"What does this say? {text}")] for text in _pieces(arguments["prompts"])
    ]
    own = load_generator(ModelSettings(device=placement.device, dtype=placement.dtype, offline=True))
    own.generate(turns[:1], max_new_tokens=2)
    if not arguments["bare"]:
        seconds, written = _clocked(lambda: own.generate(turns, max_new_tokens=most), placement.device)
        return {"rate": sum(one.completion_tokens for one in written) / seconds}
    import torch

    prompts = own.dialogue.tokens([own.dialogue.prompt(one) for one in turns])
    width = max(map(len, prompts))
    ids = torch.tensor([[0] * (width - len(row)) + row for row in prompts]).to(placement.device)
    mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in prompts]).to(placement.device)
    told = {"max_new_tokens": most, "do_sample": False, "pad_token_id": 0}
    with own.lent() as model, torch.inference_mode():
        model.generate(input_ids=ids[:1], attention_mask=mask[:1], **told | {"max_new_tokens": 2})
        seconds, said = _clocked(
            lambda: model.generate(input_ids=ids, attention_mask=mask, **told), placement.device
        )
    rows = said[:, width:].tolist()
    return {
        "rate": sum(next((n for n, t in enumerate(row) if t in own.ends), len(row)) for row in rows) / seconds
    }


def _about(arguments: Values) -> Values:
    import torch

    from hybrid.models.device import batch_room, choose_placement

    placement = choose_placement(arguments["device"])
    on_card = placement.device.startswith("cuda")
    name = torch.cuda.get_device_name(placement.device) if on_card else placement.device
    return {"name": name, "dtype": placement.dtype, "room": batch_room(placement.device)}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--device", default="auto", help="cuda, cuda:N or cpu")
    parser.add_argument("--texts", type=int, default=8_192, help="to embed")
    parser.add_argument("--prompts", type=int, default=64, help="to answer at once")
    parser.add_argument("--new-tokens", type=int, default=128)
    parser.add_argument("--steps", type=int, default=16, help="of training, two of them to warm up")
    told = vars(parser.parse_args())
    own, bare = Path(__file__), {"bare": True}
    about = run_step(own, "about", told).result

    def trained(step: str) -> Run:
        return run_step(own.with_name("training.py"), step, told | {"method": "lora"})

    pairs = {
        "embedding, chunks/s": [
            run_step(own, "embed", told | kind).result["rate"] for kind in ({"bare": False}, bare)
        ],
        "decoding, tokens/s": [
            run_step(own, "decode", told | kind).result["rate"] for kind in ({"bare": False}, bare)
        ],
        "training, tokens/s": [
            run.result["tokens"] / run.result["seconds"] for run in map(trained, ("ours", "bare"))
        ],
    }
    print(f"{about['name']}, {about['dtype']} (a generator on a CPU: float32), batches × {about['room']}\n")
    print_table(
        ("what", "ours", "bare", "share"),
        [(what, f"{a:,.0f}", f"{b:,.0f}", f"{a / b:.2f}") for what, (a, b) in pairs.items()],
    )
    print_verdicts([Target(what, a / b, _SHARE, at_least=True) for what, (a, b) in pairs.items()])
    print_json({"benchmark": "gpu", "about": about, "pairs": pairs})


if __name__ == "__main__":
    serve_steps({"embed": _embed, "decode": _decode, "about": _about})
    main()
