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
SHARED = ("auto", "deprecated", "__pycache__")
"""Folders beside the models that are none."""
WORD = re.compile(r"\w+")
CLASS = re.compile(r"^class (\w+)", re.MULTILINE)
DETAIL = re.compile(r"- |\d+ +[-+](?![-+])")
"""How a line begins that says more of the one above: an item, or a changed line of a diff that is numbered."""
ALONE = re.compile(r"(?:- )?\w+\.?")
AROUND = re.compile(r"$|\d+( +(---|\+\+\+|@@|[^-+]).*)?$")
"""Other lines of such a diff, which say nothing."""


class Names:
    """The names of some models: of their folders, pages and classes.

    Args:
        folders: their names.
        classes: that their files define.
    """

    def __init__(self, folders: Iterable[str], classes: Iterable[str]) -> None:
        self.folders = tuple(folders)
        self.classes = frozenset(classes)

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        """Paths and modules; pages; an item of a list of models, one in quotes, or behind a colon."""
        folder = f"(?:{'|'.join(map(re.escape, self.folders))})"
        page = folder.replace("_", "[_-]")
        quoted = f"['\"`]{page}['\"`]"
        return re.compile(
            rf"\bmodels[/\\.]{folder}(?![\w-])|\bmodel_doc/{page}(?![\w-])|(?<![\w/.-]){page}\.md\b"
            rf"|^[ \t]*- {folder}$|:[ ](?:[\w-]+,[ ]?)*{folder}(?:,[ ]?[\w-]+)*\.?$"
            rf"|^(?!.*\[[^\[\]]*{quoted}).*{quoted}"
        )

    def are_in(self, line: str) -> bool:
        """Whether a line names one of them."""
        named = bool(self.folders) and self._pattern.search(line) is not None
        return named or not self.classes.isdisjoint(WORD.findall(line))


class Naming:
    """The names under which a model is known in a checkout.

    Attributes:
        name: of its folder.
        own: its names.
        folder: with its code, beside those of other models; None if that is not known.
    """

    def __init__(self, name: str, classes: Iterable[str] = (), folder: Path | None = None) -> None:
        self.name = name
        self.own = Names([name], classes)
        self.folder = folder

    @classmethod
    def of(cls, folder: Path) -> Naming:
        """Those of the model whose code is in a folder; a file that cannot be read or parsed has no names."""
        return cls(folder.name, filter(PUBLIC.fullmatch, classes_in(sorted(folder.glob("*.py")))), folder)

    def lines(self, text: str) -> list[str]:
        """The lines that name the model, and what stands in a list below one of them; each once, to be shown.

        A line that is a name and nothing else is shown with the heading that it stands under.
        """
        found, heading, listing = dict[str, None](), "", False
        for each in filter(lambda line: not AROUND.match(line), _plain(text)):
            about = self._is_about(each)
            listing = (listing and DETAIL.match(each) is not None) or (about and each.endswith(":"))
            if about or listing:
                found[show(f"{heading} {each}" if about and ALONE.fullmatch(each) else each, 300)] = None
            heading = each if each.endswith(":") else heading
        return list(found)

    def names_others(self, text: str) -> bool:
        """Whether a text names other models."""
        lines = [each for each in _plain(text) if not self._is_about(each)]
        return any(ANY_MODEL.search(each) or self._others.are_in(each) for each in lines)

    @cached_property
    def _others(self) -> Names:
        beside = [] if self.folder is None else sorted(self.folder.parent.iterdir())
        others = [each for each in beside if each.is_dir() and each.name not in (self.name, *SHARED)]
        texts = (path.read_text(encoding="utf-8", errors="replace") for each in others for path in each.glob("*.py"))
        classes = (name for text in texts for name in CLASS.findall(text))
        return Names((each.name for each in others), filter(PUBLIC.fullmatch, classes))

    def _is_about(self, line: str) -> bool:
        return self.own.are_in(line) and not FINE.match(line)


def _plain(text: str) -> list[str]:
    """The lines of a text without what colours a terminal."""
    return [line.strip() for line in ESCAPES.sub("", text).splitlines()]
