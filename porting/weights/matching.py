"""Which checkpoint tensor belongs to which tensor of the model, by name; and what that leaves over."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import torch

from porting.errors import PortingError
from porting.folding import fold
from porting.text import show
from porting.weights.report import Finding, Remark, Spec
from porting.weights.source import spec

Rules = Callable[[str], str | None] | Mapping[str, str | None]
"""Checkpoint name to model name, None for one that is left out on purpose; a mapping keeps other names."""


@dataclass(frozen=True)
class ModelTensors:
    """The parameters and persistent buffers of a model.

    Attributes:
        tensors: as in its state dict, tied ones under each of their names.
        ties: for each name that shares its tensor, the other names: by identity, or declared to Transformers.
        prefix: the base model's attribute in a model with a head (``"bert."``), or nothing.
    """

    tensors: Mapping[str, torch.Tensor]
    ties: Mapping[str, tuple[str, ...]]
    prefix: str

    @classmethod
    def of(cls, model: torch.nn.Module) -> ModelTensors:
        """Collect them from a live model or one on the meta device."""
        state = model.state_dict(keep_vars=True)
        tensors = {name: value for name, value in state.items() if isinstance(value, torch.Tensor)}
        prefix = getattr(model, "base_model_prefix", "")
        return cls(tensors, _ties(model, tensors), f"{prefix}." if isinstance(prefix, str) and prefix else "")


@dataclass(frozen=True)
class Matching:
    """The outcome.

    Attributes:
        pairs: model name to the checkpoint name of equal shape whose data it should hold.
        tied: the same for names that the checkpoint lacks, through a name they are tied to.
        findings: COLLISION, MISMATCH, MISSING, UNEXPECTED, DTYPE and TIED.
        warnings: on prefixes and rules.
    """

    pairs: Mapping[str, str]
    tied: Mapping[str, str]
    findings: tuple[Finding, ...]
    warnings: tuple[Remark, ...]


def match(checkpoint: Mapping[str, Spec], model: ModelTensors, rules: Rules | None = None) -> Matching:
    """Match names after the rules and, like ``from_pretrained``, with the base prefix added or removed.

    Raises:
        PortingError: the rules are not usable.
    """
    renamed = {name: _rename(rules, name) for name in checkpoint}
    sources: dict[str, list[str]] = {}
    unexpected = []
    for name, wanted in renamed.items():
        if wanted is None:
            continue
        target = _place(wanted, model)
        if target is None:
            unexpected.append(Finding("UNEXPECTED", name, checkpoint=checkpoint[name]))
        else:
            sources.setdefault(target, []).append(name)
    pairs, tied, findings = _judge(checkpoint, model, sources)
    warnings = (*_prefix_remark(model, sources, renamed), *_rule_remarks(rules, renamed))
    return Matching(pairs, tied, (*findings, *unexpected), warnings)


def _judge(
    checkpoint: Mapping[str, Spec], model: ModelTensors, sources: Mapping[str, list[str]]
) -> tuple[dict[str, str], dict[str, str], list[Finding]]:
    pairs: dict[str, str] = {}
    tied: dict[str, str] = {}
    findings = []
    for name, tensor in model.tensors.items():
        own = spec(name, tensor)
        given = sources.get(name, [])
        if len(given) == 1 and checkpoint[given[0]].shape == own.shape:
            pairs[name] = given[0]
            if checkpoint[given[0]].dtype != own.dtype:
                findings.append(Finding("DTYPE", name, checkpoint[given[0]], own))
        elif given:
            findings.append(_unusable(name, own, checkpoint, given))
        elif partners := [other for other in model.ties.get(name, ()) if other in sources]:
            tied[name] = sources[partners[0]][0]
            findings.append(Finding("TIED", name, model=own, other=(partners[0],)))
        else:
            findings.append(Finding("MISSING", name, model=own))
    return pairs, tied, findings


def _unusable(name: str, own: Spec, checkpoint: Mapping[str, Spec], given: list[str]) -> Finding:
    if len(given) > 1:
        return Finding("COLLISION", name, model=own, other=tuple(given))
    found = checkpoint[given[0]]
    turned = len(own.shape) == 2 and found.shape == own.shape[::-1]
    return Finding("MISMATCH", name, found, own, note="transposed?" if turned else "")


def _rename(rules: Rules | None, name: str) -> str | None:
    if rules is None:
        return name
    if isinstance(rules, Mapping):
        wanted = rules.get(name, name)
    elif callable(rules):
        try:
            wanted = rules(name)
        except Exception as error:
            raise PortingError(f"the rules raised {type(error).__name__} for {show(name)}: {show(error)}") from error
    else:
        raise PortingError(
            f"rules must be a mapping of names or a function of a name, and is a {show(type(rules).__name__)}",
            hint="a list of conversion rules is not read yet: give the names that result from them",
        )
    if wanted is not None and not isinstance(wanted, str):
        raise PortingError(f"the rules must give a name or None, and gave {show(wanted)} for {show(name)}")
    return wanted


def _place(name: str, model: ModelTensors) -> str | None:
    candidates = [name]
    if model.prefix:
        candidates += [name.removeprefix(model.prefix), model.prefix + name]
    return next((candidate for candidate in candidates if candidate in model.tensors), None)


def _prefix_remark(
    model: ModelTensors, sources: Mapping[str, list[str]], renamed: Mapping[str, str | None]
) -> Iterable[Remark]:
    changed = [(renamed[name], target) for target, names in sources.items() for name in names]
    for verb, longer in (("adding", 1), ("removing", 0)):
        count = sum(pair[longer] == model.prefix + str(pair[1 - longer]) for pair in changed)
        if model.prefix and count:
            yield Remark(
                "base-model-prefix",
                f"{count:,} names match after {verb} {show(model.prefix)}, as from_pretrained does",
            )


def _rule_remarks(rules: Rules | None, renamed: Mapping[str, str | None]) -> Iterable[Remark]:
    if dropped := [name for name, wanted in renamed.items() if wanted is None]:
        yield Remark("dropped", f"left out by the rules: {_listing(dropped)}")
    if isinstance(rules, Mapping) and (idle := [str(name) for name in rules if name not in renamed]):
        yield Remark("unused-rule", f"rules for names that the checkpoint lacks: {_listing(idle)}")


def _listing(names: list[str]) -> str:
    return ", ".join(show(row.name) for row in fold(names))


def _ties(model: torch.nn.Module, tensors: Mapping[str, torch.Tensor]) -> dict[str, tuple[str, ...]]:
    shared: dict[int, list[str]] = {}
    for name, tensor in tensors.items():
        shared.setdefault(id(tensor), []).append(name)
    partners: dict[str, list[str]] = {
        name: [other for other in names if other != name] for names in shared.values() for name in names
    }
    for target, source in _declared_ties(model).items():
        if target in partners and source in partners:
            partners[target].append(source)
            partners[source].append(target)
    return {name: tuple(dict.fromkeys(others)) for name, others in partners.items() if others}


def _declared_ties(model: torch.nn.Module) -> Mapping[str, str]:
    declared = getattr(model, "all_tied_weights_keys", None)
    if declared is None:
        declared = getattr(model, "_tied_weights_keys", None)
    return declared if isinstance(declared, Mapping) else {}
