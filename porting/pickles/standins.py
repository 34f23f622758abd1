"""What stands for the things that a pickle names: inert records of tensors, storages and everything else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

STORAGES = {
    "DoubleStorage": "float64", "FloatStorage": "float32", "HalfStorage": "float16", "BFloat16Storage": "bfloat16",
    "LongStorage": "int64", "IntStorage": "int32", "ShortStorage": "int16", "CharStorage": "int8",
    "ByteStorage": "uint8", "BoolStorage": "bool", "ComplexDoubleStorage": "complex128",
    "ComplexFloatStorage": "complex64", "UntypedStorage": "uint8",
}  # fmt: skip
"""torch's storage classes and their dtypes."""

DTYPES = frozenset((
    "float64", "float32", "float16", "bfloat16", "float8_e5m2", "float8_e4m3fn", "float8_e5m2fnuz",
    "float8_e4m3fnuz", "float8_e8m0fnu", "float4_e2m1fn_x2", "int64", "int32", "int16", "int8", "uint64", "uint32",
    "uint16", "uint8", "bool", "complex128", "complex64", "complex32",
))  # fmt: skip
"""The dtypes of torch that a state dict may hold."""


class RefusedError(Exception):
    """A pickle that is damaged, or describes what no checkpoint needs."""


@dataclass(eq=False, slots=True)
class Global:
    """A name of some module; nothing is imported for it."""

    path: str


@dataclass(eq=False, slots=True)
class Opaque:
    """Something that is not a tensor and matters to nobody here."""

    what: str


@dataclass(eq=False, slots=True)
class Storage:
    """The memory of tensors: its key in the file, its dtype, its elements, and where in it a view starts."""

    key: str
    dtype: str
    numel: int
    base: int = 0


@dataclass(eq=False, slots=True)
class Tensor:
    """A tensor: a view of a storage, in elements; conjugated or negated when it is read."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]
    dtype: str
    conj: bool = False
    neg: bool = False


def is_known(path: str) -> bool:
    """Whether a global is one of a plain state dict."""
    module, _, name = path.rpartition(".")
    if module == "torch" and name in DTYPES:
        return True
    return path in CALLS or path in _TYPES or (module in ("torch", "torch.storage") and name in STORAGES)


def call(function: object, args: object) -> object:
    """What calling a global gives, without calling it.

    Raises:
        RefusedError: the arguments are not those that ``torch.save`` writes.
    """
    if isinstance(function, Opaque) or (isinstance(function, Global) and not is_known(function.path)):
        return Opaque("what unknown code gives")
    if not isinstance(function, Global):
        raise RefusedError("it calls what is not a function")
    meaning = CALLS.get(function.path)
    if meaning is None or not isinstance(args, tuple):
        raise RefusedError(f"it calls {function.path}, which is not a function")
    try:
        return meaning(*args)
    except TypeError:
        raise RefusedError(f"it calls {function.path} with {len(args)} arguments") from None


def storage(identifier: object) -> Storage:
    """The storage that a persistent identifier names.

    Raises:
        RefusedError: it is not as ``torch.save`` writes it.
    """
    if not isinstance(identifier, tuple) or len(identifier) not in (5, 6) or identifier[0] != "storage":
        raise RefusedError("it refers to something else than a storage")
    kind, key, _, numel, *view = identifier[1:]
    if not isinstance(kind, Global) or kind.path.rpartition(".")[2] not in STORAGES or type(key) is not str:
        raise RefusedError("it refers to a storage of an unknown kind")
    base = 0
    if view and view[0] is not None:
        if not isinstance(view[0], tuple) or len(view[0]) != 3:
            raise RefusedError("it refers to a storage of an unknown kind")
        base = _natural(view[0][1])
    return Storage(key, STORAGES[kind.path.rpartition(".")[2]], _natural(numel), base)


def _ordered_dict(items: object = ()) -> dict[Any, Any]:
    if not isinstance(items, list | tuple) or not all(isinstance(pair, list | tuple) for pair in items):
        raise RefusedError("it builds a dictionary of something else than pairs")
    built = dict(items)
    if len(built) != len(items):
        raise RefusedError("it gives a key twice")
    return built


def _size(lengths: object) -> tuple[int, ...]:
    return _naturals(lengths)


def _tensor(data: object, offset: object, size: object, stride: object, *_: object) -> Tensor:
    if not isinstance(data, Storage):
        raise RefusedError("it builds a tensor of something else than a storage")
    return Tensor(data, _natural(offset), _naturals(size), _naturals(stride), data.dtype)


def _tensor_v2(*args: object) -> Tensor:
    """Of storage, offset, size, strides, gradient, hooks and perhaps marks."""
    return _marked(_tensor(*args[:6]), *args[6:])


def _tensor_v3(*args: object) -> Tensor:
    """The same with a dtype before the marks."""
    tensor, dtype = _tensor(*args[:6]), args[6]
    if not isinstance(dtype, Global) or dtype.path.removeprefix("torch.") not in DTYPES:
        raise RefusedError("it builds a tensor of an unknown dtype")
    tensor.dtype = dtype.path.removeprefix("torch.")
    return _marked(tensor, *args[7:])


def _marked(tensor: Tensor, metadata: object = None) -> Tensor:
    if metadata is not None:
        if not isinstance(metadata, dict) or not set(metadata) <= {"conj", "neg"}:
            raise RefusedError("it marks a tensor in an unknown way")
        tensor.conj, tensor.neg = bool(metadata.get("conj")), bool(metadata.get("neg"))
    return tensor


def _parameter(data: object, *_: object) -> Tensor:
    if not isinstance(data, Tensor):
        raise RefusedError("it builds a parameter of something else than a tensor")
    return data


def _of_type(function: object, kind: object, args: object, *_: object) -> object:
    if not isinstance(kind, Global) or kind.path not in _TYPES:
        raise RefusedError("it builds a tensor of an unknown class")
    return call(function, args)


def _small(*args: object) -> Opaque:
    if any(type(arg) is int for arg in args):
        raise RefusedError("it asks for a buffer of a size that it gives")
    return Opaque("data")


def _data(*_: object) -> Opaque:
    return Opaque("data")


def _natural(value: object) -> int:
    if type(value) is not int or not 0 <= value < 2**63:
        raise RefusedError("it gives a tensor a size, stride or offset that is none")
    return value


def _naturals(values: object) -> tuple[int, ...]:
    if not isinstance(values, list | tuple) or len(values) > 64:
        raise RefusedError("it gives a tensor a shape that is none")
    return tuple(_natural(value) for value in values)


_TYPES = frozenset(("torch.Tensor", "torch.nn.parameter.Parameter", "torch.nn.parameter.Buffer"))
CALLS: dict[str, Callable[..., object]] = {
    "collections.OrderedDict": _ordered_dict,
    "collections.Counter": _data,
    "torch.Size": _size,
    "torch._utils._rebuild_tensor": _tensor,
    "torch._utils._rebuild_tensor_v2": _tensor_v2,
    "torch._utils._rebuild_tensor_v3": _tensor_v3,
    "torch._utils._rebuild_parameter": _parameter,
    "torch._utils._rebuild_parameter_with_state": _parameter,
    "torch.nn.parameter.Parameter": _parameter,
    "torch._tensor._rebuild_from_type_v2": _of_type,
    "torch.device": _data,
    "torch.serialization._get_layout": _data,
    "_codecs.encode": _data,
    "builtins.complex": _data,
    "builtins.set": _small,
    "builtins.frozenset": _small,
    "builtins.bytearray": _small,
}
"""The functions that a plain state dict's pickle calls, and what each would give."""
