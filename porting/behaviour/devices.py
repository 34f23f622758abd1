"""A model run on a device that is not there: what stays behind on the cpu raises, and the place is named."""

from __future__ import annotations

import copy
import linecache
import logging
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.overrides import TorchFunctionMode

from porting.behaviour.subject import Outputs, Subject
from porting.copying import copied
from porting.quieting import unlogged
from porting.reruns.precision import GROUPED
from porting.runs import Inputs, Run
from porting.text import show
from porting.trace import flatten

Kind = Literal["fake", "meta"]
MIXED = (
    "same device",
    "two different devices",
    "at least two devices",
    "is not on the expected device",
    "Device Propagation",
)
"""What torch says of tensors on several devices; the words have changed over its versions."""
OURS = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """What became of a forward on a device that is not there.

    Attributes:
        status: ``moved`` if all followed, ``left`` if a tensor stayed behind, ``unable`` if torch cannot do that.
        module: path of the module in whose forward it raised, or an output's name; empty for the model itself.
        line: the line of code that raised, as ``file.py:12: code``; empty where it is not known.
        words: what torch said.
    """

    status: Literal["moved", "left", "unable"]
    module: str = ""
    line: str = ""
    words: str = ""


def run_elsewhere(model: nn.Module, inputs: Inputs, run: Run, kind: Kind) -> Elsewhere:
    """Run a model without any data: parameters, buffers and inputs are on another device.

    Plain tensors among the attributes stay where they are, as ``.to()`` leaves them; those of modules that say
    themselves how they are moved (``_apply``) go with them.

    Args:
        model: left as it was found: a copy of it without memory is run.
        inputs: of it.
        run: how it is run.
        kind: ``fake`` for torch's fake tensors, which know devices and shapes; ``meta`` for its meta device.
    """
    found = _run_once(model, inputs, run, kind)
    if found.status == "unable" and (other := _unmasked(inputs)) is not inputs:
        again = _run_once(model, other, run, kind)
        return found if again.status == "unable" else again
    return found


def _unmasked(inputs: Inputs) -> Inputs:
    """The same without masks that leave nothing out: whether they do is a question about data."""
    kept = {name: value for name, value in inputs.kwargs.items() if not ("mask" in name and _is_full(value))}
    return inputs if len(kept) == len(inputs.kwargs) else Inputs(inputs.args, kept)


def _is_full(value: Any) -> bool:
    return isinstance(value, torch.Tensor) and bool(value.all())


def _run_once(model: nn.Module, inputs: Inputs, run: Run, kind: Kind) -> Elsewhere:
    device = torch.device("meta" if kind == "meta" else _absent_device())
    mode: Any = FakeTensorMode(allow_non_fake_inputs=True) if kind == "fake" else nullcontext()

    def moved(tensor: torch.Tensor) -> torch.Tensor:
        with mode:
            return torch.empty_strided(tensor.shape, tensor.stride(), dtype=tensor.dtype, device=device)

    try:
        other = _copied(model, moved)
        given = Inputs(copied(inputs.args, moved), copied(dict(inputs.kwargs), moved))
    except Exception as error:
        return Elsewhere("unable", words=f"no copy could be made: {type(error).__name__}: {show(error, 200)}")
    try:
        with torch.random.fork_rng(devices=[]), mode, torch.no_grad(), _helped(device.type):
            returned = run(other, given)
    except Exception as error:
        return _raised(other, error)
    behind = [
        name or "output"
        for name, leaf in flatten(returned)[1]
        if isinstance(leaf, torch.Tensor) and leaf.dim() and leaf.device.type != device.type
    ]
    return Elsewhere("left", behind[0], words="it is returned on another device") if behind else Elsewhere("moved")


def _absent_device() -> str:
    """A device whose tensors can be faked: torch can only fake those that it was built for, and one of its own."""
    return "lazy:0" if torch.version.cuda is None else "cuda:0"


def _copied(model: nn.Module, moved: Callable[[torch.Tensor], torch.Tensor]) -> nn.Module:
    memo: dict[int, Any] = {}
    for module in model.modules():
        own = [*module.parameters(recurse=False), *module.buffers(recurse=False)]
        if type(module)._apply is not nn.Module._apply:
            own += [leaf for _, leaf in flatten(vars(module))[1] if isinstance(leaf, torch.Tensor)]
        for tensor in own:
            if id(tensor) not in memo:
                empty = moved(tensor.detach())
                is_parameter = isinstance(tensor, nn.Parameter)
                memo[id(tensor)] = nn.Parameter(empty, requires_grad=False) if is_parameter else empty
    return copy.deepcopy(model, memo)


def _raised(model: nn.Module, error: Exception) -> Elsewhere:
    words = show(str(error).partition("\n")[0], 200)
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    paths = {id(module): path for path, module in model.named_modules()}
    module = next((paths[id(own)] for frame in reversed(frames) if id(own := frame.f_locals.get("self")) in paths), "")
    lines = [
        f"{Path(each.filename).name}:{each.lineno}: {linecache.getline(each.filename, each.lineno or 0).strip()}"
        for each in traceback.extract_tb(error.__traceback__)
        if not _is_library(Path(each.filename))
    ]
    mixed = any(each in str(error) for each in MIXED)
    return Elsewhere("left" if mixed else "unable", module, show(lines[-1], 200) if lines else "", words)


def _is_library(path: Path) -> bool:
    return path.is_relative_to(OURS) or path.is_relative_to(Path(torch.__file__).parent)


@contextmanager
def _helped(device_type: str) -> Iterator[None]:
    """With what torch lacks for tensors without data, and without its log of that."""
    with unlogged(logging.ERROR), Grouped(), _autocast_anywhere(device_type):
        yield


class Grouped(TorchFunctionMode):
    """Products of groups of rows, of which torch knows no more than those in bfloat16: the shape is enough."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Multiply all rows by the first matrix, where there is one for each group."""
        kwargs = kwargs or {}
        if getattr(func, "__name__", "") in GROUPED and args[0].dim() == 2 and args[1].dim() == 3:
            return args[0] @ args[1][0]
        return func(*args, **kwargs)


@contextmanager
def _autocast_anywhere(absent: str) -> Iterator[None]:
    """Let ``torch.autocast`` take a kind of device that it does not know: there it changes nothing."""
    autocast: Any = torch.autocast
    own = autocast.__init__

    def init(self: Any, device_type: str, *args: Any, **kwargs: Any) -> None:
        if device_type != absent or absent == "cuda":
            own(self, device_type, *args, **kwargs)
        else:
            own(self, "cpu", enabled=False)

    autocast.__init__ = init
    try:
        yield
    finally:
        autocast.__init__ = own


def accelerator() -> torch.device | None:
    """The device beside the cpu that is there; None if there is none."""
    return torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None


def outputs_on(subject: Subject, device: torch.device) -> Outputs | None:
    """What a copy of a model returns on a device that is there; None where it has no room.

    Raises:
        CaptureError: the forward raised.
    """

    def there(tensor: torch.Tensor) -> torch.Tensor:
        return tensor.to(device)

    try:
        model = copy.deepcopy(subject.model).to(device)
        inputs = Inputs(copied(subject.inputs.args, there), copied(dict(subject.inputs.kwargs), there))
        return subject.outputs(inputs, model=model)
    except torch.OutOfMemoryError:
        return None
