"""The ways of reading one text with a cache, the texts to read, and what is likely wrong where one way differs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from porting.behaviour.decoding import NotDecodable, Reader
from porting.errors import CaptureError
from porting.probes.making import Maker
from porting.probes.planning import plans
from porting.probes.surveying import survey
from porting.runs import Inputs

STEPS = 6
"""Tokens that are read one by one."""
Results = Mapping[str, torch.Tensor]


@dataclass(frozen=True)
class Way:
    """A way of reading.

    Attributes:
        words: what it is, after "read".
        sizes: of the pieces; together the text.
        cache: makes the cache; None: the model does.
    """

    words: str
    sizes: tuple[int, ...]
    cache: Callable[[], object] | None = None


def ways(reader: Reader, window: int = 0) -> Iterator[Way]:
    """Token by token after a first piece; in three pieces; and token by token with a cache of a fixed size.

    Args:
        reader: of the text.
        window: of the model's attention: it is passed token by token.
    """
    length = reader.length
    start = window - 2 if STEPS < window < length else length - min(STEPS, length - 1)
    start = max(start, _begun(reader))
    sizes = (start, *(1,) * min(STEPS, length - start))
    rest = length - sum(sizes)
    stateful = bool(getattr(reader.model, "_is_stateful", False))
    if rest and stateful:
        sizes = (*sizes, *(1,) * rest)
    elif rest:
        sizes = (*sizes, rest)
    yield Way("token by token", sizes)
    third = length // 3
    if third and not stateful:  # states are gone on with by one token at a time
        yield Way("in three pieces", (third, third, length - 2 * third))
    if _takes_fixed(reader):
        yield Way("token by token with a static cache", sizes, lambda: _fixed(reader))


def texts(model: torch.nn.Module, inputs: Inputs) -> Iterator[tuple[str, Inputs, int]]:
    """The given text, one that is longer than the window of the model, and rows that are padded on the left.

    Yields:
        What the text is, in words; the inputs with it; and the window that it passes, 0 for none.
    """
    found = survey(model, model, inputs, takes_mask="attention_mask" in _parameters(model))
    yield "the given text", inputs, found.window if found.length > found.window else 0
    if not found.of_role("tokens") or found.placeholders or found.rows < 1:
        return
    for plan in plans(found):
        passes = plan.name == "long" and found.length <= found.window < (plan.length or 0)
        if (passes or plan.name == "padded-left") and not plan.obstacle:
            words = f"a text of {plan.length} tokens" if passes else "rows that are padded on the left"
            yield words, _made(Maker(found, plan), inputs), found.window if passes else 0


def first_difference(expected: torch.Tensor, found: torch.Tensor, allowed: float, valid: torch.Tensor | None) -> int:
    """The first token at which two results of shape (batch, length, …) are further apart than is allowed."""
    apart = (expected.double() - found.double()).abs().flatten(2).amax(-1)
    apart = torch.where(apart.isnan(), torch.inf, apart)
    if valid is not None:
        apart = apart * valid
    wrong = (apart > allowed).any(0).nonzero()
    return int(wrong[0]) if len(wrong) else 0


def likely_cause(reader: Reader, way: Way, agrees: Callable[[Results], bool]) -> str:
    """What makes a way agree with the whole text when it is changed, in words; empty if nothing that is tried does.

    Args:
        reader: of the text.
        way: that does not agree.
        agrees: whether a result is right.
    """

    def counted(shift: int) -> Callable[[dict[str, Any], int], dict[str, Any]]:
        def change(arguments: dict[str, Any], read: int) -> dict[str, Any]:
            tokens = arguments[reader.text]
            places = torch.arange(read, read + tokens.shape[1], device=tokens.device) + shift
            return {**arguments, name: places.expand_as(tokens)}

        name = "decoder_position_ids" if reader.text.startswith("decoder_") else "position_ids"
        return change

    def unmasked(arguments: dict[str, Any], _: int) -> dict[str, Any]:
        return {name: value for name, value in arguments.items() if name not in reader.masks}

    tries = {
        "position ids: given explicitly, counted on from the tokens in the cache, they make it right": counted(0),
        "position ids: it is right where each is one less than the number of tokens before": counted(-1),
        "position ids: it is right where each is one more than the number of tokens before": counted(1),
        "the attention mask: without one it is right, so it is made wrongly where there is a cache": unmasked,
    }
    for words, change in tries.items():
        try:
            if agrees(reader.in_pieces(way.sizes, way.cache, change)):
                return words
        except (CaptureError, NotDecodable):
            continue
    return "the cache is not used: each piece is read as if there were none before" if _forgets(reader, way) else ""


def _begun(reader: Reader) -> int:
    """How many tokens a first piece must have for every row to have begun: nobody steps through padding."""
    valid = reader.valid
    return 1 if valid is None else min(int(valid.long().argmax(-1).max()) + 1, reader.length)


def _forgets(reader: Reader, way: Way) -> bool:
    """Whether the last token gives what it gives by itself."""
    start = sum(way.sizes[:-1])
    cut = {name: reader.inputs[name][:, start : start + way.sizes[-1]] for name in reader.along}
    alone = Reader(reader.model, reader.text, reader.along, reader.masks, {**reader.inputs, **cut})
    try:
        (one,), (other,) = alone.whole().values(), reader.in_pieces(way.sizes, way.cache).values()
    except (CaptureError, NotDecodable):
        return False
    return torch.allclose(one, other[:, start:])


def _takes_fixed(reader: Reader) -> bool:
    takes = getattr(reader.model, "_can_compile_fullgraph", False) and "past_key_values" in _parameters(reader.model)
    return bool(takes) and not reader.text.startswith("decoder_") and not getattr(reader.model, "_is_stateful", False)


def _fixed(reader: Reader) -> object:
    from transformers import StaticCache

    return StaticCache(config=reader.model.config, max_cache_len=reader.length)


def _made(maker: Maker, inputs: Inputs) -> Inputs:
    tensors = maker.tensors()
    given = inputs.named()
    kept = {name: value for name, value in given.items() if name not in tensors and not name.startswith("args.")}
    devices = [value.device for value in given.values() if isinstance(value, torch.Tensor)]
    moved = {name: tensor.to(devices[0]) for name, tensor in tensors.items()}
    args = tuple(moved.pop(f"args.{index}", value) for index, value in enumerate(inputs.args))
    return Inputs(args, {**kept, **moved})


def _parameters(model: torch.nn.Module) -> set[str]:
    import inspect

    return set(inspect.signature(model.forward).parameters)
