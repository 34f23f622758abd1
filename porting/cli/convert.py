"""``porting convert``: the checkpoint as a folder that ``from_pretrained`` loads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from porting.cli._emitting import Form, emit
from porting.cli._frame import common_options, finish, progress_bar, say
from porting.cli._pickles import pickle_code_option
from porting.cli._port import checkpoint_of, empty_port
from porting.cli._size import Size

if TYPE_CHECKING:
    from pathlib import Path

    from porting.portfile import Portfile
    from porting.progress import Progress
    from porting.weights.conversion import Conversion


def run(
    portfile: Portfile, checkpoint: str | Path | None, output: str, progress: Progress, **options: Any
) -> Conversion:
    """Convert a checkpoint, by default the portfile's own, with its rules, tokenizer and processor.

    Raises:
        PortingError: the portfile, the checkpoint or the model cannot be used, or the disk refuses.
    """
    from porting.weights.conversion import convert

    path = checkpoint_of(portfile, checkpoint, f"convert PATH {output}")
    model = empty_port(portfile)
    beside = [name for name in ("ported_tokenizer", "ported_processor") if name in portfile.functions]
    return convert(
        path,
        model,
        output,
        portfile.rules(),
        also=[portfile.call(name) for name in beside],
        build=(lambda: portfile.ported_class()(portfile.config())) if "config" in portfile.functions else None,
        progress=progress,
        **options,
    )


@click.command("convert")
@click.argument("paths", nargs=-1, type=click.Path(), metavar="[CHECKPOINT] OUTPUT")
@click.option("--dry-run", is_flag=True, help="Show what would be done, its size and the free space; write nothing.")
@click.option("--max-shard-size", type=Size(), default="5GB", show_default=True, help="Most bytes in a file.")
@click.option("--no-audit", is_flag=True, help="Do not load the result again to compare it with the source.")
@click.option("--emit", "form", type=click.Choice(["script", "mapping"]), help="Write the rules as code instead.")
@click.option("--emit-to", default=".", show_default=True, help="The folder for that code.")
@pickle_code_option
@common_options
def command(
    paths: tuple[str, ...],
    dry_run: bool,
    max_shard_size: int,
    no_audit: bool,
    form: Form | None,
    emit_to: str,
    allow_pickle_code: str | None,
    portfile: str,
    as_json: bool,
) -> None:
    """Write CHECKPOINT, converted by the portfile's rules(), as a folder OUTPUT that from_pretrained loads.

    CHECKPOINT is a file, an index or a folder; by default, the portfile's checkpoint(). The weights pass through
    memory one tensor at a time, with their hashes recorded; config, generation config, ported_tokenizer() and
    ported_processor() are saved beside them. OUTPUT appears when all is written and proven: the proof loads the
    whole model (--no-audit leaves it out). Otherwise there is nothing, and what is there is never replaced.

    With --emit there is no OUTPUT; the rules are written as Python for a pull request: a conversion script that runs
    without porting, or the mapping with which from_pretrained loads the original checkpoint, and its test.

    \b
    Examples:
      porting convert converted --dry-run
      porting convert converted
      porting convert consolidated.safetensors converted --max-shard-size 2GB
      porting convert --emit script
      porting convert --emit mapping --emit-to contribution
    """
    from porting.checks import CheckContext
    from porting.checks.running.settled import record_conversion
    from porting.evidence.asking import listening
    from porting.portfile import Portfile
    from porting.report.detail import shown

    checkpoint, output = _paths(paths, emitting=form is not None)
    loaded = Portfile.load(portfile, both_sides=False)
    if form is not None:
        with progress_bar() as progress:
            written = emit(loaded, checkpoint, form, emit_to, progress, allow_pickle_code=allow_pickle_code)
        finish(written, as_json=as_json)
    with progress_bar(sizes=True) as progress, listening() as asked:
        converted = run(
            loaded,
            checkpoint,
            output,
            progress,
            max_shard_size=max_shard_size,
            audit=not no_audit,
            dry_run=dry_run,
            allow_pickle_code=allow_pickle_code,
        )
    warning = record_conversion(CheckContext(loaded), converted, asked)
    if warning:
        say(warning)
    with shown(portfile=portfile):
        finish(converted, as_json=as_json)


def _paths(paths: tuple[str, ...], *, emitting: bool) -> tuple[str | None, str]:
    """The checkpoint, if it is given, and the output, which is not asked for where code is written.

    Raises:
        click.UsageError: there are too many, or no output.
    """
    if emitting:
        if len(paths) > 1:
            raise click.UsageError("--emit takes a CHECKPOINT and no OUTPUT; --emit-to names the folder for the code")
        return (paths[0] if paths else None), ""
    if not 1 <= len(paths) <= 2:
        raise click.UsageError("a conversion has one CHECKPOINT, which may be left out, and one OUTPUT")
    return (paths[0] if len(paths) == 2 else None), paths[-1]
