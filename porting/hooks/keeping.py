"""One tensor of a model: what is noted of it before a run, and how it is put back afterwards."""

from __future__ import annotations

import torch
from torch.nn.parameter import is_lazy

from porting.hooks.recordable import why_not_recordable
from porting.trace.bits import plain, same_bits


class KeptTensor:
    """A tensor as it was: its memory, kind and flags, its gradient and, if it is copied, its content.

    Memory that the run exchanges (``tensor.data = …``) is put back whatever its size: the old one is held, which takes
    none. Content that it overwrites is put back from the copy. Without a copy, torch's count of in-place writes tells
    whether there were any; what is written through ``.data`` is not counted.
    """

    def __init__(self, tensor: torch.Tensor, *, content: bool) -> None:
        """Note ``tensor``, and copy its content, which must be `copyable`, if that is asked for."""
        self.tensor = tensor
        self._kind = type(tensor)
        self._memory = tensor.data
        self._inference = not is_lazy(tensor) and tensor.is_inference()
        self._writes = self._counted()
        self._leaf, self._requires_grad = tensor.is_leaf, tensor.requires_grad
        self._grad = tensor.grad if tensor.is_leaf else None
        self._content = _dense(self._memory).clone() if content else None

    def put_back(self) -> None:
        """Make the tensor what it was.

        Raises:
            ValueError: it was written into and not copied.
            RuntimeError: torch refuses.
        """
        with torch.no_grad(), torch.inference_mode(self._inference):
            exchanged = self._put_memory_back()
        self._put_flags_back()
        with torch.no_grad(), torch.inference_mode(self._inference):
            self._put_content_back(exchanged)

    def _put_flags_back(self) -> None:
        tensor = self.tensor
        if self._leaf and not tensor.is_leaf:
            tensor.detach_()
        if self._leaf and tensor.requires_grad != self._requires_grad:
            tensor.requires_grad_(self._requires_grad)
        if self._leaf and tensor.grad is not self._grad:
            tensor.grad = self._grad

    def _put_memory_back(self) -> bool:
        """Whether that was needed."""
        tensor, other_kind = self.tensor, type(self.tensor) is not self._kind
        if moved := other_kind or (copyable(tensor) and _place(tensor) != _place(self._memory)):
            tensor.data = self._memory
        if other_kind:
            tensor.__class__ = self._kind
        return moved

    def _put_content_back(self, exchanged: bool) -> None:
        if self._content is None:
            if not exchanged and self._counted() != self._writes:
                raise ValueError("the run wrote into it, and it is not among what is copied before every run")
        elif not same_bits(plain(_dense(self._memory)), plain(self._content)):
            _dense(self._memory).copy_(self._content)

    def _counted(self) -> int:
        """How often torch has written into the tensor; of tensors of inference mode it keeps no count."""
        try:
            return self.tensor._version
        except RuntimeError:
            return 0


def copyable(tensor: torch.Tensor) -> bool:
    """Whether the content of a tensor can be copied and compared bit by bit."""
    return not is_lazy(tensor) and not why_not_recordable(tensor)


def _dense(tensor: torch.Tensor) -> torch.Tensor:
    """The tensor without what ``expand`` repeats: torch refuses to write to one place twice."""
    tensor = tensor.detach()
    for axis, stride in enumerate(tensor.stride()):
        if stride == 0 and tensor.shape[axis] > 1:
            tensor = tensor.narrow(axis, 0, 1)
    return tensor


def _place(tensor: torch.Tensor) -> tuple[object, ...]:
    return tensor.data_ptr(), tensor.shape, tensor.stride(), tensor.dtype, tensor.device
