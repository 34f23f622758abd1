"""The versions of Python and of the packages that a port is developed with."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import dataclass

from porting.evidence.versions import version_of

PYTHON = ">=3.11"
PACKAGES: Mapping[str, str] = {"torch": ">=2.6", "transformers": ">=5,<6", "pytest": ">=9"}
"""The versions that are supported, by the name of the package."""


@dataclass(frozen=True, slots=True)
class Version:
    """One of them.

    Attributes:
        name: ``Python``, or the package's.
        found: the version that is there; None if none is.
        wanted: the versions that are supported.
    """

    name: str
    found: str | None
    wanted: str

    @property
    def is_supported(self) -> bool:
        """Whether the version that is there is one of these."""
        from packaging.specifiers import SpecifierSet
        from packaging.version import InvalidVersion

        try:
            return self.found is not None and SpecifierSet(self.wanted).contains(self.found, prereleases=True)
        except InvalidVersion:
            return False


def versions() -> tuple[Version, ...]:
    """Those of this interpreter and of its packages."""
    packages = (Version(name, version_of(name), wanted) for name, wanted in PACKAGES.items())
    return (Version("Python", platform.python_version(), PYTHON), *packages)
