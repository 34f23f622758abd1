"""Rules of conversion: declarative, readable, and strict about every name.

``patterns`` are names with fields, ``layout``, ``grouping`` and ``arithmetic`` the operations, ``rule`` puts both
together; ``planning`` applies them to the names and shapes of a checkpoint, ``transforms`` those of Transformers, and
``applying`` to a state dict.
"""

from __future__ import annotations

from porting.weights.rules.arithmetic import Add, Apply, Cast, FoldWeightNorm, Scale
from porting.weights.rules.grouping import Concatenate, Copy, Split, Stack, Unstack
from porting.weights.rules.layout import Flatten, Flip, Permute, PermuteRope, Reshape, Slice, Transpose, Unflatten
from porting.weights.rules.operation import Operation
from porting.weights.rules.parts import Each, Reorder
from porting.weights.rules.planning import Plan, Problem, Rules, Step, plan
from porting.weights.rules.rule import Convert, Drop, Rename

__all__ = [
    "Add",
    "Apply",
    "Cast",
    "Concatenate",
    "Convert",
    "Copy",
    "Drop",
    "Each",
    "Flatten",
    "Flip",
    "FoldWeightNorm",
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
