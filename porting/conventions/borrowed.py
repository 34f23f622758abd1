"""Expected values and checkpoints in a model's tests that are those of another model's tests.

``transformers add-new-model-like`` copies the tests of a model and replaces its name alone.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from porting.conventions.files import Source

CHECKPOINT = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
BESIDE = re.compile(r"(?:Tokenizer|TokenizerFast|Processor|ProcessorFast|Extractor)$")
"""Classes that may well be loaded from another model's checkpoint."""
EXPECTED = re.compile(r"expect|assert", re.IGNORECASE)
"""Names of functions and variables around an expected value."""
TENSOR = re.compile(r"tensor$|array$", re.IGNORECASE)
COMMON = re.compile(r"mean|std|input|box|point|pixel|label|mask", re.IGNORECASE)
"""Names of what models are given, which many have in common."""
GIVEN = re.compile(r"pixel|input", re.IGNORECASE)
"""Names of what a model is given, also where it is expected: of processors that models share."""
MESSAGE = "msg"
"""The argument of an assertion that is said where it fails."""
LEAST_NUMBERS = 3
LEAST_LETTERS = 20


@dataclass(frozen=True, slots=True)
class Facts:
    """What a test file says of one model, each with its line.

    Attributes:
        checkpoints: ids from which a model or its config is loaded.
        rows: of expected numbers, with three decimals or more.
        texts: that are expected.
    """

    checkpoints: Mapping[str, int]
    rows: Mapping[tuple[float, ...], int]
    texts: Mapping[str, int]

    @classmethod
    def of(cls, source: Source, classes: Collection[str] | None = None) -> Facts:
        """Those of a file.

        Args:
            source: the file.
            classes: of the model: what others of a known model load is their own. None: whatever is loaded counts.

        Raises:
            PortingError: it is not Python.
        """
        checkpoints: dict[str, int] = {}
        rows: dict[tuple[float, ...], int] = {}
        texts: dict[str, int] = {}
        assigned = _assigned(source.tree)
        for node, above in _walk(source.tree):
            if isinstance(node, ast.Call):
                if _is_model(node, classes):
                    checkpoints |= dict.fromkeys(_loaded(node, assigned), node.lineno)
            elif isinstance(node, (ast.List, ast.Tuple)) and _is_expected(above) and (row := _row(node)):
                rows.setdefault(row, node.lineno)
            elif isinstance(node, ast.Constant) and _is_expected(above) and _is_text(node.value):
                texts.setdefault(str(node.value), node.lineno)
        return cls(checkpoints, rows, texts)


@dataclass(frozen=True, slots=True)
class Borrowed:
    """One thing that two models' tests have in common, and that is one model's own.

    Attributes:
        line: in the port's test file.
        kind: ``checkpoint``, ``numbers`` or ``text``.
        what: it is.
        there: what the other model's tests have, where the one name was replaced by the other in it.
    """

    line: int
    kind: str
    what: str
    there: str = ""

    @property
    def is_sure(self) -> bool:
        """Whether it is another model's; a text may be both's, and an id with the model's own name in it its own."""
        return self.kind != "text" and not self.there


def borrowed(own: Facts, other: Facts, renamed: tuple[str, str] | None = None) -> list[Borrowed]:
    """What the tests of a model have from those of another, by line.

    Args:
        own: what the tests of the model say.
        other: what those of the other say.
        renamed: what the other is called in names of classes, and what the model is; the one may have been replaced by
            the other in ids and texts, too (``org/Old-7b``, ``org/New-7b``).
    """
    found = [Borrowed(line, "numbers", str(list(row))) for row, line in own.rows.items() if row in other.rows]
    for kind, mine, theirs in (("checkpoint", own.checkpoints, other.checkpoints), ("text", own.texts, other.texts)):
        known = {**({each.replace(*renamed): each for each in theirs} if renamed else {}), **dict.fromkeys(theirs, "")}
        found += [Borrowed(line, kind, each, known[each]) for each, line in mine.items() if each in known]
    return sorted(found, key=lambda each: each.line)


