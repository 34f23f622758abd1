"""Tensors that hold their start, wholly or in part, or the original's by another factor: nothing else has them."""

from __future__ import annotations

import math

import numpy as np
import torch

from porting.diagnosis.cause import Case
from porting.diagnosis.glue.roles import EMBEDDING
from porting.diagnosis.tensors.explained import Explained
from porting.diagnosis.tensors.owned import Axes, Owned, away, live
from porting.diagnosis.tensors.recovered import recovered
from porting.diagnosis.tensors.roles import role
from porting.diagnosis.tensors.target import Target
from porting.starts import start_like

UNRELATED = 0.5
"""Cosine of two sketches up to which their tensors have nothing to do with each other."""

SHORT, UNLIKE = 8, 0.1
"""Length below which a cosine says nothing, and the relative distance that counts there."""


def explained_by_factor(case: Case, tensor: Owned, target: Target) -> Explained | None:
    """``extra-scale``, ``buffer-wrong`` or ``norm-formula``: the original's values times a constant, or less one."""
    values = live(case.model, tensor).detach()
    if tensor.is_constant or not values.is_floating_point() or any(axis is None for axis in target.axes):
        return None
    wanted, seen = np.concatenate([*map(np.asarray, target.axes)]), np.concatenate(tensor.axes)
    factor = float(wanted @ seen / (wanted @ wanted)) if wanted.any() else 0.0
    if factor and away(wanted * factor, seen) < 1e-6 and wanted.size > 2:
        text = f"{tensor.name} holds the original's {target.name} times {factor:.6g}"
        code = "extra-scale" if tensor.info.kind == "parameter" else "buffer-wrong"
        return Explained(code, tensor, text, f"load {target.name} without that factor", values / factor)
    if len(target.axes) == 1 and np.ptp(wanted) and away(wanted, seen + 1) < 1e-6:
        text = f"{tensor.name} holds the original's {target.name} less 1"
        return Explained("norm-formula", tensor, text, "add 1 to the weight, in code or in conversion", values + 1)
    if len(target.axes) == 1 and np.ptp(wanted) and away(wanted, seen - 1) < 1e-6:
        text = f"{tensor.name} holds the original's {target.name} plus 1"
        return Explained("norm-formula", tensor, text, "add 1 once, in code or in conversion", values - 1)
    return None


def explained_by_rows(case: Case, tensor: Owned, target: Target) -> Explained | None:
    """``padding-idx`` for one row of zeros, ``not-loaded`` for several rows that differ where the others are equal."""
    wanted = target.axes[0] if target.axes else None
    if len(tensor.shape) != 2 or wanted is None or target.turned or len(wanted) < 4:
        return None
    scale = float(np.std(wanted))
    rows = np.flatnonzero(np.abs(wanted - tensor.axes[0]) > 1e-6 * scale)
    if not 0 < len(rows) <= len(wanted) // 2:
        return None
    zeros = not bool(live(case.model, tensor).detach()[torch.from_numpy(rows)].any())
    values = recovered(case, tensor, target)
    if len(rows) == 1 and zeros:
        text = f"row {rows[0]} of {tensor.name} is zero, in the original's {target.name} it is not"
        fix = f"load row {rows[0]} too: padding_idx={rows[0]} sets it to zero when the module is made or initialised"
        return Explained("padding-idx", tensor, text, fix, values)
    which = f"rows {_span(rows)} of {tensor.name}"
    text = f"{which} {'are zero' if zeros else 'differ'} where the others equal the original's {target.name}"
    return Explained("not-loaded", tensor, text, f"load {which} from the checkpoint", values)


def explained_as_start(case: Case, tensor: Owned, target: Target) -> Explained | None:
    """``not-loaded``, ``missing-bias``, ``buffer-wrong`` and the like, for values that are not the original's."""
    if tensor.info.kind != "parameter":
        return _buffer(case, tensor, target)
    if not _unrelated(tensor, target):
        return None
    look = start_like(live(case.model, tensor).detach())
    text = f"{tensor.name} {look or 'equals no tensor of the original'}"
    if look == "is zero" and role(tensor.info.name) == "bias":
        summary = f"{text}, the original adds {target.name}"
        fix = f"load the original's {target.name} into {tensor.name}"
        return Explained("missing-bias", tensor, summary, fix, recovered(case, tensor, target))
    if look == "is zero" and _is_table(case, tensor):
        summary = f"{text}, so that nothing is added; the original's {target.name} is not"
        fix = f"load the original's {target.name} into {tensor.name}"
        code = "relative-bias" if "relative" in tensor.name.lower() else "missing-embedding"
        return Explained(code, tensor, summary, fix, recovered(case, tensor, target))
    code = "weight-norm" if role(tensor.info.name) == "weight_g" else "not-loaded"
    summary = f"{text} and was not loaded, the original's {target.name} was"
    fix = f"map the original's {target.name} to {tensor.name} in the conversion, and check missing_keys"
    return Explained(code, tensor, summary, fix, recovered(case, tensor, target))


