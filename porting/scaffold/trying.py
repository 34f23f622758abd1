"""Have the original built in a process of its own, with a time limit."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from importlib.resources import files
from pathlib import Path
from typing import Any

from porting import strictjson
from porting.children import end_session
from porting.offspring import new_mark
from porting.scaffold.concepts import CONCEPTS
from porting.scaffold.locating import Location
from porting.scaffold.ranking import Candidate
from porting.scaffold.reading import Argument, SourceClass, Sources
from porting.scaffold.saved import Saved
from porting.text import show

FILES = {f"scaffold/{name}.py": f"porting_{name}.py" for name in ("trial", "facts", "fitting")}
CONFIG_WORDS = ("config", "args", "arguments", "params", "hparams", "dims", "dimensions", "cfg")
MOST_CANDIDATES = 8
LONGEST = 64 << 20
"""Bytes of a message."""
WAYS = {"loader": "by its own loader", "settings": "from settings"}


@dataclass(frozen=True)
class Built:
    """A way in which the original was built.

    Attributes:
        kind: its class.
        config: the class of its settings, if its constructor takes one.
        loader: the class method that loaded the checkpoint, or an empty text.
        folder: whether that took the folder, not the file.
        settings: what its constructor, or that of its settings, is given.
        open: settings that are only guessed.
        missing: its tensors that the checkpoint does not have.
        tied: those of them that are others of its own.
        unused: the checkpoint's that it does not have.
        prefix: what stands before each of its names in the checkpoint.
    """

    kind: SourceClass
    config: SourceClass | None = None
    loader: str = ""
    folder: bool = False
    settings: Mapping[str, Any] = field(default_factory=dict)
    open: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    tied: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()
    prefix: str = ""

    @property
    def complete(self) -> bool:
        """Whether it has the checkpoint's tensors, all of them and no others."""
        return not self.missing and not self.unused


@dataclass(frozen=True)
class Attempt:
    """What came of trying.

    Attributes:
        built: the best way, None if none worked.
        failures: what went wrong in the others, in words.
    """

    built: Built | None = None
    failures: tuple[str, ...] = ()


def build_original(
    sources: Sources,
    candidates: Sequence[Candidate],
    location: Location,
    saved: Saved | None,
    *,
    python: str | None = None,
    seconds: float = 120.0,
) -> Attempt:
    """Build the likeliest classes, each in the ways that it offers; the first that is the checkpoint's is kept.

    The original's code is imported there: in a child process, which is ended when the time is over.

    Args:
        sources: the original's code.
        candidates: its classes, the likeliest first.
        location: where it lies.
        saved: the checkpoint, if there is one.
        python: the interpreter; None for this one.
        seconds: that all of it may take.
    """
    tried = candidates[:MOST_CANDIDATES]
    configs = [config_of(sources, each.kind) for each in tried]
    request = {
        "path": None if location.path is None else str(location.path),
        "checkpoint": str(saved.given) if saved else "",
        "file": str(saved.file) if saved and saved.reader in ("safetensors", "torch") else "",
        "inside": list(saved.inside) if saved else [],
        "tensors": saved.shapes if saved else {},
        "values": dict(saved.values) if saved else {},
        "concepts": CONCEPTS,
        "candidates": [
            {
                **_class(each.kind, sources.arguments(each.kind)),
                "loaders": list(sources.loaders(each.kind)),
                "config": None if config is None else _class(config, sources.arguments(config)),
            }
            for each, config in zip(tried, configs, strict=True)
        ],
    }
    found: list[Built] = []
    failures: list[str] = []
    for message in _told(request, python or sys.executable, seconds):
        try:
            if "built" in message:
                found.append(_built(message["built"], tried, configs))
            else:
                failures.append(_failure(message, tried))
        except (LookupError, TypeError, AttributeError) as error:
            failures.append(f"what it told is no message: {show(error)}")
    best = min(found, key=lambda each: len(each.missing) + len(each.unused), default=None)
    return Attempt(best, tuple(failures))


def config_of(sources: Sources, kind: SourceClass) -> SourceClass | None:
    """The class of the settings that a constructor takes as its only required argument; None without one."""
    required = [each for each in sources.arguments(kind) if each.required]
    first = required[0] if required else next(iter(sources.arguments(kind)), None)
    if first is None or len(required) > 1:
        return None
    words = first.annotation.replace('"', " ").replace("'", " ").replace("[", " ").replace("]", " ").replace("|", " ")
    for word in words.split():
        found = sources.named(word.split(".")[-1], kind.module)
        if found is not None and not sources.is_module(found):
            return found
    if first.name.lower() not in CONFIG_WORDS:
        return None
    like = [each for each in sources.classes if each.name.lower().endswith(CONFIG_WORDS)]
    near = [each for each in like if each.module == kind.module] or like
    return max(near, key=lambda each: SequenceMatcher(None, each.name, kind.name).ratio(), default=None)


def _class(kind: SourceClass, arguments: Sequence[Argument]) -> dict[str, Any]:
    return {
        "module": kind.module,
        "name": kind.name,
        "arguments": [{"name": e.name, "default": e.default} for e in arguments if _usable(e.name)],
    }


