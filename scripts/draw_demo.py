"""Draw the README's picture: the real output of ``porting demo --break NAME``, as docs/demo.svg.

python scripts/draw_demo.py [NAME]
"""

from __future__ import annotations

import argparse
import io
import tempfile
from pathlib import Path

from rich.console import Console

from porting import Portfile, verify_portfile
from porting.demo import BUGS, write_demo

PICTURE = Path(__file__).parents[1] / "docs" / "demo.svg"


def main() -> None:
    """Run the demo with a bug and export what the terminal shows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bug", nargs="?", default="missing-residual", choices=list(BUGS))
    bug = BUGS[parser.parse_args().bug]
    with tempfile.TemporaryDirectory() as folder:
        verification = verify_portfile(Portfile.load(write_demo(Path(folder) / "porting-demo", bug)))
    console = Console(record=True, file=io.StringIO(), width=118, force_terminal=True)
    console.print(verification)
    console.save_svg(str(PICTURE), title=f"porting demo --break {bug.name}")
    print(f"wrote {PICTURE.relative_to(Path.cwd())}")


if __name__ == "__main__":
    main()
