"""Batches and sequences that hide bugs: one row, equal rows, no padding, one position, the same token again."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

import torch

from porting.inputs.roles import Role, constant, role_of
from porting.inputs.settings import Settings, first_of
from porting.text import show
from porting.trace import Trace

DISTINCT = 0.5
"""Share of a row's tokens that are to be distinct."""


def text_warnings(ported: Trace, settings: Settings, model: torch.nn.Module | None) -> Iterator[tuple[str, str]]:
    """The weaknesses of the inputs' rows, masks and tokens."""
    tensors = {leaf.name: ported.tensor(leaf) for leaf in ported.inputs.tensor_leaves()}
    roles = {name: role_of(name, tensor) for name, tensor in tensors.items()}
    yield from _rows([tensor for tensor in tensors.values() if tensor.dim() >= 2])
    yield from _padding(tensors, roles, ported.valid_positions(), model)
    for name, tensor in tensors.items():
        if roles[name] != "mask" and tensor.dim() >= 2 and tensor.numel() > 1 and constant(tensor):
            text = f"{show(name)} has the same value everywhere, which hides most mistakes of order, masks and axes"
            yield "constant-input", f"{text}; pass values that vary"
    vocabulary = first_of(settings, ("vocab_size",))
    tokens = {name: tensor for name, tensor in tensors.items() if roles[name] == "tokens"}
    yield from _tokens(tokens, vocabulary[1] if vocabulary else None)


def _rows(batched: list[torch.Tensor]) -> Iterator[tuple[str, str]]:
    if not batched:
        return
    if all(tensor.shape[0] == 1 for tensor in batched):
        yield "batch-of-one", "the batch has one row, so nothing is seen of how rows could mix; pass two or more"
    elif all(bool((tensor == tensor[:1]).all()) and tensor.numel() > len(tensor) for tensor in batched):
        yield "equal-rows", "all rows of the batch are equal, so nothing is seen of how rows could mix; vary them"


def _padding(
    tensors: dict[str, torch.Tensor],
    roles: dict[str, Role],
    valid: torch.Tensor | None,
    model: torch.nn.Module | None,
) -> Iterator[tuple[str, str]]:
    mask = valid if valid is not None else tensors.get("attention_mask")
    if mask is None or mask.dim() != 2:
        takes = model is not None and "attention_mask" in inspect.signature(model.forward).parameters
        if takes and "tokens" in roles.values() and "mask" not in roles.values():
            text = "there is no attention_mask, so nothing is seen of how padding is kept out"
            yield "no-padding", f"{text}; pass one, with rows of different lengths"
        return
    lengths = mask.bool().sum(-1)
    if bool(mask.all()):
        text = "no position is padding, so nothing is seen of how the attention mask is used"
        yield "no-padding", f"{text}; pass rows of different lengths"
    elif len(lengths) > 1 and constant(lengths):
        text = "all rows have the same number of positions that count, which hides means over other ones"
        yield "equal-lengths", f"{text}; pass rows of different lengths"


def _tokens(tokens: dict[str, torch.Tensor], vocabulary: int | None) -> Iterator[tuple[str, str]]:
    if any(tensor.shape[1] < 2 for tensor in tokens.values()):
        text = "the sequence has one position, so nothing is seen of attention or positions"
        yield "one-position", f"{text}; pass a longer one"
    few = [name for name, tensor in tokens.items() if not constant(tensor) and _repeat(tensor, vocabulary)]
    if few:
        text = f"fewer than half of the tokens in each row of {show(few[0])} are distinct"
        yield "repeated-tokens", f"{text}, which hides mistakes of order and masks; pass distinct ones"


def _repeat(tokens: torch.Tensor, vocabulary: int | None) -> bool:
    vocabulary = vocabulary or int(tokens.max()) + 1
    return all(len(set(row)) < DISTINCT * min(len(row), vocabulary) for row in tokens.tolist())
