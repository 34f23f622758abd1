"""The classes of the original's code, read from its syntax: nothing is imported or run."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from porting.plainfiles import read_plain

BASES = frozenset({"Module", "LightningModule", "PreTrainedModel", "PreTrainedModelBase", "Sequential"})
"""Names of torch's own base class and of usual ones of other packages."""
LOADERS = ("from_pretrained", "load_from_checkpoint", "from_checkpoint", "load", "load_model", "from_name")
"""Class methods by which models are loaded, the most usual first."""
DEEPEST = 12
LARGEST = 2_000_000
"""Bytes of a file of code; a larger one is data."""


@dataclass(frozen=True, slots=True)
class Argument:
    """An argument of a constructor or of a forward.

    Attributes:
        name: its name.
        annotation: its type as it is written, or an empty text.
        required: whether it has no default.
        default: if that is a whole number, or True or False; else None.
    """

    name: str
    annotation: str = ""
    required: bool = True
    default: int | None = None

    @property
    def flag(self) -> bool | None:
        """The default, if that is True or False."""
        return self.default if isinstance(self.default, bool) else None


@dataclass(frozen=True, slots=True)
class SourceClass:
    """A class as its source has it.

    Attributes:
        name: of the class.
        module: where it is defined.
        bases: the last part of each base's name.
        arguments: of its own ``__init__`` without ``self``; None if it has none of its own.
        forward: the arguments of its own ``forward``; None without one.
        attributes: names that its methods set on ``self``.
        calls: last parts of the names that its constructor calls.
        loaders: its class methods that load a model.
        fields: whether it is a dataclass, or has none of torch.
    """

    name: str
    module: str
    bases: tuple[str, ...]
    arguments: tuple[Argument, ...] | None
    forward: tuple[Argument, ...] | None
    attributes: frozenset[str]
    calls: frozenset[str]
    loaders: tuple[str, ...]
    fields: bool = False


@dataclass(frozen=True, slots=True)
class Sources:
    """All classes of some code.

    Attributes:
        classes: in the order of the files; of one name, several may be there.
        imports: what each module imports by name, and from where.
        broken: modules that are not Python of today, with the reason.
    """

    classes: tuple[SourceClass, ...]
    imports: Mapping[str, Mapping[str, str]]
    broken: Mapping[str, str]

    def named(self, name: str, near: str = "") -> SourceClass | None:
        """The class that a name means in a module: its own, the imported one, else the nearest of that name."""
        found = {each.module: each for each in self.classes if each.name == name}
        module = near
        for _ in range(DEEPEST):
            if module in found:
                return found[module]
            module = self.imports.get(module, {}).get(name, "")
        return max(found.values(), key=lambda each: _shared(each.module, near), default=None)

    def lineage(self, one: SourceClass) -> Iterator[SourceClass]:
        """A class and those that it inherits from, as far as they are in this code."""
        seen: set[tuple[str, str]] = set()
        waiting = [one]
        while waiting and len(seen) < DEEPEST:
            each = waiting.pop(0)
            if (each.module, each.name) in seen:
                continue
            seen.add((each.module, each.name))
            yield each
            waiting += [base for name in each.bases if (base := self.named(name, each.module)) is not None]

    def is_module(self, one: SourceClass) -> bool:
        """Whether a class inherits from torch's ``Module``."""
        return any(base in BASES for each in self.lineage(one) for base in each.bases)

    def arguments(self, one: SourceClass) -> tuple[Argument, ...]:
        """Of the constructor, its own or an inherited one; the fields of dataclasses that it inherits from, too."""
        known = [each for each in self.lineage(one) if each.arguments is not None]
        if not known or not known[0].fields:
            return (known[0].arguments or ()) if known else ()
        inherited = {each.name: each for base in reversed(known) if base.fields for each in base.arguments or ()}
        return tuple(inherited.values())

    def forward(self, one: SourceClass) -> tuple[Argument, ...] | None:
        """Of the forward, its own or an inherited one; None without one."""
        return next((each.forward for each in self.lineage(one) if each.forward is not None), None)

    def attributes(self, one: SourceClass) -> frozenset[str]:
        """What it sets on itself, its bases' included."""
        return frozenset().union(*(each.attributes for each in self.lineage(one)))

    def loaders(self, one: SourceClass) -> tuple[str, ...]:
        """The class methods that load it."""
        found = {name for each in self.lineage(one) for name in each.loaders}
        return tuple(name for name in LOADERS if name in found)


def read_sources(files: Mapping[str, Path]) -> Sources:
    """Read every class of some modules."""
    classes: list[SourceClass] = []
    imports: dict[str, Mapping[str, str]] = {}
    broken: dict[str, str] = {}
    for module, path in files.items():
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # escapes and comparisons of old code
                tree = ast.parse(read_plain(path, LARGEST))
                found = [_class(node, module) for node in _outermost(tree.body) if isinstance(node, ast.ClassDef)]
                imports[module] = dict(_imported(tree, module, path.stem == "__init__"))
        except (OSError, SyntaxError, ValueError, RecursionError, MemoryError) as error:
            broken[module] = f"{type(error).__name__}: {error}"
        else:
            classes += found
    return Sources(tuple(classes), imports, broken)


