"""Make a working folder for a new port: look, try, prove, write."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from porting.atomic import write_text
from porting.checkout import find_checkout, installed_checkout
from porting.nearest import Candidate as Near
from porting.nearest import nearest_architectures, prove
from porting.parts import parts_of
from porting.progress import Progress, silent
from porting.scaffold.checkouts import skeleton_advice
from porting.scaffold.facts import facts_of
from porting.scaffold.feeding import Feed, feed_original, feed_port
from porting.scaffold.filling import near_path, portfile_text
from porting.scaffold.locating import Location, locate
from porting.scaffold.naming import ModelName
from porting.scaffold.plan import Plan
from porting.scaffold.proving import Found, Proof, explored, proven, settled
from porting.scaffold.ranking import Candidate, rank
from porting.scaffold.reading import Argument, Sources, read_sources
from porting.scaffold.result import Scaffold
from porting.scaffold.saved import Saved, read_saved
from porting.scaffold.siblings import Sibling, has_model_type, require_model_type, sibling_of
from porting.scaffold.trying import Attempt, build_original
from porting.scaffold.writing import IGNORED, place, refuse_existing, staged
from porting.text import show

MOST_TROUBLES = 3
"""How many failed attempts are told."""


@dataclass(frozen=True)
class Request:
    """What is asked for.

    Attributes:
        name: of the model.
        original: a package or a path, with ``:Class`` behind it where one is meant; None if it is not known.
        like: the nearest model type of Transformers; None if it is not known.
        checkpoint: the original's; None without one.
        output: the folder to write; None for one of the model's name.
        python: the original's interpreter; None for this one.
        run: whether the original may be run.
        seconds: that each attempt to run it may take.
    """

    name: ModelName
    original: str | None = None
    like: str | None = None
    checkpoint: Path | None = None
    output: Path | None = None
    python: str | None = None
    run: bool = True
    seconds: float = 120.0

    @property
    def interpreter(self) -> str | None:
        """The original's interpreter, from wherever it is started."""
        if self.python is None or os.sep not in self.python:
            return self.python
        return str(Path(self.python).expanduser().absolute())

    @property
    def folder(self) -> Path:
        """The folder to write."""
        return (self.output or Path(self.name.snake)).absolute()


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
        plan = _with_original(request, Plan(request.name, request.folder, _interpreter(request), saved=saved), found)
        progress("fitting the port", 2, 4)
        plan = _with_port(request, plan, nearest)
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


def _with_original(request: Request, plan: Plan, found: Found) -> Plan:
    """The plan with the original's class, and how it is built."""
    if request.original is None:
        return replace(plan, why="name it with --original to have that tried")
    location = locate(request.original, request.interpreter)
    sources = read_sources(location.files)
    candidates = _candidates(request, location, sources, plan.saved)
    if not candidates:
        named = f" named {location.wanted}" if location.wanted else ""
        text = f"no class{named} with a forward of torch was found in {show(location.given)}"
        found.troubles.append(text)
        return replace(plan, why=text, repository=location.path)
    best = _resolved(sources, candidates[0])
    plan = replace(plan, kind=best.kind, repository=location.path)
    found.done.append(f"the original is {best.kind.module}.{best.kind.name}: {', '.join(best.reasons) or 'as named'}")
    if not request.run:
        return replace(plan, why="nothing was run, as was asked for")
    tried = build_original(
        sources, candidates, location, plan.saved, python=request.interpreter, seconds=request.seconds
    )
    return _built(plan, tried, sources, found)


def _candidates(request: Request, location: Location, sources: Sources, saved: Saved | None) -> tuple[Candidate, ...]:
    words = [request.name.snake, request.like or "", location.given.rstrip("/").split("/")[-1]]
    candidates = rank(sources, words, list(saved.shapes) if saved else [])
    if location.wanted is None:
        return candidates
    return tuple(each for each in candidates if each.kind.name == location.wanted)


def _resolved(sources: Sources, candidate: Candidate) -> Candidate:
    """The same with what its class inherits."""
    kind = candidate.kind
    whole = replace(kind, forward=sources.forward(kind), arguments=sources.arguments(kind))
    return replace(candidate, kind=whole)


def _built(plan: Plan, tried: Attempt, sources: Sources, found: Found) -> Plan:
    if tried.built is None and plan.kind is not None:
        last = next((each for each in reversed(tried.failures) if f".{plan.kind.name}," in each), "nothing worked")
        found.troubles += tried.failures[:MOST_TROUBLES]
        lacks = "ModuleNotFoundError" in last
        hint = "; install what it lacks, or name the interpreter that has it with --python" if lacks else ""
        return replace(plan, why=f"what was tried: {last}{hint}")
    assert tried.built is not None
    kind = _resolved(sources, Candidate(tried.built.kind, 0.0, ())).kind
    way = (
        f"by its own {tried.built.loader}()"
        if tried.built.loader
        else "from settings that give the checkpoint's shapes"
    )
    found.done.append(f"original() builds {kind.name} {way if plan.saved else 'from its defaults'}")
    return replace(plan, kind=kind, built=tried.built)


def _with_port(request: Request, plan: Plan, nearest: Sequence[Near]) -> Plan:
    """The plan with the port's class, its settings, and the inputs."""
    saved, built = plan.saved, plan.built
    values: Mapping[str, Any] = {**(saved.values if saved else {}), **(built.settings if built else {})}
    shapes = saved.shapes if saved else {}
    forward = plan.kind.forward if plan.kind else None
    if request.like is None:
        return replace(plan, feed=feed_original(forward, values, facts_of(shapes) if shapes else {}))
    port = sibling_of(
        request.like,
        shapes,
        values,
        declared=saved.model_type if saved else "",
        architectures=saved.architectures if saved else (),
        folder=str(saved.file.parent) if saved else None,
        nearest=nearest,
    )
    own = request.like == request.name.snake
    return replace(plan, port=port, own=own, feed=feed_of(port, saved, forward))


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


def feed_of(port: Sibling, saved: Saved | None, forward: Sequence[Argument] | None) -> Feed:
    """The inputs of a port, and of an original whose forward takes these arguments."""
    import transformers

    config_class = getattr(transformers, port.config_name)
    if port.from_folder and saved is not None:
        config = config_class.from_pretrained(saved.file.parent)
    else:
        config = config_class(**port.settings)
    return feed_port(getattr(transformers, port.class_name), config, forward)


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


def _interpreter(request: Request) -> str | None:
    """The original's interpreter as the portfile has it."""
    found = request.interpreter
    return near_path(Path(found), request.folder) if found and os.sep in found else found


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
