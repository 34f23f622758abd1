"""Where a generated test loads the port from, and what is left to do there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from porting.errors import GenerationError
from porting.portfile import Portfile
from porting.weights.conversion.latest import converted_folder

BESIDE = {
    ("original_tokenize", "ported_tokenizer"): ("tokenizer*", "vocab*", "*.model"),
    ("original_preprocess", "ported_processor"): ("*processor_config.json",),
}
"""Functions of the portfile for which tests are written, and the files from which those load the second one."""
LACKING = "The folder of the weights lacks what"


@dataclass(frozen=True, slots=True)
class Weights:
    """Where the weights are.

    Attributes:
        checkpoint: Hub id, or a local folder.
        revision: of the Hub's repository.
        is_local: whether it is a folder.
        is_pinned: whether the revision is said.
        left: what is still to be done about the folder, in sentences.
    """

    checkpoint: str
    revision: str
    is_local: bool
    is_pinned: bool
    left: tuple[str, ...] = ()

    @property
    def flags(self) -> dict[str, bool]:
        """What a template marks for a person to do in the portfile."""
        return {"is_local": self.is_local, "is_pinned": self.is_pinned}


def weights_of(portfile: Portfile) -> Weights:
    """The portfile's ``HUB_ID``, else the folder of ``checkpoint()``, else the converted one.

    Without a ``REVISION`` the Hub may not have them yet: then a converted folder goes before it.

    Raises:
        GenerationError: there are no weights that a test could load.
    """
    revision = str(portfile.constants.get("REVISION") or "main")
    pinned = "REVISION" in portfile.constants
    hub_id, converted = portfile.constants.get("HUB_ID"), converted_folder(portfile.folder)
    if hub_id and (pinned or converted is None):
        return Weights(hub_id, revision, is_local=False, is_pinned=pinned)
    folder = None if hub_id else portfile.checkpoint()
    if folder is None or not (folder / "config.json").is_file():
        folder = converted
    if folder is None:
        raise GenerationError(
            "a test cannot load the weights: there is no HUB_ID, no folder of checkpoint() with config.json, and no "
            "converted one",
            hint='set HUB_ID = "organisation/name" in the portfile, or: porting convert converted',
        )
    return Weights(str(folder), revision, is_local=True, is_pinned=pinned, left=tuple(_unsaved(portfile, folder)))


def _unsaved(portfile: Portfile, folder: Path) -> Iterator[str]:
    """What a test would load from the folder of the weights, and is not there."""
    for (original, ported), patterns in BESIDE.items():
        wanted = {original, ported} <= portfile.functions.keys()
        if wanted and not any(path for pattern in patterns for path in folder.glob(pattern)):
            yield f"{LACKING} {ported}() returns: {ported}().save_pretrained({str(folder)!r})."
