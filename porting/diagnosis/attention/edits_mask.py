"""``causal-mask``, ``attention-mask`` and ``attention-window``: which keys each query sees."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import torch

from porting.diagnosis.attention.bench import Bench
from porting.diagnosis.attention.biases import CLOSED, is_open, soft_bias, views_as_bias
from porting.diagnosis.attention.clues import Clues
from porting.diagnosis.attention.model import Attention, Edit

MOST_SIZES = 128
"""Keys up to which a window of every size is tried; of more, those that are powers of two."""

Softs = list[torch.Tensor | None]


def mask_edits(bench: Bench) -> Iterator[Edit]:
    """Other masks: those that were at hand, causal ones and padding, alone and together."""
    yield from _whole(bench.attention, bench.clues)
    yield from _fitting(bench, _candidates(bench.attention, bench.clues))


def window_edits(bench: Bench) -> Iterator[Edit]:
    """Masks that let queries see what is near, and nothing else."""
    port = bench.attention
    ahead = _ahead(port.shape()[2], port.shape()[3])
    yield from _fitting(bench, _windows(is_open(port), (ahead <= 0)[None, None], ahead))


def _fitting(bench: Bench, candidates: Iterator[tuple[str, torch.Tensor]]) -> Iterator[Edit]:
    """The masks that give the original's tensor, by name."""
    port = bench.attention
    own, softs = is_open(port), _softs(port, bench.clues)
    for name, mask in candidates:
        right = mask.expand_as(own)
        for soft in _kept(port, softs, right) if softs or not torch.equal(right, own) else ():
            fitting = (partial(masked, mask=mask, soft=soft, closed=value) for value in _closings(bench))
            change = next((each for each in fitting if bench.misses(each) <= 1), None)
            if change is not None:
                code, ours, theirs = _named(port, right, name, bench.clues, softs)
                yield Edit(code, f"{ours}, {theirs}", f"let each query see what the original does: {name}", change)


def _closings(bench: Bench) -> tuple[float | None, ...]:
    """What closes a position: of no matter, but where the scores themselves are compared."""
    scores = bench.target is not None and bench.target.stage == "scores"
    return (None, -1e4, -1e9) if scores else (None,)


def masked(
    attention: Attention, mask: torch.Tensor, soft: torch.Tensor | None = None, closed: float | None = None
) -> Attention:
    """An attention with another mask, and with ``soft`` added to what it leaves open."""
    closed = torch.finfo(attention.query.before.dtype).min if closed is None else closed
    bias = torch.zeros(1, 1, 1, 1, dtype=attention.query.before.dtype) if soft is None else soft
    return attention.but(bias=torch.where(mask.to(bias.device), bias, closed))


def _softs(port: Attention, clues: Clues) -> Softs:
    """What may be added to open positions, where the port adds anything: that, nothing, and what was at hand."""
    own = soft_bias(port)
    if own is None:
        return []
    at_hand = [view.to(own.dtype) for tensor in clues.tensors.values() for view in views_as_bias(tensor, port)]
    return [own, None, *at_hand]


def _kept(port: Attention, softs: Softs, right: torch.Tensor) -> Iterator[torch.Tensor | None]:
    """What the original may add to open positions, if nothing but the mask is wrong."""
    own = is_open(port)
    if not softs:
        yield None
        return
    if not torch.equal(own, right):
        yield softs[0]
    for soft in softs[1:]:
        rest = _rest(port, soft)
        if _weakness(rest, right) is not None or not bool((rest.abs() > 1e-4).logical_and(own).any()):
            yield soft


def _whole(port: Attention, clues: Clues) -> Iterator[Edit]:
    """A tensor at hand that holds both what is closed and what is added to the rest."""
    batch, heads, length, keys = port.shape()
    for name, tensor in clues.tensors.items():
        bias = tensor[..., :keys] if tensor.dim() == 4 else tensor
        fits = bias.dim() == 4 and _fits(bias[:, :1], batch, length, keys) and bias.shape[1] in (1, heads)
        if fits and bool((bias < CLOSED).any()) and bool(((bias > CLOSED) & (bias != 0)).any()):
            yield Edit(
                "relative-bias",
                f"what is added to the scores is not the original's, which is {name}",
                f"add {name} to the scores as it is",
                partial(_biased, bias=bias),
            )


def _biased(attention: Attention, bias: torch.Tensor) -> Attention:
    return attention.but(bias=bias)


def _candidates(port: Attention, clues: Clues) -> Iterator[tuple[str, torch.Tensor]]:
    """Masks in words and as (batch or 1, 1, queries, keys)."""
    batch, _, length, keys = port.shape()
    own, everything = is_open(port), torch.ones(1, 1, length, keys, dtype=torch.bool)
    ahead = _ahead(length, keys)
    causal = (ahead <= 0)[None, None]
    paddings = dict(_paddings(clues, batch, length, keys))
    yield "its own mask the other way round", ~own
    for name, mask in paddings.items():
        yield name, mask
    yield "every position", everything
    yield "itself and what came before", causal
    for name, mask in paddings.items():
        yield f"itself and what came before, of {name}", causal & mask
    yield "its own mask and nothing that comes later", own & causal
    for name, mask in paddings.items():
        yield f"its own mask and of it {name}", own & mask
    if length == keys:
        yield "only what came before", (ahead < 0)[None, None]
        yield "itself, what came before and the next position", (ahead <= 1)[None, None]
        yield "itself and what comes later", (ahead >= 0)[None, None]


