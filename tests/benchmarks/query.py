"""Reading a question: is a product of few tokens faster with the weights in front, ``W xᵀ`` or ``x Wᵀ``?

Takes all weights of the default embedder in their order, as a reading does, in NumPy for one row of tokens
(what reads a question) and in PyTorch for 1, 4 and 24 texts in one product (what reads sentences), and then
the whole encoder in NumPy. Milliseconds are the least of the turns, which other work disturbs least.

    python tests/benchmarks/query.py [--threads 1] [--turns 40]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
import torch
from measure import print_table
from threadpoolctl import threadpool_limits

from hybrid.config import load_settings
from hybrid.models.layout import read_layout
from hybrid.models.plain import load_plain
from hybrid.models.resolve import fetch, weights_digest

_TOKENS = 24


def least(turns: int, *ways: Callable[[], object]) -> list[float]:
    """Return the milliseconds of each way, which take turns."""
    found = [float("inf")] * len(ways)
    for _ in range(turns):
        for place, way in enumerate(ways):
            begun = time.perf_counter()
            way()
            found[place] = min(found[place], 1000 * (time.perf_counter() - begun))
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--turns", type=int, default=40)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.set_grad_enabled(False)

    folder = fetch(load_settings().models.embedder, offline=True)
    layout = read_layout(folder)
    assert layout is not None
    encoder = load_plain(layout, weights_digest(folder))
    assert encoder is not None
    weights = [value for name, value in encoder._weights.items() if "layer" in name and value.ndim == 2]
    chance, rows = np.random.default_rng(0), []
    for tokens in (_TOKENS // 2, _TOKENS, 2 * _TOKENS, 4 * _TOKENS):
        given = {
            n: chance.standard_normal((tokens, n), dtype=np.float32) for n in {w.shape[1] for w in weights}
        }
        turned = {n: np.ascontiguousarray(x.T) for n, x in given.items()}
        with threadpool_limits(arguments.threads):
            behind, front = least(
                arguments.turns,
                lambda: [given[w.shape[1]] @ w.T for w in weights],  # noqa: B023
                lambda: [w @ turned[w.shape[1]] for w in weights],  # noqa: B023
            )
        rows.append(("NumPy, float32", tokens, behind, front))
    for dtype in (torch.float32, torch.bfloat16):
        own = [torch.from_numpy(w.copy()).to(dtype) for w in weights]
        for texts in (1, 4, 24):
            of = {n: torch.randn(texts * _TOKENS, n).to(dtype) for n in {w.shape[1] for w in weights}}
            behind, front = least(
                arguments.turns,
                lambda: [torch.nn.functional.linear(of[w.shape[1]], w) for w in own],  # noqa: B023
                lambda: [(w @ of[w.shape[1]].T).T for w in own],  # noqa: B023
            )
            rows.append((f"PyTorch, {dtype}".replace("torch.", ""), texts * _TOKENS, behind, front))
    print_table(
        ("library", "tokens", "x Wᵀ, ms", "W xᵀ, ms", "times as fast"),
        [(kind, str(n), f"{b:.1f}", f"{f:.1f}", f"{b / f:.2f}") for kind, n, b, f in rows],
    )
    question = [list(range(1000, 1000 + _TOKENS))]
    whole = least(arguments.turns, lambda: encoder.pooled(question))[0]
    print(f"all of a question of {_TOKENS} tokens: {whole:.1f} ms")


if __name__ == "__main__":
    main()
