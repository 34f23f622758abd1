"""Run a portfile that is being written, in a process of its own; started by `proving`.

    python -m porting.scaffold.child REQUEST.json

What was found is told in JSON objects, one a line, to the file descriptor that the request names.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from porting.errors import PortingError
from porting.portfile import Portfile
from porting.quieting import quiet
from porting.text import show
from porting.trace import flatten

Tell = Callable[[Mapping[str, Any]], None]


def main() -> int:
    """Do what the request says."""
    request = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    os.set_inheritable(request["messages"], False)

    def tell(message: Mapping[str, Any]) -> None:
        os.write(request["messages"], (json.dumps(message) + "\n").encode("ascii"))

    with quiet():
        {"explore": explore, "prove": prove}[request["do"]](request, tell)
    return 0


def explore(request: Mapping[str, Any], tell: Tell) -> None:
    """Run the original; find the flags with which it returns what the port returns, and the rules."""
    portfile = Portfile.load(request["portfile"], both_sides=False)
    live = _attempt("original()", tell, lambda: _shapes(portfile, "original")) if request["live"] else None
    flags: dict[str, bool] = {}
    if live is not None and request["port"]:
        flags = _attempt("the port", tell, lambda: _flags(portfile, live, request["flags"])) or {}
        tell({"flags": flags})
    if request["infer"]:
        functions = dict(portfile.functions)
        if flags:
            functions["run_original"] = lambda model, inputs: model(**inputs, **flags)
        if live is None and portfile.original_python is None:
            del functions["original"]
        _attempt("rules()", tell, lambda: _infer(replace(portfile, functions=functions), request["checkpoint"], tell))


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


def _shapes(portfile: Portfile, side: Any, model: Any = None, **flags: bool) -> list[tuple[int, ...]]:
    """The shapes of what a side returns, in their order."""
    built = portfile.build(side) if model is None else model
    given = portfile.inputs(side)
    with torch.no_grad():
        result = portfile.run(side, built, replace(given, kwargs={**given.kwargs, **flags}))
    return [tuple(leaf.shape) for _, leaf in flatten(result)[1] if isinstance(leaf, torch.Tensor)]


def _flags(portfile: Portfile, plain: list[tuple[int, ...]], flags: Mapping[str, bool]) -> dict[str, bool]:
    """The one flag with which the original returns the shapes that the port returns; none where it does already."""
    port = portfile.ported_class()(portfile.config()).eval()
    wanted = _shapes(portfile, "ported", port)
    if plain == wanted or not flags:
        return {}
    original = portfile.build("original")
    for name, value in flags.items():
        try:
            found: Any = _shapes(portfile, "original", original, **{name: value})
        except Exception:  # a flag may ask for anything
            found = None
        if found == wanted:
            return {name: value}
    return {}


def _infer(portfile: Portfile, checkpoint: str, tell: Tell) -> None:
    from porting.weights.inference.portfiles import infer_portfile

    found = infer_portfile(portfile, checkpoint)
    tell({"rules": found.python(), "lacking": list(found.missing), "verdict": found.verdict})


if __name__ == "__main__":
    sys.exit(main())