def _paddings(clues: Clues, batch: int, length: int, keys: int) -> Iterator[tuple[str, torch.Tensor]]:
    for name, mask in clues.masks.items():
        if mask.dim() == 2 and mask.shape == (batch, keys):
            yield f"what {name} leaves open", mask[:, None, None]
        elif mask.dim() == 4 and _fits(mask[..., -length:, :keys], batch, length, keys):
            yield f"what {name} leaves open", mask[..., -length:, :keys]
    if clues.padding is not None and clues.padding.shape == (batch, keys):
        yield "what is not padding", clues.padding[:, None, None]


def _fits(mask: torch.Tensor, batch: int, length: int, keys: int) -> bool:
    return all(a in (1, b) for a, b in zip(mask.shape, (batch, mask.shape[1], length, keys), strict=True))


def _windows(own: torch.Tensor, causal: torch.Tensor, ahead: torch.Tensor) -> Iterator[tuple[str, torch.Tensor]]:
    """The last positions only, or those within a distance; of the port's own mask, and of all."""
    keys = ahead.shape[-1]
    sizes = range(1, keys) if keys <= MOST_SIZES else [n for p in range(2, 14) for n in (2**p, 2**p + 1) if n < keys]
    is_causal = not bool((own & ~causal).any())
    for size in sizes:
        last = (ahead > -size)[None, None]
        yield f"the last {size} positions, itself among them", own & causal & last
        if not bool((own | ~causal).all()):
            yield f"the last {size} positions, itself among them, whatever is padding", causal & last
        if not is_causal:
            near = (ahead.abs() <= size)[None, None]
            yield f"positions at most {size} away", own & near
            yield f"positions at most {size} away, whatever is padding", near


def _named(port: Attention, right: torch.Tensor, name: str, clues: Clues, softs: Softs) -> tuple[str, str, str]:
    """The code of a change of masks, told by where they differ, and what is wrong."""
    own = is_open(port)
    ours, theirs = f"each query sees {_spelled(own)}", f"the original's {name}"
    weak = next((w for soft in softs[1:] if (w := _weakness(_rest(port, soft), right)) is not None), None)
    if weak is not None:
        return "attention-mask", f"positions are closed by no more than {weak:g}", theirs
    changed = own ^ right
    if bool(changed.all()):
        return "attention-mask", "the mask is inverted: what it should close is open, and the other way round", theirs
    counted = torch.ones_like(changed)
    if clues.padding is not None and clues.padding.shape == (len(own), own.shape[-2]):
        counted = clues.padding[:, None, :, None].expand_as(changed)
    changed = changed & counted
    ahead = _ahead(*own.shape[-2:])
    if not bool((changed & ~_closed_to_all(own & right, counted)).any()):
        return "attention-mask", ours, theirs
    if not bool((changed & (ahead.abs() <= 1)).any()):
        return "attention-window", ours, theirs
    return ("attention-mask" if bool((changed & (ahead < 0)).any()) else "causal-mask"), ours, theirs


def _closed_to_all(mask: torch.Tensor, counted: torch.Tensor) -> torch.Tensor:
    """The keys that no query sees that counts, as those of padding, at every query."""
    return (~mask | ~counted).all(-2, keepdim=True).expand_as(mask)


def _rest(port: Attention, soft: torch.Tensor | None) -> torch.Tensor:
    assert port.bias is not None
    return port.bias if soft is None else port.bias - soft


def _weakness(rest: torch.Tensor, right: torch.Tensor) -> float | None:
    """What the port adds where the original closes, if that is finite and nothing is added elsewhere."""
    least = float(rest.min())
    closed = (rest < least / 2).expand(len(right), *rest.shape[1:]) if least < 0 else torch.zeros_like(right)
    same = closed.shape[1] in (1, right.shape[1]) and torch.equal(closed.expand_as(right), ~right)
    return least if same and least > CLOSED else None


def _ahead(length: int, keys: int) -> torch.Tensor:
    """By how much each key comes after each query."""
    return torch.arange(keys)[None] - torch.arange(length)[:, None] - (keys - length)


def _is_causal(mask: torch.Tensor) -> bool:
    return not bool((mask & (_ahead(*mask.shape[-2:]) > 0)).any()) and not bool(mask.all())


def _is_windowed(mask: torch.Tensor) -> bool:
    """Whether late queries do not see early keys that the first queries see."""
    length, keys = mask.shape[-2:]
    return length > 1 and keys == length and not bool(mask[..., -1, 0].any()) and bool(mask[..., 0, 0].any())


def _spelled(mask: torch.Tensor) -> str:
    if bool(mask.all()):
        return "every position"
    if _is_windowed(mask):
        return f"{int(mask[..., -1, :].sum(-1).max())} positions at most"
    if _is_causal(mask):
        return "itself and what came before"
    return f"{float(mask.double().mean()):.0%} of the positions"
