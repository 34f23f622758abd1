"""The portfile's text: what is known as code, what is not as marked parts."""

from __future__ import annotations

import importlib.machinery
import os
import sys
from pathlib import Path
from typing import Any

from porting.parts import part
from porting.scaffold.plan import Plan
from porting.stubs.literals import identifier, pylit
from porting.stubs.rendering import render
from porting.stubs.written import Call
from porting.text import show

TEMPLATE = "portfile.py.jinja"
NEAR = 2
"""Levels above the working folder up to which a path is written as a relative one."""


def portfile_text(plan: Plan) -> str:
    """The portfile.

    Raises:
        GenerationError: a name or a value cannot be written as Python.
    """
    built, saved, port = plan.built, plan.saved, plan.port
    checkpoint = None if saved is None else near_path(saved.given, plan.folder)
    repository = None if plan.repository is None else near_path(plan.repository, plan.folder)
    names: dict[str, Any] = {
        "original": _original(plan),
        "port": _port(plan),
        "own": plan.own,
        "imports": _imports(plan),
        "feed": plan.feed,
        "flags": ", ".join(f"{identifier(name)}={value}" for name, value in plan.flags.items()),
        "rules_text": _rules(plan),
        "reader": saved.reader if saved else "",
        "path_code": _path_code(plan),
        "loader_code": "checkpoint()" if built is None or built.folder else f"str({_path_code(plan)})",
        "half": saved is not None and saved.half,
        "folder_given": saved is not None and saved.given.is_dir(),
        "tokenizer": saved is not None and saved.tokenizer and port is not None,
        "vocabulary": saved.vocabulary if saved and port else "",
        "far_repository": repository is not None and Path(repository).is_absolute(),
        "far_checkpoint": checkpoint is not None and Path(checkpoint).is_absolute(),
    }
    names["uses_path"] = bool(
        repository or (checkpoint and (port or names["reader"] == "shards" or "Path(" in names["path_code"]))
    )
    data: dict[str, Any] = {
        "name": plan.name.snake,
        "python": plan.python,
        "repository": repository,
        "checkpoint_text": checkpoint,
        "inside": list(saved.inside) if saved else [],
        "prefix": (built.prefix if built else "") or None,
        "unused": list(built.unused) if built else [],
        "tied": list(built.tied) if built else [],
        "original_call": None if built is None else _built_call(plan),
        "config_call": None if port is None else Call(port.config_name, (), dict(port.settings)),
    }
    return render(TEMPLATE, names, data)


def near_path(path: Path, folder: Path) -> str:
    """A path as the portfile has it: relative where it is near, else absolute."""
    relative = os.path.relpath(path.absolute(), folder.absolute())
    return relative if Path(relative).parts.count(os.pardir) <= NEAR else str(path.absolute())


def goes_first(repository: Path | None, module: str) -> bool:
    """Whether the original's folder has to be searched before all others: its module is there under another's name."""
    if repository is None:
        return False
    head = module.split(".")[0]
    elsewhere = [place for place in sys.path if place and Path(place).absolute() != repository.absolute()]
    return importlib.machinery.PathFinder.find_spec(head, elsewhere) is not None


def _original(plan: Plan) -> dict[str, Any]:
    kind, built = plan.kind, plan.built
    return {
        "title": f"{kind.module}: {kind.name}" if kind else "",
        "class_name": kind.name if kind else "",
        "front": goes_first(plan.repository, kind.module) if kind else False,
        "built": built is not None,
        "loader": built.loader if built else "",
        "left": _left_of_original(plan),
    }


def _left_of_original(plan: Plan) -> list[str]:
    if plan.kind is None:
        return [f"how the original is built and loaded{'; ' if plan.why else ''}{plan.why}"]
    if plan.built is None:
        required = [each.name for each in plan.kind.arguments or () if each.required]
        takes = f", which takes {', '.join(required)}" if required else ""
        return [f"how {plan.kind.name} is built{takes}, and loaded; {plan.why}"]
    left = [
        f"the right {name}: no shape tells it, and {plan.built.settings[name]} is a guess" for name in plan.built.open
    ]
    if plan.saved is not None and not plan.saved.values and not plan.built.loader:
        left.append("whether the settings that no shape tells, such as activation and epsilon, are the defaults here")
    if plan.saved is None:
        left.append("load the original's weights; until then they are random")
    if plan.built.missing:
        left.append(f"where these tensors come from: {_listed(plan.built.missing)}")
    if len(plan.built.unused) > FEW:
        left.append("why these tensors of the checkpoint are not used")
    return left


FEW = 3


def _port(plan: Plan) -> dict[str, Any]:
    port = plan.port
    if port is None:
        return {"class_name": "", "from_folder": False, "left": []}
    left = []
    if not plan.proven and not port.from_folder:
        guessed = f"{', '.join(port.open)} above all, and " if port.open else ""
        left.append(f"the right settings: {guessed}those that no shape tells, such as activation and epsilon")
    return {
        "class_name": port.class_name,
        "config_name": port.config_name,
        "from_folder": port.from_folder,
        "left": left,
    }


def _imports(plan: Plan) -> list[tuple[str, list[str]]]:
    if plan.kind is None:
        return []
    found: dict[str, set[str]] = {plan.kind.module: {plan.kind.name}}
    if plan.built is not None and plan.built.config is not None and not plan.built.loader:
        found.setdefault(plan.built.config.module, set()).add(plan.built.config.name)
    return [(module, sorted(found[module])) for module in sorted(found)]


def _built_call(plan: Plan) -> Call:
    assert plan.built is not None
    settings = dict(plan.built.settings)
    if plan.built.config is None:
        return Call(plan.built.kind.name, (), settings)
    return Call(plan.built.kind.name, (Call(plan.built.config.name, (), settings),))


def _path_code(plan: Plan) -> str:
    """The file with the weights, as an expression."""
    if plan.saved is None or not plan.saved.given.is_dir():
        return "checkpoint()"
    return f"Path(checkpoint(), {pylit(plan.saved.file.name)})"


def _rules(plan: Plan) -> str:
    """The function ``rules`` with what it does, and what it does not make."""
    head, _, rest = plan.rules.rstrip().partition("\n")
    doc = '    """What becomes of each tensor of the checkpoint; a name that no rule takes stays."""'
    what = f"rules that make {_listed(plan.lacking)}" if plan.lacking else ""
    if plan.port is None:
        what = "what becomes of each tensor, once there is a port: porting weights --infer proposes it"
    left = [f"    # {part(what)}"] if what else []
    return "\n".join([head, doc, *left, rest])


def _listed(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - FEW} more" if len(names) > FEW else ""
    return ", ".join(show(name, 60) for name in names[:FEW]) + more
