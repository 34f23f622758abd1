"""Make a working folder for a new port: look, try, prove, write."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from porting.atomic import write_text
from porting.checkout import find_checkout, installed_checkout
from porting.nearest import Candidate as Near
from porting.nearest import nearest_architectures, prove
from porting.parts import parts_of
from porting.progress import Progress, silent
from porting.scaffold.checkouts import skeleton_advice
from porting.scaffold.filling import portfile_text
from porting.scaffold.plan import Plan
from porting.scaffold.planning import with_original, with_port
from porting.scaffold.proving import Found, Proof, explored, proven, settled
from porting.scaffold.request import Request
from porting.scaffold.result import Scaffold
from porting.scaffold.saved import Saved, read_saved
from porting.scaffold.siblings import has_model_type, require_model_type
from porting.scaffold.writing import IGNORED, place, refuse_existing, staged


def nearest_to(saved: Saved | None) -> Sequence[Near]:
    """The architectures of Transformers that are nearest to a checkpoint; none without one."""
    return () if saved is None else prove(nearest_architectures(saved.shapes), saved.shapes)


def look(request: Request) -> Scaffold:
    """Only the nearest architectures of the checkpoint; nothing is written.

    Raises:
        CheckpointError: the checkpoint cannot be read.
    """
    saved = None if request.checkpoint is None else read_saved(request.checkpoint)
    return Scaffold(request.name.snake, None, nearest=nearest_to(saved))


def make_scaffold(
    request: Request, *, ask_like: Callable[[Sequence[Near]], str | None] | None = None, progress: Progress = silent
) -> Scaffold:
    """Write the working folder of a new port, as complete as can be found out.

    The original is imported and run, in processes of their own with a time limit, unless the request says not to.

    Args:
        request: what is asked for.
        ask_like: given the nearest architectures where no model type was named: the one to take, or None.
        progress: called as the work goes on.

    Raises:
        OutputError: the folder holds something, or cannot be written.
        OriginalError: there is no such original.
        CheckpointError: the checkpoint cannot be read without running code in it.
        ModelTypeError: Transformers has no such model type.
    """
    refuse_existing(request.folder)
    progress("reading", 0, 4)
    saved = None if request.checkpoint is None else read_saved(request.checkpoint)
    nearest = nearest_to(saved)
    request = _with_like(request, nearest, ask_like)
    found = Found()
    with staged(request.folder) as staging:
        progress("building the original", 1, 4)
        plan = with_original(
            request, Plan(request.name, request.folder, request.written_interpreter, saved=saved), found
        )
        progress("fitting the port", 2, 4)
        plan = with_port(request, plan, nearest)
        progress("running both", 3, 4)
        plan, proof = _run(request, plan, staging / "portfile.py", found)
        text = portfile_text(plan)
        files = {"portfile.py": text, ".gitignore": IGNORED, "checklist.md": _checklist(staging, text)}
        written = place(files, staging, request.folder)
    return Scaffold(
        name=request.name.snake,
        folder=request.folder,
        files=written,
        done=tuple(found.done),
        troubles=tuple(found.troubles),
        parts=tuple(parts_of({path: path.read_text(encoding="utf-8") for path in written})),
        nearest=nearest,
        advice=_advice(request, nearest),
        verdict=proof.verdict,
        next=_next(request, proof),
    )


def _with_like(
    request: Request, nearest: Sequence[Near], ask: Callable[[Sequence[Near]], str | None] | None
) -> Request:
    if request.like is not None:
        require_model_type(request.like)
        return request
    if has_model_type(request.name.snake):
        return replace(request, like=request.name.snake)
    if ask is not None and nearest:
        return replace(request, like=ask(nearest))
    return request


def _describe(plan: Plan) -> str:
    port = plan.port
    assert port is not None
    source = (
        "from the config.json beside the weights" if port.from_folder else "with settings by the checkpoint's shapes"
    )
    if port.distance == float("inf"):
        return f"ported() is {port.class_name} {source}, and cannot be built with them"
    if port.distance is None or round(port.distance) <= 0 or (plan.inferred and not plan.lacking):
        return f"ported() is {port.class_name} {source}"
    count = round(port.distance)
    tensors = "1 tensor has" if count == 1 else f"{count} tensors have"
    return f"ported() is {port.class_name} {source}; by shape, {tensors} no counterpart"


def _run(request: Request, plan: Plan, portfile: Path, found: Found) -> tuple[Plan, Proof]:
    plan = explored(plan, portfile, found, run=request.run, seconds=request.seconds)
    if plan.port is not None:
        found.done.append(_describe(plan))
    if plan.inferred:
        lacking = f"; {len(plan.lacking)} tensors of the port are made by nothing" if plan.lacking else ""
        found.done.append(f"rules() were inferred{lacking}")
    if not (request.run and plan.built and plan.port and plan.saved):
        return plan, Proof()
    plan = settled(plan, portfile, seconds=request.seconds)
    proof = proven(plan, portfile, seconds=request.seconds)
    if proof.verdict:
        found.done.append(f"porting verify: {proof.says}")
    else:
        found.troubles.append(f"porting verify: {proof.says}")
    return replace(plan, proven=proof.verdict == "match"), proof


def _checklist(staging: Path, text: str) -> str:
    """The checklist of the folder as it is now."""
    from porting.checklist import make_checklist
    from porting.portfile import Portfile
    from porting.report.checklist_markdown import checklist_markdown

    portfile = staging / "portfile.py"
    write_text(portfile, text)
    checklist = make_checklist(Portfile.load(portfile))
    return checklist_markdown(checklist)


def _advice(request: Request, nearest: Sequence[Near]) -> tuple[str, ...]:
    checkout = find_checkout(Path.cwd()) or installed_checkout()
    like = request.like or (nearest[0].model_type if nearest else None)
    first = () if checkout is None else skeleton_advice(checkout, request.name, like)
    if checkout is None and request.like == request.name.snake:
        first = (f"Transformers has models of the type {request.like} already; a new one needs a name of its own.",)
    if request.like is not None or like is None:
        return first
    return (*first, f"The port is left to you, as no --like was given; with --like {like} it is filled in, too.")


def _next(request: Request, proof: Proof) -> tuple[str, ...]:
    go = f"cd {shlex.quote(os.path.relpath(request.folder))}"
    return (go, "porting verify" if proof.verdict else "porting checklist")
