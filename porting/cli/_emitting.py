"""``porting convert --emit``: the rules as code for Transformers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from porting.cli._frame import say
from porting.cli._port import checkpoint_of, empty_port

if TYPE_CHECKING:
    from pathlib import Path

    from porting.portfile import Portfile
    from porting.progress import Progress
    from porting.weights.emitting import Emitted

Form = Literal["script", "mapping"]
NEEDED = ("ported", "inputs")


def emit(
    portfile: Portfile,
    checkpoint: str | Path | None,
    form: Form,
    folder: str,
    progress: Progress,
    *,
    allow_pickle_code: str | None = None,
) -> Emitted:
    """Write the portfile's rules as a script or as a mapping.

    Raises:
        PortingError: the portfile, the checkpoint or the model cannot be used, or the rules not be written.
    """
    from porting.weights.emitting import emit_mapping, emit_script

    path = checkpoint_of(portfile, checkpoint, f"convert --emit {form} PATH")
    model, rules = empty_port(portfile), portfile.rules()
    given: dict[str, Any] = {"name": portfile.model_name, "allow_pickle_code": allow_pickle_code}
    if form == "mapping":
        return emit_mapping(path, model, folder, rules, **given)
    saved = [each for each in ("tokenizer", "processor") if f"ported_{each}" in portfile.functions]
    return emit_script(path, model, folder, rules, saved=saved, verified=_verified(portfile, progress), **given)


def _verified(portfile: Portfile, progress: Progress) -> dict[str, Any] | None:
    """The original's values, if both models run and are found equal."""
    from porting.errors import PortingError
    from porting.verifying import verify_portfile
    from porting.weights.emitting.verified import verified_values

    runs = "original" in portfile.functions or portfile.original_trace is not None
    if not runs or any(name not in portfile.functions for name in NEEDED):
        return None
    try:
        verification = verify_portfile(portfile, progress=progress)
        if verification.verdict != "match":
            say(f"the script has no values of the original's outputs: {verification.summary()}")
            return None
        return verified_values(portfile, verification)
    except PortingError as error:
        say(f"the script has no values of the original's outputs: {error.message}")
        return None
