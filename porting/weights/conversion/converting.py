"""Convert a checkpoint by its rules: planned and refused as a whole, then written tensor by tensor."""

from __future__ import annotations

import dataclasses
import gc
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from porting.errors import OutputError
from porting.folders import Kind, replacing, require_writable, write_new
from porting.progress import Progress, silent
from porting.text import bytes_of, show, size_words
from porting.weights.conversion.beside import save_beside
from porting.weights.conversion.layout import Layout, lay_out
from porting.weights.conversion.manifest import MANIFEST, all_hashes, manifest
from porting.weights.conversion.reading import SourceFile, made, source_files
from porting.weights.conversion.reloading import Build, reloaded_report, require_loadable
from porting.weights.conversion.result import Conversion
from porting.weights.conversion.ties import Writing, each_once
from porting.weights.conversion.words import in_words
from porting.weights.conversion.writing import ALGORITHM, WeightsWriter
from porting.weights.matching import Matching, ModelTensors, match
from porting.weights.report import Remark, WeightsReport, by_gravity
from porting.weights.rules.planning import Rules
from porting.weights.source import Checkpoint, Source, source_of

SHARD_SIZE = "5GB"
CHECKPOINT = Kind(refusal="exists", hint="name a new folder")
"""A conversion replaces nothing that is there but an empty folder."""


def convert(
    checkpoint: Checkpoint,
    model: torch.nn.Module,
    output: str | os.PathLike[str],
    rules: Rules | None = None,
    *,
    max_shard_size: int | str = SHARD_SIZE,
    also: Sequence[Any] = (),
    build: Build | None = None,
    audit: bool = True,
    dry_run: bool = False,
    allow_pickle_code: str | None = None,
    progress: Progress = silent,
) -> Conversion:
    """Convert a checkpoint to the port's names and layout, as safetensors that ``from_pretrained`` loads.

    One tensor is in memory at a time: at most twice the largest, while it is changed. The folder appears when all
    is written, on the disk and, unless ``audit`` is False, proven: the model is loaded from it again, which takes
    the memory of the whole model, and each tensor compared with the source. Else there is no folder.

    Args:
        checkpoint: a file, an index, a folder, or a state dict.
        model: the port, live or on the meta device (`build_on_meta`): what is to be made, and its config.
        output: the folder to write; something other than an empty folder there is refused.
        rules: as for `porting.check_weights`; each source is to be used or left out by name.
        max_shard_size: bytes of tensors in a file at most, such as ``"5GB"``.
        also: what is saved beside the weights, by its ``save_pretrained``: tokenizer, processor.
        build: makes another model, to load the result into; needed for a class that is not Transformers' kind and
            is given on the meta device.
        audit: load the result again and compare it with the source.
        dry_run: find out what would be done and write nothing.
        allow_pickle_code: the sha256 of a pickle that may run any code when it is loaded.
        progress: called with bytes done and bytes to do.

    Returns:
        What was done. It is not ok, and nothing was written, where sources are left over, targets are not made or
        made twice or in another shape, tied ones differ, or the result is not right when it is loaded again.

    Raises:
        CheckpointError: the checkpoint cannot be read, or changes meanwhile.
        RuleError: the rules are not usable.
        OutputError: the folder is there, cannot be written, or has no room.
        ValueError: ``max_shard_size`` is not a size.
    """
    place = require_writable(output, CHECKPOINT)
    with uncollected():
        source = source_of(checkpoint, allow_pickle_code=allow_pickle_code)
        job = planned(source, model, rules, bytes_of(max_shard_size))
    found = _described(job, Path(output), shutil.disk_usage(place).free, dry_run=dry_run)
    if dry_run or not found.weights.ok:
        return found
    _require_room(found)
    if audit:
        require_loadable(model, build)
    try:
        with replacing(Path(output), CHECKPOINT) as partial:
            save_beside(partial, model, job.writing.specs, also)
            hashes = write_weights(job, partial, progress=progress)
            found = dataclasses.replace(found, hashes=all_hashes(partial, hashes))
            if audit:
                progress("loading the result again", found.bytes, found.bytes)
                found = _audited(found, *reloaded_report(partial, model, build, source, rules))
            record = manifest(found, partial, job.files, job.writing.steps)
            write_new(partial / MANIFEST, record)
    except _Refused as refused:
        return refused.found
    return found


