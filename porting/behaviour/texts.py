"""One text among a model's inputs, and what lies beside it: padded, cut, masked, in another order."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import torch

from porting.behaviour.material import Material, Tensors
from porting.probes.planning import Plan, plans

Side = Literal["left", "right"]


@dataclass(frozen=True)
class Text:
    """Token ids, and the inputs that run along them.

    Attributes:
        tokens: names of the token ids.
        beside: names of masks, types and positions of the same length.
        mask: name of the attention mask, whether it is given or not; None if the port takes none.
        length: in tokens.
        padding: the token of padding.
        specials: tokens with a meaning of their own.
    """

    tokens: tuple[str, ...]
    beside: tuple[str, ...]
    mask: str | None
    length: int
    padding: int
    specials: frozenset[int]

    @classmethod
    def of(cls, material: Material, *, decoder: bool = False) -> Text | None:
        """The text that the port is given; None if there is none.

        Args:
            material: the inputs.
            decoder: of two texts take the decoder's, else the encoder's.
        """
        found = material.found
        tokens = found.of_role("tokens")
        groups = [{name for name in tokens if name.startswith("decoder") is each} for each in (decoder, not decoder)]
        names = groups[0] or groups[1]
        if not names:
            return None
        length = max(tokens[name].shape[1] for name in names)
        of_decoder = next(iter(names)).startswith("decoder")
        beside = [
            name
            for name, tensor in found.of_role("mask", "types", "positions").items()
            if tensor.shape[-1] == length and name.startswith("decoder") is of_decoder
        ]
        usual = "decoder_attention_mask" if of_decoder else "attention_mask"
        masks = [name for name in beside if found.roles[name] == "mask" and (name == usual or "." in name)]
        mask = masks[0] if masks else usual if usual in material.parameters else None
        return cls(tuple(sorted(names)), tuple(beside), mask, length, found.padding, found.specials)

    def counted(self, tensors: Tensors) -> torch.Tensor:
        """Bool (batch, sequence): what the mask lets count; everything without one."""
        like = tensors[self.tokens[0]]
        mask = tensors.get(self.mask or "")
        return torch.ones_like(like).bool() if mask is None else mask.bool().expand_as(like)

    def unpadded(self, tensors: Tensors) -> dict[str, torch.Tensor]:
        """With tokens of the same row in the place of what is masked, and a mask that lets everything count."""
        counted = self.counted(tensors)
        made = {**tensors, **{name: self._refilled(tensors[name], counted) for name in self.tokens}}
        return self.masked(made, torch.ones_like(counted)) if self.mask in tensors else made

    def masked(self, tensors: Tensors, counted: torch.Tensor) -> dict[str, torch.Tensor]:
        """With this mask, bool over (batch, sequence)."""
        assert self.mask is not None
        like = tensors.get(self.mask)
        return {**tensors, self.mask: counted.long() if like is None else counted.to(like.dtype)}

    def overwritten(self, tensors: Tensors) -> dict[str, torch.Tensor]:
        """With other tokens of the same row where the mask lets nothing count."""
        counted = self.counted(tensors)
        return {**tensors, **{name: self._refilled(tensors[name], counted) for name in self.tokens}}

    def padded(self, tensors: Tensors, count: int, side: Side) -> dict[str, torch.Tensor]:
        """With ``count`` tokens of padding on one side, which the mask leaves out."""
        if self.mask is not None:
            tensors = self.masked(tensors, self.counted(tensors))
        return {name: self._padded(name, tensor, count, side) for name, tensor in tensors.items()}

    def cut(self, tensors: Tensors, length: int) -> dict[str, torch.Tensor]:
        """The first tokens only."""
        along = (*self.tokens, *self.beside)
        return {name: each[..., :length] if name in along else each for name, each in tensors.items()}

    def exchanged(self, tensors: Tensors, one: int, other: int) -> dict[str, torch.Tensor]:
        """With the tokens of two places exchanged."""
        order = list(range(self.length))
        order[one], order[other] = other, one
        return {name: each[:, order] if name in self.tokens else each for name, each in tensors.items()}

    def _refilled(self, ids: torch.Tensor, counted: torch.Tensor) -> torch.Tensor:
        """Tokens without a meaning of their own in the place of others, from the end of the row's own."""
        filled = ids.clone()
        for row, keep in zip(filled, counted, strict=True):
            own = [token for token in row[keep].tolist() if token not in self.specials] or row[keep].tolist() or [1]
            missing = int((~keep).sum())
            row[~keep] = torch.tensor([own[-1 - index % len(own)] for index in range(missing)], dtype=row.dtype)
        return filled

    def _padded(self, name: str, tensor: torch.Tensor, count: int, side: Side) -> torch.Tensor:
        if name not in (*self.tokens, *self.beside, self.mask):
            return tensor
        if name in self.tokens:
            more = torch.full((len(tensor), count), self.padding, dtype=tensor.dtype)
        elif name == self.mask:
            more = torch.zeros(len(tensor), count, dtype=tensor.dtype)
        else:
            edge = tensor[..., :1] if side == "left" else tensor[..., -1:]
            more = edge.expand(*tensor.shape[:-1], count).clone()
        return torch.cat([more, tensor] if side == "left" else [tensor, more], dim=-1)


def plain_text(
    material: Material, *, room: int, least: int, decoder: bool = False
) -> tuple[Text, dict[str, torch.Tensor]] | str:
    """The given text without padding, or one that is made after it; or why there is none.

    Args:
        material: the inputs.
        room: for how many more tokens there has to be room in what the config allows.
        least: tokens that it has to have.
        decoder: of two texts take the decoder's.
    """
    text = Text.of(material, decoder=decoder)
    if text is None:
        return "the port is given no text"
    if material.obstacle:
        return material.obstacle
    wanted = max(text.length, 2 * least)
    most = (material.most_positions or wanted + room) - room
    tensors = text.unpadded(material.found.tensors)
    if least <= text.length <= most:
        return text, tensors
    if material.found.placeholders:
        return "the text holds placeholders, which only have a meaning where they are"
    length = min(wanted, most)
    if length < least:
        return f"the config allows texts of {most + room} tokens only"
    if length < text.length:
        return replace(text, length=length), text.cut(tensors, length)
    made = material.made(Plan("text", "", max(material.found.rows, 2), length))
    return replace(text, length=length), text.unpadded(made)


def long_text(material: Material) -> tuple[Text, dict[str, torch.Tensor]] | str:
    """A text as long as the config makes interesting, past its window if it has one; or why there is none.

    Of two texts it is the decoder's. The given one where no longer one can be made.
    """
    text = Text.of(material, decoder=True)
    if text is None:
        return "the port is given no text"
    if material.obstacle:
        return material.obstacle
    plan = next((plan for plan in plans(material.found) if plan.name == "long"), None)
    if plan is None or plan.obstacle:
        return (text, text.unpadded(material.found.tensors)) if text.length > 1 else "the text has one token"
    tensors = material.made(plan)
    return replace(text, length=tensors[text.tokens[0]].shape[1]), tensors
