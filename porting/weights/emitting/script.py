"""Emit ``convert_<name>_to_hf.py``: a conversion script of its own, as reviewers of Transformers expect it."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from porting.errors import GenerationError
from porting.stubs.importing import imports
from porting.stubs.literals import snake
from porting.stubs.rendering import render
from porting.stubs.written import Call
from porting.text import show
from porting.weights.emitting.operations import functions_of, helpers_of, sizes_of, step_of
from porting.weights.emitting.prepared import Applied, Dropped, Prepared
from porting.weights.emitting.regexes import bare_regex, excluding, named_regex, numbered_regex, replacement

TEMPLATE = "convert_script.py.jinja"
AUTO = {"tokenizer": "AutoTokenizer", "processor": "AutoProcessor"}


def script_text(
    prepared: Prepared,
    name: str,
    kind: str,
    *,
    saved: Sequence[str] = (),
    verified: Mapping[str, Any] | None = None,
) -> str:
    """The script.

    Args:
        prepared: the rules, and what they do.
        name: of the model.
        kind: of the checkpoint's files: ``"safetensors"``, ``"torch"`` or ``"npz"``.
        saved: ``"tokenizer"`` and ``"processor"``, if they are to be saved with the model.
        verified: the variables of inputs and outputs of the original (`porting.stubs`), if there are any.

    Raises:
        GenerationError: something of the rules, the class or the config cannot be written as code.
    """
    if not hasattr(type(prepared.model), "from_pretrained"):
        raise GenerationError(
            f"{show(type(prepared.model).__name__)} has no from_pretrained, with which a script checks its result",
            hint="let the port inherit from transformers.PreTrainedModel",
        )
    operations = [operation for each in prepared.applied for operation in each.rule.operations]
    steps = [step_of(operation) for operation in operations]
    config = config_call(prepared.config)
    classes = [class_of(type(prepared.config)), class_of(type(prepared.model))]
    names: dict[str, Any] = {
        "model_class": classes[1][1],
        "kind": kind,
        "imports": imports((*classes, *(("transformers", AUTO[each]) for each in saved), *_readers(kind))),
        "saved": list(saved),
        "auto": AUTO,
        "helpers": helpers_of(steps),
        "sizes": sizes_of(steps),
        "functions": list(functions_of(operations).values()),
    }
    renamings, shifts = _renamings(prepared)
    conversions = [_conversion(each, prepared) for each in prepared.applied if not each.is_rename]
    data = {
        "year": datetime.now(UTC).year,
        "name": name,
        "renamings": renamings,
        "skipped": {_skipped(each, prepared): each.rule.reason for each in prepared.dropped},
        "conversions": conversions,
        "config": config,
        **(verified or {"outputs": []}),
    }
    names["has_shifts"] = shifts or any(_SHIFT.search(target) for each in conversions for target in each[1])
    return render(TEMPLATE, names, data)


_SHIFT = re.compile(r"\\g<\w+[+-]\d+>")


def script_name(name: str) -> str:
    """The file's name."""
    return f"convert_{snake(name)}_to_hf.py"


def class_of(kind: type) -> tuple[str, str]:
    """Module and name to import a class from: ``transformers`` itself where it has it.

    Raises:
        GenerationError: it cannot be imported.
    """
    import transformers

    name = kind.__name__
    if kind.__module__.split(".")[0] == "transformers" and hasattr(transformers, name):
        return "transformers", name
    module = kind.__module__
    try:
        found = None if module == "__main__" else getattr(importlib.import_module(module), kind.__qualname__, None)
    except ImportError:
        found = None
    if found is not kind:
        raise GenerationError(
            f"the class {show(name)} of {show(module)} cannot be imported by the emitted file",
            hint="define it at the top of a module of its own, not in the portfile or in a function",
        )
    return module, name


def config_call(config: Any) -> Call:
    """The call that makes an equal config.

    Raises:
        GenerationError: there is no config, or it holds something that is no literal.
    """
    from transformers import PretrainedConfig

    if not isinstance(config, PretrainedConfig):
        raise GenerationError(
            f"the port has no config of Transformers, but a {show(type(config).__name__)}",
            hint="let the portfile's config() return a PretrainedConfig, and the port inherit from PreTrainedModel",
        )
    for given in (config.to_diff_dict(), config.to_dict()):
        settings = {key: value for key, value in given.items() if key not in _NOT_SET}
        try:
            if _same(type(config)(**settings), config):
                return Call(type(config).__name__, (), settings)
        except Exception:  # noqa: S112 - a config's constructor may raise anything
            continue
    raise GenerationError(
        f"{show(type(config).__name__)}(**config.to_dict()) does not give the same config again",
        hint="let its constructor take every attribute that to_dict() has",
    )


_NOT_SET = ("model_type", "transformers_version", "architectures", "_name_or_path")


def _same(one: Any, other: Any) -> bool:
    a, b = one.to_dict(), other.to_dict()
    return all(a.get(key) == b.get(key) for key in a.keys() | b.keys() if key not in _NOT_SET)


def _readers(kind: str) -> list[tuple[str, str]]:
    return [("safetensors.torch", "load_file")] if kind == "safetensors" else []


def _renamings(prepared: Prepared) -> tuple[list[tuple[str, str]], bool]:
    """Patterns and replacements of the renamings, and whether a number is shifted in one."""
    found: dict[str, str] = {}
    any_shift = False
    renames = [each for each in prepared.applied if each.is_rename]
    for place, each in enumerate(renames):
        if each.is_idle and not any(later.takes(name) for later in renames[place + 1 :] for name in each.names):
            continue
        source = each.rule.sources[0]
        target, shifted = replacement(each.rule.targets[0], source, numbered=True)
        any_shift |= shifted
        found.setdefault(numbered_regex(source), target)
    return list(found.items()), any_shift


def _skipped(each: Dropped, prepared: Prepared) -> str:
    earlier = [other for other in prepared.applied if other.number < each.number]
    return excluding(bare_regex(each.rule.source), _regexes(other for other in earlier if _meet(each, other)))


def _conversion(each: Applied, prepared: Prepared) -> tuple[list[str], list[str], list[Any]]:
    earlier = [other for other in prepared.applied if other.number < each.number and other.is_rename]
    others = list(_regexes(other for other in earlier if _meet(each, other)))
    rule = each.rule
    sources = [excluding(named_regex(source, rule.key), others) for source in rule.sources]
    targets = [replacement(target, rule.sources[0], numbered=False)[0] for target in rule.targets]
    if any("*" in part for target in rule.targets for part in target.parts if isinstance(part, str)):
        raise GenerationError(f"the rule {rule} has a * in a name, which stands for a number in the script")
    return sources, targets, [step_of(operation) for operation in rule.operations]


def _meet(each: Applied | Dropped, other: Applied) -> bool:
    """Whether a rule matches names that an earlier one takes."""
    return any(each.takes(name) for name in other.names)


def _regexes(rules: Iterable[Applied]) -> Iterable[str]:
    return [bare_regex(source) for each in rules for source in each.rule.sources]