def _imported(tree: ast.Module, module: str, is_package: bool) -> Iterator[tuple[str, str]]:
    """Names that a module imports from others, with the others' names in full."""
    for node in _outermost(tree.body):
        if isinstance(node, ast.ImportFrom):
            parts = module.split(".")
            above = parts[: len(parts) - node.level + is_package] if node.level else []
            source = ".".join([*above, *([node.module] if node.module else [])])
            yield from ((each.asname or each.name, source) for each in node.names)


def _outermost(nodes: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """Statements of a module, also under ``if`` and ``try``; none of functions and classes."""
    for node in nodes:
        yield node
        if isinstance(node, (ast.If, ast.Try)):
            yield from _outermost([*node.body, *node.orelse])


def _class(node: ast.ClassDef, module: str) -> SourceClass:
    methods = {each.name: each for each in node.body if isinstance(each, ast.FunctionDef)}
    constructor = methods.get("__init__")
    dataclass_ = any(_last(each) == "dataclass" for each in node.decorator_list)
    loaders = [name for name in LOADERS if name in methods and _is_classmethod(methods[name])]
    return SourceClass(
        name=node.name,
        module=module,
        bases=tuple(filter(None, map(_last, node.bases))),
        arguments=_arguments(constructor) if constructor else _fields(node) if dataclass_ else None,
        forward=_arguments(methods["forward"]) if "forward" in methods else None,
        attributes=frozenset(_attributes(node)),
        calls=frozenset(_last(each.func) for each in ast.walk(node) if isinstance(each, ast.Call)),
        loaders=tuple(loaders),
        fields=dataclass_,
    )


def _arguments(function: ast.FunctionDef) -> tuple[Argument, ...]:
    given = function.args
    positional = [*given.posonlyargs, *given.args]
    defaults: list[ast.expr | None] = [None] * (len(positional) - len(given.defaults))
    ones = zip(positional, [*defaults, *given.defaults], strict=True)
    others = zip(given.kwonlyargs, given.kw_defaults, strict=True)
    return tuple(_argument(each, default) for each, default in [*ones, *others])[1:]


def _argument(given: ast.arg, default: ast.expr | None) -> Argument:
    return Argument(given.arg, _text(given.annotation), default is None, _number(default))


def _number(node: ast.expr | None) -> int | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, int) else None


def _fields(node: ast.ClassDef) -> tuple[Argument, ...]:
    """The fields of a dataclass."""
    return tuple(
        Argument(each.target.id, _text(each.annotation), each.value is None, _number(each.value))
        for each in node.body
        if isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name) and not _is_set_later(each)
    )


def _is_set_later(node: ast.AnnAssign) -> bool:
    """Whether a field is no argument: of the class, or with ``init=False``."""
    keywords = node.value.keywords if isinstance(node.value, ast.Call) else []
    later = any(each.arg == "init" and _text(each.value) == "False" for each in keywords)
    return later or _text(node.annotation).split("[")[0].endswith("ClassVar")


def _attributes(node: ast.ClassDef) -> Iterator[str]:
    """Names of ``self.name = …`` and of what is registered under a literal name."""
    for each in ast.walk(node):
        if isinstance(each, ast.Attribute) and isinstance(each.ctx, ast.Store) and _last(each.value) == "self":
            yield each.attr
        elif isinstance(each, ast.Call) and each.args:
            first = each.args[0]
            if isinstance(first, ast.Constant) and isinstance(first.value, str):
                yield first.value
        elif isinstance(each, ast.keyword) and each.arg:  # nn.ModuleDict(dict(wte=…))
            yield each.arg
        elif isinstance(each, ast.Dict):
            yield from (key.value for key in each.keys if isinstance(key, ast.Constant) and isinstance(key.value, str))


def _is_classmethod(function: ast.FunctionDef) -> bool:
    return any(_last(each) in ("classmethod", "staticmethod") for each in function.decorator_list)


def _last(node: ast.expr) -> str:
    """The last part of a dotted name; of a call, that of what is called; of a subscript, that of what it is of."""
    if isinstance(node, ast.Attribute):
        return node.attr
    if isinstance(node, ast.Call):
        return _last(node.func)
    if isinstance(node, ast.Subscript):
        return _last(node.value)
    return node.id if isinstance(node, ast.Name) else ""


def _text(node: ast.expr | None) -> str:
    return "" if node is None else ast.unparse(node)


def _shared(one: str, other: str) -> int:
    """How many parts two dotted names share from the first on."""
    count = 0
    for a, b in zip(one.split("."), other.split("."), strict=False):
        if a != b:
            break
        count += 1
    return count
