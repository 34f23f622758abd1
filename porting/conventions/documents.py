"""Whether a port's files are documented, and whether anything in them was left to be filled in."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping

from porting.conventions.files import Source
from porting.text import show

DOCUMENTING = ("auto_docstring", "add_start_docstrings", "add_start_docstrings_to_model_forward")
"""Decorators that write a docstring."""
TO_FILL_IN = re.compile(
    r"""
    <\s*(?:INSERT|FILL|TODO|YOUR)\b[^>\n]{0,80}>?    # <INSERT a link>, <your name here>
    | \{\{\s*[\w. ]{0,40}(?:cookiecutter|model|name|author)[\w. ]{0,40}\}\}  # {{ cookiecutter.modelname }}
    | (?<![\w)\]])\[\s*(?:model\s+name|author|link|insert|your)\b(?!\ (?:for|if)\b)[^\],\n]{0,80}\](?!\()
    | brand[_ -]?new[_ -]?(?:bert|model)?\b | BrandNew\w*
    """,
    re.IGNORECASE | re.VERBOSE,
)
"""What templates and guides leave for the author to replace."""
MODEL = "PreTrainedModel"
LAYER = re.compile(r"^Module$|Layer$")
"""Classes from elsewhere that layers are made of."""
LEFT = re.compile(r"\s*(?:TODO|FIXME)\b")
"""How a docstring begins that is still to be written."""
Finding = tuple[int, str]


def undocumented(source: Source, only: str | None = None) -> Iterator[Finding]:
    """Line and words of each public model class of a file, and each ``forward`` of one, without a docstring.

    Public is what ``__all__`` names, else what is not underscored; a model has a ``forward``, and is no layer beside
    models that are of ``PreTrainedModel``. A decorator that writes docstrings counts. In a modular file documents may
    be those of another model.

    Args:
        source: the file.
        only: a class that Transformers has accepted: one docstring of the two is enough there, and others are not
            looked at.
    """
    named = _exported(source.tree) - _layers(source.tree) if only is None else {only}
    for node in [] if source.path.name.startswith("modular_") else source.tree.body:
        forward = _forward(node)
        if not isinstance(node, ast.ClassDef) or node.name not in named or forward is None:
            continue
        lacking = [each for each in (node, forward) if not _documented(each)]
        if only is not None and len(lacking) < 2:
            continue
        for each in lacking:
            what = f"class {show(node.name)}" if each is node else f"{show(node.name)}.forward"
            yield each.lineno, f"{what} has no docstring"


def placeholders(source: Source) -> Iterator[Finding]:
    """Line and words of each place in a file that was left to be filled in.

    What templates leave in texts and names, docstrings that begin with TODO or FIXME, and functions of ``...`` alone.
    Comments for developers are left alone.
    """
    for number, line in enumerate(source.text.splitlines(), 1):
        if found := TO_FILL_IN.search(line):
            yield number, f"{show(found[0].strip(), 60)} is to be replaced"
    for node in ast.walk(source.tree):
        if isinstance(node, (ast.ClassDef, ast.FunctionDef)):
            docstring = ast.get_docstring(node, clean=False) or ""
            if LEFT.match(docstring):
                yield node.lineno, f"the docstring of {show(node.name)} is still to be written: {show(docstring, 60)}"
        if isinstance(node, ast.FunctionDef) and _does_nothing(node):
            yield node.lineno, f"{show(node.name)} has no body but ..."


def _forward(node: ast.stmt) -> ast.FunctionDef | None:
    body = node.body if isinstance(node, ast.ClassDef) else []
    return next((each for each in body if isinstance(each, ast.FunctionDef) and each.name == "forward"), None)


def _exported(tree: ast.Module) -> set[str]:
    for node in tree.body:
        if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == "__all__" for t in node.targets):
            values = node.value.elts if isinstance(node.value, (ast.List, ast.Tuple)) else []
            return {each.value for each in values if isinstance(each, ast.Constant) and isinstance(each.value, str)}
    return {node.name for node in tree.body if isinstance(node, ast.ClassDef) and not node.name.startswith("_")}


def _layers(tree: ast.Module) -> set[str]:
    """The classes that are made of no model, in a file that has models of ``PreTrainedModel``."""
    bases = {node.name: [_name(each) for each in node.bases] for node in tree.body if isinstance(node, ast.ClassDef)}
    roots = {name: _roots(name, bases) for name in bases}
    layers = {name for name, found in roots.items() if all(LAYER.search(each) for each in found)}
    has_models = any(each.endswith(MODEL) for found in roots.values() for each in found)
    return layers if has_models else set()


def _roots(name: str, bases: Mapping[str, list[str]], seen: frozenset[str] = frozenset()) -> set[str]:
    """The names of the classes from elsewhere that a class is made of."""
    if name not in bases or name in seen:
        return {name}
    return {root for each in bases[name] for root in _roots(each, bases, seen | {name})}


def _documented(node: ast.ClassDef | ast.FunctionDef) -> bool:
    return ast.get_docstring(node) is not None or any(_name(each) in DOCUMENTING for each in node.decorator_list)


def _name(node: ast.expr) -> str:
    target = node.func if isinstance(node, ast.Call) else node
    return target.attr if isinstance(target, ast.Attribute) else target.id if isinstance(target, ast.Name) else ""


def _does_nothing(node: ast.FunctionDef) -> bool:
    """Whether a body is ``...`` alone, in a function that is no declaration."""
    body = node.body[1:] if ast.get_docstring(node) is not None else node.body
    declared = any(_name(each) in ("overload", "abstractmethod") for each in node.decorator_list)
    ellipses = [each for each in body if isinstance(each, ast.Expr) and isinstance(each.value, ast.Constant)]
    return bool(body) and len(ellipses) == len(body) and not declared
