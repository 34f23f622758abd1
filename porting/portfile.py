"""Load and run the user's portfile: the Python file that says how to build and run both models."""

from __future__ import annotations

import contextlib
import difflib
import hashlib
import os
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal

from porting.errors import PortfileError
from porting.text import show

if TYPE_CHECKING:
    import torch

Side = Literal["original", "ported"]
OutputPairs = list[tuple[str, "torch.Tensor", "torch.Tensor"]]

FUNCTIONS = (
    "original", "ported", "inputs", "original_inputs", "ported_inputs", "run_original", "run_ported", "outputs",
    "valid_positions", "checkpoint", "rules", "config", "ported_class", "original_tokenize", "original_prompt",
    "original_preprocess", "original_generate", "ported_tokenizer", "ported_processor",
)  # fmt: skip
CONSTANTS: dict[str, type] = {
    "MODEL_NAME": str, "HUB_ID": str, "REVISION": str, "ORIGINAL_PYTHON": str, "ORIGINAL_TRACE": str,
    "MODULE_MAP": dict, "TOLERANCE": dict, "EXPECTED_FAILURES": dict,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Tolerance:
    """``abs(ported - original) <= atol + rtol * abs(original)``, the rule of ``allclose``; 1e-3 is the recipe's."""

    atol: float = 1e-3
    rtol: float = 1e-3

    def __str__(self) -> str:
        """As in a sentence: one number where both are equal."""
        return f"{self.atol:g}" if self.atol == self.rtol else f"atol {self.atol:g}, rtol {self.rtol:g}"


@dataclass(frozen=True, slots=True)
class Inputs:
    """What a forward is given: positional and keyword arguments."""

    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, value: Any, source: str) -> Inputs:
        """Read a dict as keyword and a tuple as positional arguments.

        Raises:
            PortfileError: it is neither; ``source`` names the function that returned it.
        """
        if isinstance(value, tuple) and not hasattr(value, "_fields"):
            return cls(args=value)
        if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
            return cls(kwargs=dict(value))
        raise PortfileError(
            f"{source} must return a dict of keyword arguments{'' if source == 'inputs()' else ' or a tuple'}, "
            f"and returned {_kind(value)}"
        )

    def fresh(self) -> Inputs:
        """The same values in new tensors, so that a run that writes into its inputs does not change another's."""
        import torch

        from porting.feeding import copied

        return Inputs(copied(self.args, torch.Tensor.clone), copied(dict(self.kwargs), torch.Tensor.clone))

    def as_given(self) -> Any:
        """The value that the portfile's ``run_*`` functions are handed: the tuple or the dict."""
        return self.args or dict(self.kwargs)


