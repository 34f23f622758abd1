"""Which lines of what a checker says are about one model."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path

from porting.children import ESCAPES
from porting.conventions.files import classes_in
from porting.text import show

FINE = re.compile(r"\s*(?:no differences|all good|ok\b)", re.IGNORECASE)
"""How a line begins that says that there is nothing."""
ANY_MODEL = re.compile(r"\bmodels[/\\.](?!auto\b)\w+|\bmodel_doc/[\w-]+")
PUBLIC = re.compile(r".+(?:Model|Config|Processor|Tokenizer|TokenizerFast|Extractor|Backbone|For[A-Z]\w+)")
"""Classes that are called after their model; others, such as ``Attention``, many models have."""


class Naming:
    """The names under which a model is known in a checkout.

    Attributes:
        name: of its folder.
        classes: that its files define.
    """

    def __init__(self, name: str, classes: Iterable[str] = ()) -> None:
        self.name = name
        self.classes = tuple(classes)

    @classmethod
    def of(cls, folder: Path) -> Naming:
        """Those of the model whose code is in a folder; a file that cannot be read or parsed has no names."""
        return cls(folder.name, filter(PUBLIC.fullmatch, classes_in(sorted(folder.glob("*.py")))))

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        folder, page = re.escape(self.name), re.escape(self.name).replace("_", "[_-]")
        classes = "".join(rf"|\b{re.escape(each)}\b" for each in self.classes)
        return re.compile(rf"\bmodels[/\\.]{folder}(?![\w-])|\bmodel_doc/{page}(?![\w-]){classes}")

    def lines(self, text: str) -> list[str]:
        """The lines that name the model, each once, to be shown."""
        plain = (line.strip() for line in ESCAPES.sub("", text).splitlines())
        return list(
            dict.fromkeys(show(each, 300) for each in plain if self._pattern.search(each) and not FINE.match(each))
        )


def names_models(text: str) -> bool:
    """Whether a text names the files of any model."""
    return ANY_MODEL.search(text) is not None
