"""What the tests of one verified port are made of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from porting.errors import GenerationError, PortingError
from porting.portfile import Portfile
from porting.progress import Progress
from porting.stubs.expectations import ExpectedOutput, expected_outputs, require_passing, tolerance_of
from porting.stubs.layers import ASKED, layer_outputs
from porting.stubs.layout import Tree
from porting.stubs.replay import MOST_STORED, Replay, replay_of, require_small
from porting.stubs.sensitivity import moves, of_output
from porting.stubs.ways import other_ways, replayed
from porting.verification import Verification

Files = dict[Path, str | bytes]


class Untested(PortingError):  # noqa: N818 - says what has no test, and is no mistake of anybody's
    """Something of a port has no test; the message says why."""

    code = "untested"


@dataclass(frozen=True)
class Material:
    """A verified port, its original, and what is known of both.

    Attributes:
        portfile: of both models.
        verification: that says match.
        ported: the port, live.
        original: the original, where it is live.
        place: a tree, or the one file of a test that stands alone.
        replay: how the port runs again.
        outputs: what is expected of it.
        atol: the absolute tolerance of the outputs.
        rtol: the relative one.
    """

    portfile: Portfile
    verification: Verification
    ported: torch.nn.Module
    original: torch.nn.Module | None
    place: Tree | Path
    replay: Replay
    outputs: tuple[ExpectedOutput, ...]
    atol: float
    rtol: float

    @property
    def standalone(self) -> bool:
        """Whether the test is one file."""
        return isinstance(self.place, Path)

    @property
    def measured(self) -> float:
        """The largest noise of an output."""
        return max(output.noise for output in self.outputs)

    @property
    def weights(self) -> dict[str, Any]:
        """The constants from which a test loads."""
        return {"checkpoint": self.replay.weights.checkpoint, "revision": self.replay.weights.revision}


def gather(
    portfile: Portfile,
    verification: Verification,
    ported: torch.nn.Module,
    original: torch.nn.Module | None,
    place: Tree | Path,
    progress: Progress,
) -> Material:
    """Run the port in other ways and with perturbed modules, and choose what a test of it looks at.

    Raises:
        GenerationError: the port or its outputs are of a kind that a test cannot be written for.
        PortfileError: a function of the portfile does not keep its contract.
    """
    replay = replay_of(portfile, verification)
    require_small(replay.given, MOST_STORED)
    outputs = _informed(expected_outputs(portfile, verification, replay.call), ported, replay, progress)
    measured = max(output.noise for output in outputs)
    atol, rtol = tolerance_of(replay.dtype, measured, verification.comparison.tolerance)
    for output in outputs:
        require_passing(output, atol, rtol)
    if layers := layer_outputs(verification, ported, replay.given, outputs, (atol, rtol)):
        replay = replace(replay, given={**replay.given, ASKED: True})
        outputs += tuple(_passing(_informed(layers, ported, replay, progress), atol, rtol))
    return Material(portfile, verification, ported, original, place, replay, outputs, atol, rtol)


def _informed(
    outputs: Sequence[ExpectedOutput], ported: torch.nn.Module, replay: Replay, progress: Progress
) -> tuple[ExpectedOutput, ...]:
    """The outputs with what running the port in other ways, and with perturbed modules, tells about them."""
    subject = replayed(ported, replay.given)
    progress("running the port in other ways", 0, 2)
    ways = other_ways(subject)
    progress("perturbing the port's modules", 1, 2)
    moved = moves(subject)
    return tuple(output.informed(of_output(moved, output.leaf.name), _others(output, ways)) for output in outputs)


def _passing(layers: Sequence[ExpectedOutput], atol: float, rtol: float) -> Iterator[ExpectedOutput]:
    """Those hidden states whose test the port passes in every way in which it ran."""
    for layer in layers:
        try:
            require_passing(layer, atol, rtol)
        except GenerationError:
            continue
        yield layer


def _others(output: ExpectedOutput, ways: Sequence[Any]) -> list[torch.Tensor]:
    found = [way.get(output.leaf.name) for way in ways]
    return [tensor for tensor in found if tensor is not None and tensor.shape == output.original.shape]
