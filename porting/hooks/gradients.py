"""Record gradients, too: of what each call returned, and of the parameters.

They are those of one number: the first floating-point tensor that the run returns, projected on the fixed vector of
`porting.trace.sketches.projection`; or of what the run returns, if that is a single number, such as a loss.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch.utils.hooks import RemovableHandle

from porting.errors import CaptureError
from porting.hooks.listening import Listener
from porting.hooks.module_table import owned_tensors
from porting.hooks.module_tree import executed_modules
from porting.hooks.tracking import OpenCall
from porting.runs import Inputs, Run
from porting.trace import Call, Leaf, ModuleInfo, Value, flatten
from porting.trace.sketches import projection


class GradientListener(Listener):
    """A listener that runs the model with a graph, and backward afterwards."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._kept: dict[tuple[int, str], Leaf] = {}
        self._of_parameters: dict[int, Leaf] = {}
        self._handles: list[RemovableHandle] = []

    def follow(self, run: Run | None, given: Inputs, *, wrap: bool = False) -> tuple[Any, BaseException | None]:
        """Run the model forward and backward; a backward that raises is a failure of the run.

        Raises:
            CaptureError: nothing that the run returned depends on a parameter that requires a gradient.
            OSError: the disk refused a tensor.
        """
        try:
            with torch.enable_grad():
                result, failure = super().follow(run, given, wrap=wrap)
                if failure is None:
                    failure = self._backward(result)
        finally:
            for handle in self._handles:  # a module may return a parameter, which outlives the run
                handle.remove()
        self.require_whole()
        return result, failure

    def leaving(self, call: OpenCall, output: Any) -> None:
        """Note what the call returned, and ask for its gradient."""
        super().leaving(call, output)
        for name, leaf in flatten(output)[1]:
            if isinstance(leaf, torch.Tensor) and leaf.requires_grad:
                arrived = partial(self._arrived, call, name)
                self._handles.append(leaf.register_hook(arrived))  # type: ignore[no-untyped-call]

    def finished(self) -> tuple[Call, ...]:
        """The calls in order of entry, with their gradients."""
        return tuple(replace(call, gradients=self._value(call)) for call in super().finished())

    def described(self, modules: Mapping[str, ModuleInfo]) -> Mapping[str, ModuleInfo]:
        """The module table with the parameters' gradients."""
        described = dict(modules)
        for path, module in executed_modules(self.model):
            keys = {name: self._of_parameters.get(id(tensor)) for name, _, tensor in owned_tensors(module)}
            parameters = tuple(
                replace(parameter, gradient=leaf.tensor) if (leaf := keys.get(parameter.name)) else parameter
                for parameter in described[path].parameters
            )
            described[path] = replace(described[path], parameters=parameters)
        return described

    def _backward(self, result: Any) -> BaseException | None:
        target = _number(result)
        parameters = [
            tensor
            for _, module in executed_modules(self.model)
            for _, kind, tensor in owned_tensors(module)
            if kind == "parameter" and tensor.requires_grad
        ]
        if target is None or not parameters:
            raise CaptureError(
                "no gradients can be recorded: the run's result does not depend on a parameter that requires one",
                hint="check requires_grad of the parameters, and that the run does not switch gradients off",
            )
        try:
            found = torch.autograd.grad(target, parameters, allow_unused=True)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            return error
        for parameter, gradient in zip(parameters, found, strict=True):
            if gradient is not None:
                self._of_parameters[id(parameter)] = self.value(gradient).leaves[0]
        return None

    def _arrived(self, call: OpenCall, name: str, gradient: torch.Tensor) -> None:
        noted = self.noted(call, lambda: gradient)
        self._kept[call.index, name] = replace(noted.leaves[0], name=name)

    def _value(self, call: Call) -> Value:
        none = [Leaf(leaf.name, type_name="no gradient") for leaf in call.outputs.leaves]
        leaves = tuple(self._kept.get((call.index, leaf.name), leaf) for leaf in none)
        return Value(call.outputs.structure, leaves)


def _number(result: Any) -> torch.Tensor | None:
    """What the gradients are of; None if it depends on nothing."""
    for _, leaf in flatten(result)[1]:
        if isinstance(leaf, torch.Tensor) and leaf.is_floating_point() and leaf.requires_grad:
            weights = torch.from_numpy(projection(0, leaf.numel())).to(leaf.device, leaf.dtype)
            return leaf.reshape(()) if leaf.numel() == 1 else (leaf.reshape(-1) * weights).sum()
    return None
