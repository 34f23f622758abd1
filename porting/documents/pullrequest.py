"""The text of a pull request: what it adds, and the evidence that it is right."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from porting.checklist import Checklist, make_checklist
from porting.documents.fences import checksum, unfenced
from porting.documents.markdown import Harmless, render
from porting.documents.neighbours import neighbours_of
from porting.documents.port import Port
from porting.documents.proofs import runs_of
from porting.portfile import Portfile, command_line

TEMPLATE = "pull_request.md.jinja"
NAME = "pull-request.md"
OWN_STEP = 14
"""The step of the text itself: what is said of it before it is there says nothing of the port."""
REPOSITORY_TEMPLATE = Path(".github", "PULL_REQUEST_TEMPLATE.md")
"""What a repository asks of whoever opens a pull request, in a checkout of it."""
LARGEST = 20_000
"""Bytes of it."""
COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
BOX = re.compile(r"^[-*] \[ \] (?P<text>\S.*(?:\n[ \t]+\S.*)*)", re.MULTILINE)
LINK = re.compile(r"\[(?P<text>[^\]]*)\]\([^)]*\)")
STATES = re.compile(r"<!-- steps: (?P<states>[^>]*) -->")


def pull_request_text(port: Port) -> str:
    """The text.

    Raises:
        GenerationError: a name cannot be written down.
        EvidenceError: the evidence file is damaged.
    """
    checklist = make_checklist(port.portfile)
    return render(
        TEMPLATE,
        unfinished=int(any(step.step.number != OWN_STEP for step in checklist.missing)),
        title=port.title,
        kind=f"{port.kind.__module__}.{port.kind.__name__}",
        documented=[name for name in port.documented if name != port.kind.__name__],
        task=port.task,
        hub_id=port.hub_id,
        tests=list(_tests(port)),
        tests_command=command_line(port.portfile.path.name, "tests"),
        nearest=neighbours_of(port),
        evidence=Harmless(evidence_of(checklist)),
        runs=runs_of(port.portfile),
        boxes=[] if port.checkout is None else boxes_of(port.checkout.root / REPOSITORY_TEMPLATE),
    )


def boxes_of(path: Path) -> list[str]:
    """What a repository's own template asks to be ticked, each in a line without links; empty without a template."""
    if not path.is_file() or path.stat().st_size > LARGEST:
        return []
    text = COMMENT.sub("", path.read_text(encoding="utf-8", errors="replace"))
    return [" ".join(LINK.sub(r"\g<text>", found["text"]).split()) for found in BOX.finditer(text)]


def evidence_of(checklist: Checklist) -> str:
    """The evidence as Markdown, with the states that it was made of in a comment."""
    from porting.report.checklist_markdown import checklist_markdown

    return f"<!-- steps: {states_of(checklist)} -->\n{unfenced(checklist_markdown(checklist)).rstrip()}"


def states_of(checklist: Checklist) -> str:
    """The states of the steps, but for the text's own, and a checksum of those of their claims, in a line."""
    steps = [step for step in checklist.steps if step.step.number != OWN_STEP]
    claims = "\n".join(f"{claim.claim.name} {claim.state}" for step in steps for claim in step.claims)
    return ", ".join([*(f"{step.step.number} {step.state}" for step in steps), f"claims {checksum(claims)}"])


def states_in(text: str) -> str | None:
    """The states of which the evidence in a text was made; None where there is no evidence."""
    found = STATES.search(text)
    return found["states"] if found else None


def pull_request_path(portfile: Portfile) -> Path:
    """Where the text is: in the working folder."""
    return portfile.folder / NAME


def _tests(port: Port) -> Iterator[str]:
    """The generated tests of the port, from the folder that holds ``tests``."""
    for root in (port.checkout.root if port.checkout is not None else port.portfile.folder, port.portfile.folder):
        folder = root / "tests" / "models" / port.name
        found = sorted(path.relative_to(root).as_posix() for path in folder.glob("test_*.py"))
        if found:
            yield from found
            return
