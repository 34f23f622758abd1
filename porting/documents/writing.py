"""Write the documents of a port, and keep what a person wrote in them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from porting.documents.card import NAME as CARD
from porting.documents.card import card_text
from porting.documents.contents import faults_of, upload_command
from porting.documents.examples import Example, example_of
from porting.documents.fences import Conflict, blocks_of, merged, sealed
from porting.documents.notebook import merged_notebook, notebook_text
from porting.documents.page import page_path, page_text
from porting.documents.port import Port
from porting.documents.pullrequest import NAME as PULL_REQUEST
from porting.documents.pullrequest import pull_request_text
from porting.documents.reading import read_document
from porting.documents.result import Document, Documents, What
from porting.documents.toctree import entry_text, has_entry, with_entry
from porting.errors import OutputError
from porting.portfile import Portfile, command_line
from porting.stubs.files import write_files
from porting.text import show

WHAT: tuple[What, ...] = ("page", "card", "pull-request", "notebook")
USUAL: tuple[What, ...] = ("page", "card", "pull-request")
"""What is written where nothing is named; a notebook is optional."""
HINT = "name another folder with --output"


@dataclass(frozen=True)
class Wanted:
    """How documents are to be written.

    Attributes:
        output: a folder for all of them; each in its own place, if None.
        force: replace files in which porting has no block.
        dry_run: write nothing.
        tried: whether the examples run on the converted folder.
    """

    output: Path | None = None
    force: bool = False
    dry_run: bool = False
    tried: bool = True


def write_documents(portfile: Portfile, what: Sequence[What] = (), wanted: Wanted | None = None) -> Documents:
    """Write the documents of a port: what porting knows, and marks (`porting.parts`) for what a person has to write.

    In a file that is there only the blocks between porting's comments are written anew, and of these only those in
    which nobody wrote.

    Args:
        portfile: of the port.
        what: of `WHAT`; those that apply, if none.
        wanted: how.

    Raises:
        PortingError: the port cannot be built, the evidence is damaged, or a file that is there cannot be read.
        OutputError: there is no converted folder for a card that is asked for, or a file cannot be written.
    """
    work = _Work(Port.of(portfile), wanted or Wanted())
    skipped: tuple[str, ...] = ()
    if work.port.folder is None and work.wanted.output is None:
        if "card" in what:
            raise OutputError("a model card lies in the converted folder, and there is none", hint=CONVERT)
        skipped = (f"card: there is no converted folder ({CONVERT})",)
        what = what or [each for each in USUAL if each != "card"]
    found = [document for each in what or USUAL for document in work.made(each)]
    if not work.wanted.dry_run:
        changed = {document.path: document.text for document in found if document.state != "as it was"}
        write_files(changed, hint=HINT)
    return Documents(
        tuple(found), skipped if "card" not in what else (), tuple(work.commands(found)), work.wanted.dry_run
    )


CONVERT = "porting convert converted"


@dataclass(frozen=True)
class _Work:
    port: Port
    wanted: Wanted

    @cached_property
    def example(self) -> Example:
        return example_of(self.port, tried=self.wanted.tried)

    def made(self, what: What) -> Iterator[Document]:
        port, example = self.port, self.example if what != "pull-request" else Example("")
        texts: dict[str, Callable[[], str]] = {
            "page": lambda: sealed(page_text(port, example)),
            "card": lambda: sealed(card_text(port, example)),
            "pull-request": lambda: sealed(pull_request_text(port)),
            "notebook": lambda: notebook_text(port, example),
        }
        document = self._document(what, self._path(what), texts[what]())
        yield replace(document, fault=example.fault if example.tried else "")
        if what == "page" and self.wanted.output is None:
            yield from self._toctree()

    def commands(self, documents: Sequence[Document]) -> Iterator[str]:
        """What a person does next: the upload, once the folder is complete and loads."""
        port = self.port
        card = next((document for document in documents if document.what == "card"), None)
        if card is not None and port.folder is not None and port.hub_id is not None:
            loads = self.example.tried and not self.example.fault and card.path.parent == port.folder
            if loads and not card.parts and not list(faults_of(port.folder, port.portfile.functions)):
                yield upload_command(port.folder, port.hub_id)
            else:
                yield command_line(port.portfile.path.name, "check check_model_card check_converted_folder")
        toctree = None if port.checkout is None else read_document(port.checkout.toctree)
        if port.checkout is None or toctree is None:
            return
        if not has_entry(toctree, port.name) and self._with_entry() is None:
            yield f"add to {show(port.checkout.toctree)}:\n{entry_text(port.name, port.title)}"

    def _path(self, what: What) -> Path:
        port, output = self.port, self.wanted.output
        if what == "page":
            return page_path(port) if output is None else output / f"{port.name}.md"
        if what == "card":
            return (output or port.folder or port.portfile.folder) / CARD
        return (output or port.portfile.folder) / (PULL_REQUEST if what == "pull-request" else f"{port.name}.ipynb")

    def _document(self, what: What, path: Path, rendered: str) -> Document:
        """A file as it would be: new, or what is there with its blocks written anew."""
        existing = None if self.wanted.force else read_document(path)
        if existing is None:
            return Document(what, path, rendered, "new")
        text, conflicts = (merged_notebook if what == "notebook" else merged)(existing, rendered)
        if what != "notebook" and not blocks_of(existing):
            words = "the file has no block of porting and is kept; to have it written anew, add --force"
            conflicts = (Conflict(1, words), *conflicts)
        return Document(what, path, text, "as it was" if text == existing else "changed", conflicts)

    def _toctree(self) -> Iterator[Document]:
        checkout, text = self.port.checkout, self._with_entry()
        if checkout is not None and text is not None:
            yield Document("toctree", checkout.toctree, text, "changed")

    def _with_entry(self) -> str | None:
        port = self.port
        toctree = None if port.checkout is None else read_document(port.checkout.toctree)
        return None if toctree is None else with_entry(toctree, port.name, port.title, port.materials)
