"""Load and run the user's portfile: the Python file that says how to build and run both models."""

from __future__ import annotations

import hashlib
import os
import shlex
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from porting.contract import CONSTANTS, FUNCTIONS, check_kind, execute, near_misses
from porting.errors import PortfileError, ToleranceError, TraceError
from porting.evidence.asking import note
from porting.evidence.using import checkpoint_files
from porting.kinds import kind_of, parts_of
from porting.runs import Inputs, OutputPairs, Side
from porting.text import show
from porting.tolerance import Tolerance
from porting.userfile import UserFile, ask_for

if TYPE_CHECKING:
    import torch


class Portfile(UserFile):
    """A loaded portfile: every function of the contract with its default, every answer checked."""

    @classmethod
    def load(cls, path: str | os.PathLike[str] = "portfile.py", *, both_sides: bool = True) -> Portfile:
        """Run the file and collect what it defines.

        Args:
            path: the file.
            both_sides: whether both models are wanted; if not, no function has to be there until it is called.

        Raises:
            PortfileError: it is missing, cannot be run, lacks ``ported`` (or, without an ``ORIGINAL_TRACE``,
                ``original`` or ``inputs``) where both sides are wanted, or defines a name of the contract as
                something else.
        """
        file = Path(path).absolute()
        module, content = execute(file)
        known = {name: getattr(module, name) for name in (*FUNCTIONS, *CONSTANTS) if hasattr(module, name)}
        for name, value in known.items():
            check_kind(file, name, value)
        portfile = cls(
            path=file,
            functions={name: value for name, value in known.items() if name in FUNCTIONS},
            constants={name: value for name, value in known.items() if name in CONSTANTS},
            warnings=tuple(near_misses(module, set(known))),
            sha256=hashlib.sha256(content).hexdigest(),
            source=content.decode(errors="replace"),
        )
        if both_sides:
            portfile.require("ported", *([] if portfile.original_trace else ["original", "inputs"]))
        portfile.tolerance()
        return portfile

    def build(self, side: Side) -> torch.nn.Module:
        """Call ``original()`` or ``ported()``: the model, weights loaded, in the mode in which it is returned."""
        import torch

        model = self.call(side)
        if not isinstance(model, torch.nn.Module):
            raise PortfileError(f"{side}() must return a torch.nn.Module, and returned {kind_of(model)}")
        return model

    def inputs(self, side: Side) -> Inputs:
        """The inputs of one side: ``original_inputs()`` or ``ported_inputs()``, else ``inputs()``, else the recorded.

        Raises:
            PortfileError: a function does not keep its contract.
            TraceError: there is none, and the recorded trace cannot be read or does not hold its inputs.
        """
        if self.takes_recorded_inputs(side):
            note("trace")
            return self._recorded[0].fresh()
        name = f"{side}_inputs" if f"{side}_inputs" in self.functions else "inputs"
        ask_for(name)
        if name not in self.answers:
            self.answers[name] = self.call(name)
        value = self.answers[name]
        if name == "inputs" and not isinstance(value, Mapping):
            raise PortfileError(f"inputs() must return a dict of keyword arguments, and returned {kind_of(value)}")
        return Inputs.of(value, f"{name}()").fresh()

    def takes_recorded_inputs(self, side: Side) -> bool:
        """Whether the portfile has no inputs for a side, so that it runs on those of ``ORIGINAL_TRACE``."""
        given = any(name in self.functions for name in (f"{side}_inputs", "inputs"))
        return not given and self.original_trace is not None

    @cached_property
    def _recorded(self) -> tuple[Inputs, torch.Tensor | None]:
        """Inputs and valid positions of ``ORIGINAL_TRACE``."""
        from porting.original.recorded import recorded_inputs
        from porting.trace import open_trace

        assert self.original_trace is not None
        try:
            trace = open_trace(self.original_trace)
        except TraceError as error:
            hint = "add to the portfile: def inputs(): return {...}  (then record it: porting capture --side original)"
            raise TraceError(f"there is no inputs() and no recorded ones: {error.message}", hint=hint) from None
        return recorded_inputs(trace), trace.valid_positions()

    def run(self, side: Side, model: torch.nn.Module, inputs: Inputs) -> Any:
        """Run a model: ``run_original(model, inputs)`` or ``run_ported``, else ``model(**inputs)``.

        What the forward raises is passed on as it is: the caller knows which module was running. An attempt to end
        the program, or anything else that is no Exception, becomes a RuntimeError; an interruption does not.
        """
        run = self.watched(f"run_{side}")
        try:
            with self.running():
                return run(model, inputs.as_given()) if run else inputs.forward(model)
        except (Exception, KeyboardInterrupt):
            raise
        except SystemExit as error:
            raise RuntimeError(f"it called sys.exit({error.code!r})") from error
        except BaseException as error:
            raise RuntimeError(f"it raised {type(error).__name__}: {show(error, 500)}") from error

    def pair_outputs(self, original: Any, ported: Any) -> OutputPairs | None:
        """The final outputs that ``outputs(original_out, ported_out)`` declares, or None without that function."""
        if "outputs" not in self.functions:
            return None
        pairs = self.call("outputs", original, ported)
        wanted = "outputs() must return a list of (name, original tensor, ported tensor) with at least one entry"
        if not isinstance(pairs, Sequence) or isinstance(pairs, str) or not pairs:
            raise PortfileError(f"{wanted}, and returned {kind_of(pairs)}")
        for index, pair in enumerate(pairs):
            if not _is_output_pair(pair):
                raise PortfileError(f"{wanted}, and entry {index} is {parts_of(pair)}")
        return [(name, one, other) for name, one, other in pairs]

    def valid_positions(self) -> torch.Tensor | None:
        """The boolean (batch, sequence) tensor of positions that count; None means all of them.

        The default is what was recorded with the inputs, where they are recorded ones, else the ``attention_mask``
        of the inputs, if there is a two-dimensional one.
        """
        inputs = self.inputs("ported")
        if "valid_positions" in self.functions:
            return self.positions_of(inputs)
        recorded = self._recorded[1] if self.takes_recorded_inputs("ported") else None
        return inputs.attended() if recorded is None else recorded

    def counted(self, inputs: Inputs) -> torch.Tensor | None:
        """The boolean (batch, sequence) tensor of what counts in some inputs of the port; None means all of it."""
        return self.positions_of(inputs) if "valid_positions" in self.functions else inputs.attended()

    def positions_of(self, inputs: Inputs) -> torch.Tensor | None:
        """What ``valid_positions(inputs)`` returns, for these inputs of the port."""
        import torch

        valid = self.call("valid_positions", inputs.as_given())
        if valid is None:
            return None
        if not isinstance(valid, torch.Tensor) or valid.dtype != torch.bool or valid.dim() != 2:
            wanted = "valid_positions() must return a bool tensor over (batch, sequence)"
            raise PortfileError(f"{wanted}, and returned {kind_of(valid)}")
        return valid

    def checkpoint(self) -> Path | None:
        """The path that ``checkpoint()`` returns, from the portfile's folder; None without that function."""
        if "checkpoint" not in self.functions:
            return None
        value = self.call("checkpoint")
        if not isinstance(value, (str, os.PathLike)):
            raise PortfileError(f"checkpoint() must return a path, and returned {kind_of(value)}")
        path = self.folder / value
        self.used.checkpoint = path
        self.used.add_files("checkpoint", checkpoint_files(path))
        return path

    def rules(self) -> Any:
        """What ``rules()`` returns; None without that function.

        Raises:
            PortfileError: it returns None, as a function does whose ``return`` was forgotten.
        """
        if "rules" not in self.functions:
            return None
        rules = self.call("rules")
        if rules is None:
            raise PortfileError("rules() returned None", hint="return the list of rules; [] keeps every name")
        return rules

    def config(self) -> Any:
        """What ``config()`` returns; None without that function."""
        return self.call("config") if "config" in self.functions else None

    def ported_class(self) -> type[torch.nn.Module]:
        """The class to build from the config: ``ported_class()``, else the class of what ``ported()`` returns."""
        import torch

        if "ported_class" not in self.functions:
            return type(self.build("ported"))
        value = self.call("ported_class")
        if not isinstance(value, type) or not issubclass(value, torch.nn.Module):
            raise PortfileError(
                f"ported_class() must return a subclass of torch.nn.Module, and returned {kind_of(value)}"
            )
        return value

    def tolerance(self) -> Tolerance:
        """``TOLERANCE``, with 1e-3 for what it leaves out.

        Raises:
            PortfileError: an unknown key, or a value that is not a non-negative number.
        """
        given = self.constants.get("TOLERANCE", {})
        for key in given:
            if key not in ("atol", "rtol"):
                raise PortfileError(f"TOLERANCE has the unknown key {key!r}; it takes 'atol' and 'rtol'")
        try:
            return Tolerance(**given)
        except ToleranceError as error:
            raise PortfileError(f"TOLERANCE: {error.message}") from None

    @property
    def module_map(self) -> Mapping[str, str]:
        """``MODULE_MAP``: original path to ported path."""
        return dict(self.constants.get("MODULE_MAP", {}))

    @property
    def original_trace(self) -> Path | None:
        """``ORIGINAL_TRACE`` from the portfile's folder, or None."""
        value = self.constants.get("ORIGINAL_TRACE")
        return None if value is None else self.folder / value

    @property
    def original_python(self) -> str | None:
        """``ORIGINAL_PYTHON``: a path from the portfile's folder, or a command that is on the search path; or None."""
        value = self.constants.get("ORIGINAL_PYTHON")
        if value is None:
            return None
        return str(self.folder / value) if os.sep in value else str(value)

    @property
    def model_name(self) -> str:
        """``MODEL_NAME``, else the name of the portfile's folder."""
        return str(self.constants.get("MODEL_NAME") or self.folder.name)


def command_line(portfile_name: str, command: str) -> str:
    """A command of ``porting`` as it is typed, for a portfile of this name."""
    option = "" if portfile_name == "portfile.py" else f" --portfile {shlex.quote(portfile_name)}"
    return f"porting {command}{option}"


def _is_output_pair(pair: Any) -> bool:
    import torch

    return (
        isinstance(pair, (tuple, list))
        and len(pair) == 3
        and isinstance(pair[0], str)
        and all(isinstance(tensor, torch.Tensor) for tensor in pair[1:])
    )
