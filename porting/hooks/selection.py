"""What a capture records: which modules' tensors, and how many bytes of them."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any


@dataclass(frozen=True, slots=True)
class Selection:
    """Which calls have their tensors recorded; every call is listed in any case.

    A pattern is that of a shell, over the whole path, and ``*`` stands for dots, too: ``encoder.layer.*`` is
    everything below the layers.

    Attributes:
        include: patterns of module paths; empty: all.
        exclude: patterns of module paths that are left out in any case.
        classes: names of module classes; empty: all.
        depth: how many names a path may have; 0 is the model itself, None is any depth.
        limit: most bytes that all recorded tensors together may have, in memory or on disk; what comes after them is
            left out. None: no limit.
    """

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    depth: int | None = None
    limit: int | None = None

    def __post_init__(self) -> None:
        for name in ("include", "exclude", "classes"):
            given = getattr(self, name)
            object.__setattr__(self, name, (given,) if isinstance(given, str) else tuple(given))

    def takes(self, path: str, class_name: str) -> bool:
        """Whether the tensors of this module's calls are recorded."""
        return (
            (not self.include or _matches(path, self.include))
            and not _matches(path, self.exclude)
            and (not self.classes or class_name in self.classes)
            and (self.depth is None or (path.count(".") + 1 if path else 0) <= self.depth)
        )

    def to_dict(self) -> dict[str, Any]:
        """As it stands in a trace."""
        return {
            "include": list(self.include),
            "exclude": list(self.exclude),
            "classes": list(self.classes),
            "depth": self.depth,
            "limit": self.limit,
        }


def _matches(path: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(path, pattern) for pattern in patterns)
