"""Which models a port was made from: by what its files import or copy, and by how much its tests have in common."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from porting.checkout import Checkout

MADE_FROM = re.compile(
    r"^\s*from\s+(?:\.\.|\.\.\.models\.|transformers\.models\.)(\w+)\.(?:modeling|modular|configuration)_\w+\s+import"
    r"|Copied from transformers\.models\.(\w+)\.",
    re.MULTILINE,
)
SHARED = ("auto", "deprecated")
LEAST_LETTERS = 12
"""Of a line that says something."""
LEAST_SHARE = 0.3
"""Of the lines of a test that another one has, so that it may have been copied from that."""


def parents_of(checkout: Checkout, name: str, sources: Iterable[Path], test: Path) -> list[str]:
    """The names of the models that a port's files are made from, and of the one whose tests resemble its own most.

    Args:
        checkout: that the models are in.
        name: of the port.
        sources: its files.
        test: its test of the model.
    """
    texts = [path.read_text(encoding="utf-8", errors="replace") for path in sources]
    named = Counter(next(filter(None, found)) for text in texts for found in MADE_FROM.findall(text))
    made_from = [each for each, _ in named.most_common() if each not in (name, *SHARED)]
    alike = _most_alike(checkout, name, test)
    return list(dict.fromkeys([*made_from, *([] if alike is None else [alike])]))


def _most_alike(checkout: Checkout, name: str, test: Path) -> str | None:
    """The model whose test has most lines of this one, whatever the model is called in them."""
    own, best, share = _lines(test, name), None, LEAST_SHARE
    for path in sorted(checkout.tests_folder(name).parent.glob("*/test_modeling_*.py")):
        other = path.parent.name
        if other != name and own and (found := len(own & _lines(path, other)) / len(own)) > share:
            best, share = other, found
    return best


def _lines(path: Path, name: str) -> set[str]:
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return set()
    plain = re.sub(re.escape(name.replace("_", "")), "", text.replace("_", ""), flags=re.IGNORECASE)
    return {line.strip() for line in plain.splitlines() if len(line.strip()) >= LEAST_LETTERS}
