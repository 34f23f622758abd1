"""Dropout that does not follow the model's mode: it drops in eval mode, too."""

from __future__ import annotations

import ast
from collections.abc import Mapping

from porting.conventions.calls import Called, calls
from porting.conventions.files import Source
from porting.text import show

FUNCTIONAL = "torch.nn.functional."
TRAINING: Mapping[str, int] = {
    **{
        f"{FUNCTIONAL}{name}": 2
        for name in ("dropout", "dropout1d", "dropout2d", "dropout3d", "alpha_dropout", "feature_alpha_dropout")
    },
    f"{FUNCTIONAL}multi_head_attention_forward": 13,
}
"""The position of ``training`` in functions of torch that drop; where it is not given, they do."""
PROBABILITY: Mapping[str, tuple[str, int]] = {f"{FUNCTIONAL}multi_head_attention_forward": ("dropout_p", 10)}
ATTENTION = f"{FUNCTIONAL}scaled_dot_product_attention"
MODULES = tuple(f"torch.nn.{name}" for name in ("Dropout", "Dropout1d", "Dropout2d", "Dropout3d", "AlphaDropout"))
"""Modules that are in training mode when they are made."""


def unfollowing(source: Source) -> list[tuple[int, str]]:
    """Line and words of each place in a file that drops whatever the mode of the model.

    A functional dropout without ``training``, or with ``training=True``; attention with a probability that is a
    number; a dropout module that is made where it is called. What stands under a test of ``training``, drops nothing
    (a probability of 0) or passes on arguments that are not written down is left alone.
    """
    found = ((called.node.lineno, _words(called)) for called in calls(source) if not _is_tested(called))
    return sorted((line, words) for line, words in found if words)


def _words(called: Called) -> str:
    if called.name in TRAINING:
        return _functional(called)
    if called.name == ATTENTION and _drops(called.argument("dropout_p", 4)):
        return "scaled_dot_product_attention drops in eval mode, too: its dropout_p is a number"
    above = called.above[-1]
    if called.name in MODULES and isinstance(above, ast.Call) and above.func is called.node:
        return f"{show(called.name)} that is made where it is called is in training mode, and drops"
    return ""


def _functional(called: Called) -> str:
    """What is wrong with a functional dropout; empty if nothing is."""
    probability = called.argument(*PROBABILITY.get(called.name, ("p", 1)))
    if called.is_open or (isinstance(probability, ast.Constant) and not _drops(probability)):
        return ""
    training = called.argument("training", TRAINING[called.name])
    if training is None:
        return f"{show(called.name)} without training= drops in eval mode, too"
    always = isinstance(training, ast.Constant) and bool(training.value)
    return f"{show(called.name)} with training=True drops in eval mode, too" if always else ""


def _drops(probability: ast.expr | None) -> bool:
    """Whether a probability is written down, and is not 0."""
    return isinstance(probability, ast.Constant) and bool(probability.value)


def _is_tested(called: Called) -> bool:
    """Whether a call stands under a test of ``training``."""
    tests = (each.test for each in called.above if isinstance(each, (ast.If, ast.IfExp)))
    return any(_name(node) == "training" for test in tests for node in ast.walk(test))


def _name(node: ast.AST) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
