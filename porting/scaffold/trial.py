"""Build the original in its own interpreter, in one way after another; started by `trying`.

This file is copied into an empty folder beside `fitting`, and runs there alone: the standard library, torch, and what
the original itself imports.

    python porting_trial.py REQUEST.json

The request names the classes that may be the model and what is known of its settings. Messages go to its file
descriptor, one JSON object a line: what failed and why, and at the end what was built.
"""

import importlib
import json
import os
import sys
import warnings
from contextlib import contextmanager
from typing import Any, Dict, Iterator, List, Optional

PLAIN = (bool, int, float, str, type(None))
SECONDS = 20.0
"""Seconds for finding the settings of one class."""
FEW, FAR = 0.02, 0.2
"""The shares of a checkpoint's tensors that a class may leave over: for sure to be the model, and at all."""


def main() -> int:
    """Try everything; the first that fits a checkpoint ends it."""
    with open(sys.argv[1], encoding="utf-8") as file:
        request = json.load(file)
    descriptor = request["messages"]
    os.set_inheritable(descriptor, False)
    warnings.simplefilter("ignore")
    if request["path"]:
        sys.path.insert(0, request["path"])

    def tell(message: Dict[str, Any]) -> None:
        os.write(descriptor, (json.dumps(message) + "\n").encode("ascii"))

    for number, candidate in enumerate(request["candidates"]):
        for way in WAYS:
            try:
                found = way(candidate, request)
            except (Exception, SystemExit) as error:
                tell({"failed": number, "way": way.__name__, "error": f"{type(error).__name__}: {error}"})
                continue
            if found is not None:
                tell({"built": dict(found, candidate=number, way=way.__name__)})
                if not found["missing"] and len(found["unused"]) <= FEW * len(request["tensors"]):
                    return 0
    return 0


def loader(candidate: Dict[str, Any], request: Dict[str, Any]) -> Optional[Dict[str, Any]]:
    """Let the class load the checkpoint itself; it counts where every tensor has the checkpoint's values."""
    if not request["file"] or not candidate["loaders"]:
        return None
    import torch

    kind, problem = find(candidate), None
    for name in candidate["loaders"]:
        for path in (request["checkpoint"], request["file"]):
            try:
                model = getattr(kind, name)(path)
            except (Exception, SystemExit) as error:
                problem = problem or error
                continue
            if isinstance(model, torch.nn.Module) and holds(model, saved_tensors(request)):
                whole = path == request["checkpoint"]
                return {"loader": name, "folder": whole, "settings": {}, "open": [], "missing": [], "unused": []}
    if problem is not None:
        raise problem
    return None


def holds(model: Any, saved: Dict[str, Any]) -> bool:
    """Whether every parameter of a model has the values of the checkpoint's tensor of its name."""
    import torch

    state = dict(model.named_parameters())
    return bool(state) and all(
        name in saved and saved[name].shape == value.shape and torch.equal(saved[name].to(value.dtype), value.cpu())
        for name, value in state.items()
    )


def saved_tensors(request: Dict[str, Any]) -> Dict[str, Any]:
    """The checkpoint's tensors; nothing in its file is run."""
    if request["file"].endswith(".safetensors"):
        from safetensors.torch import load_file

        return dict(load_file(request["file"]))
    import torch

    saved = torch.load(request["file"], map_location="cpu", weights_only=True)
    for key in request["inside"]:
        saved = saved[key]
    return dict(saved)


