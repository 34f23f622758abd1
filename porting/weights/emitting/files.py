"""Write the emitted files of a checkpoint's rules."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from porting.errors import GenerationError
from porting.parts import parts_of, with_filled
from porting.stubs.files import refuse_foreign, write_files
from porting.stubs.literals import snake
from porting.text import show
from porting.weights.emitting.mapping import mapping_of
from porting.weights.emitting.prepared import prepare
from porting.weights.emitting.result import MARKER, Emitted
from porting.weights.emitting.script import script_name, script_text
from porting.weights.emitting.testing import test_text
from porting.weights.rules.planning import Rules
from porting.weights.source import Checkpoint

COMMAND, HINT = "porting convert --emit", "name another folder with --emit-to"


def emit_script(
    checkpoint: Checkpoint,
    model: torch.nn.Module,
    folder: str | os.PathLike[str],
    rules: Rules | None = None,
    *,
    name: str,
    saved: Sequence[str] = (),
    verified: Mapping[str, Any] | None = None,
    allow_pickle_code: str | None = None,
) -> Emitted:
    """Write ``convert_<name>_to_hf.py``: a script that converts the checkpoint without porting.

    Args:
        checkpoint: the original's; its headers are read, no data.
        model: the port, live or on the meta device.
        folder: where to write.
        rules: as for `porting.convert`; they must make the port of the checkpoint completely.
        name: of the model.
        saved: ``"tokenizer"`` and ``"processor"``, where the script is to save them, too.
        verified: inputs, and values that the original gave for them (`verified_values`).
        allow_pickle_code: the sha256 of a pickle that may run any code when it is loaded.

    Raises:
        MismatchError: the rules do not make the port of the checkpoint.
        GenerationError: something cannot be written as code.
        CheckpointError: the checkpoint cannot be read.
        RuleError: the rules are not usable.
        OutputError: another file is there, or it cannot be written.
    """
    prepared = prepare(checkpoint, model, rules, allow_pickle_code=allow_pickle_code)
    path = Path(folder) / script_name(name)
    text = script_text(prepared, name, kind_of(checkpoint), saved=saved, verified=verified)
    refuse_foreign(path, MARKER, command=COMMAND, hint=HINT)
    files = {path: with_filled(text, path.read_text(encoding="utf-8")) if path.exists() else text}
    _write(files)
    command = f"python {shlex.quote(os.path.relpath(path))} --checkpoint_path ... --output_path ..."
    count, parts = len(prepared.applied) + len(prepared.dropped), tuple(parts_of(files))
    return Emitted((path,), "script", count, (), command, parts)


def emit_mapping(
    checkpoint: Checkpoint,
    model: torch.nn.Module,
    folder: str | os.PathLike[str],
    rules: Rules | None = None,
    *,
    name: str,
    allow_pickle_code: str | None = None,
) -> Emitted:
    """Write ``conversion_mapping_<name>.py`` and its test: what lets ``from_pretrained`` load the original itself.

    Args:
        checkpoint: the original's; its headers are read, no data.
        model: the port, a `PreTrainedModel`, live or on the meta device.
        folder: where to write.
        rules: as for `emit_script`.
        name: of the model.
        allow_pickle_code: the sha256 of a pickle that may run any code when it is loaded.

    Raises:
        MismatchError: the rules do not make the port of the checkpoint.
        GenerationError: a rule, which is named, cannot be expressed as Transformers' transforms.
        CheckpointError: the checkpoint cannot be read.
        RuleError: the rules are not usable.
        OutputError: another file is there, or it cannot be written.
    """
    prepared = prepare(checkpoint, model, rules, allow_pickle_code=allow_pickle_code)
    found = mapping_of(prepared, name)
    stem = f"conversion_mapping_{snake(name)}"
    mapping, test = Path(folder) / f"{stem}.py", Path(folder) / f"test_{stem}.py"
    _write({mapping: found.text, test: test_text(prepared, found, name, kind_of(checkpoint))})
    left = [f"Move the list and its operations into conversion_mapping.py of Transformers, under {show(found.key)}."]
    if found.ignored:
        left.append("Give the class KEYS_TO_IGNORE as _keys_to_ignore_on_load_unexpected.")
    if found.one_way:
        rules_of = {each.number: each.rule for each in prepared.applied}
        left += [
            f"Nothing undoes this rule, so its tensors are saved as the port's: {rules_of[i]}" for i in found.one_way
        ]
    command = f"ORIGINAL_CHECKPOINT=... CONVERTED_CHECKPOINT=... python -m pytest {shlex.quote(os.path.relpath(test))}"
    return Emitted((mapping, test), "mapping", len(prepared.applied) + len(prepared.dropped), tuple(left), command)


def kind_of(checkpoint: Checkpoint) -> str:
    """The kind of a checkpoint's files: ``"safetensors"``, ``"torch"`` or ``"npz"``; of tensors in memory the first.

    Raises:
        CheckpointError: there is no checkpoint.
        GenerationError: it is a single array without a name.
    """
    from porting.weights.formats.choosing import TORCH, choose

    if not isinstance(checkpoint, (str, os.PathLike)):
        return "safetensors"
    name = choose(Path(checkpoint)).name.removesuffix(".index.json")
    if name.endswith(".npy"):
        raise GenerationError(
            f"{show(name)} is a single array, for which no script is written",
            hint="put the arrays into one file: numpy.savez(path, **arrays)",
        )
    if name.endswith(".npz"):
        return "npz"
    return "torch" if name.endswith(TORCH) else "safetensors"


def _write(files: Mapping[Path, str]) -> None:
    for path in files:
        refuse_foreign(path, MARKER, command=COMMAND, hint=HINT)
    write_files(files, hint=HINT)
