"""What is known of both sides before they run: the original and how it is built, the port, the inputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from porting.nearest import Candidate as Near
from porting.scaffold.facts import facts_of
from porting.scaffold.feeding import Feed, feed_original, feed_port
from porting.scaffold.locating import Location, locate
from porting.scaffold.plan import Plan
from porting.scaffold.proving import Found
from porting.scaffold.ranking import Candidate, rank
from porting.scaffold.reading import Argument, Sources, read_sources
from porting.scaffold.request import Request
from porting.scaffold.saved import Saved
from porting.scaffold.siblings import Sibling, sibling_of
from porting.scaffold.trying import Attempt, build_original
from porting.text import show

MOST_TROUBLES = 3
"""How many failed attempts are told."""


def with_original(request: Request, plan: Plan, found: Found) -> Plan:
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


def with_port(request: Request, plan: Plan, nearest: Sequence[Near]) -> Plan:
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


def feed_of(port: Sibling, saved: Saved | None, forward: Sequence[Argument] | None) -> Feed:
    """The inputs of a port, and of an original whose forward takes these arguments."""
    import transformers

    config_class = getattr(transformers, port.config_name)
    if port.from_folder and saved is not None:
        config = config_class.from_pretrained(saved.file.parent)
    else:
        config = config_class(**port.settings)
    return feed_port(getattr(transformers, port.class_name), config, forward)