def cased_name(source: Source, name: str) -> str:
    """What a model is called in the names of its classes (``BrandNew``), as a file writes it.

    Args:
        source: the file.
        name: of its folder (``brand_new``).
    """
    plain = re.escape(name.replace("_", ""))
    found = re.search(rf"\b((?i:{plain}))(?:Config|Model|For[A-Z])", source.text)
    return found[1] if found else name.title().replace("_", "")


def _walk(tree: ast.Module) -> Iterator[tuple[ast.AST, tuple[str, ...]]]:
    """Every node, with the names of what it is an argument or a part of, in its statement."""
    stack: list[tuple[ast.AST, tuple[str, ...]]] = [(tree, ())]
    while stack:
        node, above = stack.pop()
        yield node, above
        if isinstance(node, ast.stmt):
            above = ()
        below = (*above, *_names(node))
        stack += [(child, below) for child in ast.iter_child_nodes(node)]


def _names(node: ast.AST) -> list[str]:
    """The names that a node gives to what is in it: of a function, of a keyword, of variables."""
    if isinstance(node, ast.Call):
        return [_name(node.func)]
    if isinstance(node, ast.keyword):
        return [node.arg or ""]
    targets = (
        node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    )
    return [_name(target) for target in targets]


def _name(node: ast.AST) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _assigned(tree: ast.Module) -> dict[str, set[str]]:
    """The checkpoints that are assigned to each name, of a variable or an attribute."""
    found: dict[str, set[str]] = {}
    for node in ast.walk(tree):
        value = node.value if isinstance(node, (ast.Assign, ast.AnnAssign)) else None
        if isinstance(value, ast.Constant) and _is_checkpoint(value.value):
            for name in _names(node):
                found.setdefault(name, set()).add(str(value.value))
    return found


def _is_model(node: ast.Call, classes: Collection[str] | None) -> bool:
    """Whether a call loads a model or a config: by one of some classes, an automatic one, or one that a name holds."""
    if not isinstance(node.func, ast.Attribute) or node.func.attr != "from_pretrained":
        return False
    loader = _name(node.func.value)
    unknown = loader.startswith("Auto") or not loader[:1].isupper()
    return not BESIDE.search(loader) and (classes is None or unknown or loader in classes)


def _loaded(node: ast.Call, assigned: Mapping[str, set[str]]) -> set[str]:
    """The checkpoints that a call names first."""
    if not node.args:
        return set()
    given = node.args[0]
    if isinstance(given, ast.Constant):
        return {str(given.value)} if _is_checkpoint(given.value) else set()
    return assigned.get(_name(given), set())


def _is_checkpoint(value: object) -> bool:
    return isinstance(value, str) and CHECKPOINT.fullmatch(value) is not None


def _is_expected(above: tuple[str, ...]) -> bool:
    if MESSAGE in above or any(GIVEN.search(name) for name in above):
        return False
    if any(EXPECTED.search(name) for name in above):
        return True
    return any(TENSOR.search(name) for name in above) and not any(COMMON.search(name) for name in above)


def _is_text(value: object) -> bool:
    return isinstance(value, str) and len(value) >= LEAST_LETTERS and not _is_checkpoint(value)


def _row(node: ast.List | ast.Tuple) -> tuple[float, ...]:
    """The numbers of a list of numbers, if enough of them are different and written with three decimals or more."""
    numbers = [_number(each) for each in node.elts]
    values = tuple(each for each in numbers if each is not None)
    precise = {each for each in values if round(each, 2) != each}
    return values if len(values) == len(numbers) and len(precise) >= LEAST_NUMBERS else ()


def _number(node: ast.expr) -> float | None:
    negative = isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub)
    inner = node.operand if isinstance(node, ast.UnaryOp) and negative else node
    if (
        not isinstance(inner, ast.Constant)
        or isinstance(inner.value, bool)
        or not isinstance(inner.value, (int, float))
    ):
        return None
    return -float(inner.value) if negative else float(inner.value)
