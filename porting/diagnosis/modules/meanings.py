"""What a setting means, whatever it is called, and which cause a wrong one is."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a setting is about.

    Attributes:
        code: of the cause that a wrong value is.
        names: parts of names, in lower case without underscores, any of which tells it.
        exact: whether the name must be one of these and not only hold it.
        classes: parts of class names, one of which the module must have; empty: any module.
    """

    code: str
    names: tuple[str, ...]
    exact: bool = False
    classes: tuple[str, ...] = ()


_ATTENTION, _CONVOLUTION = ("attn", "attention"), ("conv",)
MEANINGS = (
    Meaning("head-count", ("numkeyvalueheads", "numkvheads", "nkvheads", "kvheads", "nquerygroups"), exact=True),
    Meaning("head-count", ("numattentionheads", "numheads", "nheads", "nhead", "heads"), exact=True),
    Meaning("attention-window", ("slidingwindow", "windowsize", "localwindow", "attentionwindow")),
    Meaning("rope-theta", ("ropetheta", "rotarybase", "ropebase", "theta", "rotaryembbase")),
    Meaning("expert-routing", ("normtopk", "renormalize", "normalizeexpert", "normalizegate", "moenormalize")),
    Meaning("expert-routing", ("routedscaling", "routescale")),
    Meaning("expert-routing", ("topkgroup", "ntopkgroup", "limitedgroups")),
    Meaning("expert-routing", ("topk", "numexpertspertok", "nexpertpertoken", "nactivatedexperts", "moek")),
    Meaning("padding-idx", ("paddingidx", "padtokenid")),
    Meaning("softcap", ("softcap", "logitcap")),
    Meaning("causal-mask", ("iscausal", "causal"), exact=True, classes=_ATTENTION),
    Meaning("conv-geometry", ("causal", "padmode", "paddingmode", "stride", "dilation"), classes=_CONVOLUTION),
    Meaning("conv-geometry", ("padding", "groups"), exact=True, classes=_CONVOLUTION),
    Meaning("activation", ("negativeslope", "alpha", "beta", "approximate"), exact=True),
    Meaning("pooling", ("kernelsize", "ceilmode", "countincludepad"), exact=True, classes=("pool",)),
    Meaning("position-offset", ("offset", "positionoffset"), exact=True),
    Meaning("norm-type", ("numgroups",), exact=True, classes=("norm",)),
    Meaning("norm-placement", ("prenorm", "normfirst", "normalizebefore")),
    Meaning("rope-layout", ("ropeinterleav", "rotaryinterleav")),
    Meaning("attention-scale", ("scale", "scaling", "softmaxscale", "attnscale"), exact=True, classes=_ATTENTION),
    Meaning("missing-scale", ("embedscale", "embeddingscale", "outputscale", "logitscale", "residualscale")),
)
"""Settings that make two modules compute different things, the special before the general."""


def meaning_of(name: str, class_name: str) -> Meaning | None:
    """What a setting of a module of some class means; None if that is not known."""
    plain, owner = name.lower().replace("_", ""), class_name.lower()
    for meaning in MEANINGS:
        named = plain in meaning.names if meaning.exact else any(part in plain for part in meaning.names)
        if named and (not meaning.classes or any(part in owner for part in meaning.classes)):
            return meaning
    return None


def same_meaning(settings: Mapping[str, Any], class_name: str, meaning: Meaning) -> list[tuple[str, Any]]:
    """The settings of a module that mean the same, with their values."""
    return [(name, literal(value)) for name, value in settings.items() if meaning_of(name, class_name) is meaning]


def literal(value: Any) -> Any:
    """A setting as a trace holds it, with tuples, which it holds as text, as tuples again."""
    return ast.literal_eval(value) if isinstance(value, str) and value.startswith("(") else value