@dataclass(frozen=True)
class Portfile:
    """A loaded portfile: every function of the contract with its default, every answer checked.

    Attributes:
        path: the file.
        functions: those of the contract that it defines.
        constants: those of the contract that it defines.
        warnings: names that look like a misspelt one of the contract.
        sha256: of the file as it was run.
        answers: what the input functions returned: they are asked once, as their answers may be random.
    """

    path: Path
    functions: Mapping[str, Callable[..., Any]]
    constants: Mapping[str, Any]
    warnings: tuple[str, ...] = ()
    sha256: str = ""
    answers: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def load(cls, path: str | os.PathLike[str] = "portfile.py") -> Portfile:
        """Run the file and collect what it defines.

        Raises:
            PortfileError: it is missing, cannot be run, lacks ``ported`` or ``inputs`` (or ``original`` without an
                ``ORIGINAL_TRACE``), or defines a name of the contract as something else.
        """
        file = Path(path).absolute()
        module = _execute(file)
        known = {name: getattr(module, name) for name in (*FUNCTIONS, *CONSTANTS) if hasattr(module, name)}
        for name, value in known.items():
            _check_kind(file, name, value)
        portfile = cls(
            path=file,
            functions={name: value for name, value in known.items() if name in FUNCTIONS},
            constants={name: value for name, value in known.items() if name in CONSTANTS},
            warnings=tuple(_near_misses(module, set(known))),
            sha256=hashlib.sha256(file.read_bytes()).hexdigest(),
        )
        portfile._require("ported", "inputs", *([] if portfile.original_trace else ["original"]))
        portfile.tolerance()
        return portfile

    @property
    def folder(self) -> Path:
        """The folder that the portfile's relative paths start from."""
        return self.path.parent

    def build(self, side: Side) -> torch.nn.Module:
        """Call ``original()`` or ``ported()``: the model, weights loaded, in the mode in which it is returned."""
        import torch

        self._require(side)
        model = self.call(side)
        if not isinstance(model, torch.nn.Module):
            raise PortfileError(f"{side}() must return a torch.nn.Module, and returned {_kind(model)}")
        return model

    def inputs(self, side: Side) -> Inputs:
        """The inputs of one side: ``original_inputs()`` or ``ported_inputs()``, else ``inputs()``."""
        name = f"{side}_inputs"
        name = name if name in self.functions else "inputs"
        if name not in self.answers:
            self.answers[name] = self.call(name)
        value = self.answers[name]
        if name == "inputs" and not isinstance(value, Mapping):
            raise PortfileError(f"inputs() must return a dict of keyword arguments, and returned {_kind(value)}")
        return Inputs.of(value, f"{name}()").fresh()

    def run(self, side: Side, model: torch.nn.Module, inputs: Inputs) -> Any:
        """Run a model: ``run_original(model, inputs)`` or ``run_ported``, else ``model(**inputs)``.

        What the forward raises is passed on as it is: the caller knows which module was running. An attempt to end
        the program becomes a RuntimeError.
        """
        run = self.functions.get(f"run_{side}")
        try:
            with self.running():
                return run(model, inputs.as_given()) if run else model(*inputs.args, **inputs.kwargs)
        except SystemExit as error:
            raise RuntimeError(f"it called sys.exit({error.code!r})") from error

    def pair_outputs(self, original: Any, ported: Any) -> OutputPairs | None:
        """The final outputs that ``outputs(original_out, ported_out)`` declares, or None without that function."""
        if "outputs" not in self.functions:
            return None
        pairs = self.call("outputs", original, ported)
        wanted = "outputs() must return a list of (name, original tensor, ported tensor) with at least one entry"
        if not isinstance(pairs, Sequence) or isinstance(pairs, str) or not pairs:
            raise PortfileError(f"{wanted}, and returned {_kind(pairs)}")
        for index, pair in enumerate(pairs):
            if not _is_output_pair(pair):
                raise PortfileError(f"{wanted}, and entry {index} is {_parts(pair)}")
        return [(name, one, other) for name, one, other in pairs]

    def valid_positions(self) -> torch.Tensor | None:
        """The boolean (batch, sequence) tensor of positions that count; None means all of them.

        The default is the ``attention_mask`` of the inputs, if there is a two-dimensional one.
        """
        import torch

        inputs = self.inputs("ported")
        if "valid_positions" in self.functions:
            valid = self.call("valid_positions", inputs.as_given())
            if valid is None:
                return None
            if not isinstance(valid, torch.Tensor) or valid.dtype != torch.bool or valid.dim() != 2:
                raise PortfileError(
                    f"valid_positions() must return a bool tensor over (batch, sequence), and returned {_kind(valid)}"
                )
            return valid
        mask = inputs.kwargs.get("attention_mask")
        return mask.bool() if isinstance(mask, torch.Tensor) and mask.dim() == 2 else None

    def checkpoint(self) -> Path | None:
        """The path that ``checkpoint()`` returns, from the portfile's folder; None without that function."""
        if "checkpoint" not in self.functions:
            return None
        value = self.call("checkpoint")
        if not isinstance(value, (str, os.PathLike)):
            raise PortfileError(f"checkpoint() must return a path, and returned {_kind(value)}")
        return self.folder / value

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
                f"ported_class() must return a subclass of torch.nn.Module, and returned {_kind(value)}"
            )
        return value

    def tolerance(self) -> Tolerance:
        """``TOLERANCE``, with 1e-3 for what it leaves out.

        Raises:
            PortfileError: an unknown key, or a value that is not a non-negative number.
        """
        given = self.constants.get("TOLERANCE", {})
        for key, value in given.items():
            if key not in ("atol", "rtol"):
                raise PortfileError(f"TOLERANCE has the unknown key {key!r}; it takes 'atol' and 'rtol'")
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < float("inf"):
                raise PortfileError(f"TOLERANCE[{key!r}] must be a number of at least 0, and is {value!r}")
        return Tolerance(**given)

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
    def model_name(self) -> str:
        """``MODEL_NAME``, else the name of the portfile's folder."""
        return str(self.constants.get("MODEL_NAME") or self.folder.name)

    def call(self, name: str, *args: Any) -> Any:
        """Call a function of the portfile in its folder, its prints on stderr.

        Raises:
            PortfileError: it raised; the message names the function, the exception and the line.
        """
        try:
            with self.running():
                return self.functions[name](*args)
        except (Exception, SystemExit) as error:
            raise PortfileError(
                f"{name}() raised {type(error).__name__}: {show(error, 500)}{_line_in(self.path, error)}",
                hint=f'run it alone: python -c "import portfile; portfile.{name}()" (or add --debug)',
            ) from error

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Run the user's code in the portfile's folder, with what it prints on stderr."""
        with contextlib.chdir(self.folder), contextlib.redirect_stdout(sys.stderr):
            yield

    def _require(self, *names: str) -> None:
        for name in names:
            if name not in self.functions:
                raise PortfileError(
                    f"{show(self.path)} has no function {name}()" + "".join(f"; {text}" for text in self.warnings),
                    hint=f"add: def {name}(): ...  (see the README for what it returns)",
                )


def _execute(path: Path) -> ModuleType:
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "does not exist"
        raise PortfileError(
            f"{show(path)} {what}", hint="name the portfile with --portfile, or see one with: porting demo"
        )
    module = ModuleType("portfile")
    module.__file__ = str(path)
    if str(path.parent) not in sys.path:
        sys.path.append(str(path.parent))
    sys.modules["portfile"] = module  # dataclasses and transformers look a class's module up there
    try:
        with contextlib.chdir(path.parent), contextlib.redirect_stdout(sys.stderr):
            # Not by import, which may run bytecode of an earlier edit that was made in the same second.
            exec(compile(path.read_bytes(), str(path), "exec", dont_inherit=True), vars(module))  # noqa: S102
    except (Exception, SystemExit) as error:
        sys.modules.pop("portfile", None)
        raise PortfileError(
            f"{show(path)} cannot be run: {type(error).__name__}: {show(error, 500)}{_line_in(path, error)}",
            hint="imports belong inside the functions; --debug shows the whole traceback",
        ) from error
    return module


def _check_kind(path: Path, name: str, value: Any) -> None:
    if name in FUNCTIONS:
        if not callable(value) or isinstance(value, type):
            raise PortfileError(f"{show(path)}: {name} must be a function, and is {_kind(value)}")
    elif not isinstance(value, CONSTANTS[name]):
        raise PortfileError(f"{show(path)}: {name} must be a {CONSTANTS[name].__name__}, and is {_kind(value)}")
    if name in ("MODULE_MAP", "EXPECTED_FAILURES") and not all(
        isinstance(text, str) for item in value.items() for text in item
    ):
        raise PortfileError(f"{show(path)}: {name} must map text to text")


def _near_misses(module: ModuleType, known: set[str]) -> Iterator[str]:
    contract = {name.lower(): name for name in (*FUNCTIONS, *CONSTANTS)}
    for name, value in vars(module).items():
        if name.startswith("_") or name in contract.values() or isinstance(value, (ModuleType, type)):
            continue
        if getattr(value, "__module__", module.__name__) != module.__name__:
            continue
        for close in difflib.get_close_matches(name.lower(), contract, n=1, cutoff=0.82):
            if contract[close] not in known:
                yield f"{show(name)} is not a name that porting knows; did you mean {contract[close]}?"


def _is_output_pair(pair: Any) -> bool:
    import torch

    return (
        isinstance(pair, (tuple, list))
        and len(pair) == 3
        and isinstance(pair[0], str)
        and all(isinstance(tensor, torch.Tensor) for tensor in pair[1:])
    )


def _line_in(path: Path, error: BaseException) -> str:
    if isinstance(error, SyntaxError):
        return ""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    return f" ({path.name}, line {lines[-1]})" if lines else ""


def _kind(value: Any) -> str:
    if value is None or isinstance(value, (bool, int, float, str)):
        return show(repr(value), 60)
    if isinstance(value, type):
        return f"the class {show(value.__name__)}"
    if isinstance(value, (tuple, list)):
        return f"a {show(type(value).__name__)} of length {len(value)}"
    if isinstance(value, Mapping):
        return f"a {show(type(value).__name__)} with the keys {show(list(value), 60)}"
    import torch

    if isinstance(value, torch.Tensor):
        return f"a {value.dtype} tensor of shape {tuple(value.shape)}".replace("torch.", "")
    return f"an object of type {show(type(value).__name__)}"


def _parts(value: Any) -> str:
    return f"({', '.join(map(_kind, value))})" if isinstance(value, (tuple, list)) else _kind(value)
