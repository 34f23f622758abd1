"""Step 7 of the recipe: none of the usual mistakes was made, each as a claim of its own.

A claim is refuted by a culprit whose first cause is one of its mistakes. Where a culprit has no proven cause, it may
be any of them: then the other claims are left open, and `check_hidden_states_equal` names the culprit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from porting.checks.shared.outcomes import ClaimRefuted, Figures, Lacking
from porting.checks.shared.wording import MOST_LINES, culprit_name, more
from porting.text import show

if TYPE_CHECKING:
    from porting.checks.shared.context import CheckContext
    from porting.diagnosis import Culprit
    from porting.diagnosis.cause import Finding

STEP = 7
MISTAKES = {
    "check_nothing_forgotten": (
        "missing-activation", "missing-bias", "missing-embedding", "missing-layer", "extra-layer", "missing-norm",
        "missing-residual", "residual-source", "missing-scale", "extra-scale",
    ),
    "check_weights_in_place": (
        "not-loaded", "wrong-layer", "transposed", "qkv-order", "swapped", "permuted", "untied", "dtype-cast",
        "buffer-wrong", "weight-norm",
    ),
    "check_attention_equal": (
        "attention-mask", "attention-scale", "attention-window", "causal-mask", "head-count", "head-reshape",
        "kv-repeat-order", "softcap", "softmax-axis",
    ),
    "check_positions_equal": (
        "position-offset", "relative-bias", "rope-applied", "rope-layout", "rope-theta",
    ),
    "check_norms_equal": ("norm-eps", "norm-formula", "norm-placement", "norm-type", "batch-norm-training"),
    "check_settings_equal": (
        "activation", "compute-dtype", "conv-geometry", "dropout-active", "expert-routing", "padding-idx",
    ),
    "check_order_equal": ("block-order", "concat-order", "gate-order", "layout", "pooling", "wrong-input"),
}  # fmt: skip
"""The cause codes that refute each claim; every code that diagnosis knows refutes exactly one."""


def check_nothing_forgotten(context: CheckContext) -> Figures:
    """No layer, activation, norm, bias, embedding, scale or residual of the original is missing in the port, or new.

    The recipe's usual mistakes: "a layer, an activation or a residual forgotten".

    Raises:
        ClaimRefuted: one is.
        Skip: not decided, as nothing was judged, or a culprit has no proven cause.
    """
    return _unless_made(context, "check_nothing_forgotten")


def check_weights_in_place(context: CheckContext) -> Figures:
    """No module computes with weights in another place, order or dtype than the original's.

    The recipe's usual mistakes: weights whose name matches and whose content does not; embeddings not tied.

    Raises:
        ClaimRefuted: one does.
        Skip: not decided, as nothing was judged, or a culprit has no proven cause.
    """
    return _unless_made(context, "check_weights_in_place")


def check_attention_equal(context: CheckContext) -> Figures:
    """Attention has the original's heads, scale, mask, window and capping.

    Recipe step 7, layer by layer.

    Raises:
        ClaimRefuted: it has others.
        Skip: not decided, as nothing was judged, or a culprit has no proven cause.
    """
    return _unless_made(context, "check_attention_equal")


def check_positions_equal(context: CheckContext) -> Figures:
    """Positions are counted, embedded and rotated as in the original.

    The recipe's usual mistakes: "position embeddings with an offset".

    Raises:
        ClaimRefuted: they are not.
        Skip: not decided, as nothing was judged, or a culprit has no proven cause.
    """
    return _unless_made(context, "check_positions_equal")


def check_norms_equal(context: CheckContext) -> Figures:
    """Norms have the original's formula, epsilon, statistics and place.

    Recipe step 7, layer by layer.

    Raises:
        ClaimRefuted: they have others.
        Skip: not decided, as nothing was judged, or a culprit has no proven cause.
    """
    return _unless_made(context, "check_norms_equal")


def check_settings_equal(context: CheckContext) -> Figures:
    """Activations, convolutions, experts, dropout and precision are set as in the original.

    The recipe's usual mistakes: "wrong dtype", "dropout active in the forward pass".

    Raises:
        ClaimRefuted: one is set otherwise.
        Skip: not decided, as nothing was judged, or a culprit has no proven cause.
    """
    return _unless_made(context, "check_settings_equal")


def check_order_equal(context: CheckContext) -> Figures:
    """Branches, parts, gates and dimensions come in the original's order.

    The recipe's usual mistakes: "wrong dimensions".

    Raises:
        ClaimRefuted: they come in another.
        Skip: not decided, as nothing was judged, or a culprit has no proven cause.
    """
    return _unless_made(context, "check_order_equal")


CHECKS = (
    check_nothing_forgotten,
    check_weights_in_place,
    check_attention_equal,
    check_positions_equal,
    check_norms_equal,
    check_settings_equal,
    check_order_equal,
)


def _unless_made(context: CheckContext, claim: str) -> Figures:
    verification = context.verification
    judged = len({each.ported.path for each in verification.isolation.observations})
    made = [
        (culprit, culprit.causes[0])
        for culprit in verification.culprits
        if culprit.causes and culprit.causes[0].code in MISTAKES[claim]
    ]
    figures: Figures = {"judged_modules": judged, "mistakes": len(made)}
    if made:
        lines = [line for culprit, cause in made[:MOST_LINES] for line in _lines(culprit, cause)]
        hint = f"{show(made[0][1].fix, 400)}; then: {context.command('verify --strict')}"
        raise ClaimRefuted("\n".join([*lines, *more(len(made))]), hint=hint, figures=figures)
    open_ones = [culprit for culprit in verification.culprits if culprit.proven is None]
    if open_ones:
        raise Lacking(
            f"undecided: {culprit_name(open_ones[0])} differs for a reason that is not proven "
            "(check_hidden_states_equal says how)",
            figures=figures,
        )
    explained = verification.culprits or verification.given_verdict == "match"
    if not explained or not judged or verification.uncovered:
        raise Lacking("undecided: not every module could be judged on the original's own tensors", figures=figures)
    return figures


def _lines(culprit: Culprit, cause: Finding) -> tuple[str, ...]:
    proof = "proven" if cause.verified else "not proven"
    return (
        f"{culprit_name(culprit)}: {show(cause.summary, 400)}",
        f"  Cause: {cause.code} ({proof})",
    )