def _usable(name: str) -> bool:
    return name.isascii() and not name.startswith("_")


def _failure(message: Mapping[str, Any], tried: Sequence[Candidate]) -> str:
    if "failed" not in message:
        return str(message["ended"])
    kind = tried[message["failed"]].kind
    return f"{kind.module}.{kind.name}, {WAYS[message['way']]}: {show(message['error'], 300)}"


def _built(told: Mapping[str, Any], tried: Sequence[Candidate], configs: Sequence[SourceClass | None]) -> Built:
    number = told["candidate"]
    return Built(
        kind=tried[number].kind,
        config=configs[number],
        loader=told["loader"],
        folder=told.get("folder", False),
        settings=told["settings"],
        open=tuple(told["open"]),
        missing=tuple(told["missing"]),
        tied=tuple(told.get("tied", ())),
        unused=tuple(told["unused"]),
        prefix=told.get("prefix", ""),
    )


def _told(request: Mapping[str, Any], python: str, seconds: float) -> Iterator[Mapping[str, Any]]:
    """What the child tells, and at the end how it ended if it did not end by itself."""
    with tempfile.TemporaryDirectory(prefix="porting-") as name:
        for source, copy in FILES.items():
            text = files("porting").joinpath(source).read_text(encoding="utf-8")
            Path(name, copy).write_text(text, encoding="utf-8")
        environment = dict(os.environ, HF_HUB_OFFLINE="1", CUDA_VISIBLE_DEVICES="")
        if python != sys.executable:
            environment = {key: value for key, value in environment.items() if key not in ("PYTHONPATH", "PYTHONHOME")}
        yield from listen([python, "porting_trial.py"], request, Path(name), seconds, environment)


def listen(
    command: Sequence[str],
    request: Mapping[str, Any],
    folder: Path,
    seconds: float,
    environment: Mapping[str, str] | None = None,
) -> Iterator[Mapping[str, Any]]:
    """Run a child that is given a request and tells JSON objects, one a line; what it prints is nobody's news.

    Args:
        command: that it is started with; the request's file is added.
        request: what it reads, with ``messages``: the descriptor of the file that it tells to.
        folder: where it runs.
        seconds: after which it is ended.
        environment: its variables; None for this process's own.

    Yields:
        What it tells; ``{"ended": why}`` at the end if it did not end well.
    """
    reading, writing = os.pipe()
    file = folder / "request.json"
    file.write_text(json.dumps({**request, "messages": writing}), encoding="utf-8")
    quiet, mark = subprocess.DEVNULL, new_mark()
    variables = {**(os.environ if environment is None else environment), mark: "1"}
    try:
        child = subprocess.Popen(
            [*command, str(file)], cwd=folder, env=variables, stdin=quiet, stdout=quiet, stderr=quiet,
            pass_fds=(writing,), start_new_session=True,
        )  # fmt: skip
    except OSError as error:
        os.close(reading)
        yield {"ended": f"{show(command[0])} cannot be started: {error.strerror}"}
        return
    finally:
        os.close(writing)
    silent = True
    try:
        for message in _messages(reading, child, seconds):
            silent = False
            yield message
        with suppress(subprocess.TimeoutExpired):
            child.wait(1)
        if child.poll() is None:
            yield {"ended": f"it took longer than {seconds:.0f} seconds"}
        elif child.returncode or silent:
            more = "" if child.returncode else " and told nothing"
            yield {"ended": f"its process ended with exit code {child.returncode}{more}"}
    finally:
        os.close(reading)
        end_session(child, mark)


def _messages(reading: int, child: subprocess.Popen[bytes], seconds: float) -> Iterator[Mapping[str, Any]]:
    """What a child tells until it ends, whoever else holds its end of the pipe by then."""
    until, rest = time.monotonic() + seconds, b""
    while (left := until - time.monotonic()) > 0 and len(rest) < LONGEST:
        over = child.poll() is not None
        if not select.select([reading], [], [], 0 if over else min(left, 0.2))[0]:
            if over:
                return
            continue
        chunk = os.read(reading, 1 << 16)
        if not chunk:
            return
        *lines, rest = (rest + chunk).split(b"\n")
        yield from map(_message, lines)


def _message(line: bytes) -> Mapping[str, Any]:
    """What a line says; the original's code may have written to the pipe, too."""
    try:
        found = strictjson.loads(line)
    except ValueError as error:
        return {"ended": f"what it told cannot be read: {show(error)}"}
    good = isinstance(found, dict) and all(isinstance(each, _KINDS.get(key, str)) for key, each in found.items())
    return found if good and not _NEEDED.isdisjoint(found) else {"ended": "what it told is no message"}


_KINDS: Mapping[str, type | tuple[type, ...]] = {
    "failed": (int, str),
    "built": dict,
    "flags": dict,
    "lacking": list,
    "chosen": dict,
}
_NEEDED = frozenset(("built", "failed", "ended", "ran", "class", "rules", "verdict", "chosen"))