def settings(candidate: Dict[str, Any], request: Dict[str, Any]) -> Optional[Dict[str, Any]]:
    """Build it from settings: those that are known, and those with which it has the checkpoint's shapes."""
    from porting_facts import facts_of  # type: ignore[import-not-found]
    from porting_fitting import BY_NAME, fit, unseen  # type: ignore[import-not-found]

    wanted = {name: tuple(shape) for name, shape in request["tensors"].items()}
    kind = find(candidate)
    config = find(candidate["config"]) if candidate["config"] else None
    arguments = (candidate["config"] or candidate)["arguments"]
    concepts = {each["name"]: concept(each["name"], request["concepts"]) for each in arguments}
    known = given(arguments, concepts, request["values"], request["concepts"])
    facts = facts_of(wanted) if wanted else {}
    guessed = {
        each["name"]: first(each, concepts[each["name"]], facts)
        for each in arguments
        if each["name"] not in known and facts.get(concepts[each["name"]] or "")
    }
    start = dict(guessed, **known)

    def build(values: Dict[str, Any], meta: bool = True) -> Any:
        with placed(meta):
            return kind(config(**values)) if config else kind(**values)

    meta = works(build, start)
    prefix = common_prefix(shapes_of(build(start, meta)), wanted) if wanted else ""

    def measure(values: Dict[str, Any]) -> Any:
        try:
            return {prefix + name: shape for name, shape in shapes_of(build(values, meta)).items()}
        except (Exception, SystemExit):
            return None

    if not wanted:
        return {"settings": start, "open": [], "missing": [], "unused": [], "prefix": "", "loader": ""}
    options = {name: list(dict.fromkeys([*facts[concepts[name] or "dims"], *facts["dims"]]))[:24] for name in guessed}
    found, _ = fit(measure, start, options, wanted, BY_NAME, SECONDS)
    model = build(found, meta)
    have = {prefix + name: shape for name, shape in shapes_of(model).items()}
    wrong = sorted(name for name in have if name in wanted and wanted[name] != have[name])
    missing = sorted(set(have) - set(wanted) | set(wrong))
    unused = sorted(set(wanted) - set(have) | set(wrong))
    if max(len(missing), len(unused)) > FAR * len(wanted):
        lacks = f"{len(missing)} of its tensors are not in the checkpoint"
        raise ValueError(f"{lacks}, and {len(unused)} of the checkpoint's are not in it")
    same = again(model, missing, prefix)
    return {
        "settings": found,
        "open": unseen(
            measure,
            found,
            [name for name in guessed if concepts[name] == "heads"],
            [name for name in guessed if concepts[name] in ("heads", "groups")],
        ),
        "missing": [name for name in missing if name not in same],
        "tied": sorted(same),
        "unused": unused,
        "prefix": prefix,
        "loader": "",
    }


WAYS = (loader, settings)


def first(argument: Dict[str, Any], meaning: Any, facts: Dict[str, Any]) -> int:
    """What a setting is taken for: heads, which no shape tells, for the default of the code if that can be."""
    default = argument["default"]
    if meaning == "heads" and type(default) is int and default > 0 and facts["hidden"][0] % default == 0:
        return default
    return int(facts[meaning][0])


def find(what: Dict[str, Any]) -> Any:
    """Import a class or a function."""
    found: Any = importlib.import_module(what["module"])
    return getattr(found, what["name"])


def concept(name: str, concepts: Dict[str, List[str]]) -> Optional[str]:
    """What a setting of this name says."""
    lowered = name.lower()
    for meaning, names in concepts.items():
        if lowered in names:
            return meaning
    whole = [m for m, names in concepts.items() for each in names if len(each) > 8 and lowered.startswith(each)]
    return whole[0] if whole else None


def given(
    arguments: List[Dict[str, Any]], meanings: Dict[str, Any], values: Dict[str, Any], concepts: Dict[str, List[str]]
) -> Dict[str, Any]:
    """The settings that are known: under their own names, else under another name of the same concept."""
    found = {}
    told = {concept(name, concepts): value for name, value in values.items() if type(value) is int}
    for each in arguments:
        name = each["name"]
        if name in values and isinstance(values[name], (*PLAIN, list, dict)):
            found[name] = values[name]
        elif meanings[name] is not None and meanings[name] in told:
            found[name] = told[meanings[name]]
    return found


def works(build: Any, values: Dict[str, Any]) -> bool:
    """Whether it can be built without memory for its tensors."""
    try:
        build(values, True)
    except (Exception, SystemExit):
        return False
    return True


@contextmanager
def placed(meta: bool) -> Iterator[None]:
    """New tensors are on the meta device, where torch can do that."""
    import torch

    if meta and hasattr(torch, "get_default_device"):
        with torch.device("meta"):
            yield
    else:
        yield


def shapes_of(model: Any) -> Dict[str, Any]:
    """The shapes of what it saves."""
    return {name: tuple(value.shape) for name, value in model.state_dict().items() if hasattr(value, "shape")}


def common_prefix(have: Dict[str, Any], wanted: Dict[str, Any]) -> str:
    """What stands before every name of the model in the checkpoint: ``module.``, say, or nothing."""
    fronts = {""} | {".".join(name.split(".")[:depth]) + "." for name in wanted for depth in (1, 2)}
    return max(sorted(fronts), key=lambda front: sum(front + name in wanted for name in have))


def again(model: Any, names: List[str], prefix: str) -> List[str]:
    """Those of some tensors that are another of the model's once more, as tied weights are."""
    seen: Dict[int, List[str]] = {}
    for name, value in model.state_dict(keep_vars=True).items():
        seen.setdefault(id(value), []).append(prefix + name)
    groups = [group for group in seen.values() if len(group) > 1 and not set(group) <= set(names)]
    return [name for group in groups for name in group if name in names]


if __name__ == "__main__":
    sys.exit(main())
