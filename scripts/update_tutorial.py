"""Run docs/tutorial.md and write what its commands print into it.

python scripts/update_tutorial.py
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from walk.document import Command, parts  # noqa: E402
from walk.running import Reader  # noqa: E402
from walk.updating import with_output  # noqa: E402

TUTORIAL = ROOT / "docs" / "tutorial.md"


def main() -> None:
    """Type every command of the tutorial, make every edit, and note the output."""
    text = TUTORIAL.read_text(encoding="utf-8")
    printed = []
    with tempfile.TemporaryDirectory() as folder, Reader(Path(folder)) as reader:
        for part in parts(text):
            start = reader.seconds
            output = reader.do(part)
            if isinstance(part, Command):
                printed.append((part, output))
                print(f"{reader.seconds - start:5.1f} s  line {part.line}: {part.text}")
    TUTORIAL.write_text(with_output(text, printed), encoding="utf-8")


if __name__ == "__main__":
    main()
