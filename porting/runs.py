"""A run of a model: the side, what it is given, and what is compared at its end."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from porting.errors import PortfileError
from porting.kinds import kind_of

if TYPE_CHECKING:
    import torch

Side = Literal["original", "ported"]
OutputPairs = list[tuple[str, "torch.Tensor", "torch.Tensor"]]


@dataclass(frozen=True, slots=True)
class Inputs:
    """What a forward is given: positional and keyword arguments."""

    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, value: Any, source: str) -> Inputs:
        """Read a dict as keyword and a tuple as positional arguments.

        Raises:
            PortfileError: it is neither; ``source`` names the function that returned it.
        """
        if isinstance(value, tuple) and not hasattr(value, "_fields"):
            return cls(args=value)
        if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
            return cls(kwargs=dict(value))
        raise PortfileError(
            f"{source} must return a dict of keyword arguments{'' if source == 'inputs()' else ' or a tuple'}, "
            f"and returned {kind_of(value)}"
        )

    def fresh(self) -> Inputs:
        """The same values in new tensors, so that a run that writes into its inputs does not change another's.

        A tensor given twice is one tensor again. Objects with attributes, as caches are, are copied, too, except
        modules and functions.
        """
        import torch

        from porting.copying import copied

        return Inputs(copied(self.args, torch.Tensor.clone), copied(dict(self.kwargs), torch.Tensor.clone))

    def attended(self) -> torch.Tensor | None:
        """The positions that a two-dimensional ``attention_mask`` lets count, as booleans; None without one.

        An encoder's where there is one, else the decoder's (``decoder_attention_mask``).
        """
        import torch

        masks = (self.kwargs.get(name) for name in ("attention_mask", "decoder_attention_mask"))
        return next((mask.bool() for mask in masks if isinstance(mask, torch.Tensor) and mask.dim() == 2), None)

    def named(self) -> dict[str, Any]:
        """All arguments by name, positional ones as ``args.0`` and so on."""
        return {**{f"args.{index}": value for index, value in enumerate(self.args)}, **self.kwargs}

    def as_given(self) -> Any:
        """The value that the portfile's ``run_*`` functions are handed: the tuple or the dict."""
        return self.args or dict(self.kwargs)

    def forward(self, model: torch.nn.Module) -> Any:
        """What the model returns for them."""
        return model(*self.args, **self.kwargs)


Run = Callable[["torch.nn.Module", Inputs], Any]
