"""Which of a run's sequences each call works on: an encoder's and a decoder's are padded at other places."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch

from porting.trace import Call, Leaf, Trace

Key = tuple[int, str, int]
ENCODED = ("encoder_hidden_states", "encoder_attention_mask")
"""Arguments by which a decoder is given what an encoder made, as Transformers names them."""


@dataclass(frozen=True, slots=True)
class Sequences:
    """The valid positions of each sequence, each a bool over (batch, sequence); None: all count.

    Attributes:
        main: of the model's first input, an encoder's where there is one.
        decoder: of the decoder's.
        of_call: of what each call works on, by step, path and call index.
    """

    main: torch.Tensor | None
    decoder: torch.Tensor | None
    of_call: Mapping[Key, torch.Tensor | None]

    @classmethod
    def of(cls, trace: Trace, valid: torch.Tensor) -> Sequences | None:
        """The sequences of a port's run; None if there is but one, or ``valid`` is none of its masks."""
        if not any(_is_decoder(leaf) for call in trace.calls for leaf in call.inputs.tensor_leaves()):
            return None
        main, decoder = (_declared(trace, name) for name in ("attention_mask", "decoder_attention_mask"))
        if not any(each is not None and torch.equal(each, valid) for each in (main, decoder)):
            return None
        outermost = (call.inputs for call in trace.calls if call.parent is None)
        given = [leaf for inputs in (trace.inputs, *outermost) for leaf in inputs.tensor_leaves()]
        decoded = {leaf.tensor for leaf in given if _is_decoder(leaf)}
        encoded = {leaf.tensor for leaf in given} - decoded
        found: dict[int, tuple[str, torch.Tensor | None]] = {}
        for call in trace.calls:
            around = "decoder" if call.parent is None else found[call.parent][0]
            which = _which(trace, call, around, {"main": main, "decoder": decoder}, encoded)
            found[call.index] = which, main if which == "main" else decoder
            if which == "main":
                encoded |= {leaf.tensor for leaf in call.outputs.tensor_leaves()}
        return cls(main, decoder, {call.key: found[call.index][1] for call in trace.calls})

    def choose(self, key: Key | None, leaf: str, shape: tuple[int, ...]) -> torch.Tensor | None:
        """The valid positions of one tensor: by name, by its call, else by its length."""
        if leaf.startswith("encoder_"):
            return self.main
        if key is not None and key in self.of_call:
            return self.of_call[key]
        fitting = (each for each in (self.main, self.decoder) if each is not None and each.shape[1] in shape)
        return next(fitting, None)


def _which(
    trace: Trace, call: Call, around: str, masks: Mapping[str, torch.Tensor | None], encoded: set[str | None]
) -> str:
    """What a call works on: what its own mask says, else what it gets from an encoder, else what the one around it."""
    leaves = {leaf.name: leaf for leaf in call.inputs.tensor_leaves()}
    if any(_is_decoder(leaf) for leaf in leaves.values()):
        return "decoder"
    own = _mask(trace, leaves.get("attention_mask"))
    for name, mask in masks.items():
        if own is not None and mask is not None and torch.equal(own, mask):
            return name
    states = [leaf for name, leaf in leaves.items() if len(leaf.shape or ()) > 1 and "mask" not in name]
    return "main" if states and all(leaf.tensor in encoded for leaf in states) else around


def _is_decoder(leaf: Leaf) -> bool:
    return leaf.name in ENCODED or leaf.name.startswith("decoder_")


def _declared(trace: Trace, name: str) -> torch.Tensor | None:
    masks: Iterator[torch.Tensor | None] = (
        _mask(trace, leaf) for leaf in trace.inputs.tensor_leaves() if leaf.name == name
    )
    return next(masks, None)


def _mask(trace: Trace, leaf: Leaf | None) -> torch.Tensor | None:
    if leaf is None or len(leaf.shape or ()) != 2:
        return None
    return trace.tensor(leaf).bool()
