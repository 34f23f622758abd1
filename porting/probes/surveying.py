"""The given inputs of the port surveyed: what each is, how many rows, how long, over which vocabulary."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch

from porting.inputs.limits import longest_window
from porting.inputs.roles import Role, role_of
from porting.inputs.settings import Settings, first_of, most_positions, placeholder_tokens, settings_of, special_tokens
from porting.runs import Inputs


@dataclass(frozen=True)
class Survey:
    """What is known of the port's inputs.

    Attributes:
        tensors: the arguments that are tensors, by name.
        roles: what each of them is.
        settings: of the port's config.
        window: the widest window of attention, 0 without one.
        vocabulary: how many tokens both models know; 0 without text.
        takes_mask: whether an ``attention_mask`` that is not given can be added on both sides.
    """

    tensors: Mapping[str, torch.Tensor]
    roles: Mapping[str, Role]
    settings: Settings
    window: int
    vocabulary: int
    takes_mask: bool

    def of_role(self, *roles: Role) -> dict[str, torch.Tensor]:
        """The tensors of these roles."""
        return {name: tensor for name, tensor in self.tensors.items() if self.roles[name] in roles}

    @property
    def rows(self) -> int:
        """Rows of the batch."""
        return max((tensor.shape[0] for tensor in self.tensors.values() if tensor.dim() > 1), default=1)

    @property
    def length(self) -> int:
        """Of the longest text."""
        return max((tensor.shape[1] for tensor in self.of_role("tokens").values()), default=0)

    @property
    def mask(self) -> str | None:
        """The name of the mask over the text, or over the signal if there is no text."""
        tokens = self.of_role("tokens") or self.of_role("signal")
        shapes = {tuple(tensor.shape[:2]) for tensor in tokens.values()}
        found = [name for name, tensor in self.of_role("mask").items() if tuple(tensor.shape) in shapes]
        return next((name for name in found if "decoder" not in name), "attention_mask" if self.takes_mask else None)

    @property
    def specials(self) -> frozenset[int]:
        """Tokens with a meaning of their own."""
        return special_tokens(self.settings)

    @property
    def padding(self) -> int:
        """The token of padding: of the config, else what stands at masked places, else 0."""
        known = self.settings.get("pad_token_id")
        if isinstance(known, int) and known >= 0:
            return known
        mask = self.tensors.get(self.mask or "")
        for tokens in self.of_role("tokens").values():
            if mask is not None and mask.shape == tokens.shape and not bool(mask.all()):
                return int(tokens[~mask.bool()][0])
        return 0

    @property
    def placeholders(self) -> bool:
        """Whether tokens stand for parts of images or sounds."""
        standing = placeholder_tokens(self.settings)
        texts = self.of_role("tokens").values()
        return any(token in standing for tokens in texts for token in tokens.reshape(-1).tolist())


def survey(original: torch.nn.Module, ported: torch.nn.Module, inputs: Inputs, *, takes_mask: bool) -> Survey:
    """Survey the port's inputs.

    Args:
        original: the live original, whose embedding bounds the vocabulary, too.
        ported: the live port.
        inputs: of the port.
        takes_mask: whether an ``attention_mask`` can be added on both sides.
    """
    given = inputs.named().items()
    tensors = {name: value.detach().cpu() for name, value in given if isinstance(value, torch.Tensor)}
    settings = settings_of(getattr(ported, "config", None))
    roles = {name: role_of(name, tensor) for name, tensor in tensors.items()}
    highest = max((int(tensors[name].max()) for name, role in roles.items() if role == "tokens"), default=-1)
    return Survey(
        tensors=tensors,
        roles=roles,
        settings=settings,
        window=longest_window(ported, settings),
        vocabulary=_vocabulary(original, settings, highest) if highest >= 0 else 0,
        takes_mask=takes_mask,
    )


def positions_allowed(found: Survey) -> int | None:
    """The longest text that the config allows, None if it does not say."""
    return most_positions(found.settings)


def _vocabulary(original: torch.nn.Module, settings: Settings, highest: int) -> int:
    """The smaller of both sides' vocabularies; the original's is its smallest embedding that holds the tokens."""
    sizes = [module.num_embeddings for module in original.modules() if isinstance(module, torch.nn.Embedding)]
    known = [min(fitting)] if (fitting := [size for size in sizes if size > highest]) else []
    declared = first_of(settings, ("vocab_size",))
    known += [declared[1]] if declared and declared[1] > highest else []
    return min(known, default=highest + 1)
