"""The calls of a trace as a tree: nested as they were made, with what is alike folded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

from porting.folding import NUMBER, braces
from porting.results import Shown
from porting.text import show
from porting.trace.words import tensor_words

if TYPE_CHECKING:
    from porting.trace.model import Trace
    from porting.trace.parts import Call


@dataclass(frozen=True, slots=True)
class Branch:
    """A call, or several in a row that differ by one number only.

    Attributes:
        name: the call's label below its parent's path, with the numbers of folded calls in braces.
        class_name: the module's class.
        inputs: the tensors that went in, in words.
        outputs: those that came out.
        count: how many calls this stands for.
        raised: the error, if the run failed in this call.
        children: the calls made from it; those of folded calls are the same for each.
    """

    name: str
    class_name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    count: int
    raised: str
    children: tuple[Branch, ...]


@dataclass(frozen=True)
class CallTree(Shown):
    """All calls of a trace.

    Attributes:
        branches: the outermost calls.
        calls: how many calls there are.
        full: whether nothing is folded or left out in print.
        unobserved: paths of modules that were expected to be called, and were not seen.
        left_out: what was deliberately not recorded, None for nothing.
    """

    renderer: ClassVar[str] = "porting.report.tree:render_tree"

    branches: tuple[Branch, ...]
    calls: int
    full: bool = False
    unobserved: tuple[str, ...] = ()
    left_out: Mapping[str, Any] | None = None

    def __str__(self) -> str:
        """The tree as plain text."""
        return self.text()


def tree_of(trace: Trace, *, full: bool = False) -> CallTree:
    """The calls of a trace as a tree.

    Args:
        trace: any trace, also of a run that raised.
        full: fold nothing.
    """
    forest = _Forest(trace, fold=not full)
    return CallTree(forest.built(), len(trace.calls), full, trace.unobserved, trace.left_out)


class _Forest:
    """Builds branches from the innermost calls outwards, without recursion: a parent comes before its children."""

    def __init__(self, trace: Trace, *, fold: bool) -> None:
        self.trace = trace
        self.fold = fold
        self.failed = trace.failed_call
        self.branches: dict[int, Branch] = {}
        self.alike: dict[int, int] = {}
        self._known: dict[Any, int] = {}

    def built(self) -> tuple[Branch, ...]:
        for call in reversed(self.trace.calls):
            children = self.trace.children.get(call.index, ())
            raised = self.trace.failure.error if self.trace.failure and call is self.failed else ""
            branch = Branch(
                name="",
                class_name=call.class_name,
                inputs=tensor_words(call.inputs),
                outputs=tensor_words(call.outputs),
                count=1,
                raised=raised,
                children=self._folded(call, children),
            )
            self.branches[call.index] = branch
            made = tuple((_name(call, child), self.alike[child.index]) for child in children)
            key = (branch.class_name, branch.inputs, branch.outputs, raised, made)
            self.alike[call.index] = self._known.setdefault(key, len(self._known))
        return self._folded(None, self.trace.children.get(None, ()))

    def _folded(self, parent: Call | None, calls: Sequence[Call]) -> tuple[Branch, ...]:
        """The branches of siblings: a row of them that differ by one number, which counts up, becomes one."""
        runs: list[list[Call]] = []
        for call in calls:
            if self.fold and runs and self._continues(parent, runs[-1], call):
                runs[-1].append(call)
            else:
                runs.append([call])
        return tuple(replace(self.branches[run[0].index], name=_run_name(parent, run), count=len(run)) for run in runs)

    def _continues(self, parent: Call | None, run: Sequence[Call], call: Call) -> bool:
        if self.alike[run[-1].index] != self.alike[call.index]:
            return False
        step = _step(_name(parent, run[-1]), _name(parent, call))
        return step is not None and (len(run) == 1 or step == _step(_name(parent, run[0]), _name(parent, run[1])))


Name = tuple[tuple[str, ...], tuple[int, ...]]
"""A call's path below its parent's, as texts and the numbers between them; after them its repeat and its step."""


def _name(parent: Call | None, call: Call) -> Name:
    path = call.path
    if parent is not None and path.startswith(f"{parent.path}.") and parent.path:
        path = path[len(parent.path) + 1 :]
    parts = NUMBER.split(path)
    step = 0 if parent is not None and parent.step == call.step else call.step
    return tuple(parts[::2]), (*map(int, parts[1::2]), call.repeat, step)


def _step(one: Name, other: Name) -> int | None:
    """Which number alone is one higher in the other name; None: they differ in another way."""
    if one[0] != other[0]:
        return None
    differing = [place for place, (a, b) in enumerate(zip(one[1], other[1], strict=True)) if a != b]
    return differing[0] if len(differing) == 1 and other[1][differing[0]] == one[1][differing[0]] + 1 else None


def _run_name(parent: Call | None, run: Sequence[Call]) -> str:
    texts, first = _name(parent, run[0])
    _, last = _name(parent, run[-1])
    numbers = [braces(range(low, high + 1)) for low, high in zip(first, last, strict=True)]
    path = texts[0] + "".join(number + text for number, text in zip(numbers, texts[1:], strict=False))
    suffixes = zip(("#", "@"), numbers[-2:], strict=True)
    return (show(path) or "(model)") + "".join(mark + number for mark, number in suffixes if number != "0")
