"""``missing-embedding``: a table of positions or types that is all zeros, so that nothing is added."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import ClassVar

from porting.diagnosis import changes
from porting.diagnosis.cause import Case, Cause, Repair
from porting.diagnosis.causes.wrong_tensors import explained
from porting.diagnosis.roles import EMBEDDING
from porting.diagnosis.tensors.owned import Owned, live
from porting.diagnosis.tensors.targets import subjects


class EmptyTable(Cause):
    """An embedding's own table is zero, where the original adds what it learned."""

    codes: ClassVar = ("missing-embedding",)
    rank: ClassVar = 1

    def repairs(self, case: Case) -> Iterator[Repair]:
        """The original's table in its place."""
        for tensor in subjects(case):
            if not _is_table(case, tensor) or bool(live(case.model, tensor).any()):
                continue
            found = explained(case, tensor)
            if found is not None:
                yield Repair(
                    code="missing-embedding",
                    summary=f"{tensor.name} is zero, so that nothing is added; {found.summary.partition('; ')[0]}",
                    fix=f"load {tensor.name} from the checkpoint, and add it as the original does",
                    apply=None
                    if found.values is None
                    else partial(changes.content, live(case.model, tensor), found.values.detach()),
                    recognised=True,
                )


def _is_table(case: Case, tensor: Owned) -> bool:
    owner = case.ported.modules[tensor.path].class_name
    names = f"{tensor.path.rpartition('.')[2]} {owner} {tensor.info.name}"
    long = [length for length in tensor.shape if length > 1]
    return len(long) > 1 and any(stem in names.lower() for stem in EMBEDDING)
