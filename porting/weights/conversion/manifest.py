"""The record of a conversion that lies with its result: from what, by which rules, to which bytes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch

from porting.text import show
from porting.weights.conversion.reading import SourceFile
from porting.weights.conversion.result import Conversion
from porting.weights.conversion.writing import ALGORITHM
from porting.weights.rules.steps import Step

MANIFEST = "porting-conversion.json"
FORMAT = 1


def all_hashes(folder: Path, known: Mapping[str, str]) -> dict[str, str]:
    """The hash of each file in a folder, read where it is not known, by name."""
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return {
        name: known.get(name) or hashlib.new(ALGORITHM, (folder / name).read_bytes()).hexdigest() for name in names
    }


def manifest(conversion: Conversion, folder: Path, sources: Sequence[SourceFile], steps: Sequence[Step]) -> bytes:
    """The record's content.

    Args:
        conversion: what was done.
        folder: what was written, except for the record.
        sources: the checkpoint's files.
        steps: what was done, each by itself.
    """
    rules = {id(step.rule): step.rule for step in steps if step.rule is not None}
    files = {
        name: {"size": (folder / name).stat().st_size, ALGORITHM: digest} for name, digest in conversion.hashes.items()
    }
    document = {
        "format": FORMAT,
        "versions": _versions(),
        "source": {"name": Path(conversion.checkpoint).name, "files": [file.to_dict() for file in sources]},
        "rules": [show(rule, 1000) for rule in rules.values()],
        "steps": [line.to_dict() for line in conversion.steps],
        "tensors": conversion.tensors,
        "files": files,
        "tied": dict(conversion.tied),
        "dropped": _by_reason(conversion.dropped),
        "audited": conversion.audit is not None,
        "remarks": [remark._asdict() for remark in conversion.weights.warnings],
    }
    return json.dumps(document, indent=2, allow_nan=False).encode("ascii") + b"\n"


def _versions() -> dict[str, str]:
    """Of what took part."""
    import transformers

    import porting

    return {"porting": porting.__version__, "torch": torch.__version__, "transformers": transformers.__version__}


def _by_reason(dropped: Mapping[str, str]) -> dict[str, list[str]]:
    reasons: dict[str, list[str]] = {}
    for name, reason in dropped.items():
        reasons.setdefault(reason, []).append(name)
    return reasons
