"""What a checkpoint holds, by itself: before there is a port to hold it against."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from porting.folding import fold
from porting.results import Result
from porting.text import show
from porting.weights.report import Remark, Spec
from porting.weights.source import source_of


@dataclass(frozen=True, repr=False)
class Contents(Result):
    """The tensors of a checkpoint.

    Attributes:
        checkpoint: where it is, in words.
        specs: dtype and shape by name, in the order of the file.
        remarks: what to know about its files.
    """

    renderer: ClassVar[str] = "porting.report.weights:render_contents"

    checkpoint: str
    specs: Mapping[str, Spec]
    remarks: tuple[Remark, ...] = ()

    @property
    def ok(self) -> bool:
        """Always: a checkpoint that cannot be read is an error."""
        return True

    def rows(self) -> list[tuple[str, Spec]]:
        """Folded names with what they are; names of other dtypes or shapes stand apart."""
        groups: dict[Spec, list[tuple[int, str]]] = {}
        for place, (name, spec) in enumerate(self.specs.items()):
            groups.setdefault(spec, []).append((place, name))
        rows = [
            (named[row.members[0]][0], row.name, spec)
            for spec, named in groups.items()
            for row in fold([name for _, name in named])
        ]
        return [(name, spec) for _, name, spec in sorted(rows)]

    def summary(self) -> str:
        """How many there are, of which dtypes."""
        dtypes = Counter(spec.dtype for spec in self.specs.values())
        counted = ", ".join(f"{count:,} {show(dtype)}" for dtype, count in dtypes.most_common())
        return f"{show(self.checkpoint)}: {len(self.specs):,} tensors ({counted or 'none'})"

    def to_dict(self) -> dict[str, Any]:
        """The JSON document; names are given as they are, unescaped and unfolded."""
        return {
            "schema": 1,
            "ok": self.ok,
            "checkpoint": self.checkpoint,
            "tensors": [
                {"name": name, "dtype": spec.dtype, "shape": list(spec.shape)} for name, spec in self.specs.items()
            ],
            "warnings": [remark._asdict() for remark in self.remarks],
        }


def list_checkpoint(path: str | os.PathLike[str], *, allow_pickle_code: str | None = None) -> Contents:
    """Read names, dtypes and shapes of a checkpoint, from headers only.

    Args:
        path: a file, an index or a folder.
        allow_pickle_code: the sha256 of a pickle that may run any code when it is loaded (`read_headers`).

    Raises:
        CheckpointError: it cannot be read.
    """
    source = source_of(path, allow_pickle_code=allow_pickle_code)
    return Contents(source.label, source.specs, tuple(source.remarks))
