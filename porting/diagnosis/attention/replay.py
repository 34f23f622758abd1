"""A module run again by itself on what it was fed, with its attention as it is or edited."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch

from porting.copying import copied
from porting.diagnosis import changes
from porting.diagnosis.attention.editing import Editor
from porting.diagnosis.scene import Gap, Moment
from porting.hooks.tracking import forward_signature, named_arguments
from porting.trace import flatten


@dataclass(frozen=True, slots=True)
class Replay:
    """One call of a module, to be made again: its aligned children return the original's tensors at once.

    Attributes:
        model: the live port.
        moment: the call.
        gap: the place to look at.
        batch: how many rows the inputs have.
    """

    model: torch.nn.Module
    moment: Moment
    gap: Gap
    batch: int

    def run(self, editor: Editor) -> torch.Tensor | None:
        """What stands at the gap; None if it is not met again."""
        seen: list[torch.Tensor] = []
        args, kwargs = copied((self.moment.args, self.moment.kwargs), torch.Tensor.clone)
        with ExitStack() as stack, torch.no_grad():
            for module, results in self._fed().items():
                stack.enter_context(changes.forward(module, partial(_next, results)))
            own = self._is_own()
            if not own:
                stack.enter_context(self._seen(seen))
            with editor.watching(self.moment.module):
                output = self.moment.module(*args, **kwargs)
        if own:
            seen += [
                leaf.reshape(self.gap.wrong.shape) for name, leaf in flatten(output)[1] if self._is_meant(name, leaf)
            ]
        return seen[self._turn()] if len(seen) > self._turn() else None

    def _is_own(self) -> bool:
        """Whether the module's own output is what to look at: also where it is met only as another's input."""
        path = self.moment.path
        outside = path != "" and self.gap.path != path and not self.gap.path.startswith(f"{path}.")
        return outside or (self.gap.place[0] == self.moment.key and self.gap.where == "output")

    def _is_meant(self, name: str, leaf: Any) -> bool:
        if not _is_tensor(leaf) or leaf.numel() != self.gap.wrong.numel():
            return False
        return name == self.gap.leaf or self.gap.path != self.moment.path

    def _fed(self) -> dict[torch.nn.Module, deque[Any]]:
        """What the nearest aligned modules below returned, call by call."""
        results: dict[torch.nn.Module, deque[Any]] = defaultdict(deque)
        loose: set[torch.nn.Module] = set()
        waiting = deque(self.moment.children)
        while waiting:
            child = waiting.popleft()
            if child.result is child.output:
                loose.add(child.module)
                waiting.extendleft(reversed(child.children))
            elif child.key != self.gap.place[0]:
                results[child.module].append(child.result)
        return {module: found for module, found in results.items() if module not in loose}

    def _turn(self) -> int:
        """Which of the calls of the gap's module within this one is meant."""
        keys = [child.key for child in self.moment.children if child.path == self.gap.path]
        return keys.index(self.gap.place[0]) if self.gap.place[0] in keys else 0

    @contextmanager
    def _seen(self, seen: list[torch.Tensor]) -> Iterator[None]:
        module = self.model.get_submodule(self.gap.path)
        signature = forward_signature(module)

        def keep(value: Any) -> None:
            leaves = [leaf for name, leaf in flatten(value)[1] if name == self.gap.leaf and _is_tensor(leaf)]
            seen.extend(leaf.detach().clone() for leaf in leaves[:1])

        if self.gap.where == "input":
            handle = module.register_forward_pre_hook(
                lambda _, args, kwargs: keep(named_arguments(signature, args, kwargs)), with_kwargs=True
            )
        else:
            handle = module.register_forward_hook(lambda _, __, output: keep(output))
        try:
            yield
        finally:
            handle.remove()


def _next(results: deque[Any], *_: Any, **__: Any) -> Any:
    return copied(results.popleft(), torch.Tensor.clone)


def _is_tensor(leaf: Any) -> bool:
    return isinstance(leaf, torch.Tensor)
