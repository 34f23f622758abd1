"""Every weakness of a run's inputs: which class of bug stays invisible, and what to pass instead."""

from __future__ import annotations

import torch

from porting.comparison import Comparison
from porting.inputs.images import image_warnings
from porting.inputs.limits import limit_warnings
from porting.inputs.running import run_warnings
from porting.inputs.settings import settings_of
from porting.inputs.texts import text_warnings
from porting.inputs.weights import weight_warnings
from porting.trace import Trace

CODES = {
    "training-mode": "modules are in training mode",
    "random-forward": "the forward draws random numbers",
    "zero-activations": "modules return zeros only",
    "constant-activations": "modules return one value throughout",
    "saturated-activations": "nearly all values of a result lie at its bounds",
    "loss-only": "what is compared at the end is a single number",
    "guidance-of-one": "the guidance scale is 1",
    "batch-of-one": "the batch has one row",
    "equal-rows": "all rows of the batch are equal",
    "no-padding": "no position is padding",
    "equal-lengths": "all rows have the same number of positions that count",
    "constant-input": "an input has one value throughout",
    "repeated-tokens": "fewer than half of the tokens of a row are distinct",
    "one-position": "the sequence has one position",
    "short-sequence": "no sequence reaches past a window or chunk",
    "unscaled-rotation": "no sequence is long enough for the scaling of the rotary embedding",
    "key-value-heads": "as many heads of keys as of queries, or a single one",
    "all-experts": "every expert is chosen for every token",
    "gray-image": "the channels of an image are equal",
    "square-image": "images are as high as they are wide",
    "native-size": "images have the size of the config",
    "same-padding": "paddings that are equal on all sides are right at this size",
    "constant-weights": "vectors of weights hold one value throughout",
    "zero-weights": "weights are zero throughout",
    "batch-norm-initial": "statistics of batch norms are 0 and 1",
}
"""The codes of `input_warnings`, which do not change, with what each says."""


def input_warnings(
    original: Trace, ported: Trace, comparison: Comparison, model: torch.nn.Module | None = None
) -> tuple[tuple[str, str], ...]:
    """Code and message of each weakness, each code once.

    Args:
        original: the original's trace.
        ported: the port's trace.
        comparison: of the two.
        model: the live port, for its config and for what its forward takes.
    """
    settings = settings_of(getattr(model, "config", None))
    return (
        *run_warnings(original, ported, comparison),
        *text_warnings(ported, settings, model),
        *image_warnings(original, ported, settings),
        *limit_warnings(ported, settings),
        *weight_warnings(original, ported),
    )
