"""What is proven of the nearest architectures by building them: small models of Transformers, renamed and modified."""

from __future__ import annotations

import time
from typing import Any

from renaming import CHANGES, Shapes, changed, foreign
from tiny_models import MODELS, make
from torch import nn

from porting.nearest import Candidate, nearest_architectures, prove
from porting.nearest.architectures import Architecture
from porting.nearest.cells import cells_of


def built() -> None:
    """Print how many are built with exactly their tensors; none may be of those with something more or less."""
    own, others, wrong, tried = 0, 0, [], 0
    times = []
    for name in MODELS:
        model, _ = make(name)
        config: Any = model.config
        shapes = shapes_of(model)
        found, seconds = proven(foreign(shapes))
        times.append(seconds)
        exact = found.proof is not None and found.proof.exact
        same = found.model_type == config.model_type
        own, others = own + (exact and same), others + (exact and not same)
        said = found.proof.statement() if found.proof else "-"
        print(f"{name:34} {found.model_type:20} {seconds:5.1f} s  {said}", flush=True)
        for change in CHANGES:
            other = changed(Architecture("", name, cells_of(shapes), {}), change)
            if other is not None:
                tried += 1
                wrong += [f"{name} with {change}"] if is_proven(other, found.model_type) else []
    times.sort()
    print(
        f"\nproven by building: of {len(MODELS)} small models, {own} as what they are, {others} as a model type "
        f"that shapes cannot tell from it; median {times[len(times) // 2]:.1f} s, longest {times[-1]:.1f} s more than "
        f"ranking; with something more or less, of {tried} {len(wrong)}{': ' if wrong else ''}{', '.join(wrong)}\n"
    )


def shapes_of(model: nn.Module) -> Shapes:
    """Of what a model saves, each tensor once."""
    once = {id(tensor): name for name, tensor in reversed(model.state_dict(keep_vars=True).items())}
    return {name: tuple(model.state_dict()[name].shape) for name in reversed(once.values())}


def proven(shapes: Shapes) -> tuple[Candidate, float]:
    """The nearest candidate with its proof, and how long that took beside the ranking."""
    found = nearest_architectures(shapes)
    started = time.perf_counter()
    return prove(found, shapes)[0], time.perf_counter() - started


def is_proven(shapes: Shapes, model_type: str) -> bool:
    """Whether a model of a certain type is said to have exactly these tensors."""
    found = [each for each in nearest_architectures(shapes, limit=10) if each.model_type == model_type]
    return any(each.proof is not None and each.proof.exact for each in prove(found, shapes))
