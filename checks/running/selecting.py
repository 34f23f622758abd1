"""Which checks are to run: by name, by pattern, by step of the recipe."""

from __future__ import annotations

import difflib
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from porting.checks.running.results import Check, iterate_checks
from porting.errors import PortingError
from porting.text import show

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

PREFIX = "check_"
WILD = frozenset("*?[")


class SelectionError(PortingError):
    """A name, pattern or step that selects no check."""

    code = "selection"
    exit_code = 2


def select_checks(
    names: Collection[str] = (), *, steps: Collection[int] = (), skip: Collection[str] = ()
) -> tuple[Check, ...]:
    """The checks to run, in the order in which they are run; all of them by default.

    Args:
        names: each a check, the beginning of some, or a pattern such as ``*cache*``; ``check_`` may be left out.
        steps: of the recipe; with names, checks must be of one of the steps.
        skip: what to leave out, in the form of the names.

    Raises:
        SelectionError: one of the arguments selects no check, or all of them together select none.
    """
    checks = tuple(iterate_checks())
    known = [check.name for check in checks]
    wanted = _matched(names, known) if names else set(known)
    left_out = _matched(skip, known)
    _require_steps(steps, checks)
    chosen = [check for check in checks if check.name in wanted - left_out and (not steps or check.step in steps)]
    if not chosen:
        raise SelectionError("no check is both selected and not left out", hint="see: porting check --list")
    return tuple(chosen)


def _matched(patterns: Iterable[str], known: Sequence[str]) -> set[str]:
    return {name for pattern in patterns for name in _matching(pattern, known)}


def _matching(pattern: str, known: Sequence[str]) -> list[str]:
    """The names that a pattern stands for: that very one, else all that match."""
    whole = pattern if pattern.startswith((PREFIX, "*", "?", "[")) else f"{PREFIX}{pattern}"
    if whole in known:
        return [whole]
    matching = [name for name in known if (fnmatchcase(name, whole) if WILD & set(whole) else name.startswith(whole))]
    if not pattern or not matching:
        close = difflib.get_close_matches(whole, known, n=1)
        meant = f"; did you mean {close[0]}?" if close else ""
        raise SelectionError(f"there is no check {show(pattern) or '(empty)'}{meant}", hint=f"{_listed(known)}")
    return matching


def _listed(known: Sequence[str]) -> str:
    return f"the checks are: {', '.join(name.removeprefix(PREFIX) for name in known)}"


def _require_steps(steps: Iterable[int], checks: Iterable[Check]) -> None:
    there = sorted({check.step for check in checks})
    for step in steps:
        if step not in there:
            raise SelectionError(
                f"step {step} of the recipe has no checks",
                hint=f"the steps with checks are: {', '.join(map(str, there))}",
            )
