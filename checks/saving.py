"""Step 6 of the recipe: the converted checkpoint can be saved and loaded, and is the same model afterwards."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from porting.checks.shared.outcomes import ClaimRefuted, Figures, Lacking
from porting.checks.shared.wording import listed, named_all, require_agreement
from porting.text import show

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from porting.checks.shared.context import CheckContext

STEP = 6


def check_save_load_round_trip(context: CheckContext) -> Figures:
    """A port that is saved and loaded again is the same: every tensor and tie, the config, and what it returns.

    Recipe step 6, "save/load round trip": by ``save_pretrained`` as safetensors and ``from_pretrained``, once with
    the names of the original checkpoint (``save_original_format``, the default) and once with the port's own.
    Buffers that are not saved, and plain tensors, must have been made anew.

    Raises:
        ClaimRefuted: something came back otherwise, could not be saved or loaded, or raises in the forward.
        Skip: the port is no ``PreTrainedModel``, or the disk has no room for it.
    """
    from porting.behaviour import agree
    from porting.behaviour.saving import lost_in_saving
    from porting.errors import CaptureError
    from porting.weights.audit.again import tensors_of

    model = _saveable(context)
    figures: dict[str, Any] = {"tensors": len(tensors_of(model)), "files": ""}
    hint = f"mend what the class saves or makes anew (_init_weights); {_again(context)}"
    for original_format in (False, True):
        with _temporary() as folder:
            found = _saved(context, folder, original_format=original_format)
            figures["files"] = ", ".join(found.files)
            lost = [f"  {show(name)} {words}" for name, words in lost_in_saving(model, found.model)]
            if lost:
                how = "with the original's names" if original_format else "with the port's own names"
                head = f"{lost[0].strip()}; {len(lost)} things are not as they were before the port was saved {how}"
                raise ClaimRefuted(f"{head}\n{listed(lost)}", hint=hint, figures=figures)
            given = context.ported.given
            try:
                returned = context.ported.outputs(model=found.model)
            except CaptureError as error:
                raise ClaimRefuted(f"saved and loaded again: {error.message}", hint=hint, figures=figures) from error
            agreement = agree(given, returned, context.ported.allowance)
            require_agreement(agreement, "the port, and itself saved and loaded", hint=hint, figures=figures)
    return {**figures, "max_abs": agreement.max_abs}


def check_loading_info_clean(context: CheckContext) -> Figures:
    """``from_pretrained`` reports no missing, unexpected or mismatched key and no error.

    Recipe, "today's way": ``output_loading_info=True``. From the folder of ``checkpoint()`` where that is one of
    Transformers and there are no ``rules()``, else from the port as it is saved. A clean report does not mean right
    weights: the other claims on them are for that.

    Raises:
        ClaimRefuted: it reports something.
        Skip: the port is no ``PreTrainedModel``.
    """
    from porting.behaviour.saving import SavingError, load

    model = _saveable(context)
    path = context.portfile.checkpoint()
    own = path is not None and (path / "config.json").is_file() and context.portfile.rules() is None
    if path is not None and own:
        try:
            problems: Mapping[str, tuple[str, ...]] = load(type(model), path, like=model)[1]
        except SavingError as error:
            raise ClaimRefuted(error.message, hint=_again(context)) from error
    else:
        with _temporary() as folder:
            problems = _saved(context, folder, original_format=True).problems
    source = "checkpoint" if own else "the port as saved"
    counts: Figures = {"loaded_from": source, **{name: len(names) for name, names in problems.items()}}
    if problems:
        lines = [f"  {kind.replace('_', ' ')}: {named_all(names)}" for kind, names in problems.items()]
        raise ClaimRefuted(
            f"from_pretrained does not load {source} cleanly: {sum(map(len, problems.values()))} keys are reported\n"
            + listed(lines),
            hint=f"give each key its weight, or name it in _keys_to_ignore_on_load_*; {_again(context)}",
            figures=counts,
        )
    return counts


CHECKS = (check_save_load_round_trip, check_loading_info_clean)


def _saveable(context: CheckContext) -> Any:
    from porting.pretrained import is_pretrained

    model = context.ported_model
    if not is_pretrained(model):
        raise Lacking("the port is no PreTrainedModel, so it has no save_pretrained")
    return model


def _saved(context: CheckContext, folder: Path, *, original_format: bool) -> Any:
    from porting.behaviour.saving import SavingError, room_wanted, save_and_load

    if words := room_wanted(context.ported_model, folder):
        raise Lacking(words)
    try:
        return save_and_load(context.ported_model, folder, original_format=original_format)
    except SavingError as error:
        raise ClaimRefuted(error.message, hint=_again(context)) from error


@contextlib.contextmanager
def _temporary() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="porting-") as folder:
        yield Path(folder)


def _again(context: CheckContext) -> str:
    return f"then: {context.command('check')}"
