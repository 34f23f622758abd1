"""What the functions of a portfile made use of when they were called: files, code, packages."""

from __future__ import annotations

import contextlib
import json
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from porting.evidence.code import code_of, files_of, imported_by, installed_of, is_local
from porting.evidence.files import fingerprint
from porting.evidence.functions import Source
from porting.evidence.reading import facts_of, is_data, reading
from porting.plainfiles import files_below, read_plain

Facts = tuple[int, int]
MOST_FILES = 1000
LARGEST_INDEX = 64 << 20
COARSE = 20_000_000
"""Nanoseconds by which the time of a file may lag behind the clock."""
VOCABULARIES = (
    "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "chat_template.jinja",
    "vocab.json", "vocab.txt", "merges.txt", "tokenizer.model", "spiece.model", "sentencepiece.bpe.model",
)  # fmt: skip
"""Files of a tokenizer, which the tokenizers library reads where Python does not see it."""


class Used:
    """What each function of one portfile used, by its name.

    Attributes:
        checkpoint: what ``checkpoint()`` named.
        files: that were read, with size and time of the last change as they were then.
        code: fingerprints of the source files of what was returned.
        needed: fingerprints of the local modules that the function imports, and that these do.
        packages: installed ones that the classes of what was returned are from.
        imported: installed ones that the function imports, and no class may be from.
        absent: places that the function makes a path of, and where nothing is: it may do otherwise once something is.
    """

    def __init__(self) -> None:
        self.checkpoint: Path | None = None
        self.files: dict[str, dict[Path, Facts]] = {}
        self.code: dict[str, dict[Path, str]] = {}
        self.needed: dict[str, dict[Path, str]] = {}
        self.packages: dict[str, set[str]] = {}
        self.imported: dict[str, set[str]] = {}
        self.absent: dict[str, set[Path]] = {}

    @contextlib.contextmanager
    def watching(self, name: str, source: Source, folder: Path, *, builds: bool) -> Iterator[None]:
        """Note what a function reads and imports while it runs.

        Args:
            name: of the function.
            source: of the portfile.
            folder: of the portfile.
            builds: whether it builds something, so that files that are not opened by Python count, too.
        """
        began = time.time_ns()
        with reading(everywhere=builds) as read:
            yield
        self.add_files(name, read.data())
        if name not in self.needed:
            self.add_named(name, source, folder, began)
            modules = imported_by(source.imports(name))
            self.needed[name] = _hashed(files_of(each for each in modules if is_local(each)))
            self.imported[name] = installed_of(modules)

    def add_named(self, name: str, source: Source, folder: Path, began: int) -> None:
        """Note the files that a function names, as not every library is seen to read them.

        Args:
            name: of the function.
            source: of the portfile.
            folder: of the portfile.
            began: when it was called, in nanoseconds; files that were written since are its own work.
        """
        named = _present(folder / text for text in source.texts(name) if is_data(folder / text))
        self.add_files(name, {path: facts for path, facts in named.items() if facts[1] < began - COARSE})
        self.absent[name] = {place for text in source.places(name) if not (place := folder / text).exists()}

    def elsewhere(self, name: str, read: Iterable[str], code: Iterable[str]) -> None:
        """Note what a function read and loaded in another interpreter."""
        self.add_files(name, _present(path for path in map(Path, read) if is_data(path)))
        self.code[name], self.packages[name] = _hashed(set(map(Path, code))), set()

    def made(self, name: str, result: Any) -> None:
        """Note what a function returned: its code, and the files that it says to be from."""
        if name not in self.code or isinstance(result, _module_class()):
            files, self.packages[name] = code_of(result)
            self.code[name] = _hashed(files)
            self.add_files(name, _present(_vocabularies(result)))

    def add_files(self, name: str, files: dict[Path, Facts]) -> None:
        """Note files that a function read; what was noted before stays as it was then."""
        known = self.files.setdefault(name, {})
        for path, facts in files.items():
            if path not in known and len(known) < MOST_FILES:
                known[path] = facts


def checkpoint_files(path: Path) -> dict[Path, Facts]:
    """The files of a checkpoint: the file, an index and its shards, or all in a folder and below."""
    if path.is_dir():
        return _present(files_below(path, MOST_FILES, hidden=False))
    return _present([path, *_shards(path)])


def _shards(path: Path) -> Iterator[Path]:
    if not path.name.endswith(".index.json"):
        return
    with contextlib.suppress(OSError, ValueError, TypeError, AttributeError, LookupError, RecursionError):
        names = set(json.loads(read_plain(path, LARGEST_INDEX))["weight_map"].values())
        yield from (path.parent / Path(str(name)).name for name in sorted(names, key=str)[:MOST_FILES])


def _vocabularies(result: Any) -> Iterator[Path]:
    """The files that a tokenizer is from, and those of the tokenizer in a processor."""
    for each in (result, *list(getattr(result, "__dict__", {}).values())):
        if not isinstance(getattr(type(each), "vocab_files_names", None), dict):
            continue
        given = getattr(each, "init_kwargs", None)
        texts = [text for text in (given.values() if isinstance(given, dict) else ()) if isinstance(text, str)]
        yield from (Path(text).absolute() for text in texts if 0 < len(text) < MOST_FILES and "\0" not in text)
        folder = getattr(each, "name_or_path", None)
        if isinstance(folder, str) and folder:
            names = {*VOCABULARIES, *map(str, type(each).vocab_files_names.values())}
            yield from (Path(folder).absolute() / name for name in sorted(names))


def _present(paths: Any) -> dict[Path, Facts]:
    found = {}
    for path in paths:
        with contextlib.suppress(OSError, ValueError):
            if facts := facts_of(path):
                found[path] = facts
    return found


def _hashed(paths: set[Path]) -> dict[Path, str]:
    found = {path: fingerprint(path) for path in sorted(paths)}
    return {path: value for path, value in found.items() if value is not None}


def _module_class() -> Any:
    torch = sys.modules.get("torch")
    return () if torch is None else torch.nn.Module
