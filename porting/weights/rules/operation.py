"""What every operation on tensors is: a value that can be applied, inverted where possible, printed and read."""

from __future__ import annotations

import copy
import dataclasses
import math
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch

from porting.errors import RuleError
from porting.text import show

Groups = list[list[torch.Tensor]]
"""What operations take and give: one group for each pattern of a rule, several tensors only along a list axis."""

Size = int | str
"""A number, or what the port's config says: ``"num_key_value_heads"``, ``"text_config.hidden_size"``, or a product as
``"num_key_value_heads*head_dim"``."""


@dataclass(frozen=True)
class Operation(ABC):
    """One operation. It works on tensors of the meta device, too, which tells the shapes of its results."""

    def __post_init__(self) -> None:
        """Check the numbers that are given.

        Raises:
            RuleError: one of them is none.
        """
        for name in SEVERAL:
            value = getattr(self, name, None)
            if isinstance(value, list):
                object.__setattr__(self, name, tuple(value))
            elif value is not None and not isinstance(value, tuple):
                raise RuleError(f"{name} are several numbers, as (2, 3), and {show(repr(value))} was given")
        for name in POSITIVE:
            value = getattr(self, name, None)
            if value is not None and not isinstance(value, str) and not (type(value) is int and value > 0):
                raise RuleError(f"{name} is a positive number, and {show(repr(value))} was given")

    @property
    def exact(self) -> bool:
        """Whether the elements are moved only, so that results are compared bit for bit."""
        return True

    @abstractmethod
    def apply(self, groups: Groups) -> Groups:
        """Change the tensors; the results may share memory with what was given.

        Raises:
            RuleError: there are not as many tensors, or not of such shapes, as it needs.
        """

    def inverse(self) -> Operation | None:
        """The operation that undoes it; None where nothing does."""
        return None

    def pieces(self, number: int | None) -> int | None:
        """How many groups it makes of so many; None where only the tensors tell."""
        return number

    def resolved(self, config: Any) -> Operation:
        """The same with the config's numbers for the names of its attributes.

        Raises:
            RuleError: the config has no such attribute, or it is not a positive number.
        """
        given = {each.name: getattr(self, each.name) for each in dataclasses.fields(self) if each.name in SIZES}
        changed = {name: new for name, value in given.items() if (new := _numbers(config, value)) != value}
        if not changed:
            return self
        resolved = copy.copy(self)
        for name, value in changed.items():
            object.__setattr__(resolved, name, value)
        return resolved

    def __repr__(self) -> str:
        """The Python that makes it, without what is the default."""
        return f"{type(self).__name__}({', '.join(self._arguments())})"

    def _arguments(self) -> list[str]:
        changed = [field for field in dataclasses.fields(self) if getattr(self, field.name) != field.default]
        return [f"{field.name}={getattr(self, field.name)!r}" for field in changed]


SEVERAL = ("sizes", "shape", "back")
POSITIVE = ("heads", "groups", "rotary", "count")
SIZES = (*SEVERAL, "heads", "groups", "rotary", "start", "stop")
"""Names of the arguments that may be attributes of the config."""


@dataclass(frozen=True, repr=False)
class OnEach(Operation):
    """An operation that changes every tensor by itself."""

    @abstractmethod
    def change(self, tensor: torch.Tensor) -> torch.Tensor:
        """Change one tensor."""

    def apply(self, groups: Groups) -> Groups:
        """Change each."""
        return [[self.change(tensor) for tensor in group] for group in groups]


def whole(sizes: Iterable[Size]) -> list[int]:
    """Sizes of which each is known."""
    return [int(size) for size in sizes]


def single(operation: Operation, groups: Groups) -> torch.Tensor:
    """The only tensor there is.

    Raises:
        RuleError: there are more.
    """
    if [len(group) for group in groups] != [1]:
        raise RuleError(f"{operation!r} takes one tensor, and {sum(map(len, groups))} are given")
    return groups[0][0]


def _numbers(config: Any, value: Any) -> Any:
    """A value with the config's numbers for the texts in it."""
    if isinstance(value, tuple):
        return tuple(_numbers(config, each) for each in value)
    if not isinstance(value, str):
        return value
    return math.prod(
        int(name) if name.isdecimal() else _size(config, name) for name in map(str.strip, value.split("*"))
    )


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
