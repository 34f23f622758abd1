"""Write the index of Transformers' architectures that is shipped: python scripts/index_architectures.py.

It is used where the installed Transformers is of the same version; for others one is built on demand.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from porting.atomic import write_whole
from porting.nearest.architectures import SHIPPED, pack
from porting.nearest.building import build_index

FILE = Path(__file__).parents[1] / "porting" / "nearest" / SHIPPED


def main() -> None:
    """Build the index and write it."""
    started = time.perf_counter()
    index = build_index(lambda text, done, total: print(f"\r{text}: {done} of {total}", end="", file=sys.stderr))
    raw = pack(index)
    write_whole(FILE, raw)
    print(
        f"\nTransformers {index.version}: {len(index.architectures)} architectures, {len(index.skipped)} cannot be "
        f"built, {len(raw):,} bytes, {time.perf_counter() - started:.0f} s ({time.process_time():.0f} s of processor)"
    )
    for name, why in index.skipped.items():
        print(f"  {name}: {why}")


if __name__ == "__main__":
    main()
