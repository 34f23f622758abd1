"""The remotes of a checkout: Transformers itself, and the contributor's fork of it."""

from __future__ import annotations

import re
from collections.abc import Mapping

UPSTREAM = "huggingface/transformers"
URL = re.compile(
    r"(?:[a-z][a-z0-9+.-]*://(?:[^/@]*@)?[^/]*/|(?:[^/@:]+@)?[^/:@]+:)(?P<path>[^/].*?)/*(?:\.git)?/*", re.IGNORECASE
)
"""``https://github.com/a/b.git``, ``ssh://git@github.com:22/a/b``, ``git@github.com:a/b.git``."""


def repository_of(url: str) -> str | None:
    """The ``owner/name`` that a URL names, in lower case, whatever its form, host and user; None: a local folder."""
    found = URL.fullmatch(url.strip())
    return None if found is None or url.strip().lower().startswith("file:") else found["path"].lower()


def upstream_of(remotes: Mapping[str, str]) -> str | None:
    """The name of the remote that is Transformers itself.

    Args:
        remotes: their URLs by name.
    """
    return next((name for name, url in remotes.items() if repository_of(url) == UPSTREAM), None)


def fork_of(remotes: Mapping[str, str]) -> str | None:
    """The name of a remote that is not Transformers itself: the fork that a pull request comes from.

    Args:
        remotes: their URLs by name.
    """
    return next((name for name, url in remotes.items() if repository_of(url) != UPSTREAM), None)
