"""The name of a new model, in the forms that Transformers uses."""

from __future__ import annotations

import keyword
import re
from dataclasses import dataclass

from porting.errors import PortingError
from porting.text import show

SNAKE = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
LONGEST = 60


class ModelNameError(PortingError):
    """A name that no model can have in Transformers."""

    code = "usage"
    exit_code = 2


@dataclass(frozen=True, slots=True)
class ModelName:
    """A model's name.

    Attributes:
        snake: of its folder and files: ``brand_new_bert``.
    """

    snake: str

    @classmethod
    def of(cls, name: str) -> ModelName:
        """The name, checked.

        Raises:
            ModelNameError: it is not lower-case words of ASCII letters and digits with underscores between them.
        """
        if len(name) > LONGEST or not SNAKE.fullmatch(name) or keyword.iskeyword(name):
            raise ModelNameError(
                f"{show(name)!r} cannot be a model's name: it becomes a module of Transformers, so it is lower-case "
                f"letters and digits with underscores between words, a letter first, at most {LONGEST}",
                hint=f"for example: porting new {_proposed(name)}",
            )
        return cls(name)

    @property
    def camel(self) -> str:
        """The beginning of its classes' names: ``BrandNewBert``."""
        return "".join(word[0].upper() + word[1:] for word in self.snake.split("_"))

    @property
    def kebab(self) -> str:
        """As a checkpoint's name has it: ``brand-new-bert``."""
        return self.snake.replace("_", "-")


def _proposed(name: str) -> str:
    """A name near the given one."""
    words = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+", name)
    found = "_".join(words).lower().lstrip("0123456789_")[:LONGEST].rstrip("_")
    return found if SNAKE.fullmatch(found) and not keyword.iskeyword(found) else "brand_new_bert"
