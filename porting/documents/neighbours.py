"""Which models of Transformers a port is nearest to, for the text of its pull request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from porting.documents.port import Port
from porting.errors import PortingError

if TYPE_CHECKING:
    from porting.nearest import Candidate

MOST = 3
"""Models that are told."""


def neighbours_of(port: Port) -> tuple[Candidate, ...]:
    """The nearest models by the tensors of the original checkpoint, or of the converted one; none without either."""
    from porting.nearest import nearest_architectures, prove

    shapes = _shapes(port)
    return prove(nearest_architectures(shapes, limit=MOST), shapes) if shapes else ()


def _shapes(port: Port) -> Mapping[str, tuple[int, ...]]:
    from porting.weights import read_headers

    for find in (port.portfile.checkpoint, lambda: port.folder):
        try:
            if (path := find()) is not None:
                return {name: tuple(tensor.shape) for name, tensor in read_headers(path).tensors.items()}
        except PortingError:
            continue
    return {}
