"""Run a portfile that is being written: find what is still open, and prove what it says."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from porting.atomic import write_text
from porting.scaffold.filling import portfile_text
from porting.scaffold.plan import Plan
from porting.scaffold.settings import changed
from porting.scaffold.trying import listen

COMMAND = (sys.executable, "-m", "porting.scaffold.child")


@dataclass(frozen=True)
class Proof:
    """What running it showed.

    Attributes:
        verdict: of ``verify``, or an empty text if it did not come to one.
        says: the verdict, or what stood in its way, in a sentence.
    """

    verdict: str = ""
    says: str = ""


@dataclass
class Found:
    """What was found on the way, in sentences.

    Attributes:
        done: what was found out, and runs.
        troubles: what was tried, and did not work.
    """

    done: list[str] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)


def explored(plan: Plan, portfile: Path, found: Found, *, run: bool, seconds: float) -> Plan:
    """The plan with what running shows.

    Args:
        plan: so far.
        portfile: where its text may be written for a while, beside the place where it will lie.
        found: what was found so far; what is found here is added.
        run: whether the original may be run; if not, rules come from names and shapes alone.
        seconds: that it may take.
    """
    infer = plan.port is not None and plan.saved is not None
    live = run and plan.built is not None and plan.python is None
    if not infer and not live:
        return plan
    request = {
        "do": "explore",
        **_heads(plan),
        "infer": infer,
        "live": live,
        "runs": run and plan.built is not None,
        "classes": [plan.port.class_name, *plan.port.others] if plan.port else [],
        "checkpoint": str(plan.saved.given.absolute()) if plan.saved else "",
        "flags": _flags(plan) if live else {},
    }
    shown = plan if live or (run and plan.built is not None) else replace(plan, kind=None, built=None)
    for message in _told(shown, portfile, request, seconds):
        plan = replace(
            plan,
            port=replace(plan.port, class_name=message["class"]) if plan.port and "class" in message else plan.port,
            flags=message.get("flags", plan.flags),
            rules=message.get("rules", plan.rules),
            inferred=plan.inferred or "rules" in message,
            lacking=tuple(message.get("lacking", plan.lacking)),
        )
        plan = _chosen(plan, message)
        if "failed" in message:
            found.troubles.append(f"{message['failed']}: {message.get('error', '')}")
        found.troubles += [message["ended"]] if "ended" in message else []
        found.done += [message["ran"]] if "ran" in message else []
    return plan


def settled(plan: Plan, portfile: Path, *, seconds: float) -> Plan:
    """The plan with the numbers of heads with which both sides return the same, as far as some do."""
    port = plan.port
    if port is None or not port.ways or not plan.inferred or plan.built is None:
        return plan
    for message in _told(plan, portfile, {"do": "settle", **_heads(plan)}, seconds):
        plan = _chosen(plan, message)
    return plan


def _heads(plan: Plan) -> dict[str, Any]:
    """What a child is told of heads that are open."""
    port = plan.port
    return {"ways": {}} if port is None else {"config": port.config_name, "settings": port.settings, "ways": port.ways}


def _chosen(plan: Plan, message: Mapping[str, Any]) -> Plan:
    """The plan with numbers of heads that a message names."""
    if plan.port is None or "chosen" not in message:
        return plan
    return replace(plan, port=replace(plan.port, settings=changed(plan.port.settings, message["chosen"])))


def proven(plan: Plan, portfile: Path, *, seconds: float) -> Proof:
    """What ``porting verify`` says of the portfile."""
    proof = Proof()
    for message in _told(plan, portfile, {"do": "prove"}, seconds):
        if "verdict" in message:
            proof = Proof(message["verdict"], message.get("summary", ""))
        else:
            proof = Proof(says=message.get("error") or message.get("ended", "it came to no verdict"))
    return proof


def _told(plan: Plan, portfile: Path, request: Mapping[str, Any], seconds: float) -> list[Mapping[str, Any]]:
    write_text(portfile, portfile_text(plan))
    environment = dict(os.environ, HF_HUB_OFFLINE="1", PYTHONDONTWRITEBYTECODE="1")
    with tempfile.TemporaryDirectory(prefix="porting-") as name:
        told = {**request, "portfile": str(portfile.absolute())}
        return list(listen(COMMAND, told, Path(name), seconds, environment))


def _flags(plan: Plan) -> dict[str, bool]:
    """The flags of the original's forward, turned, those about outputs first."""
    forward = plan.kind.forward if plan.kind else None
    found = {each.name: not each.flag for each in forward or () if each.flag is not None}
    return dict(sorted(found.items(), key=lambda item: not item[0].startswith(("output", "return"))))
