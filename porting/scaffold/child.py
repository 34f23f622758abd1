"""Run a portfile that is being written, in a process of its own; started by `proving`.

    python -m porting.scaffold.child REQUEST.json

What was found is told in JSON objects, one a line, to the file descriptor that the request names.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
import transformers

from porting.errors import PortingError
from porting.portfile import Portfile
from porting.quieting import quiet
from porting.runs import Side
from porting.scaffold.settings import changed
from porting.text import show
from porting.trace import flatten

Tell = Callable[[Mapping[str, Any]], None]
Returned = list[tuple[int, ...]]


def main() -> int:
    """Do what the request says."""
    request = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    os.set_inheritable(request["messages"], False)

    def tell(message: Mapping[str, Any]) -> None:
        os.write(request["messages"], (json.dumps(message) + "\n").encode("ascii"))

    with quiet():
        {"explore": explore, "settle": settle_heads, "prove": prove}[request["do"]](request, tell)
    return 0


def explore(request: Mapping[str, Any], tell: Tell) -> None:
    """Run the original; find the flags with which it returns what the port returns, and the rules."""
    portfile = Portfile.load(request["portfile"], both_sides=False)
    live = _attempt("original()", tell, lambda: _shapes(portfile, "original")) if request["live"] else None
    functions = dict(portfile.functions)
    if live is not None:
        tell({"ran": f"original() runs and returns {', '.join(map(str, live[:3])) or 'no tensor'}"})
    if live is not None and request["classes"]:
        agreed = _attempt("the port", tell, lambda: _agreeing(portfile, live, request))
        chosen, flags = agreed or (request["classes"][0], {})
        tell({"class": chosen, "flags": flags})
        functions["ported_class"] = lambda: getattr(transformers, chosen)
        if flags:
            functions["run_original"] = lambda model, inputs: model(**inputs, **flags)
    if live is not None and request["infer"] and request["ways"]:
        _attempt("settling the heads", tell, lambda: _settled_first(portfile, functions, request, tell))
    if live is None and not (request["runs"] and portfile.original_python):
        functions.pop("original")
    if request["infer"] and not _attempt("rules()", tell, lambda: _infer(portfile, functions, request, tell)):
        alone = {name: function for name, function in functions.items() if name != "original"}
        if alone != functions:
            _attempt("rules() by names and shapes alone", tell, lambda: _infer(portfile, alone, request, tell))


def _settled_first(
    portfile: Portfile, functions: dict[str, Callable[..., Any]], request: Mapping[str, Any], tell: Tell
) -> None:
    """Find numbers of heads with rules by names and shapes alone, so that better rules can be seen to be better."""
    from porting.scaffold.settling import defining, settle
    from porting.weights.inference.portfiles import infer_portfile

    alone = {name: function for name, function in functions.items() if name != "original"}
    found = infer_portfile(replace(portfile, functions=alone), request["checkpoint"])
    config_class = getattr(transformers, request["config"])
    with defining(portfile, rules=lambda: list(found.rules), ported_class=functions["ported_class"]):
        chosen = settle(portfile, config_class, request["settings"], request["ways"])
    config = config_class(**changed(request["settings"], chosen))
    functions["config"] = lambda: config
    tell({"chosen": chosen})


def settle_heads(request: Mapping[str, Any], tell: Tell) -> None:
    """Find the numbers of heads with which both sides return the same."""
    from porting.scaffold.settling import settle

    def settled() -> None:
        portfile = Portfile.load(request["portfile"])
        config_class = getattr(transformers, request["config"])
        tell({"chosen": settle(portfile, config_class, request["settings"], request["ways"])})

    _attempt("settling the heads", tell, settled)


def prove(request: Mapping[str, Any], tell: Tell) -> None:
    """Verify it."""
    from porting.verifying import verify_portfile

    def verified() -> None:
        found = verify_portfile(Portfile.load(request["portfile"]))
        tell({"verdict": found.verdict, "summary": found.summary()})

    _attempt("verify", tell, verified)


def _attempt(what: str, tell: Tell, run: Callable[[], Any]) -> Any:
    """What a function returns; None where it raises, which is told."""
    try:
        return run()
    except PortingError as error:
        tell({"failed": what, "error": show(error.message, 500)})
    except (Exception, SystemExit) as error:
        tell({"failed": what, "error": f"{type(error).__name__}: {show(error, 500)}"})
    return None


def _shapes(portfile: Portfile, side: Side, model: torch.nn.Module | None = None, **flags: bool) -> Returned:
    """The shapes of what a side returns, in their order."""
    built = portfile.build(side) if model is None else model
    given = portfile.inputs(side)
    with torch.no_grad():
        result = portfile.run(side, built, replace(given, kwargs={**given.kwargs, **flags}))
    return [tuple(leaf.shape) for _, leaf in flatten(result)[1] if isinstance(leaf, torch.Tensor)]


def _agreeing(portfile: Portfile, plain: Returned, request: Mapping[str, Any]) -> tuple[str, dict[str, bool]]:
    """The class of the port, and the flag of the original's forward, with which both return the same shapes.

    The first class without a flag goes before the others, and before flags; if nothing agrees, it is taken.
    """
    config = portfile.config()
    classes = {name: getattr(transformers, name) for name in request["classes"]}
    wanted: dict[str, Returned] = {}
    for name, kind in classes.items():
        with contextlib.suppress(Exception):  # a class may need more than the inputs, as one with labels does
            wanted[name] = _shapes(portfile, "ported", kind(config).eval())
    original = portfile.build("original")
    ways: list[tuple[dict[str, bool], Returned]] = [({}, plain)]
    for flag, value in request["flags"].items():
        with contextlib.suppress(Exception):  # a flag may ask for anything
            ways.append(({flag: value}, _shapes(portfile, "original", original, **{flag: value})))
    for agree in (list.__eq__, _begins):
        for flags, found in ways:
            for name, its in wanted.items():
                if agree(found, its):
                    return name, flags
    return request["classes"][0], {}


def _begins(found: Returned, wanted: Returned) -> bool:
    """Whether the first of both are the same."""
    return found[:1] == wanted[:1]


def _infer(
    portfile: Portfile, functions: Mapping[str, Callable[..., Any]], request: Mapping[str, Any], tell: Tell
) -> bool:
    from porting.weights.inference.portfiles import infer_portfile

    found = infer_portfile(replace(portfile, functions=functions), request["checkpoint"])
    tell({"rules": found.python(), "lacking": list(found.missing)})
    return True


if __name__ == "__main__":
    sys.exit(main())
