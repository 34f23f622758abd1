"""``porting weights``: does the checkpoint have every weight of the port, by name and shape?"""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

import click

from porting.cli._frame import common_options, finish, progress_bar, say
from porting.cli._pickles import pickle_code_option

if TYPE_CHECKING:
    from pathlib import Path

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
    from porting.errors import PortfileError
    from porting.weights import build_on_meta, check_weights

    path = checkpoint or portfile.checkpoint()
    if path is None:
        raise PortfileError(
            "no checkpoint is given, and the portfile has no checkpoint()",
            hint="name it: porting weights PATH (a file, an index or a folder)",
        )
    config = portfile.config()
    model = portfile.build("ported") if config is None else build_on_meta(portfile.ported_class(), config)
    rules = portfile.call("rules") if "rules" in portfile.functions else None
    return check_weights(path, model, rules, strict=strict, allow_pickle_code=allow_pickle_code)


@click.command("weights")
@click.argument("checkpoint", required=False, type=click.Path())
@click.option("--strict", is_flag=True, help="Fail on checkpoint weights that the port does not use, too.")
@click.option("--infer", is_flag=True, help="Propose the rules that turn CHECKPOINT into the port's weights.")
@pickle_code_option
@common_options
def command(
    checkpoint: str | None, strict: bool, infer: bool, allow_pickle_code: str | None, portfile: str, as_json: bool
) -> None:
    """Compare the names, shapes and dtypes of CHECKPOINT with the ported model's; no weights are loaded.

    CHECKPOINT is a .safetensors, .bin, .pt, .pth, .ckpt, .npz or .npy file, an .index.json of shards or a
    folder that holds one of them; by default, the portfile's checkpoint(). No code in it is run.

    With --infer, the rules are proposed from names and shapes, converted in memory, run against the original and
    corrected; the result is Python to paste into the portfile.
    """
    from porting.portfile import Portfile
    from porting.recipe import record_weights
    from porting.report.detail import shown

    loaded = Portfile.load(portfile)
    if infer:
        _infer(loaded, checkpoint, allow_pickle_code, portfile, as_json=as_json)
    report = run(loaded, checkpoint, strict, allow_pickle_code)
    warning = record_weights(loaded, report)
    if warning:
        say(warning)
    with shown(portfile=portfile):
        finish(report, as_json=as_json)


def _infer(
    portfile: Portfile, checkpoint: str | None, allow_pickle_code: str | None, named: str, *, as_json: bool
) -> NoReturn:
    """Propose rules, print them and exit."""
    from porting.report.detail import shown
    from porting.weights.inference.portfiles import infer_portfile

    with progress_bar() as progress:
        inference = infer_portfile(portfile, checkpoint, allow_pickle_code=allow_pickle_code, progress=progress)
    with shown(portfile=named):
        finish(inference, as_json=as_json)
