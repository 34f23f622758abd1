"""``porting weights``: does the checkpoint have every weight of the port, by name and shape?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from porting.cli._frame import common_options, finish, progress_bar, say
from porting.cli._pickles import pickle_code_option
from porting.cli._port import checkpoint_of, empty_port

if TYPE_CHECKING:
    import torch

    from porting.portfile import Portfile
    from porting.weights import WeightsReport


def run(
    portfile: Portfile, checkpoint: str | Path | None, strict: bool, allow_pickle_code: str | None = None
) -> WeightsReport:
    """Check a checkpoint, by default the portfile's own, against the ported model.

    The model is ``ported_class()`` built from ``config()`` on the meta device; without ``config()``, the
    live one.

    Raises:
        PortingError: the portfile, the checkpoint or the model cannot be used.
    """
    from porting.weights import check_weights

    path = checkpoint_of(portfile, checkpoint, "weights PATH")
    return check_weights(
        path, empty_port(portfile), portfile.rules(), strict=strict, allow_pickle_code=allow_pickle_code
    )


def audit(
    portfile: Portfile,
    checkpoint: str | Path | None,
    strict: bool,
    allow_pickle_code: str | None = None,
    model: torch.nn.Module | None = None,
) -> WeightsReport:
    """Compare every value of the live port, by default what ``ported()`` returns, with what the rules make.

    Raises:
        PortingError: the portfile, the checkpoint or the model cannot be used.
    """
    from porting.weights import audit_loaded

    return audit_loaded(
        portfile.build("ported") if model is None else model,
        checkpoint_of(portfile, checkpoint, "weights --audit PATH"),
        portfile.rules(),
        strict=strict,
        ported_class=portfile.ported_class() if "ported_class" in portfile.functions else None,
        config=portfile.config(),
        allow_pickle_code=allow_pickle_code,
    )


@click.command("weights")
@click.argument("checkpoint", required=False, type=click.Path())
@click.option("--list", "listed", is_flag=True, help="Only list what CHECKPOINT holds; without a portfile, always.")
@click.option("--strict", is_flag=True, help="Fail on checkpoint weights that the port does not use, too.")
@click.option("--audit", "values", is_flag=True, help="Load the port, and compare every value of it, too.")
@click.option("--infer", is_flag=True, help="Propose the rules that turn CHECKPOINT into the port's weights.")
@pickle_code_option
@common_options
def command(
    checkpoint: str | None,
    listed: bool,
    strict: bool,
    values: bool,
    infer: bool,
    allow_pickle_code: str | None,
    portfile: str,
    as_json: bool,
) -> None:
    """Compare the names, shapes and dtypes of CHECKPOINT with the ported model's; no weights are loaded.

    With --audit, the portfile's ported() is built with its weights, and each of its tensors, buffers too, must
    be what the rules make of the checkpoint, or what its class computes.

    CHECKPOINT is a .safetensors, .bin, .pt, .pth, .th, .ckpt, .npz or .npy file, an .index.json of shards or a
    folder that holds one of them; by default, the portfile's checkpoint(). No code in it is run.

    Without a portfile.py, or with --list, the tensors of CHECKPOINT are listed.

    With --infer, the rules are proposed from names and shapes; where the portfile has original() and inputs(), they
    are converted in memory, run against the original and corrected. The result is Python to paste into the portfile.
    """
    from porting.checks import CheckContext
    from porting.checks.running.settled import record_weights
    from porting.evidence.asking import listening
    from porting.portfile import Portfile
    from porting.report.detail import shown

    if infer and values:
        raise click.UsageError("--infer proposes rules, --audit needs them: give one of the two")
    if listed or (checkpoint and not (infer or values) and _no_portfile(portfile)):
        _list(checkpoint, allow_pickle_code, as_json=as_json)
    loaded = Portfile.load(portfile, both_sides=False)
    if infer:
        _infer(loaded, checkpoint, allow_pickle_code, portfile, as_json=as_json)
    context = CheckContext(loaded)
    with listening() as asked:
        if values:
            report = audit(loaded, checkpoint, strict, allow_pickle_code, context.ported_model)
        else:
            report = run(loaded, checkpoint, strict, allow_pickle_code)
    if _is_own(loaded, checkpoint) and (warning := record_weights(context, report, asked)):
        say(warning)
    with shown(portfile=portfile):
        finish(report, as_json=as_json)


def _is_own(portfile: Portfile, checkpoint: str | None) -> bool:
    """Whether a checkpoint is the portfile's, of which its evidence speaks."""
    own = portfile.checkpoint()
    return own is not None and (checkpoint is None or Path(checkpoint).resolve() == own.resolve())


def _no_portfile(portfile: str) -> bool:
    """Whether none is named, and the default one is not there."""
    source = click.get_current_context().get_parameter_source("portfile")
    return source is click.core.ParameterSource.DEFAULT and not Path(portfile).exists()


def _list(checkpoint: str | None, allow_pickle_code: str | None, *, as_json: bool) -> NoReturn:
    """List a checkpoint and exit."""
    from porting.weights.contents import list_checkpoint

    if checkpoint is None:
        raise click.UsageError("--list needs a CHECKPOINT")
    finish(list_checkpoint(checkpoint, allow_pickle_code=allow_pickle_code), as_json=as_json)


def _infer(
    portfile: Portfile, checkpoint: str | None, allow_pickle_code: str | None, named: str, *, as_json: bool
) -> NoReturn:
    """Propose rules, print them and exit."""
    from porting.report.detail import shown
    from porting.weights.inference.portfiles import infer_portfile

    with progress_bar() as progress:
        path = checkpoint_of(portfile, checkpoint, "weights --infer PATH")
        inference = infer_portfile(portfile, path, allow_pickle_code=allow_pickle_code, progress=progress)
    with shown(portfile=named):
        finish(inference, as_json=as_json)
