"""The checkpoint: its file, its tensors' shapes, how plain code reads it, and what lies beside it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from porting.weights.formats.choosing import TORCH
from porting.weights.headers import CheckpointHeaders, read_headers

LARGEST = 1_000_000
"""Bytes of a config file."""
CONFIGS = ("config.json", "params.json", "model_config.json", "model_config.yaml", "hparams.json", "config.yaml",
           "hparams.yaml", "lit_config.json", "model_args.json")  # fmt: skip
OTHER_CONFIG = re.compile(r"(?!tokenizer|generation|.*processor)\w*(?:config|params|args)\.(?:json|ya?ml)")
"""Names of other files with a model's settings."""
TOKENIZERS = ("tokenizer.json", "tokenizer.model", "spiece.model")
"""Files that say all of a tokenizer."""
VOCABULARIES = ("vocab.txt", "vocab.json")
"""Files of a tokenizer that do not say of which kind it is."""
SETTINGS = (
    "config", "args", "model_args", "hparams", "hyper_parameters", "params", "dims", "cfg", "model_config", "model",
)  # fmt: skip
"""Names under which settings lie in a file, beside the weights or above them."""
DEEPEST = 6


@dataclass(frozen=True)
class Saved:
    """A checkpoint, as far as its headers say.

    Attributes:
        given: the path that the user named: a file, an index or a folder.
        headers: its tensors.
        reader: how plain code reads it: ``safetensors``, their ``shards``, ``torch``, or ``headers`` for all else.
        inside: keys that lead to the state dict in a torch file.
        values: settings that lie beside the weights.
        model_type: of Transformers, where a config.json of it lies beside the weights; else an empty text.
        architectures: the classes that the same file names.
        tokenizer: whether a folder was named, and its files say which tokenizer it is.
        vocabulary: in such a folder the file of a tokenizer whose kind nothing says; else an empty text.
    """

    given: Path
    headers: CheckpointHeaders
    reader: str
    inside: tuple[str, ...] = ()
    values: Mapping[str, Any] = field(default_factory=dict)
    model_type: str = ""
    architectures: tuple[str, ...] = ()
    tokenizer: bool = False
    vocabulary: str = ""

    @property
    def file(self) -> Path:
        """The file that was chosen."""
        return self.headers.path

    @property
    def half(self) -> bool:
        """Whether it holds numbers of half precision, which the original's own parameters are not."""
        return any(tensor.dtype in ("bfloat16", "float16") for tensor in self.headers.tensors.values())

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of each tensor."""
        return {name: tuple(tensor.shape) for name, tensor in self.headers.tensors.items()}


def read_saved(path: Path) -> Saved:
    """Read the headers of a checkpoint and the config files beside it.

    Raises:
        CheckpointError: there is none, or it cannot be read without running code in it.
    """
    headers = read_headers(path)
    reader, inside, within = _reader(headers)
    folder = headers.path.parent
    config = _read(folder / "config.json")
    values = {**within, **_flat(_settings_beside(folder))}
    named = config.get("architectures")
    model_type = str(config.get("model_type") or "") if _is_sane(config) else ""
    tokenizer, vocabulary = _tokenizer_in(path, model_type)
    return Saved(
        given=path,
        headers=headers,
        reader=reader,
        inside=inside,
        values=values,
        model_type=model_type,
        architectures=tuple(map(str, named)) if isinstance(named, list) else (),
        tokenizer=tokenizer,
        vocabulary=vocabulary,
    )


def _tokenizer_in(folder: Path, model_type: str) -> tuple[bool, str]:
    """Whether the files of a folder say which tokenizer it is, and if not, the file of its vocabulary."""
    if any((folder / name).is_file() for name in TOKENIZERS):
        return True, ""
    vocabulary = next((name for name in VOCABULARIES if (folder / name).is_file()), "")
    named = bool(model_type or _read(folder / "tokenizer_config.json").get("tokenizer_class"))
    return (named, "") if named and vocabulary else (False, vocabulary)


def _reader(headers: CheckpointHeaders) -> tuple[str, tuple[str, ...], dict[str, Any]]:
    """How plain code reads a file, the keys to its state dict, and settings that it holds."""
    name = headers.path.name
    if name.endswith(".safetensors"):
        return "safetensors", (), {}
    if name.endswith(".safetensors.index.json"):
        return "shards", (), {}
    if not name.endswith(TORCH):
        return "headers", (), {}
    import torch

    try:
        saved = torch.load(headers.path, map_location="meta", weights_only=True)
    except Exception:  # whatever torch says: porting's own reader could read it
        return "headers", (), {}
    inside = next(_paths(saved, frozenset(headers.tensors)), None)
    if inside is None:
        return "headers", (), {}
    return "torch", inside, _settings_in(saved)


def _paths(
    value: Any, names: frozenset[str], at: tuple[str, ...] = (), seen: set[int] | None = None
) -> Iterator[tuple[str, ...]]:
    """The keys that lead to the dict with these names; a dict may hold itself."""
    seen = set() if seen is None else seen
    if isinstance(value, Mapping) and len(at) < DEEPEST and id(value) not in seen:
        seen.add(id(value))
        if names and names <= value.keys() and all(hasattr(value[name], "shape") for name in names):
            yield at
        for key, inner in value.items():
            if isinstance(key, str):
                yield from _paths(inner, names, (*at, key), seen)


def _settings_in(saved: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in SETTINGS:
        inner = saved.get(name) if isinstance(saved, Mapping) else None
        if isinstance(inner, Mapping):
            found |= _flat(inner)
    return found


def _settings_beside(folder: Path) -> dict[str, Any]:
    """What the config file beside the weights says: one of a usual name, else the only one (``bert_config.json``)."""
    usual = next((found for name in CONFIGS if (found := _read(folder / name))), None)
    if usual is not None:
        return usual
    others = [each for each in folder.iterdir() if OTHER_CONFIG.fullmatch(each.name)]
    return _read(others[0]) if len(others) == 1 else {}


def _read(path: Path) -> dict[str, Any]:
    """A config file, empty where there is none or it is no mapping."""
    try:
        if not path.is_file() or path.stat().st_size > LARGEST:
            return {}
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".json":
            found = json.loads(text)
        else:
            import yaml

            found = yaml.safe_load(text)
    except Exception:  # a damaged file beside the weights is as good as none
        return {}
    return found if isinstance(found, dict) else {}


def _flat(values: Mapping[Any, Any]) -> dict[str, Any]:
    """Plain settings by name, those of an inner ``model`` and the like, too; the outer ones go before."""
    found = _usable(values)
    for name in SETTINGS:
        if isinstance(inner := values.get(name), Mapping):
            found = {**_usable(inner), **found}
    return found


def _usable(values: Mapping[Any, Any]) -> dict[str, Any]:
    """Those of some settings that are plain, and that something can be built from."""
    return {
        str(key): value
        for key, value in values.items()
        if _is_plain(value) and str(key).isidentifier() and _is_buildable(str(key), value)
    }


def _is_sane(config: Mapping[str, Any]) -> bool:
    """Whether something can be built from a config, and from those in it."""
    waiting: list[Mapping[str, Any]] = [config]
    while waiting:
        each = waiting.pop()
        if not all(_is_buildable(name, value) for name, value in each.items()):
            return False
        waiting += [value for value in each.values() if isinstance(value, dict)]
    return True


def _is_buildable(name: str, value: Any) -> bool:
    """Whether building as many parts as a setting says comes to an end."""
    counts = value if isinstance(value, list) else [value]
    most = next((most for pattern, most in MOST.items() if pattern.search(name)), None)
    return most is None or not any(type(count) is int and count > most for count in counts)


MOST = {
    re.compile(r"(?:^|_)n(?:um)?_.*(?:layer|block|expert|stage)|(?:layers|depths?|blocks|experts)$"): 20_000,
    re.compile(r"num_(?:labels|classes)$"): 1_000_000,
}
"""Names of settings that say how many modules or names there are, and the most of them that any model has."""


def _is_plain(value: Any, depth: int = 3) -> bool:
    """Whether a value is a number, a text or a short list of them; a list may hold itself, in YAML and in pickles."""
    if isinstance(value, list):
        return depth > 0 and len(value) < 64 and all(_is_plain(each, depth - 1) for each in value)
    return value is None or type(value) in (bool, int, str) or (type(value) is float and abs(value) < float("inf"))
