"""Write a file whole or not at all."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from porting.errors import OutputError
from porting.text import show


def write_text(path: Path, text: str) -> None:
    """Write a text as UTF-8, whole or not at all.

    Raises:
        OutputError: the disk refuses; what was at ``path`` before is still there.
    """
    write_whole(path, text)


def write_whole(path: Path, content: str | bytes) -> None:
    """Write ``content``, a text as UTF-8, to a file beside ``path`` and rename it to ``path`` once it is on the disk.

    What UTF-8 has no bytes for (a surrogate, as in the name of a file that is not UTF-8) is written as JSON and Python
    escape it.

    Raises:
        OutputError: the disk refuses; what was at ``path`` before is still there.
    """
    partial = path.with_name(f".{path.name}.partial-{os.getpid()}")
    try:
        partial.unlink(missing_ok=True)  # what a process of the same number left that was killed
        with partial.open("xb") as file:
            file.write(content.encode("utf-8", "backslashreplace") if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        raise OutputError(
            f"cannot write {show(path)}: {error.strerror or show(error)}",
            hint="make its folder writable, or name another one",
        ) from None
    finally:
        with contextlib.suppress(OSError):
            partial.unlink()
