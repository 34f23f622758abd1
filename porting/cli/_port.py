"""What the commands about weights take from a portfile."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    import torch

    from porting.portfile import Portfile


def checkpoint_of(portfile: Portfile, given: str | Path | None, usage: str) -> str | Path:
    """The checkpoint that is given, else the portfile's own.

    Raises:
        PortfileError: there is neither.
    """
    from porting.errors import PortfileError

    path = given or portfile.checkpoint()
    if path is None:
        raise PortfileError(
            "no checkpoint is given, and the portfile has no checkpoint()",
            hint=f"name it: porting {usage} (a file, an index or a folder)",
        )
    return path


def empty_port(portfile: Portfile) -> torch.nn.Module:
    """``ported_class()`` built from ``config()`` on the meta device; without ``config()``, the live port.

    Raises:
        PortingError: it cannot be built.
    """
    from porting.weights import build_on_meta

    config = portfile.config()
    return portfile.build("ported") if config is None else build_on_meta(portfile.ported_class(), config)
