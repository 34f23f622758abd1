"""Operations that compute new values, and the user's own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from porting.errors import RuleError
from porting.text import show
from porting.weights.rules.operation import Groups, OnEach, Operation

Function = Callable[..., torch.Tensor | Sequence[torch.Tensor]]


@dataclass(frozen=True, repr=False)
class Computing(OnEach):
    """An operation that computes each element anew, in the tensor's own dtype."""

    @property
    def exact(self) -> bool:
        """No: results are rounded."""
        return False

    def apply(self, groups: Groups) -> Groups:
        """Change each.

        Raises:
            RuleError: torch does not compute in such a dtype, or only in another.
        """
        for tensor in (tensor for group in groups for tensor in group):
            if not (tensor.is_floating_point() or tensor.is_complex()) or tensor.element_size() < 2:
                found = str(tensor.dtype).removeprefix("torch.")
                raise RuleError(f"{self!r} computes, which {found} is not for", hint='Cast("float32") first')
        return super().apply(groups)


@dataclass(frozen=True, repr=False)
class Scale(Computing):
    """Multiply by a factor."""

    factor: float

    def change(self, tensor: torch.Tensor) -> torch.Tensor:
        """Multiply, in the tensor's own dtype."""
        return tensor * self.factor

    def inverse(self) -> Scale | None:
        """The reciprocal factor, where it gives back every bit that did not over- or underflow: powers of two."""
        power = float(abs(self.factor)).hex().startswith("0x1.0000000000000p")
        return Scale(1 / self.factor) if power else None

    def __str__(self) -> str:
        """In words."""
        return f"times {self.factor:g}"


@dataclass(frozen=True, repr=False)
class Add(Computing):
    """Add a number: -1 for the weight of a norm that the port adds to one."""

    value: float

    def change(self, tensor: torch.Tensor) -> torch.Tensor:
        """Add, in the tensor's own dtype."""
        return tensor + self.value

    def __str__(self) -> str:
        """In words."""
        return f"plus {self.value:g}"


@dataclass(frozen=True, repr=False)
class Cast(OnEach):
    """Give another dtype, by its name in torch: the only way to one; nothing is cast in silence."""

    dtype: str

    def __post_init__(self) -> None:
        """Check the name; a dtype itself will do, too.

        Raises:
            RuleError: torch has no such dtype.
        """
        name = str(self.dtype).removeprefix("torch.")
        if not isinstance(getattr(torch, name, None), torch.dtype):
            raise RuleError(f"Cast takes the name of a dtype of torch, and {show(repr(self.dtype))} is none")
        object.__setattr__(self, "dtype", name)

    def change(self, tensor: torch.Tensor) -> torch.Tensor:
        """Cast."""
        return tensor.to(getattr(torch, self.dtype))

    def __str__(self) -> str:
        """In words."""
        return f"as {self.dtype}"


@dataclass(frozen=True, repr=False)
class FoldWeightNorm(Operation):
    """Fold the magnitude ``g`` and the direction ``v`` of a weight norm, in this order, into the weight.

    ``v`` times ``g`` over the norm of ``v`` over all dimensions but ``dim``, as `torch.nn.utils.weight_norm` computes
    it (Salimans and Kingma 2016, equation 2), to the last bit.
    """

    dim: int = 0

    @property
    def exact(self) -> bool:
        """No: the weight is computed."""
        return False

    def pieces(self, number: int | None) -> int:
        """One."""
        return 1

    def apply(self, groups: Groups) -> Groups:
        """Fold the two.

        Raises:
            RuleError: there are not two, or their shapes do not belong together.
        """
        if [len(group) for group in groups] != [1, 1]:
            raise RuleError(f"{self!r} takes g and v, and {sum(map(len, groups))} tensors are given")
        (magnitude,), (direction,) = groups
        norm = torch.norm_except_dim(direction, 2, self.dim)
        if magnitude.shape != norm.shape:
            wanted = f"g {list(norm.shape)} for v {list(direction.shape)}"
            raise RuleError(
                f"{self!r} takes {wanted}, and g has {list(magnitude.shape)}",
                hint="name g first, then v; dim is the dimension that g keeps",
            )
        return [[torch._weight_norm(direction, magnitude, self.dim)]]

    def __str__(self) -> str:
        """In words."""
        return "fold the weight norm"


@dataclass(frozen=True, repr=False)
class Apply(Operation):
    """A function of the user's: it takes the tensors of all sources, in order, and gives one for each target.

    It also runs on tensors without data (the meta device), to learn the shapes of its results.

    Attributes:
        function: what to call.
        undo: the function that undoes it, if there is one.
    """

    function: Function
    undo: Function | None = None

    @property
    def exact(self) -> bool:
        """No: nobody knows what it computes."""
        return False

    def pieces(self, number: int | None) -> None:
        """It may give any number."""

    def apply(self, groups: Groups) -> Groups:
        """Call it.

        Raises:
            RuleError: it raised, changed what it was given, or gave something else than tensors.
        """
        tensors = [tensor for group in groups for tensor in group if not tensor.is_inference()]
        before = [tensor._version for tensor in tensors]
        try:
            given: Any = self.function(*(tensor for group in groups for tensor in group))
        except Exception as error:
            raise RuleError(f"{self._name()} raised {type(error).__name__}: {show(error, 300)}") from error
        if before != [tensor._version for tensor in tensors]:
            raise RuleError(f"{self._name()} changes the tensors of the checkpoint", hint="compute new ones: x * 2")
        results = [given] if isinstance(given, torch.Tensor) else given
        if not isinstance(results, (list, tuple)) or not all(isinstance(each, torch.Tensor) for each in results):
            raise RuleError(f"{self._name()} must give tensors, and gave {show(type(given).__name__)}")
        return [[each] for each in results]

    def inverse(self) -> Apply | None:
        """The function that undoes it."""
        return None if self.undo is None else Apply(self.undo, self.function)

    def _name(self) -> str:
        return show(getattr(self.function, "__qualname__", type(self.function).__name__), 60)

    def _arguments(self) -> list[str]:
        return [self._name()]

    def __str__(self) -> str:
        """In words."""
        return f"{self._name()}()"
