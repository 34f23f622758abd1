"""Check a checkpoint against a model by names, shapes and dtypes: no tensor data is read or needed."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import torch

from porting.errors import PortingError
from porting.text import show
from porting.weights.matching import Matching, ModelTensors, match
from porting.weights.report import Remark, WeightsReport, by_gravity
from porting.weights.rules.planning import Rules
from porting.weights.source import Checkpoint, source_of

if TYPE_CHECKING:
    from collections.abc import Iterator


def check_weights(
    checkpoint: Checkpoint,
    model: torch.nn.Module,
    rules: Rules | None = None,
    *,
    strict: bool = False,
    allow_pickle_code: str | None = None,
) -> WeightsReport:
    """Compare the names, shapes and dtypes of a checkpoint with those of a model's parameters and buffers.

    A clean report says that every weight *can* be loaded; `porting.assert_loaded` says that it *was*.

    Args:
        checkpoint: a file of any format that `read_headers` knows, an index, a folder that holds one, or a state
            dict.
        model: live or on the meta device (`build_on_meta`).
        rules: a list of rules (`porting.weights.Rename` and others), or a mapping or a function from checkpoint name
            to model name, None for one left out on purpose; without any, what Transformers itself knows of the class.
        strict: also fail on checkpoint tensors that the model does not use.
        allow_pickle_code: the sha256 of a pickle that may run any code when it is loaded (`read_headers`).

    Raises:
        CheckpointError: the checkpoint cannot be read.
        PortingError: the rules or the model cannot be used.
    """
    source = source_of(checkpoint, allow_pickle_code=allow_pickle_code)
    tensors = ModelTensors.of(model)
    found = match(source.specs, tensors, rules)
    return WeightsReport(
        checkpoint=source.label,
        total=len(tensors.tensors),
        matched=len(found.made),
        findings=by_gravity(found.findings),
        warnings=(*source.remarks, *found.warnings, *_tied_twice(tensors, found)),
        strict=strict,
    )


def build_on_meta(ported_class: type[torch.nn.Module], config: Any) -> torch.nn.Module:
    """Build ``ported_class(config)`` without memory for its weights, in the config's own dtype if it has one.

    Raises:
        PortingError: the constructor raised.
    """
    try:
        with torch.device("meta"), default_dtype(getattr(config, "dtype", None)):
            return ported_class(config)
    except Exception as error:
        raise PortingError(
            f"{show(ported_class.__name__)}(config) cannot be built on the meta device: "
            f"{type(error).__name__}: {show(error, 500)}",
            hint="a constructor must not read tensors' values; without config() the live ported() is checked",
        ) from error


@contextlib.contextmanager
def default_dtype(dtype: Any) -> Iterator[None]:
    """Let a floating dtype be torch's default meanwhile; anything else changes nothing."""
    before = torch.get_default_dtype()
    if isinstance(dtype, torch.dtype) and dtype.is_floating_point:
        torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def _tied_twice(model: ModelTensors, found: Matching) -> Iterator[Remark]:
    for name, others in model.ties.items():
        for other in others:
            if name < other and name in found.made and other in found.made:
                yield Remark(
                    "tied-and-present",
                    f"{show(name)} and {show(other)} are tied in the model and both in the checkpoint: "
                    "only values tell whether they are equal there (porting.assert_loaded)",
                )
