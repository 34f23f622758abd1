"""``porting convert``: the checkpoint as a folder that ``from_pretrained`` loads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

import click

from porting.cli._emitting import Form
from porting.cli._frame import common_options, finish, progress_bar, say
from porting.cli._pickles import pickle_code_option
from porting.cli._port import checkpoint_of, empty_port, rules_of
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
        rules_of(portfile),
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
@click.option("--emit", type=click.Choice(["script", "mapping"]), help="Write the rules as code for Transformers.")
@click.option("--emit-to", default=".", show_default=True, type=click.Path(), help="Folder for that code.")
@pickle_code_option
@common_options
def command(
    paths: tuple[str, ...],
    dry_run: bool,
    max_shard_size: int,
    no_audit: bool,
    emit: Form | None,
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

    With --emit, nothing is converted and there is no OUTPUT: rules() become convert_NAME_to_hf.py, a script that needs
    no porting, or conversion_mapping_NAME.py, with which from_pretrained loads CHECKPOINT itself, and its test.

    \b
    Examples:
      porting convert converted --dry-run
      porting convert converted
      porting convert consolidated.safetensors converted --max-shard-size 2GB
      porting convert --emit script
      porting convert --emit mapping consolidated.safetensors --emit-to src/transformers/models/brand_new_bert
    """
    from porting.portfile import Portfile
    from porting.recipe import record_conversion
    from porting.report.detail import shown

    if emit is not None:
        _emit(paths, portfile, emit, emit_to, allow_pickle_code, as_json=as_json)
    if not 1 <= len(paths) <= 2:
        raise click.UsageError("a conversion has one CHECKPOINT and one OUTPUT")
    checkpoint, output = paths if len(paths) == 2 else (None, paths[0])
    loaded = Portfile.load(portfile)
    with progress_bar(sizes=True) as progress:
        found = run(
            loaded,
            checkpoint,
            output,
            progress,
            max_shard_size=max_shard_size,
            audit=not no_audit,
            dry_run=dry_run,
            allow_pickle_code=allow_pickle_code,
        )
    warning = record_conversion(loaded, found)
    if warning:
        say(warning)
    with shown(portfile=portfile):
        finish(found, as_json=as_json)


def _emit(
    paths: tuple[str, ...], portfile: str, form: Form, folder: str, allow_pickle_code: str | None, *, as_json: bool
) -> NoReturn:
    """Write the rules as code, say where, and exit."""
    from porting.cli._emitting import emit
    from porting.portfile import Portfile

    if len(paths) > 1:
        raise click.UsageError("--emit takes one CHECKPOINT, and no OUTPUT: name the folder with --emit-to")
    with progress_bar() as progress:
        found = emit(
            Portfile.load(portfile),
            paths[0] if paths else None,
            form,
            folder,
            progress,
            allow_pickle_code=allow_pickle_code,
        )
    finish(found, as_json=as_json)
