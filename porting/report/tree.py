"""The calls of a trace, nested, in the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from porting.text import show, size_words

if TYPE_CHECKING:
    from rich.console import RenderableType

    from porting.trace.tree import Branch, CallTree

MOST_SIBLINGS = 40
MOST_NAMED = 6


def render_tree(tree: CallTree) -> RenderableType:
    """A row per call or folded calls, indented below the call that made it; then what was not recorded."""
    table = Table(box=None, header_style="dim", pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("call", no_wrap=True)
    for name in ("class", "tensors in", "tensors out"):
        table.add_column(name, overflow="fold")
    for depth, branch in _rows(tree):
        indent = "  " * depth
        if isinstance(branch, int):
            table.add_row(Text(f"{indent}… {branch:,} more calls (--full)", style="dim"))
            continue
        out = f"RAISED {show(branch.raised, 200)}" if branch.raised else "\n".join(branch.outputs)
        cells = (f"{indent}{branch.name}", show(branch.class_name, 40), "\n".join(branch.inputs), out)
        table.add_row(*map(Text, cells), style="bold red" if branch.raised else None)
    return Group(table, *_missing(tree))


def _rows(tree: CallTree) -> Iterator[tuple[int, Branch | int]]:
    """Branches with their depth; in the place of those that are left out, the number of their calls."""
    stack: list[tuple[int, Branch | int]] = [(0, each) for each in reversed(_kept(tree.branches, tree.full))]
    while stack:
        depth, branch = stack.pop()
        yield depth, branch
        if not isinstance(branch, int):
            stack += [(depth + 1, each) for each in reversed(_kept(branch.children, tree.full))]


def _kept(branches: Sequence[Branch], full: bool) -> list[Branch | int]:
    hidden = 0 if full else len(branches) - MOST_SIBLINGS
    if hidden <= 0:
        return list(branches)
    half = MOST_SIBLINGS // 2
    between = branches[half:-half]
    return [*branches[:half], sum(branch.count for branch in between), *branches[-half:]]


def _missing(tree: CallTree) -> Iterator[Text]:
    if tree.unobserved:
        named = ", ".join(show(path) or "(model)" for path in tree.unobserved[: None if tree.full else MOST_NAMED])
        more = len(tree.unobserved) - MOST_NAMED
        rest = f" and {more:,} more" if more > 0 and not tree.full else ""
        yield Text(f"expected, and never called: {named}{rest}", style="yellow")
    if tree.left_out:
        yield Text(f"left out on purpose: {_left_out(tree.left_out)}", style="yellow")


def _left_out(entry: Mapping[str, Any]) -> str:
    """How much, and by which rules."""
    count, limit = entry["tensors"], entry["limit"]
    rules = {name: show(" ".join(entry[name])) for name in ("include", "exclude", "classes")}
    rules["depth"] = "" if entry["depth"] is None else show(entry["depth"])
    rules["limit"] = "" if limit is None else size_words(limit)
    given = ", ".join(f"{name} {rule}" for name, rule in rules.items() if rule)
    tensors = f"{show(f'{count:,}')} tensor{'' if count == 1 else 's'}"
    return f"{tensors}, {size_words(entry['bytes'])}{given and f' ({given})'}"
