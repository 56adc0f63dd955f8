"""How far an adapter moved a model, by block: angles of hidden subspaces, size and rank of the change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from hybrid.adaptation.forgetting.likelihood import Subject, TokenStretch, pieces
from hybrid.adaptation.methods.deltas import read_deltas
from hybrid.adaptation.methods.lora import layer_of
from hybrid.errors import AdapterError

# So many directions hold most of what varies between tokens.
DIRECTIONS = 8


@dataclass(frozen=True, slots=True)
class BlockDrift:
    """A block of the model.

    ``domain`` and ``general`` are the mean angles in degrees (0 to 90) between the main directions of what
    the block gives with and without the adapter, on text of both kinds. ``change`` is ‖ΔW‖ / ‖W‖ of the
    layers that changed, ``rank`` their mean effective rank; both are 0 where none did.
    """

    block: int
    domain: float
    general: float
    change: float
    rank: float


def measure_drift(
    base: Subject, adapted: Subject, folder: Path, domain: Sequence[str], general: Sequence[str]
) -> tuple[BlockDrift, ...]:
    """Return how far each block moved.

    Args:
        base: the generator without the adapter.
        adapted: the same with it.
        folder: of the adapter.
        domain: texts of the domain.
        general: texts of any other kind.
    """
    turned = [_angles(base, adapted, texts) for texts in (domain, general)]
    sizes = _changes(base, adapted, folder)
    return tuple(
        BlockDrift(block, near, far, *sizes.get(block, (0.0, 0.0)))
        for block, (near, far) in enumerate(zip(*turned, strict=True))
    )


def principal_angles(first: Tensor, second: Tensor, directions: int = DIRECTIONS) -> list[float]:
    """Return the angles in degrees, the largest first, between the main directions of two clouds (d, d).

    Args:
        first: covariance.
        second: of the same size.
        directions: so many of each, by their variance.
    """
    from scipy.linalg import subspace_angles

    main = [torch.linalg.eigh(each)[1][:, -directions:].numpy() for each in (first, second)]
    found: list[float] = np.degrees(subspace_angles(*main)).tolist()
    return found


def effective_rank(values: Tensor) -> float:
    """Return the exponential of the entropy of singular values: how many count, as if all alike."""
    shares = values / values.sum()
    return float(torch.special.entr(shares).sum().exp())


def _angles(base: Subject, adapted: Subject, texts: Sequence[str]) -> list[float]:
    stretches = [stretch for text in texts for stretch in pieces(base, text)]
    spread = [_covariances(subject, stretches) for subject in (base, adapted)]
    return [float(np.mean(principal_angles(one, other))) for one, other in zip(*spread, strict=True)]


def _covariances(subject: Subject, stretches: Sequence[TokenStretch]) -> list[Tensor]:
    """Return the covariance of what each block gives, over all tokens but the first of a text.

    The first token is a sink of attention: hundreds of times as long as any other, it would be the only
    direction that is seen.
    """
    sums: list[Tensor] = []
    count = 0
    for stretch in stretches:
        with subject.lent() as module, torch.inference_mode():
            ids = torch.tensor([stretch.ids], device=next(module.parameters()).device)
            states = module(input_ids=ids, output_hidden_states=True, use_cache=False).hidden_states[1:]
        rows = [state[0, 1:].double().cpu() for state in states]
        # a column of ones gives the sums beside the products
        wide = [torch.cat([row, torch.ones(len(row), 1)], 1) for row in rows]
        products = [row.t() @ row for row in wide]
        sums = [a + b for a, b in zip(sums, products, strict=True)] if sums else products
        count += len(rows[0])
    means = [total[:-1, -1] / count for total in sums]
    return [total[:-1, :-1] / count - torch.outer(m, m) for total, m in zip(sums, means, strict=True)]


def _changes(base: Subject, adapted: Subject, folder: Path) -> dict[int, tuple[float, float]]:
    """Return ‖ΔW‖ / ‖W‖ and the mean effective rank of each block that changed."""
    try:
        deltas = read_deltas(folder)
    except AdapterError:  # not of low rank: what it does to the weights is looked at instead
        deltas = {}
    with base.lent() as module:
        before = {name: value for name, value in module.named_parameters() if value.dim() == 2}
    with adapted.lent() as module:
        after = dict(module.named_parameters())
    found: dict[int, list[tuple[float, float, float]]] = {}
    for name, weight in before.items():
        block, delta = layer_of(name), deltas.get(name.removesuffix(".weight"))
        if block is None or (delta is None and after[name] is weight):
            continue
        change = (after[name].detach() - weight.detach()).float()
        values = torch.linalg.svdvals(change) if delta is None else delta.rotated()[1]
        if values.any():
            square, whole = float(values.square().sum()), float(weight.detach().float().square().sum())
            found.setdefault(block, []).append((square, whole, effective_rank(values)))
    return {
        block: ((sum(row[0] for row in rows) / sum(row[1] for row in rows)) ** 0.5, _mean(rows))
        for block, rows in found.items()
    }


def _mean(rows: Sequence[tuple[float, float, float]]) -> float:
    return sum(row[2] for row in rows) / len(rows)


_WIDTH, _HEIGHT, _EDGE, _TOP = 720, 340, 56, 44
_INKS = {"domain": "#1f4e79", "general": "#9f2a20", "change": "#cfc8ba"}


def drift_picture(blocks: Sequence[BlockDrift], title: str) -> str:
    """Return an SVG picture: both angles as lines over the blocks, the size of the change as bars."""
    right, bottom = _WIDTH - _EDGE, _HEIGHT - _EDGE
    step = (right - _EDGE) / len(blocks)
    angle = max(5.0, *(max(each.domain, each.general) for each in blocks)) * 1.05
    change = max(1e-9, *(each.change for each in blocks)) * 1.6

    def place(block: int, share: float) -> tuple[float, float]:
        return _EDGE + step * (block + 0.5), bottom - share * (bottom - _TOP)

    def text(x: float, y: float, words: str, anchor: str = "middle", ink: str = "#595e66") -> str:
        return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{ink}">{escape(words)}</text>'

    parts = [text(8, 20, title, "start", "#1b1d21")]
    for each in blocks:
        x, y = place(each.block, each.change / change)
        parts.append(
            f'<rect x="{x - step * 0.35:.1f}" y="{y:.1f}" width="{step * 0.7:.1f}" '
            f'height="{bottom - y:.1f}" fill="{_INKS["change"]}"/>'
        )
        if each.block % 5 == 0:
            parts.append(text(x, bottom + 18, str(each.block)))
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        _, y = place(0, share)
        parts.append(f'<path d="M{_EDGE} {y:.1f}H{right}" stroke="#dcd8cf"/>')
        parts.append(text(_EDGE - 6, y + 4, f"{share * angle:.1f}°", "end"))
        parts.append(text(right + 6, y + 4, f"{100 * share * change:.2g} %", "start"))
    for name, values in (("domain", [b.domain for b in blocks]), ("general", [b.general for b in blocks])):
        spots = [place(block, value / angle) for block, value in enumerate(values)]
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in spots)
        parts.append(f'<polyline points="{line}" fill="none" stroke="{_INKS[name]}" stroke-width="2"/>')
    parts.append(text(_EDGE, _HEIGHT - 8, "angle, text of the domain", "start", _INKS["domain"]))
    parts.append(text(_WIDTH / 2, _HEIGHT - 8, "angle, general text", "middle", _INKS["general"]))
    parts.append(text(right, _HEIGHT - 8, "bars: size of the change, by block", "end"))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" '
        f'height="{_HEIGHT}" role="img" font-family="system-ui, sans-serif" font-size="12">\n'
        f"<title>{escape(title)}</title>\n"
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#fcfbf8"/>\n' + "\n".join(parts) + "\n</svg>\n"
    )
