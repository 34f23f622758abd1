"""Generated tests: those of a verified port, with values that the original made."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from porting.progress import Progress, silent
from porting.stubs.files import write_files
from porting.stubs.generated import GeneratedTests
from porting.stubs.layout import Tree, require_own, standalone_path
from porting.stubs.origins import require_match, require_original
from porting.text import show

if TYPE_CHECKING:
    import torch

    from porting.portfile import Portfile
    from porting.stubs.material import Material
    from porting.verification import Verification


@dataclass(frozen=True, slots=True)
class Wanted:
    """How tests are to be written.

    Attributes:
        standalone: one file that needs nothing but torch, transformers and pytest.
        force: replace files that were not generated, too.
        dry_run: write nothing.
    """

    standalone: bool = False
    force: bool = False
    dry_run: bool = False


def write_tests(
    portfile: Portfile,
    verification: Verification,
    output: str | os.PathLike[str] | None = None,
    *,
    original: torch.nn.Module | None = None,
    ported: torch.nn.Module | None = None,
    wanted: Wanted | None = None,
    progress: Progress = silent,
) -> GeneratedTests:
    """Write the tests of a port with values from the original's trace.

    Args:
        portfile: says the model's name and where its weights are.
        verification: of the same portfile.
        output: the root of a Transformers checkout, or any folder; of a test that stands alone also a file. The
            portfile's folder, if None.
        original: the original, where ``original()`` was called before; None calls it, if it is live.
        ported: the port, where ``ported()`` was called before; None calls it.
        wanted: what kind of files; the tree, if None.
        progress: called as the work goes on.

    Raises:
        MismatchError: the port is not verified: the verdict is ``mismatch`` or ``suspicious``.
        InconclusiveError: the verdict is ``inconclusive``.
        GenerationError: the values would be the port's own, or the port or its outputs are of a kind that a test
            cannot be written for.
        PortfileError: a function of the portfile does not keep its contract.
        OutputError: something else is at a path, or it cannot be written.
    """
    from porting.stubs.material import gather

    wanted = wanted or Wanted()
    require_match(verification)
    require_original(verification)
    root = portfile.folder if output is None else output
    place = standalone_path(portfile.model_name, root) if wanted.standalone else Tree.of(portfile.model_name, root)
    port = portfile.build("ported") if ported is None else ported
    material = gather(portfile, verification, port, _live(portfile, original), place, progress)
    generated = _generate(material, wanted)
    for path in generated.files:
        require_own(path, force=wanted.force)
    if not wanted.dry_run:
        packages = dict.fromkeys(place.packages(), "") if isinstance(place, Tree) else {}
        write_files({**generated.files, **packages}, hint="name another place with --output")
    return generated


def _live(portfile: Portfile, original: torch.nn.Module | None) -> torch.nn.Module | None:
    if original is None and portfile.original_trace is None and portfile.original_python is None:
        return portfile.build("original")
    return original


def _generate(material: Material, wanted: Wanted) -> GeneratedTests:
    """The text of every file."""
    from porting.stubs.generation import continuation_of
    from porting.stubs.material import Untested
    from porting.stubs.modeling import class_name, modeling_files
    from porting.stubs.processing import processing_files
    from porting.stubs.reproducing import reproducer_name, reproducer_text
    from porting.stubs.tokenization import tokenization_files

    skipped = list(untested_outputs(material))
    try:
        continuation = continuation_of(material)
    except Untested as error:
        continuation = None
        skipped.append(error.message)
    script = "" if material.standalone else reproducer_name(material.portfile)
    files = modeling_files(material, continuation, script)
    for further in (tokenization_files, processing_files):
        try:
            files |= further(material)
        except Untested as error:
            skipped.append(error.message)
    if script:
        files[material.portfile.folder / script] = reproducer_text(material)
    return GeneratedTests(
        files,
        class_name(material),
        tuple(output.name for output in material.outputs),
        material.atol,
        material.rtol,
        _left(material),
        tuple(skipped),
        dry_run=wanted.dry_run,
        slow=not wanted.standalone,
    )


def untested_outputs(material: Material) -> Iterator[str]:
    """Which outputs have no test, and why."""
    comparison = material.verification.comparison
    tested = {output.name.split("#")[0] for output in material.outputs}
    others = [show(output.name) for output in comparison.outputs if output.name not in tested]
    alone = [show(name.removeprefix("ported ")) for name in comparison.unpaired if name.startswith("ported ")]
    if others:
        yield f"{_first_of(others)}: the port's forward does not return it as it is, or it holds no real numbers"
    if alone:
        yield f"{_first_of(alone)}: the original has no counterpart of it"


def _first_of(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"


def _left(material: Material) -> tuple[str, ...]:
    """What a person has still to do."""
    if not isinstance(material.place, Tree) or not material.place.modeling()[1]:
        return material.replay.weights.left
    name = material.place.modeling()[0].name
    return (*material.replay.weights.left, f"{name} stands beside the model tests: move its class there if you wish.")
