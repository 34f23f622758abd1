"""Rules of conversion: declarative, readable, and strict about every name.

``patterns`` are names with fields; an ``operation`` changes tensors, and ``layout``, ``grouping``, ``arithmetic`` and
``placing`` hold them; ``rule`` puts both together, ``wellformed`` checks that. ``gathering`` finds the names that
belong to a rule, ``planning`` turns a checkpoint's names and shapes into ``steps``, ``transforms`` does so for those
of Transformers, and ``applying`` applies all to a state dict.
"""

from __future__ import annotations

from porting.weights.rules.arithmetic import Add, Apply, Cast, FoldWeightNorm, Scale
from porting.weights.rules.grouping import Concatenate, Copy, Split, Stack, Unstack
from porting.weights.rules.layout import Flatten, Flip, Permute, PermuteRope, Reshape, Slice, Transpose, Unflatten
from porting.weights.rules.operation import Operation
from porting.weights.rules.placing import At, InsertZeros, Reorder
from porting.weights.rules.planning import Rules, plan
from porting.weights.rules.rule import Convert, Drop, Rename
from porting.weights.rules.steps import Plan, Problem, Step

__all__ = [
    "Add",
    "Apply",
    "At",
    "Cast",
    "Concatenate",
    "Convert",
    "Copy",
    "Drop",
    "Flatten",
    "Flip",
    "FoldWeightNorm",
    "InsertZeros",
    "Operation",
    "Permute",
    "PermuteRope",
    "Plan",
    "Problem",
    "Rename",
    "Reorder",
    "Reshape",
    "Rules",
    "Scale",
    "Slice",
    "Split",
    "Stack",
    "Step",
    "Transpose",
    "Unflatten",
    "Unstack",
    "plan",
]
