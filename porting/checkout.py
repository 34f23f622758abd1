"""A checkout of Transformers: the repository in which a model is added."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path

PACKAGE = Path("src", "transformers")


@dataclass(frozen=True, slots=True)
class Checkout:
    """The folder of a checkout, and where the parts of a model belong in it.

    Attributes:
        root: the folder that holds ``src/transformers``.
    """

    root: Path

    @property
    def package(self) -> Path:
        """The package itself."""
        return self.root / PACKAGE

    @property
    def toctree(self) -> Path:
        """The table of contents of the documentation."""
        return self.root / "docs" / "source" / "en" / "_toctree.yml"

    def model_folder(self, name: str) -> Path:
        """Where the code of a model is, by the name of its folder (``brand_new_bert``)."""
        return self.package / "models" / name

    def tests_folder(self, name: str) -> Path:
        """Where the tests of a model are."""
        return self.root / "tests" / "models" / name

    @property
    def pages(self) -> Path:
        """The folder of the models' pages."""
        return self.root / "docs" / "source" / "en" / "model_doc"

    def doc_page(self, name: str) -> Path:
        """The page of a model: it is called as its folder, or was so with hyphens."""
        older = self.pages / f"{name.replace('_', '-')}.md"
        page = self.pages / f"{name}.md"
        return older if older.is_file() and not page.is_file() else page


def find_checkout(start: Path) -> Checkout | None:
    """The checkout that a path lies in, or None."""
    start = start.absolute()
    roots = (start, *start.parents)
    return next((Checkout(root) for root in roots if (root / PACKAGE / "__init__.py").is_file()), None)


def installed_checkout() -> Checkout | None:
    """The checkout that ``import transformers`` takes its code from; None if that is an installed package."""
    spec = importlib.util.find_spec("transformers")
    if spec is None or spec.origin is None:
        return None
    package = Path(spec.origin).parent
    return Checkout(package.parents[1]) if package.parts[-2:] == PACKAGE.parts else None
