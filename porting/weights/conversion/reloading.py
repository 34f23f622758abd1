"""Proof that what was written loads: read back as its users will, then audited against the source."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from porting.errors import PortingError
from porting.pretrained import is_pretrained
from porting.text import show
from porting.weights.audit.auditing import audit_loaded
from porting.weights.headers import read_headers
from porting.weights.matching import ModelTensors
from porting.weights.report import Remark, WeightsReport
from porting.weights.rules.planning import Rules
from porting.weights.source import Checkpoint

Build = Callable[[], torch.nn.Module]


def reloaded_report(
    folder: Path, model: torch.nn.Module, build: Build | None, checkpoint: Checkpoint, rules: Rules | None
) -> tuple[WeightsReport | None, tuple[Remark, ...]]:
    """Load a folder by ``from_pretrained``, or into a new model that is not Transformers', and audit the result.

    Args:
        folder: what was written.
        model: of the class to load.
        build: makes a model with memory of its own, for a class that has no ``from_pretrained``.
        checkpoint: the source of the conversion.
        rules: those it was converted with.

    Returns:
        The audit, None where nothing could be loaded; and what loading itself found.
    """
    try:
        if is_pretrained(model):
            loaded, problems = from_folder(folder, type(model))
        else:
            loaded, problems = _by_state_dict(folder, model, build)
    except PortingError:
        raise
    except Exception as error:
        what = f"the model cannot be loaded again: {type(error).__name__}: {show(error, 1000)}"
        return None, (Remark("reload", what),)
    return audit_loaded(loaded, checkpoint, rules), problems


def from_folder(folder: Path, kind: type) -> tuple[torch.nn.Module, tuple[Remark, ...]]:
    """Load a class of Transformers from a folder, in the dtype of its files; and what loading reported."""
    with _no_bars():
        loaded, info = kind.from_pretrained(  # type: ignore[attr-defined]
            folder, output_loading_info=True, dtype="auto", local_files_only=True
        )
    return loaded, tuple(
        _remark("from_pretrained", name.replace("_", " "), found) for name, found in info.items() if found
    )


def _by_state_dict(
    folder: Path, model: torch.nn.Module, build: Build | None
) -> tuple[torch.nn.Module, tuple[Remark, ...]]:
    """Load into a new model; names that are tied to others have their data by the tie."""
    loaded = build() if build is not None else copy.deepcopy(model)
    headers = read_headers(folder)
    ties = ModelTensors.of(loaded).ties
    found = loaded.load_state_dict({name: headers.read(name) for name in headers.tensors}, strict=False)
    problems = {
        "missing keys": [name for name in found.missing_keys if not set(ties.get(name, ())) & set(headers.tensors)],
        "unexpected keys": found.unexpected_keys,
    }
    return loaded, tuple(_remark("load_state_dict", name, names) for name, names in problems.items() if names)


def _remark(who: str, what: str, found: Iterable[object]) -> Remark:
    names = sorted(show(each, 300) for each in found)
    more = f" and {len(names) - 10} more" if len(names) > 10 else ""
    return Remark("reload", f"{who} reports {what}: {', '.join(names[:10])}{more}")


def require_loadable(model: torch.nn.Module, build: Build | None) -> None:
    """Find out before anything is written whether the result can be loaded again.

    Raises:
        PortingError: there is no way to make another model.
    """
    if is_pretrained(model) or build is not None:
        return
    if any(tensor.is_meta for tensor in model.state_dict().values() if isinstance(tensor, torch.Tensor)):
        raise PortingError(
            f"the result cannot be loaded again: {show(type(model).__name__)} is on the meta device and has no "
            "from_pretrained",
            hint="say how to make one with build=, or leave the proof out with audit=False (--no-audit)",
        )


@contextmanager
def _no_bars() -> Iterator[None]:
    """Have Transformers draw no bar of its own meanwhile."""
    from transformers.utils import logging

    before = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if before:
            logging.enable_progress_bar()