def _is_table(case: Case, tensor: Owned) -> bool:
    """Whether its rows are looked up or added by position, by the names that such tables go by."""
    owner = case.ported.modules[tensor.path].class_name
    names = f"{tensor.path.rpartition('.')[2]} {owner} {tensor.info.name}".lower()
    long = [length for length in tensor.shape if length > 1]
    added = any(stem in names for stem in EMBEDDING) and "bias" not in names  # that one goes into scores
    return len(long) > 1 and added


def _buffer(case: Case, tensor: Owned, target: Target) -> Explained:
    values = recovered(case, tensor, target)
    look = start_like(live(case.model, tensor).detach())
    statistic = role(tensor.info.name) in ("running_mean", "running_var")
    if statistic and look in ("is zero", "is 1 everywhere"):
        text = f"{tensor.name} {look}, its start; the original's {target.name} was loaded"
        fix = f"map the original's {target.name} to {tensor.name} in the conversion: buffers are in the state dict too"
        return Explained("not-loaded", tensor, text, fix, values)
    bases = _rotary_base(tensor.axes), _rotary_base(target.axes)
    if all(bases):
        text = (
            f"{tensor.name} is that of a rotary base of {bases[0]:.6g}, the original's {target.name} of {bases[1]:.6g}"
        )
        return Explained("rope-theta", tensor, text, f"set rope_theta to {bases[1]:.6g} in the config", values)
    text = f"{tensor.name} is not the original's {target.name}{_first(tensor, target)}"
    return Explained("buffer-wrong", tensor, text, f"compute {tensor.name} as the original does, or load it", values)


def _rotary_base(axes: Axes) -> float | None:
    """The base of rotary frequencies ``base ** (-2 * i / size)``; None for other values."""
    seen = axes[0] if len(axes) == 1 else None
    if seen is None or len(seen) < 4 or abs(seen[0] - 1) > 1e-6 or not bool((seen > 0).all()) or seen[1] >= 1:
        return None
    base = float(seen[1] ** -len(seen))
    powers = base ** (-np.arange(len(seen)) / len(seen))
    return base if away(powers, seen) < 1e-4 and base > 1 else None


def _first(tensor: Owned, target: Target) -> str:
    wanted = target.axes[0] if target.axes else None
    if len(tensor.axes) != 1 or wanted is None or wanted.shape != tensor.axes[0].shape:
        return ""
    index = int(np.argmax(wanted != tensor.axes[0]))
    return f": at {index} it has {tensor.axes[0][index]:.6g}, the original {wanted[index]:.6g}"


def _unrelated(tensor: Owned, target: Target) -> bool:
    """Whether the port's values say nothing of the original's."""
    known = [(a, b) for a, b in zip(target.axes, tensor.axes, strict=False) if a is not None and a.shape == b.shape]
    if not known or tensor.is_constant:
        return bool(known)
    wanted, seen = (np.concatenate([pair[side] for pair in known]) for side in (0, 1))
    if len(wanted) < SHORT:
        return away(wanted, seen) > UNLIKE
    mean = 0.0 if len(tensor.shape) > 1 else 1.0  # vectors, as those of norms, may lie around one on both sides
    wanted, seen = wanted - mean * wanted.mean(), seen - mean * seen.mean()
    scale = float(np.linalg.norm(wanted) * np.linalg.norm(seen))
    return not scale or abs(float(wanted @ seen)) / scale < max(UNRELATED, min(0.9, 3 / math.sqrt(len(wanted))))


def _span(rows: np.ndarray) -> str:
    whole = len(rows) > 1 and rows[-1] - rows[0] == len(rows) - 1
    return f"{rows[0]} to {rows[-1]}" if whole else ", ".join(map(str, rows[:5])) + (" …" if len(rows) > 5 else "")
