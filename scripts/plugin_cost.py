"""What the plugin costs a pytest run that does not use it: ``pytest --collect-only`` in an empty folder."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from importlib.metadata import entry_points
from pathlib import Path

ROOT = Path(__file__).parents[1]
GOAL = 0.02
"""Share of the run that loading the plugin may take."""
OFF = ["-p", "no:porting"]
BASE = "without the plugin"
CASES = {BASE: OFF, "again, for the noise": OFF, "with the plugin": []}
LEAST = 40
"""Rounds below which the noise of a shared machine hides two per cent."""
RESAMPLED = 2000


def benchmark_plugin(rounds: int) -> None:
    """Print what the plugin adds in CPU and wall time, beside what running the same twice seems to add."""
    rounds = max(rounds, LEAST)
    with tempfile.TemporaryDirectory() as folder:
        site = Path(folder)
        install(site)
        times = measure(rounds, site)
        importing = imported(site)
    print(f"pytest --collect-only in an empty folder, {rounds} rounds in turn, no other plugin; goal {GOAL:.1%}")
    print(f"{'':24}{'cpu':>10}{'adds':>9}{'95%':>20}{'wall':>10}{'adds':>9}{'95%':>20}")
    for name, pairs in times.items():
        print(
            f"{name:24}"
            + "".join(
                columns(*both) for both in zip(zip(*pairs, strict=True), zip(*times[BASE], strict=True), strict=True)
            )
        )
    print(f"importing it, with pytest there: {1000 * importing:.2f} ms")


def measure(rounds: int, site: Path) -> dict[str, list[tuple[float, float]]]:
    """CPU and wall seconds of every case, in rounds of a shuffled order."""
    blocked = others()
    for _ in range(2):  # the caches of compiled modules
        for arguments in CASES.values():
            run([*arguments, *blocked], site)
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in CASES}
    for _ in range(rounds):
        for name in random.sample(list(CASES), len(CASES)):
            times[name].append(run([*CASES[name], *blocked], site))
    return times


def columns(own: Sequence[float], base: Sequence[float]) -> str:
    """The time of a case, and by which share it is longer than another's."""
    low, high = interval(own, base)
    return f"{1000 * quick(own):8.1f}ms{added(own, base):9.2%}{f'{low:.2%} to {high:.2%}':>20}"


def install(folder: Path) -> None:
    """Say in a folder what an installed wheel says of the plugin."""
    about = folder / "porting-0.dist-info"
    about.mkdir()
    (folder / "empty").mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: porting\nVersion: 0\n")
    (about / "entry_points.txt").write_text("[pytest11]\nporting = porting.pytest_plugin\n")
    (about / "RECORD").write_text("porting/__init__.py,,\nporting/pytest_plugin.py,,\n")


def others() -> list[str]:
    """Options that keep pytest from loading any other plugin that is installed here."""
    names = {point.name for point in entry_points(group="pytest11")} - {"porting"}
    return [option for name in sorted(names) for option in ("-p", f"no:{name}")]


def run(arguments: list[str], site: Path) -> tuple[float, float]:
    """CPU and wall seconds of one run of pytest in an empty folder."""
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", *arguments]
    start = time.perf_counter()
    child = subprocess.Popen(command, cwd=site / "empty", env=environment(site), stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    wall = time.perf_counter() - start
    child.returncode = os.waitstatus_to_exitcode(status)
    assert child.returncode == 5, "pytest says that there are no tests"
    return usage.ru_utime + usage.ru_stime, wall


def imported(site: Path) -> float:
    """Seconds of importing the plugin: the least of fresh processes."""
    code = "import time, pytest; t = time.perf_counter(); import porting.pytest_plugin; print(time.perf_counter() - t)"
    command = [sys.executable, "-c", code]
    done = [subprocess.run(command, env=environment(site), capture_output=True, check=True) for _ in range(11)]
    return min(float(each.stdout) for each in done)


def environment(site: Path) -> dict[str, str]:
    """This checkout as if it were installed, with compiled modules kept, as they are where packages are installed."""
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    path = f"{site}{os.pathsep}{ROOT}"
    return {**inherited, "PYTHONPATH": path, "PYTHONPYCACHEPREFIX": str(site / "compiled")}


def added(own: Sequence[float], base: Sequence[float]) -> float:
    """By which share a case takes longer than another, where the machine disturbs little: of their lowest tenths."""
    return quick(own) / quick(base) - 1


def quick(times: Sequence[float]) -> float:
    """The time that a tenth of the runs stay below."""
    return sorted(times)[len(times) // 10]


def interval(own: Sequence[float], base: Sequence[float]) -> tuple[float, float]:
    """95% of what `added` gives for resampled rounds."""
    chance = random.Random(0)  # noqa: S311 - statistics
    found = sorted(added(chance.choices(own, k=len(own)), chance.choices(base, k=len(base))) for _ in range(RESAMPLED))
    return found[len(found) // 40], found[-len(found) // 40]
