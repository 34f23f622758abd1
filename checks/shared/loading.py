"""Whether a port's weights were loaded where no checkpoint says it: by the original, or by a second build."""

from __future__ import annotations

from typing import TYPE_CHECKING

from porting.checks.shared.outcomes import ClaimRefuted, Figures, Inconclusive, Lacking
from porting.checks.shared.wording import listed, named_all
from porting.text import show

if TYPE_CHECKING:
    import torch

    from porting.checks.shared.context import CheckContext

MOST_TWICE = 2 << 30
"""Bytes of a port up to which there is memory for a second one."""


def as_in_original(context: CheckContext) -> Figures:
    """Hold the port's weights against the original that ran, module by module.

    Raises:
        ClaimRefuted: one is another.
        Inconclusive: some have nothing to be held against.
    """
    from porting.heldweights import hold_weights

    held = hold_weights(context.verification, _lookups(context.ported_model))
    figures: Figures = {
        "compared_weights": held.compared,
        "by_results": len(held.by_results),
        "evidence": "original",
    }
    if held.different:
        lines = [f"{show(path or 'the model itself')}: {show(words, 400)}" for path, words in held.different]
        raise ClaimRefuted(listed(lines), hint=loading_hint(context), figures=figures)
    if held.alone or not (held.compared or held.by_results):
        what = f"{len(held.alone)} weights have nothing in the original to be held against"
        raise Inconclusive(
            f"{what}: {named_all(held.alone)}"
            if held.alone
            else "no weight could be held against one of the original",
            hint="give checkpoint() and rules() in the portfile, or pair the modules with MODULE_MAP",
            figures=figures,
        )
    return figures


def _lookups(model: torch.nn.Module) -> frozenset[str]:
    """Paths of the tables, of which a run shows no more than some rows."""
    import torch

    tables = (torch.nn.Embedding, torch.nn.EmbeddingBag)
    return frozenset(path for path, module in model.named_modules() if isinstance(module, tables))


def built_again(context: CheckContext) -> Figures:
    """Build the port once more, with other random numbers: what is another one then was not loaded.

    Raises:
        ClaimRefuted: something is.
        Lacking: it cannot be built again, and the original does not have all of its weights.
    """
    from porting.weights.audit.again import built_otherwise, tensors_of, unlike

    model = context.ported_model
    size = sum(tensor.nbytes for tensor in tensors_of(model).values() if not tensor.is_meta)
    other = model if size > MOST_TWICE else built_otherwise(lambda: context.portfile.build("ported"))
    if other is model:
        return _nothing_of_its_own(context)
    figures: Figures = {"tensors": len(tensors_of(model)), "evidence": "built twice"}
    wrong = [f"  {show(name)} {words}" for name, words in unlike(model, other)]
    if wrong:
        head = f"{len(wrong)} tensors are not the same when ported() is called again, so they are not loaded"
        raise ClaimRefuted(f"{wrong[0].strip()}; {head}\n{listed(wrong)}", hint=loading_hint(context), figures=figures)
    return figures


def _nothing_of_its_own(context: CheckContext) -> Figures:
    """What is right in the original's terms is not random; for a port that is not built a second time."""
    from porting.heldweights import hold_weights

    held = hold_weights(context.verification, _lookups(context.ported_model))
    if held.different or held.alone or not (held.compared or held.by_results):
        raise Lacking("ported() gives the same model again, or one too large for two, so what is random does not show")
    return {"tensors": held.compared, "evidence": "original"}


def loading_hint(context: CheckContext) -> str:
    """What to do about a weight that was not loaded."""
    return f"load it in ported(), then: {context.command('verify --strict')}"
