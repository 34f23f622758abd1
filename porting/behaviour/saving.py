"""A model written by ``save_pretrained`` and loaded again: what came back, and what differs."""

from __future__ import annotations

import copy
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from porting.errors import PortingError
from porting.hooks.preserving import preserved
from porting.quieting import quiet
from porting.text import show, size_words
from porting.weights.audit.again import unlike
from porting.weights.audit.ties import shared_names

OF_THE_RUN = ("_name_or_path", "transformers_version", "architectures", "dtype", "_commit_hash", "auto_map")
"""Settings that say where a config is from, and not what the model is."""
PROBLEMS = ("missing_keys", "unexpected_keys", "mismatched_keys", "error_msgs")
"""What ``from_pretrained`` reports of a loading."""


class SavingError(PortingError):
    """A model could not be written, or not be loaded again."""

    code = "save"


@dataclass(frozen=True)
class Reloaded:
    """A model that came back from disk.

    Attributes:
        model: it, on the device and in the mode of the one that was saved.
        problems: what ``from_pretrained`` reported, by kind; only kinds with something in them.
        files: names of the files that were written.
    """

    model: torch.nn.Module
    problems: Mapping[str, tuple[str, ...]]
    files: tuple[str, ...]


def save_and_load(model: Any, folder: Path, *, original_format: bool) -> Reloaded:
    """Write a ``PreTrainedModel`` into a folder as safetensors, and load it from there.

    Args:
        model: left as it is.
        folder: that is there and empty.
        original_format: with the names of the checkpoint that it was loaded from, as Transformers does by default.

    Raises:
        SavingError: either raised, or no safetensors file was written.
    """
    with quiet():
        try:
            with preserved(model):
                model.config = copy.deepcopy(model.config)
                model.save_pretrained(folder, save_original_format=original_format)
        except Exception as error:
            raise SavingError(f"save_pretrained raised {type(error).__name__}: {show(error, 500)}") from error
        files = tuple(sorted(path.name for path in folder.iterdir()))
        if not any(name.endswith(".safetensors") for name in files):
            raise SavingError(f"save_pretrained wrote no safetensors file, only {show(', '.join(files))}")
        loaded, problems = load(type(model), folder, like=model)
    _cast_unsaved(loaded, model)
    return Reloaded(loaded.to(model.device).train(model.training), problems, files)


def _cast_unsaved(loaded: torch.nn.Module, model: torch.nn.Module) -> None:
    """Give buffers that are not saved the precision that ``model.to(dtype)`` gave them: loading makes them anew."""
    saved = model.state_dict()
    before = {name: each for name, each in model.named_buffers() if name not in saved and each.is_floating_point()}
    for name, buffer in loaded.named_buffers():
        if name in before and buffer.is_floating_point():
            buffer.data = buffer.data.to(before[name].dtype)


def load(kind: Any, folder: Path, *, like: Any) -> tuple[Any, dict[str, tuple[str, ...]]]:
    """Load a folder, with the attention and the experts of another model.

    Returns:
        The model, and what its loading report has.

    Raises:
        SavingError: it cannot be loaded.
    """
    same = {"attn_implementation": "_attn_implementation", "experts_implementation": "_experts_implementation"}
    kept = {name: value for name, own in same.items() if (value := getattr(like.config, own, None)) is not None}
    try:
        with quiet():
            model, report = kind.from_pretrained(
                folder, output_loading_info=True, dtype="auto", local_files_only=True, **kept
            )
    except Exception as error:
        raise SavingError(f"from_pretrained raised {type(error).__name__}: {show(error, 500)}") from error
    found = {name: tuple(sorted(map(str, report.get(name) or ()))) for name in PROBLEMS}
    return model, {name: texts for name, texts in found.items() if texts}


def lost_in_saving(model: Any, loaded: Any) -> Iterator[tuple[str, str]]:
    """What a model that was saved and loaded has not as before: a name, and in words what is so.

    Every tensor bit for bit, what is one tensor, the config and the generation config.
    """
    yield from unlike(model, loaded)
    before, after = ({frozenset(names) for names in shared_names(each)} for each in (model, loaded))
    for names in before ^ after:
        one, *others = sorted(names)
        were = "were one tensor, and are two" if names in before else "are one tensor, and were two"
        yield one, f"and {', '.join(show(name) for name in others)} {were}"
    for owner in ("config", "generation_config"):
        yield from _settings(owner, getattr(model, owner, None), getattr(loaded, owner, None))


def _settings(owner: str, before: Any, after: Any) -> Iterator[tuple[str, str]]:
    if before is None or after is None:
        if before is not after:
            yield owner, "is there in one of the two models alone"
        return
    first, second = (
        {name: value for name, value in each.to_dict().items() if not _of_the_run(name)} for each in (before, after)
    )
    for name in dict.fromkeys((*first, *second)):
        if plain(first.get(name)) != plain(second.get(name)):
            yield f"{owner}.{name}", f"was {show(first.get(name), 80)}, and is {show(second.get(name), 80)}"


def _of_the_run(name: str) -> bool:
    return name in OF_THE_RUN or name.startswith(("_attn_implementation", "_experts_implementation"))


def plain(value: Any) -> Any:
    """A setting as JSON gives it back: tuples are lists, keys are text; without what says where a config is from."""
    if isinstance(value, Mapping):
        return {str(name): plain(each) for name, each in value.items() if not _of_the_run(str(name))}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(each) for each in (sorted(value) if isinstance(value, (set, frozenset)) else value)]
    return str(value).removeprefix("torch.") if isinstance(value, torch.dtype) else value


def room_wanted(model: torch.nn.Module, folder: Path) -> str:
    """Why a model cannot be saved into a folder for want of room; empty if it can."""
    size = sum(tensor.nbytes for tensor in (*model.parameters(), *model.buffers()))
    free = shutil.disk_usage(folder).free
    return (
        f"the weights take {size_words(size)}, and {size_words(free)} are free on the disk" if 2 * size > free else ""
    )
