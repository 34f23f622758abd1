"""What belongs into the folder of a model on the Hub, and what must not get there."""

from __future__ import annotations

import hashlib
import re
import shlex
from collections.abc import Collection, Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from porting import strictjson
from porting.text import show
from porting.weights.conversion.manifest import MANIFEST

CONFIG, CARD = "config.json", "README.md"
WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"
READERS: Mapping[str, tuple[str, ...]] = {
    "ported_tokenizer": ("tokenizer*", "vocab*", "*.model"),
    "ported_processor": ("*processor_config.json",),
}
"""Functions of the portfile, and files of which one lets users load what they return."""
BELONGING = (
    CONFIG, CARD, MANIFEST, "generation_config.json", "*.safetensors", "*.safetensors.index.json", "tokenizer*.json",
    "special_tokens_map.json", "added_tokens.json", "vocab*", "merges.txt", "*.model", "*.tiktoken", "chat_template*",
    "additional_chat_templates/*.jinja", "*processor_config.json", "normalizer.json", "spiece.*", ".gitattributes",
    "LICENSE*", "NOTICE*", "USE_POLICY*", "*.png", "*.jpg", "*.svg", "*.gif", "adapter_config.json",
)  # fmt: skip
"""Names of files that users load or read."""
PICKLES = (
    "*.bin",
    "*.pt",
    "*.pth",
    "*.th",
    "*.ckpt",
    "*.pkl",
    "*.pickle",
    "*.joblib",
    "*.npy",
    "*.npz",
    "*.h5",
    "*.msgpack",
)
"""Names of files that can run code when they are loaded, or that are no weights of this port."""
SECRET_NAMES = (".env*", "*.pem", "*.key", "id_rsa*", "id_ed25519*", "*credentials*", ".netrc", "token", ".git/*")
SECRET = re.compile(
    rb"\bhf_[A-Za-z0-9]{30,}\b|\bgh[pousr]_[A-Za-z0-9]{36,}\b|\bAKIA[0-9A-Z]{16}\b|-----BEGIN [A-Z ]*PRIVATE KEY-----"
)
"""Tokens and keys, as their makers write them."""
LARGEST_TEXT = 1 << 20
"""Bytes of a file that is looked into for secrets; vocabularies are larger."""


def faults_of(folder: Path, functions: Collection[str]) -> Iterator[str]:
    """Yield what is wrong with a folder that is to be uploaded, a sentence each; nothing is loaded.

    Args:
        folder: as ``save_pretrained`` and ``porting convert`` write it.
        functions: those that the portfile defines.
    """
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir())
    yield from _lacking(folder, names, functions)
    for name in names:
        if fault := _unwanted(folder, name):
            yield fault
    yield from _changed(folder)


def upload_command(folder: Path, hub_id: str) -> str:
    """The command with which a person uploads a folder, from the folder above it."""
    return f"hf upload {shlex.quote(hub_id)} {shlex.quote(f'./{folder.name}')} ."


def _lacking(folder: Path, names: Collection[str], functions: Collection[str]) -> Iterator[str]:
    """What ``from_pretrained`` needs and is not there."""
    if not isinstance(_document(folder / CONFIG), dict):
        yield f"{CONFIG} is missing or cannot be read"
    if INDEX in names:
        index = _document(folder / INDEX)
        found = index.get("weight_map") if isinstance(index, dict) else None
        wanted = sorted({str(name) for name in found.values()}) if isinstance(found, dict) else []
        if not wanted:
            yield f"{INDEX} names no file"
        yield from (f"{show(name)} is missing, and the index names it" for name in wanted if name not in names)
    elif WEIGHTS not in names:
        yield f"there are no weights: neither {WEIGHTS} nor {INDEX}"
    for function, patterns in READERS.items():
        if function in functions and not any(_fits(name, patterns) for name in names):
            yield f"what {function}() returns is not saved there ({patterns[0]})"


def _unwanted(folder: Path, name: str) -> str:
    """What is wrong with a file of the folder; empty if nothing is."""
    path, own = folder / name, name.rpartition("/")[2]
    if path.is_symlink():
        return f"{show(name)} is a link, of which the target would be uploaded"
    if _fits(name, SECRET_NAMES) or _fits(own, SECRET_NAMES):
        return f"{show(name)} looks like a secret"
    if _fits(own, PICKLES):
        return f"{show(name)} is no safetensors: its kind can run code, or is no weight of this port"
    if not path.is_file() or not _fits(name, BELONGING):
        return f"{show(name)} is no file of a model"
    if path.stat().st_size <= LARGEST_TEXT and not name.endswith(".safetensors") and SECRET.search(path.read_bytes()):
        return f"{show(name)} holds what looks like a token or a private key"
    return ""


def _changed(folder: Path) -> Iterator[str]:
    """Files that are others than the conversion wrote, but for the card."""
    if not (folder / MANIFEST).is_file():
        return
    record = _document(folder / MANIFEST)
    files = record.get("files") if isinstance(record, dict) else None
    if not isinstance(files, dict):
        yield f"{MANIFEST} cannot be read"
        return
    for name, facts in files.items():
        path = folder / str(name)
        inside = path.resolve().is_relative_to(folder.resolve())
        if name == CARD or not isinstance(facts, dict):
            continue
        if not inside or not path.is_file():
            yield f"{show(name)} is missing, and {MANIFEST} names it"
        elif facts.get("sha256") != _hash(path):
            yield f"{show(name)} was changed after the conversion: its hash is not the one in {MANIFEST}"


def _document(path: Path) -> Any:
    """The JSON of a file; None where there is none."""
    try:
        return strictjson.loads(path.read_bytes())
    except (OSError, ValueError):
        return None


def _fits(name: str, patterns: Collection[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
