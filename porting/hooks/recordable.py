"""What can be recorded: the tensors that a trace can hold, and the models that hooks can see into."""

from __future__ import annotations

import torch

from porting.errors import CaptureError
from porting.hooks.module_tree import walk
from porting.tensorfiles import MAX_DIMENSIONS, torch_dtypes
from porting.text import show

SPREAD_BYTES = 1 << 30
SPREAD_TIMES = 1000
"""An expanded tensor of more bytes than this, and so many times its memory, is not written out."""
_STORED = frozenset(torch_dtypes().values())


def why_not_recordable(tensor: torch.Tensor) -> str:
    """Why a tensor has no place in a trace, in a few words; empty if it has one."""
    if torch._C._functorch.is_functorch_wrapped_tensor(tensor):
        return "a tensor of functorch, inside vmap, grad or jvp"
    if tensor.is_meta:
        return "no data (on meta)"
    if tensor.is_quantized:
        return "quantized tensor"
    if tensor.is_nested:
        return "nested tensor"
    if tensor.layout != torch.strided:
        return f"{tensor.layout} tensor".replace("torch.", "")
    if tensor.dtype not in _STORED:
        return f"{tensor.dtype} tensor".replace("torch.", "")
    if tensor.dim() > MAX_DIMENSIONS:
        return f"{tensor.dim()} dimensions, more than {MAX_DIMENSIONS}"
    if _is_spread(tensor):
        held = tensor.untyped_storage().nbytes()
        return f"{tensor.numel():,} elements spread out from {held:,} bytes"
    kind = type(tensor)
    if kind.__torch_dispatch__ is not torch.Tensor.__torch_dispatch__:
        return f"a {kind.__name__}, which stands for other tensors"
    return ""


def _is_spread(tensor: torch.Tensor) -> bool:
    size = tensor.numel() * tensor.element_size()
    return size > SPREAD_BYTES and size > SPREAD_TIMES * tensor.untyped_storage().nbytes()


def refuse_opaque(model: torch.nn.Module) -> None:
    """Refuse a model with a part that hooks do not see into.

    Raises:
        CaptureError: a module is scripted, traced or compiled; the message names it.
    """
    for path, module in walk(model):
        if isinstance(module, torch.jit.ScriptModule):
            kind, advice = "scripted or traced", "return the Python module it was made from"
        elif isinstance(module, torch.fx.GraphModule) and _inlined(module):
            kind, advice = "an exported graph", "return the module that was exported"
        elif "_orig_mod" in module._modules or vars(module).get("_compiled_call_impl") is not None:
            kind, advice = "compiled", "return the module before torch.compile"
        else:
            continue
        raise CaptureError(
            f"{show(path) or 'the model'} ({type(module).__name__}) is {kind}: hooks do not see inside it",
            hint=advice,
        )


def _inlined(graph_module: torch.fx.GraphModule) -> bool:
    """Whether a graph uses weights itself and calls no module, as those that torch.export makes do."""
    nodes = [node for node in graph_module.graph.nodes if node.target != "_guards_fn"]
    return any(node.op == "get_attr" for node in nodes) and all(node.op != "call_module" for node in nodes)
