"""One model with the way in which it is run, and how much it rounds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import torch

from porting.copying import copied
from porting.errors import CaptureError
from porting.hooks.preserving import preserved, seed_everything
from porting.quieting import quiet
from porting.reruns.precision import in_float64, to_float64
from porting.runs import Inputs, Run, Side
from porting.text import show
from porting.tolerance import Tolerance
from porting.trace import flatten

MARGIN = 10.0
"""How many times its own rounding a model may move when it computes the same in another way."""
LAST_DIGITS = 8
"""The same in units of the dtype's last digit at the largest value: a result may round to the exact one by chance."""

Outputs = Mapping[str, torch.Tensor]
"""The tensors that a forward returned, by name: ``logits``, ``hidden_states.0``; ``output`` for a lone tensor."""


@dataclass(frozen=True)
class Subject:
    """A live model and how the portfile runs it.

    Attributes:
        side: ``original`` or ``ported``.
        model: left as it was found by every run.
        inputs: the given ones.
        forward: runs a model on inputs and returns what its forward returns.
        valid_positions: for some inputs the bool (batch, sequence) of what counts; None: everything.
    """

    side: Side
    model: torch.nn.Module
    inputs: Inputs
    forward: Run
    valid_positions: Callable[[Inputs], torch.Tensor | None]
    _kept: dict[str, Outputs] = field(default_factory=dict, repr=False, compare=False)

    def outputs(self, inputs: Inputs | None = None, *, model: torch.nn.Module | None = None, seed: int = 0) -> Outputs:
        """Run once without gradients; the floating-point tensors that came back, on the cpu.

        Args:
            inputs: others than the given ones.
            model: another model than the subject's own, as a copy of it in another precision.
            seed: of Python, NumPy and torch.

        Raises:
            CaptureError: the forward raised.
        """
        result = self.result(inputs, model=model, seed=seed)
        return {name: tensor.detach().cpu() for name, tensor in named_tensors(result).items()}

    def result(self, inputs: Inputs | None = None, *, model: torch.nn.Module | None = None, seed: int = 0) -> object:
        """The same run; what the forward returned, as it is.

        Raises:
            CaptureError: the forward raised.
        """
        return self.results((seed,), inputs, model=model)[0]

    def results(
        self, seeds: Sequence[int], inputs: Inputs | None = None, *, model: torch.nn.Module | None = None
    ) -> list[object]:
        """Run once with each seed, one run after the other; the model keeps from run to run what it keeps.

        Returns:
            What each run returned, with tensors of its own.

        Raises:
            CaptureError: the forward raised.
        """
        run_model = self.model if model is None else model
        given = self.inputs if inputs is None else inputs
        results = []
        with preserved(run_model), torch.no_grad(), quiet():
            for seed in seeds:
                seed_everything(seed)
                try:
                    returned = self.forward(run_model, given.fresh())
                except Exception as error:
                    raise CaptureError(
                        f"the {self.side} model's forward raised {type(error).__name__}: {show(error, 300)}",
                        side=self.side,
                    ) from error
                results.append(returned if len(seeds) == 1 else copied(returned, torch.Tensor.clone))
        return results

    @property
    def given(self) -> Outputs:
        """What the model returns for the given inputs; run once."""
        if "given" not in self._kept:
            self._kept["given"] = self.outputs()
        return self._kept["given"]

    @property
    def exact(self) -> Outputs | None:
        """The same computed in float64; None where the model cannot be, or draws other numbers there."""
        if "exact" not in self._kept:
            self._kept["exact"] = {} if self._draws else self._in_float64()
        return self._kept["exact"] or None

    @property
    def _draws(self) -> bool:
        """Whether another seed gives other outputs: then float64 differs by more than rounding."""
        other = self.outputs(seed=1)
        return any(
            name not in other or not torch.equal(tensor.nan_to_num(), other[name].nan_to_num())
            for name, tensor in self.given.items()
        )

    def _in_float64(self) -> Outputs:
        try:
            with in_float64(self.model):
                inputs = Inputs(to_float64(self.inputs.args), to_float64(dict(self.inputs.kwargs)))
                return self.outputs(inputs)
        except (CaptureError, MemoryError):
            return {}

    def allowance(self, name: str, tensor: torch.Tensor) -> Tolerance:
        """How far an output may move when the model computes the same in another way: `MARGIN` times the error of
        its rounding on the given inputs, against float64, and at least `LAST_DIGITS` of its largest value.

        Args:
            name: of the output.
            tensor: its values, for their size and dtype.
        """
        finite = tensor[tensor.isfinite()]
        scale = float(finite.abs().max()) if finite.numel() else 0.0
        least = LAST_DIGITS * torch.finfo(tensor.dtype).eps * scale
        return Tolerance(max(least, MARGIN * self.rounding(name)), 0.0)

    def rounding(self, name: str) -> float:
        """The largest rounding error of an output on the given inputs; 0 where it is not known."""
        exact = (self.exact or {}).get(name)
        given = self.given.get(name)
        if exact is None or given is None or exact.shape != given.shape:
            return 0.0
        error = (given.double() - exact).abs()
        return float(error[error.isfinite()].max()) if bool(error.isfinite().any()) else 0.0


def named_tensors(result: object) -> dict[str, torch.Tensor]:
    """The floating-point tensors of what a forward returned, by name; caches and other objects are taken apart."""
    leaves = flatten(result)[1]
    return {
        name or "output": leaf
        for name, leaf in leaves
        if isinstance(leaf, torch.Tensor) and leaf.is_floating_point() and leaf.numel()
    }
