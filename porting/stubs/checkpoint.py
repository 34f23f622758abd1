"""Where a generated test loads the port from, and what is left to do there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from porting.errors import GenerationError
from porting.portfile import Portfile

BESIDE = {
    ("original_tokenize", "ported_tokenizer"): ("tokenizer*", "vocab*", "*.model"),
    ("original_preprocess", "ported_processor"): ("*processor_config.json",),
}
"""Functions of the portfile for which tests are written, and the files from which those load the second one."""
LACKING = "The folder of the weights lacks what"


def weights_of(portfile: Portfile) -> tuple[str, str, tuple[str, ...]]:
    """The checkpoint's id, its revision, and what is left to do about them.

    Raises:
        GenerationError: there are no weights that a test could load.
    """
    revision = str(portfile.constants.get("REVISION") or "main")
    if hub_id := portfile.constants.get("HUB_ID"):
        pinned = "REVISION" in portfile.constants
        return (
            hub_id,
            revision,
            () if pinned else ("Pin the checkpoint: set REVISION in the portfile to a commit of the Hub.",),
        )
    folder = portfile.checkpoint()
    if folder is None or not (folder / "config.json").is_file():
        raise GenerationError(
            "a test cannot load the weights: there is no HUB_ID, and checkpoint() gives no folder with config.json",
            hint='set HUB_ID = "organisation/name" in the portfile, or save the port with save_pretrained()',
        )
    return (
        str(folder),
        revision,
        (
            "The weights are local: set HUB_ID and REVISION in the portfile once they are on the Hub.",
            *_unsaved(portfile, folder),
        ),
    )


def _unsaved(portfile: Portfile, folder: Path) -> Iterator[str]:
    """What a test would load from the folder of the weights, and is not there."""
    for (original, ported), patterns in BESIDE.items():
        wanted = {original, ported} <= portfile.functions.keys()
        if wanted and not any(path for pattern in patterns for path in folder.glob(pattern)):
            yield f"{LACKING} {ported}() returns: {ported}().save_pretrained({str(folder)!r})."
