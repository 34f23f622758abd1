"""Operations of rules as steps of the emitted files: the name of a helper there, and its arguments."""

from __future__ import annotations

import ast
import builtins
import inspect
import textwrap
from collections.abc import Callable, Iterable
from typing import Any

from porting.errors import GenerationError
from porting.stubs.written import Name
from porting.text import show
from porting.weights.rules.arithmetic import Add, Apply, Cast, FoldWeightNorm, Scale
from porting.weights.rules.grouping import Concatenate, Copy, Split, Stack, Unstack
from porting.weights.rules.layout import Flatten, Flip, Permute, PermuteRope, Reshape, Slice, Transpose, Unflatten
from porting.weights.rules.operation import SIZES, Operation
from porting.weights.rules.placing import At, InsertZeros, Reorder

STEPS: dict[type[Operation], str] = {
    Split: "split",
    Concatenate: "concatenate",
    Stack: "stack",
    Unstack: "unstack",
    Copy: "copy",
    Transpose: "transpose",
    Permute: "permute",
    Reshape: "reshape",
    Flatten: "flatten",
    Unflatten: "unflatten",
    Flip: "flip",
    Slice: "cut",
    PermuteRope: "permute_rope",
    Scale: "scale",
    Add: "add",
    Cast: "cast",
    FoldWeightNorm: "fold_weight_norm",
    Apply: "call",
    At: "at",
    InsertZeros: "insert_zeros",
    Reorder: "reorder",
}
"""The helper of each operation, in ``tensor_steps.py.jinja``."""
ON_EACH = {"transpose", "permute", "reshape", "flatten", "unflatten", "flip", "cut", "permute_rope"}
ON_EACH |= {"scale", "add", "cast"}

_FIELDS = {
    Split: ("sizes", "count", "dim", "groups"),
    Concatenate: ("dim", "groups"),
    Stack: ("dim",),
    Unstack: ("dim",),
    Copy: ("count",),
    Transpose: ("dim0", "dim1"),
    Permute: ("dims",),
    Reshape: ("shape",),
    Flatten: ("start", "stop"),
    Unflatten: ("dim", "sizes"),
    Flip: ("dim",),
    Slice: ("start", "stop", "dim"),
    PermuteRope: ("heads", "to", "rotary"),
    Scale: ("factor",),
    Add: ("value",),
    Cast: ("dtype",),
    FoldWeightNorm: ("dim",),
    InsertZeros: ("place",),
    Reorder: ("order",),
}
_DEFAULTS: dict[str, dict[str, Any]] = {
    "split": {"sizes": None, "count": None, "dim": 0, "groups": 1},
    "concatenate": {"dim": 0, "groups": 1},
    "stack": {"dim": 0},
    "unstack": {"dim": 0},
    "permute_rope": {"rotary": None},
    "fold_weight_norm": {"dim": 0},
}
"""What a helper takes by itself."""

Step = tuple[Name, dict[str, Any]]


def step_of(operation: Operation) -> Step:
    """The helper and its arguments.

    Raises:
        GenerationError: the operation is none of porting's own.
    """
    kind = type(operation)
    if kind not in STEPS:
        raise GenerationError(
            f"{show(repr(operation), 100)} is an operation of its own kind, which cannot be written as code",
            hint="write it as a function of tensors, and give it as Apply(function)",
        )
    name = STEPS[kind]
    if isinstance(operation, Apply):
        return Name(name), {"function": Name(function_name(operation.function))}
    if isinstance(operation, At):
        inner, arguments = step_of(operation.operation)
        return Name(name), {"place": operation.place, "step": inner, **arguments}
    given = {field: getattr(operation, field) for field in _FIELDS[kind]}
    if isinstance(operation, Split) and operation.sizes is not None:
        given["count"] = None
    usual = _DEFAULTS.get(name, {})
    return Name(name), {key: value for key, value in given.items() if key not in usual or usual[key] != value}


def helpers_of(steps: Iterable[Step]) -> set[str]:
    """The helpers that steps need."""
    names = {name.name for name, _ in steps} | {
        each.name for _, arguments in steps if (each := arguments.get("step")) is not None
    }
    return names | ({"on_each"} if names & ON_EACH else set())


def sizes_of(steps: Iterable[Step]) -> tuple[str, ...]:
    """The arguments of steps that name attributes of the config."""
    found = {key for _, arguments in steps for key, value in arguments.items() if _has_text(value)}
    return tuple(name for name in SIZES if name in found)


def _has_text(value: Any) -> bool:
    return isinstance(value, str) or (isinstance(value, tuple) and any(map(_has_text, value)))


def functions_of(operations: Iterable[Operation]) -> dict[str, str]:
    """The source of the user's functions, by name.

    Raises:
        GenerationError: one cannot be copied, or two have one name.
    """
    sources: dict[str, str] = {}
    for given in operations:
        operation = given.operation if isinstance(given, At) else given
        if isinstance(operation, Apply):
            name = function_name(operation.function)
            source = function_source(operation.function)
            if sources.setdefault(name, source) != source:
                raise GenerationError(f"two functions of the rules are called {show(name)}; give them different names")
    return sources


def function_name(function: Callable[..., Any]) -> str:
    """Its name.

    Raises:
        GenerationError: it has none that can be used, or a helper of the emitted file has the same.
    """
    name = getattr(function, "__name__", "")
    if not name.isidentifier() or name in STEPS.values() or name in ("on_each", "with_sizes"):
        raise _not_copied(function, "its name cannot be used there", "give it a name of its own, with def")
    return str(name)


def function_source(function: Callable[..., Any]) -> str:
    """The text of a function that needs nothing but its arguments, builtins and torch.

    Raises:
        GenerationError: it is not one.
    """
    try:
        text = textwrap.dedent(inspect.getsource(function))
        (tree,) = ast.parse(text).body
        used = inspect.getclosurevars(function)
    except (OSError, TypeError, SyntaxError, ValueError):
        raise _not_copied(function, "its source is not at hand", "define it with def in the portfile") from None
    if not isinstance(tree, ast.FunctionDef) or tree.decorator_list:
        raise _not_copied(function, "it is no plain function", "define it with def, without a decorator")
    outside = {**used.nonlocals, **{key: value for key, value in used.globals.items() if key != "torch"}}
    outside = {key: value for key, value in outside.items() if key in _names(tree)}
    outside.pop(tree.name, None)
    if "torch" not in used.globals and "torch" in _names(tree) and "torch" in used.unbound:
        outside["torch"] = None
    if outside:
        names = ", ".join(map(show, sorted(outside)))
        raise _not_copied(function, f"it uses {names} from outside", "import and define within it what it uses")
    return text.strip()


def _names(tree: ast.FunctionDef) -> set[str]:
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    return names - set(dir(builtins))


def _not_copied(function: Callable[..., Any], why: str, hint: str) -> GenerationError:
    name = show(getattr(function, "__qualname__", type(function).__name__), 60)
    return GenerationError(f"the function {name} of Apply cannot be copied into the file: {why}", hint=hint)
