"""``port_regression``: golden traces, which only the original makes, and what is held against them."""

from __future__ import annotations

import re
import zlib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from porting.errors import MismatchError, OutputError, PortingError, TraceError
from porting.plugin.closeness import PortClose, require_same_run, require_verified
from porting.plugin.settings import settings_of
from porting.plugin.sharing import relative, said, shared
from porting.text import show

if TYPE_CHECKING:
    import torch

    from porting.checks import CheckContext
    from porting.tolerance import Tolerance
    from porting.trace import Trace

FOLDER = "goldens"
UPDATE = "pytest --porting-update"
LONGEST = 100
"""Characters of a test's name that its folder keeps."""


class PortRegression:
    """Holds runs of one test against its golden trace.

    Args:
        node: the test.
        path: its portfile, if there is one.
    """

    def __init__(self, node: pytest.Item, path: Path | None) -> None:
        self._node = node
        self._path = path
        self._settings = settings_of(node.config)
        self._again = f"{UPDATE} {show(node.nodeid)}"

    def __call__(
        self,
        original: Trace | None = None,
        ported: Trace | torch.nn.Module | None = None,
        *,
        name: str = "",
        atol: float | None = None,
        rtol: float | None = None,
    ) -> Trace:
        """Hold the original, a port, or both against the golden trace of the original.

        With ``--porting-update`` the original's trace becomes the golden one; where there is none the test fails.
        What has the golden trace's checksums is equal; anything else must be within the tolerance.

        Args:
            original: a trace of the original, as ``original_trace`` is.
            ported: a trace of the port, or the live port, which is then judged module by module.
            name: of the golden trace, where a test has several.
            atol: absolute; the run's, else the portfile's, else 1e-3, if None.
            rtol: the same, relative to the golden value.

        Returns:
            The golden trace.

        Raises:
            MismatchError: something differs, there is no golden trace, or it cannot be read or written.
        """
        __tracebackhide__ = True
        folder = self.folder(name)
        try:
            if original is None and ported is None:
                raise MismatchError("nothing was given to hold against the golden trace", hint="pass original_trace")
            if original is not None:
                self._require_original(original)
            golden = self._golden(folder, original)
            tolerance = PortClose(self._node.config, self._path).tolerance(atol, rtol)
            if original is not None:
                self._hold_original(golden, original, tolerance)
            if ported is not None:
                self._hold_port(golden, folder, ported, tolerance)
        except PortingError as error:
            raise MismatchError(said(error)) from None
        return golden

    def folder(self, name: str = "") -> Path:
        """Where a golden trace of this test lies."""
        file, root = self._node.path, self._node.config.rootpath
        test = (self._node.nodeid.partition("::")[2] or self._node.name).replace("::", ".")
        own = _file_name(f"{test}.{name}" if name else test)
        if self._settings.goldens is None:
            return file.parent / FOLDER / file.stem / own
        module = file.relative_to(root).with_suffix("") if file.is_relative_to(root) else Path(file.stem)
        return self._settings.goldens / module / own

    @property
    def _context(self) -> CheckContext | None:
        return None if self._path is None else shared(self._node.config, self._path).context

    def _golden(self, folder: Path, original: Trace | None) -> Trace:
        """The golden trace; the original's, if it is to be written."""
        from porting.trace import open_trace

        where = relative(folder, self._node.config)
        if self._settings.update and original is not None and not _is_golden(folder, original):
            _save(original, folder)
        if not folder.exists():
            source = "" if original is not None else "pass original=original_trace, and run: "
            raise MismatchError(f"there is no golden trace in {where}", hint=f"{source}{self._again}")
        try:
            golden = open_trace(folder)
        except TraceError as error:
            raise TraceError(f"the golden trace cannot be read: {error.message}", hint=self._again) from None
        if golden.run.get("side") != "original" or golden.run.get("model") in _only_ported(self._context):
            raise TraceError(f"the trace in {where} is not of an original", hint=f"write another: {self._again}")
        return golden

    def _require_original(self, trace: Any) -> None:
        """Refuse what is no trace of the original, whatever it is called."""
        from porting.trace import Trace

        only = "golden traces come from the original only, "
        hint = 'pass original_trace, or porting.capture(model, inputs, side="original"); a port is passed as ported='
        if not isinstance(trace, Trace):
            raise MismatchError(f"{only}as a trace of it, and this is a live {type(trace).__name__}", hint=hint)
        side, model = trace.run.get("side"), trace.run.get("model")
        if side != "original":
            whose = "is the port's" if side == "ported" else "does not say whose it is"
            raise MismatchError(f"{only}and this trace {whose}", hint=hint)
        if model in _only_ported(self._context):
            raise MismatchError(f"{only}and {show(model)} is the port", hint=hint)

    def _hold_original(self, golden: Trace, original: Trace, tolerance: Tolerance) -> None:
        from porting.comparison import compare

        if golden.diff(original).same_content:
            return
        hint = f"if it is right that the original changed: {self._again}"
        if (other := _other_input(golden, original)) is not None:
            raise MismatchError(f"the golden trace was made with another {show(other)}", hint=hint)
        require_same_run(compare(golden, original, tolerance=tolerance), hint)

    def _hold_port(self, golden: Trace, folder: Path, ported: Any, tolerance: Tolerance) -> None:
        from porting.comparison import compare
        from porting.trace import Trace
        from porting.verification import verify
        from porting.verifying import verify_portfile

        context = self._context
        if isinstance(ported, Trace):
            more: dict[str, Any] = {}
            if context is not None:
                values = [trace.value(trace.outputs) for trace in (golden, ported)]
                more = {
                    "outputs": context.portfile.pair_outputs(*values),
                    "module_map": context.portfile.module_map,
                }
            other = _other_input(golden, ported)
            hint = "pass the live port instead of its trace, which judges every module by itself"
            if other is not None:
                hint = f"run the port on the golden inputs: it had another {show(other)}; or: {self._again}"
            require_same_run(compare(golden, ported, tolerance=tolerance, **more), hint)
        elif context is None:
            require_verified(verify(golden, ported, tolerance=tolerance, strict=self._settings.strict))
        else:
            given = {"ORIGINAL_TRACE": folder, "TOLERANCE": {"atol": tolerance.atol, "rtol": tolerance.rtol}}
            portfile = replace(context.portfile, constants={**context.portfile.constants, **given})
            require_verified(verify_portfile(portfile, ported=ported, strict=self._settings.strict))


