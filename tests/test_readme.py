"""The README shows what its commands really print; figures may differ from machine to machine."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks() -> list[tuple[str, list[str]]]:
    """Every command of a console block, with the output that is shown below it."""
    found: list[tuple[str, list[str]]] = []
    for block in re.findall(r"```console\n(.*?)```", README, re.DOTALL):
        for line in block.splitlines():
            if line.startswith("$ "):
                found.append((line[2:], []))
            elif line.strip():
                found[-1][1].append(line)
    return [(command, shown) for command, shown in found if not command.startswith("make ")]


def normalised(text: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"\d[\d.]*(e[+-]?\d+)?", "#", text)).strip()


def run(command: str, folder: Path) -> str:
    program, *arguments = shlex.split(command)
    module = {"porting": ["porting"], "pytest": ["pytest", "-p", "no:cacheprovider"]}[program]
    if program == "pytest" and not installed():
        module += ["-p", "porting.pytest_plugin"]
    done = subprocess.run(
        [sys.executable, "-m", *module, *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "300", "CI": ""},
    )
    return done.stdout + done.stderr


def installed() -> bool:
    from importlib.metadata import entry_points

    return any(point.value == "porting.pytest_plugin" for point in entry_points(group="pytest11"))


def test_the_commands_print_what_is_shown(tmp_path: Path) -> None:
    assert len(blocks()) >= 6
    missing = []
    for command, shown in sorted(blocks(), key=lambda block: "--break" not in block[0]):
        folder = tmp_path if command.startswith("porting demo") else tmp_path / "porting-demo"
        printed = normalised(run(command, folder).replace(f"{folder}{os.sep}", ""))
        missing += [f"{command}: {line}" for line in shown if normalised(line) not in printed]
    assert not missing, "\n".join(missing)


@pytest.mark.parametrize("page", ["README.md", "docs/tutorial.md"])
def test_links_lead_to_what_is_there(page: str) -> None:
    targets = re.findall(r"\]\((?!https?:)([^)#]+)", (ROOT / page).read_text(encoding="utf-8"))
    missing = [target for target in targets if not (ROOT / page).parent.joinpath(target).exists()]
    assert targets
    assert not missing
