"""What every operation on tensors is: a value that can be applied, inverted where possible, printed and read."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from porting.errors import RuleError
from porting.text import show

Groups = list[list[torch.Tensor]]
"""What operations take and give: one group for each pattern of a rule, several tensors only along a list axis."""

Size = int | str
"""A number, or the attribute of the port's config that holds it (``"num_key_value_heads"``, ``"text_config.x"``)."""


@dataclass(frozen=True)
class Operation(ABC):
    """One operation. It works on tensors of the meta device, too, which tells the shapes of its results.

    Attributes:
        exact: whether the elements are moved only, so that results are compared bit for bit.
    """

    exact: ClassVar[bool] = True

    @abstractmethod
    def apply(self, groups: Groups) -> Groups:
        """Change the tensors; the results may share memory with what was given.

        Raises:
            RuleError: there are not as many tensors, or not of such shapes, as it needs.
        """

    def inverse(self) -> Operation | None:
        """The operation that undoes it; None where nothing does."""
        return None

    def resolved(self, config: Any) -> Operation:
        """The same with the config's numbers for the names of its attributes.

        Raises:
            RuleError: the config has no such attribute, or it is not a positive number.
        """
        names = [field.name for field in dataclasses.fields(self) if field.name in SIZES]
        given = {name: getattr(self, name) for name in names if isinstance(getattr(self, name), str)}
        sizes = {name: _size(config, value) for name, value in given.items()}
        return dataclasses.replace(self, **sizes) if sizes else self

    def __repr__(self) -> str:
        """The Python that makes it, without what is the default."""
        return f"{type(self).__name__}({', '.join(self._arguments())})"

    def _arguments(self) -> list[str]:
        changed = [field for field in dataclasses.fields(self) if getattr(self, field.name) != field.default]
        return [f"{field.name}={getattr(self, field.name)!r}" for field in changed]


SIZES = ("heads", "groups", "rotary")
"""Names of the arguments that may be an attribute of the config."""


@dataclass(frozen=True, repr=False)
class OnEach(Operation):
    """An operation that changes every tensor by itself."""

    @abstractmethod
    def change(self, tensor: torch.Tensor) -> torch.Tensor:
        """Change one tensor."""

    def apply(self, groups: Groups) -> Groups:
        """Change each."""
        return [[self.change(tensor) for tensor in group] for group in groups]


def single(operation: Operation, groups: Groups) -> torch.Tensor:
    """The only tensor there is.

    Raises:
        RuleError: there are more.
    """
    if [len(group) for group in groups] != [1]:
        raise RuleError(f"{operation!r} takes one tensor, and {sum(map(len, groups))} are given")
    return groups[0][0]


def _size(config: Any, name: str) -> int:
    value = config
    for part in name.split("."):
        value = getattr(value, part, None)
    if type(value) is not int or value < 1:
        found = "there is no config" if config is None else f"in the config it is {show(repr(value), 60)}"
        raise RuleError(
            f"the rules take a number from the config's {show(name)}, and {found}",
            hint="give the number itself, or the portfile a config() that has it",
        )
    return value