def _save(original: Trace, folder: Path) -> None:
    from porting.trace import save_trace

    try:
        save_trace(original, folder)
    except OutputError as error:
        raise OutputError(error.message, hint="keep golden traces elsewhere: --porting-goldens DIR") from None


def _is_golden(folder: Path, original: Trace) -> bool:
    """Whether a readable golden trace has the same content already."""
    from porting.trace import open_trace

    try:
        golden = open_trace(folder)
    except TraceError:
        return False
    return golden.run.get("side") == "original" and golden.diff(original).same_content


def _only_ported(context: CheckContext | None) -> set[str]:
    """The class of the port, as a trace names it, where it was built and the original is of another."""
    if context is None:
        return set()
    names = {side: f"{type(model).__module__}.{type(model).__qualname__}" for side, model in context.built.items()}
    return {name for side, name in names.items() if side == "ported" and name != names.get("original")}


def _other_input(golden: Trace, trace: Trace) -> str | None:
    """The first input of the same name that has another content."""
    known = {leaf.name: leaf for leaf in golden.inputs.tensor_leaves()}
    for leaf in trace.inputs.tensor_leaves():
        if leaf.name in known:
            one, other = golden.tensor(known[leaf.name]), trace.tensor(leaf)
            if one.shape != other.shape or not bool((one == other).logical_or((one != one) & (other != other)).all()):
                return leaf.name
    return None


def _file_name(text: str) -> str:
    """A name for a folder; other texts have other names."""
    clean = re.sub(r"[^\w.=\[\]-]+", "-", text, flags=re.ASCII)
    if clean == text and len(text) <= LONGEST:
        return clean
    return f"{clean[:LONGEST]}-{zlib.crc32(text.encode(errors='backslashreplace')):08x}"
