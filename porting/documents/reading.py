"""Reading documents as they are now: what is left in them, and what is wrong."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from porting.documents.fences import of_person
from porting.documents.pullrequest import states_in
from porting.errors import PortingError
from porting.parts import parts_left
from porting.text import show

if TYPE_CHECKING:
    import torch

LARGEST = 1 << 22
"""Bytes of a document that is read."""
DATES = re.compile(
    r"^\*This model was released on .* and added to Hugging Face Transformers on \d{4}-\d{2}-\d{2}\.\*", re.MULTILINE
)
"""The line that Transformers' ``utils/add_dates.py`` asks for."""
AUTODOC = re.compile(r"^\[\[autodoc\]\] +(?P<name>[\w.]+)", re.MULTILINE)
HEADING = re.compile(r"^#{1,6} +(?P<words>.+?) *#*$", re.MULTILINE)
SECTIONS: Mapping[str, str] = {
    "how to use it": r"\b(how to|us(e|age|ing)|get(ting)? started|quick ?start|inference|example)",
    "its limits": r"\b(limit|bias|risk|out.of.scope|intended|caveat)",
    "its training": r"\b(train|data|pre-?train)",
    "its evaluation": r"\b(eval|result|benchmark|performance|verif|metric)",
}
"""What a card has a heading for, by words that such headings have."""
ASSISTANCE = re.compile(r"^.*\bAI\b[^:\n]*:[ *]*(?P<said>\S.*)$", re.MULTILINE | re.IGNORECASE)
"""The line of a pull request's text that says whether AI assisted."""


class DocumentError(PortingError):
    """A document cannot be read."""

    code = "document"


def read_document(path: Path) -> str | None:
    """The text of a document; None where there is none.

    Raises:
        DocumentError: it is no plain file of text, or too large.
    """
    if not path.exists():
        return None
    try:
        if not path.is_file() or path.stat().st_size > LARGEST:
            raise ValueError("it is no plain file, or too large to be a document")
        return path.read_bytes().decode("utf-8")
    except (OSError, ValueError) as error:
        raise DocumentError(f"{show(path)} cannot be read: {show(error)}", hint="move it away") from None


def left_in(text: str) -> list[tuple[int, str]]:
    """Line and words of each part that is left to a person."""
    return [(part.line, part.what) for part in parts_left(text)]


def unreplaced(text: str) -> list[tuple[int, str]]:
    """Line and words of what templates of others left in a text, but for the name that their model has."""
    from porting.conventions.documents import TO_FILL_IN

    lines = enumerate(of_person(text).splitlines(), start=1)
    found = [(number, match[0].strip()) for number, line in lines for match in TO_FILL_IN.finditer(line)]
    return [(number, words) for number, words in found if not words.lower().startswith("brand")]


def page_faults(text: str, kind: type) -> Iterator[str]:
    """Yield what is wrong with the page of a model, a sentence each.

    Args:
        text: of the page.
        kind: the port's class.
    """
    yield from (f"line {line}: {show(words, 60)} is to be replaced" for line, words in unreplaced(text))
    if not HEADING.search(text):
        yield "it has no title"
    if not DATES.search(text):
        yield "the line with the days of release and of addition is missing, which utils/add_dates.py asks for"
    names = [found["name"] for found in AUTODOC.finditer(text)]
    if kind.__name__ not in (name.rpartition(".")[2] for name in names):
        yield f"{show(kind.__name__)} has no [[autodoc]] entry"
    yield from (f"[[autodoc]] names {show(name)}, which does not exist" for name in names if not _exists(name, kind))


def card_faults(text: str, model: torch.nn.Module) -> Iterator[str]:
    """Yield what is wrong with a model card, a sentence each.

    Args:
        text: of the card.
        model: the port.
    """
    from huggingface_hub import ModelCard

    yield from (f"line {line}: {show(words, 60)} is to be replaced" for line, words in unreplaced(text))
    if not text.startswith("---"):
        yield "it has no metadata: YAML between two lines of ---, at its beginning"
        return
    try:
        data = dict(ModelCard(text).data.to_dict())  # type: ignore[no-untyped-call]
    except Exception as error:  # whatever the parser of YAML makes of it
        yield f"its metadata cannot be read: {show(error, 300)}"
        return
    yield from _metadata_faults(data, model)
    headings = [found["words"].lower() for found in HEADING.finditer(text)]
    if not headings:
        yield "it has no title"
    for what, pattern in SECTIONS.items():
        if not any(re.search(pattern, words) for words in headings):
            yield f"no section says {what}"
    if "```" not in text:
        yield "it has no example code"


def pull_request_faults(text: str, states: str) -> Iterator[str]:
    """Yield what is wrong with the text of a pull request, a sentence each.

    Args:
        text: it.
        states: of the recipe's steps today, as the text has them.
    """
    yield from (f"line {line}: {show(words, 60)} is to be replaced" for line, words in unreplaced(text))
    shown = states_in(text)
    if shown is None:
        yield "it has no evidence"
    elif shown != states:
        *steps, _ = states.split(", ")
        other = ", ".join(f"step {each}" for each in steps if each not in shown.split(", "))
        yield f"its evidence is of an earlier state; by now: {show(other or 'other claims of the same steps')}"
    if not ASSISTANCE.search(of_person(text)):
        yield "no line says whether AI assisted (AI assistance: ...)"


def _metadata_faults(data: Mapping[str, object], model: torch.nn.Module) -> Iterator[str]:
    for name in ("license", "library_name"):
        if not isinstance(data.get(name), str) or not data[name]:
            yield f"its metadata has no {name}"
    if data.get("library_name") not in (None, "transformers"):
        yield f"its library_name is {show(data['library_name'], 60)}, not transformers"
    from porting.pipelines.tasks import tasks_of

    if "pipeline_tag" not in data and (task := next((each.name for each in tasks_of(model)), None)):
        yield f"its metadata has no pipeline_tag, such as {task}"


def _exists(name: str, kind: type) -> bool:
    """Whether Transformers, or a module of the port, has an object of this name."""
    import transformers

    below = name.removeprefix("transformers.")
    return any(_reached(place, below) for place in (transformers, *_beside(kind)))


def _beside(kind: type) -> Iterator[object]:
    """The modules of the folder in which a class is written, as far as they are imported."""
    own = getattr(sys.modules.get(kind.__module__), "__file__", None)
    for module in list(sys.modules.values()):
        file = getattr(module, "__file__", None)
        if own and isinstance(file, str) and Path(file).parent == Path(own).parent:
            yield module


def _reached(place: object, name: str) -> bool:
    for step in name.split("."):
        try:
            place = getattr(place, step)
        except Exception:  # a lazy module whose requirements are not installed
            return False
    return True