@dataclass(frozen=True)
class Job:
    """Everything that is known before a byte is written.

    Attributes:
        source: the checkpoint.
        files: that it is in.
        found: which tensor is made of what.
        writing: what is to be written.
        layout: where.
        report: whether all of it is right.
    """

    source: Source
    files: tuple[SourceFile, ...]
    found: Matching
    writing: Writing
    layout: Layout
    report: WeightsReport


class _Refused(Exception):  # noqa: N818 - a way out of the folder that is being written, not an error
    def __init__(self, found: Conversion) -> None:
        super().__init__()
        self.found = found


def planned(source: Source, model: torch.nn.Module, rules: Rules | None, shard_bytes: int) -> Job:
    """Find out what is to be done, and whether all of it is right.

    Raises:
        CheckpointError: the checkpoint cannot be read.
        RuleError: the rules are not usable.
        PortingError: a tensor cannot be kept in a safetensors file.
    """
    files = source_files(source)
    tensors = ModelTensors.of(model)
    found = match(source.specs, tensors, rules)
    writing = each_once(found, tensors, source)
    report = WeightsReport(
        checkpoint=source.label,
        total=len(tensors.tensors),
        matched=len(found.made),
        findings=by_gravity((*found.findings, *writing.findings)),
        warnings=(*source.remarks, *found.warnings),
        strict=True,
    )
    return Job(source, files, found, writing, lay_out(writing.specs, shard_bytes), report)


@contextmanager
def uncollected() -> Iterator[None]:
    """Pause the garbage collector: for many small objects it would search all that torch has, again and again."""
    before = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if before:
            gc.enable()


def _described(job: Job, output: Path, free: int, *, dry_run: bool) -> Conversion:
    sizes = {name: place.stop - place.start for name, place in job.layout.places.items()}
    return Conversion(
        checkpoint=job.source.label,
        folder=output,
        weights=job.report,
        steps=in_words(job.writing.steps, sizes),
        bytes=job.layout.size,
        free=free,
        hashes={},
        dropped=job.found.dropped,
        tied=job.writing.tied,
        dry_run=dry_run,
    )


def _require_room(found: Conversion) -> None:
    if found.bytes > found.free:
        raise OutputError(
            f"cannot write {show(found.folder)}: it takes {size_words(found.bytes)}, and {size_words(found.free)} "
            "are free on its disk",
            hint="make room, or name a folder on another disk",
        )


def write_weights(
    job: Job, folder: Path, *, algorithm: str | None = ALGORITHM, progress: Progress = silent
) -> dict[str, str]:
    """Write the weights' files and wait until they are on the disk; the hash of each, by name.

    Raises:
        CheckpointError: the checkpoint cannot be read, or was changed meanwhile.
        RuleError: an operation cannot be applied.
        OSError: the disk refuses.
    """
    count = _Counter(job.layout.size, progress)
    with WeightsWriter(folder, job.layout, algorithm=algorithm, progress=count.add) as writer:
        for step, wanted in _in_order(job):
            for name, pieces in made(step, job.source, wanted):
                writer.write(name, pieces)
        progress("waiting for the disk", job.layout.size, job.layout.size)
        hashes = writer.finish()
    for file in job.files:
        file.require_unchanged()
    return hashes


def _in_order(job: Job) -> list[tuple[Any, list[str]]]:
    """The steps with the targets of each that are written, in the order of the files."""
    places = job.layout.places
    wanted = [(step, [name for name in step.targets if name in places]) for step in job.writing.steps]
    first = {
        id(step): min((places[name].file, places[name].start) for name in names) for step, names in wanted if names
    }
    return sorted((each for each in wanted if each[1]), key=lambda each: first[id(each[0])])


def _audited(found: Conversion, audit: WeightsReport | None, problems: tuple[Remark, ...]) -> Conversion:
    audited = dataclasses.replace(found, audit=audit, problems=problems)
    if not audited.ok:
        raise _Refused(dataclasses.replace(audited, hashes={}))
    return audited


class _Counter:
    """Reports bytes that are written, often enough for a bar."""

    def __init__(self, total: int, progress: Progress) -> None:
        self._total, self._progress = total, progress
        self._done = self._said = 0

    def add(self, count: int) -> None:
        self._done += count
        if self._done - self._said >= max(self._total // 1000, 1 << 22):
            self._said = self._done
            self._progress("writing weights", self._done, self._total)
