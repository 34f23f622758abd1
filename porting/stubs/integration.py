"""Generated tests: an integration test of a verified port, with values that the original made."""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from porting.errors import InconclusiveError, MismatchError
from porting.portfile import command_line
from porting.results import Result
from porting.stubs.files import refuse_foreign, write_files
from porting.stubs.literals import camel, snake
from porting.stubs.rendering import NEUTRAL, render
from porting.text import show

if TYPE_CHECKING:
    from porting.portfile import Portfile
    from porting.verification import Verification

MARKER = "# Written by `porting tests`, which may replace it; the expected values are the original model's."
"""The line by which a file is known to be generated, and may be replaced."""
TEMPLATE = "integration_test.py.jinja"


@dataclass(frozen=True, repr=False)
class GeneratedTest(Result):
    """An integration test that was written.

    Attributes:
        path: the file.
        test_class: its class.
        outputs: names of the outputs that it looks at.
        atol: its absolute tolerance.
        rtol: its relative tolerance.
        left: what a person has still to do in the portfile, in sentences.
    """

    renderer: ClassVar[str] = "porting.report.files:render_generated"

    path: Path
    test_class: str
    outputs: tuple[str, ...]
    atol: float
    rtol: float
    left: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Always: a test that cannot be written is an error."""
        return True

    @property
    def command(self) -> str:
        """How to run the test."""
        return f"RUN_SLOW=1 python -m pytest {shlex.quote(os.path.relpath(self.path))}"

    def summary(self) -> str:
        """The file, and what it looks at."""
        names = ", ".join(show(name, 40) for name in self.outputs)
        return f"wrote {show(self.path)}: {names} within {self.atol:g} of the original's values"

    def to_dict(self) -> dict[str, Any]:
        """The document of ``porting tests --json``."""
        return {
            "schema": 1,
            "path": str(self.path),
            "class": self.test_class,
            "outputs": list(self.outputs),
            "tolerance": {"atol": self.atol, "rtol": self.rtol},
            "left": list(self.left),
            "next": self.command,
        }


def write_integration_test(
    portfile: Portfile,
    verification: Verification,
    output: str | os.PathLike[str] | None = None,
    *,
    force: bool = False,
) -> GeneratedTest:
    """Write an integration test of the port with values from the original's trace.

    Args:
        portfile: says the model's name and where its weights are.
        verification: of the same portfile.
        output: a file that ends in ``.py``, or a folder; the portfile's own, if None.
        force: replace a file that this did not write, too.

    Raises:
        MismatchError: the port is not verified: the verdict is ``mismatch`` or ``suspicious``.
        InconclusiveError: the verdict is ``inconclusive``.
        GenerationError: the port or its outputs are of a kind that a test cannot be written for.
        PortfileError: a function of the portfile does not keep its contract.
        OutputError: something else is at the path, or it cannot be written.
    """
    _require_match(verification)
    file_name, test_class = test_names(portfile.model_name)
    path = _target(portfile, output, file_name)
    if not (force and path.is_file()):
        hint = "name another file with --output, or replace it with --force"
        refuse_foreign(path, MARKER, command="porting tests", hint=hint)
    variables = _variables(portfile, verification)
    names = {key: value for key, value in variables.items() if key not in NEUTRAL}
    data = {key: value for key, value in variables.items() if key in NEUTRAL}
    text = render(TEMPLATE, {**names, "test_class": test_class}, data)
    write_files({path: text}, hint="name another one with --output")
    outputs = tuple(each["name"] for each in variables["outputs"])
    return GeneratedTest(path, test_class, outputs, variables["atol"], variables["rtol"], variables["notes"])


def _variables(portfile: Portfile, verification: Verification) -> dict[str, Any]:
    """The variables of the template."""
    from porting.stubs.expectations import expected_outputs, require_passing, tolerance_of
    from porting.stubs.replay import provenance, replay_of

    replay = replay_of(portfile, verification)
    outputs = expected_outputs(portfile, verification, replay.call)
    allowed = verification.comparison.tolerance
    measured = max(output.max_abs for output in outputs)
    atol, rtol = tolerance_of(replay.dtype, measured, allowed)
    for output in outputs:
        require_passing(output, atol, rtol)
    return {
        **replay.variables(),
        **provenance(verification.original),
        "outputs": [output.variables() for output in outputs],
        "atol": atol,
        "rtol": rtol,
        "measured": f"{measured:.2g}",
        "verified": str(allowed),
        "command": command_line(portfile.path.name, "tests"),
    }


def test_names(model_name: str) -> tuple[str, str]:
    """The names of a model's test file and class: ``test_modeling_brand_new_bert_integration.py``,
    ``BrandNewBertIntegrationTest``.

    Raises:
        GenerationError: it has no ASCII letter to begin with.
    """
    return f"test_modeling_{snake(model_name)}_integration.py", f"{camel(model_name)}IntegrationTest"


def _require_match(verification: Verification) -> None:
    verdict = verification.verdict
    if verdict == "match":
        return
    message = f"no test is written, as the port is not verified: {verification.summary()}"
    hint = "correct the port until `porting verify` says match"
    raise (InconclusiveError if verdict == "inconclusive" else MismatchError)(message, hint=hint)


def _target(portfile: Portfile, output: str | os.PathLike[str] | None, name: str) -> Path:
    if output is None:
        return portfile.folder / name
    path = Path(output).absolute()
    return path if path.suffix == ".py" else path / name
