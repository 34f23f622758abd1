"""Changes to a port's tokenizer, each a possible repair of one stage."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from porting.text import show
from porting.tokenizers import known
from porting.tokenizers.added import Added
from porting.tokenizers.sides import PortedTokenizer
from porting.tokenizers.stages import Stage
from porting.tokenizers.variants import State, components, extended, made_from, reduced, reset, sequence, state_of

if TYPE_CHECKING:
    from tokenizers import Tokenizer

Change = Callable[["Tokenizer"], "Tokenizer"]
MODEL_SETTINGS: Mapping[str, Sequence[Any]] = {
    "byte_fallback": (True, False),
    "fuse_unk": (True, False),
    "ignore_merges": (True, False),
    "dropout": (None,),
    "continuing_subword_prefix": ("##", ""),
    "end_of_word_suffix": ("</w>", ""),
    "max_input_chars_per_word": (100, 200, 1_000_000),
}
"""What a model of the tokenizers library may be set to."""
FLAGS = ("lstrip", "rstrip", "normalized", "single_word")


@dataclass(frozen=True)
class Repair:
    """A change to the port.

    Attributes:
        stage: that it changes.
        summary: what it is, as one would write it.
        change: makes it in a copy of the backend, and returns the tokenizer to use.
        numbers: ids to replace afterwards.
        rank: the plainer, the lower: 0 sets what is there otherwise, 1 takes a part out, 2 adds one, 3 replaces all.
    """

    stage: Stage
    summary: str
    change: Change
    numbers: Mapping[int, int] = field(default_factory=dict)
    rank: int = 0


def bank(ported: PortedTokenizer, original_added: Added, numbers: Mapping[int, int]) -> Iterator[Repair]:
    """All changes that can be tried on a port, those to what it has first.

    Args:
        ported: the port; only its backend of the tokenizers library can be changed.
        original_added: what the original adds around each text.
        numbers: the port's ids that the original numbers otherwise.
    """
    backend = ported.backend
    if backend is None:
        return
    yield from _numbered(ported, numbers)
    yield from _adding(ported, original_added)
    yield from _normalising(backend)
    yield from _splitting(backend)
    yield from _merging(ported)


def control_repairs(ported: PortedTokenizer, tokens: Sequence[str]) -> Iterator[Repair]:
    """Changes to how control tokens are found in a text; each reads the whole tokenizer again.

    Args:
        ported: the port.
        tokens: those on which the two sides differ, in the order of the original's ids.
    """
    import json

    if ported.backend is None:
        return
    data = json.loads(ported.backend.to_str())
    known_tokens = {entry["content"]: entry for entry in data["added_tokens"]}
    missing = [token for token in tokens if token not in known_tokens]
    if missing:
        said = ", ".join(show(token) for token in missing)
        yield Repair("special tokens", f"add special tokens: {said}", partial(_add_special, tokens=missing), rank=2)
    for flag in FLAGS:
        for token in (each for each in tokens if each in known_tokens):
            value = not known_tokens[token].get(flag)
            change = partial(_flagged, data=data, token=token, flag=flag, value=value)
            yield Repair("special tokens", f"{show(token)} with {flag}={value}", change, rank=2)


def describe_numbers(ported: PortedTokenizer, numbers: Mapping[int, int]) -> str:
    """The original's numbering in words: the first few pieces with their ids."""
    some = [f"{ported.piece(mine)} has id {other}, not {mine}" for mine, other in list(numbers.items())[:3]]
    more = f" and {len(numbers) - 3} more" if len(numbers) > 3 else ""
    return f"the original's numbering: {', '.join(some)}{more}"


def describe_added(ported: PortedTokenizer, added: Added) -> str:
    """What is to be added around a text, in words."""
    parts = ((added.before, "before"), (added.after, "after"))
    said = [f"{' '.join(ported.piece(number) for number in ids)} {place} each text" for ids, place in parts if ids]
    return f"add {' and '.join(said)}" if said else "add no special tokens"


def _numbered(ported: PortedTokenizer, numbers: Mapping[int, int]) -> Iterator[Repair]:
    if numbers:
        yield Repair("vocabulary", describe_numbers(ported, numbers), _as_it_is, numbers)


def _adding(ported: PortedTokenizer, added: Added) -> Iterator[Repair]:
    names = {number: ported.vocabulary.get(number) for number in (*added.before, *added.after)}
    if None not in names.values():
        before, after = ([str(names[number]) for number in part] for part in (added.before, added.after))
        change = partial(_template, before=before, after=after, ids=names)
        yield Repair("special tokens", describe_added(ported, added), change)
    backend = ported.backend
    value = not getattr(backend, "encode_special_tokens", False)
    yield Repair(
        "special tokens", f"split_special_tokens={value}", partial(_set, name="encode_special_tokens", value=value)
    )


def _normalising(backend: Tokenizer) -> Iterator[Repair]:
    state = state_of(backend.normalizer)
    if state is None and backend.normalizer is not None:
        return
    parts = components(state)
    whole = [(f"the normalizer {name}", list(more)) for name, more in known.NORMALIZERS.items() if parts]
    if len(parts) > 1:
        whole.append(("without a normalizer", []))
    yield from _variants("normalise", "normalizer", parts, known.NORMALIZERS, whole)


def _splitting(backend: Tokenizer) -> Iterator[Repair]:
    state = state_of(backend.pre_tokenizer)
    if state is None and backend.pre_tokenizer is not None:
        return
    parts = components(state)
    whole = [(f"the pre-tokenizer {name}", list(more)) for name, more in known.WHOLE.items()]
    prefix = any(part.get("add_prefix_space", False) for part in parts)
    for adds in (prefix, not prefix):
        said = f" and add_prefix_space={adds}" if adds != prefix else ""
        for name, pattern in known.PATTERNS.items():
            whole.append((f"the split pattern of {name}{said}", known.byte_level(pattern, prefix=adds)))
    yield from _variants("pre-tokenise", "pre_tokenizer", parts, known.PRE_TOKENIZERS, whole)


def _variants(
    stage: Stage,
    kind: str,
    parts: Sequence[State],
    more: Mapping[str, Sequence[State]],
    whole: Sequence[tuple[str, list[State]]],
) -> Iterator[Repair]:
    for rank, variants in enumerate((reset(parts), reduced(parts), extended(parts, more), whole)):
        for name, other in variants:
            change = partial(_component, kind=kind, state=sequence(other, kind))
            yield Repair(stage, name, change, rank=rank)


def _merging(ported: PortedTokenizer) -> Iterator[Repair]:
    assert ported.backend is not None
    model = ported.backend.model
    for name, values in MODEL_SETTINGS.items():
        present = getattr(model, name, None)
        for value in values if hasattr(model, name) else ():
            if value != present and (value or present):
                yield _setting("merge", name, value)
    if hasattr(model, "unk_token"):
        looks = [piece for piece in ported.vocabulary.values() if "unk" in piece.lower() and not piece.isalnum()]
        for token in looks[:16]:
            if token != model.unk_token:
                yield _setting("vocabulary", "unk_token", token)
    if type(model).__name__ == "BPE":
        yield _merges("merges in the order of the ids of what they make", "merges")
        yield _merges("all merges that the vocabulary allows, in the order of its ids", "vocabulary")


def _merges(summary: str, made_of: str) -> Repair:
    return Repair("merge", summary, partial(_reordered, made_of=made_of), rank=3)


def _setting(stage: Stage, name: str, value: Any) -> Repair:
    return Repair(stage, f"{name}={show(repr(value))}", partial(_set_model, name=name, value=value))


def set_in_model(model: Any, settings: Mapping[str, Any]) -> None:
    """Set a tokenizer's model otherwise, and have it forget what it made of words until now."""
    for name, value in settings.items():
        setattr(model, name, value)
    getattr(model, "_clear_cache", int)()


def _as_it_is(tokenizer: Tokenizer) -> Tokenizer:
    return tokenizer


def _set(tokenizer: Tokenizer, *, name: str, value: Any) -> Tokenizer:
    setattr(tokenizer, name, value)
    return tokenizer


def _set_model(tokenizer: Tokenizer, *, name: str, value: Any) -> Tokenizer:
    set_in_model(tokenizer.model, {name: value})
    return tokenizer


def _component(tokenizer: Tokenizer, *, kind: str, state: State | None) -> Tokenizer:
    setattr(tokenizer, kind, made_from(state, kind))
    return tokenizer


def _template(
    tokenizer: Tokenizer, *, before: list[str], after: list[str], ids: Mapping[int, str | None]
) -> Tokenizer:
    from tokenizers import processors

    by_name = {str(token): number for number, token in ids.items()}
    names = {token: f"special {place}" for place, token in enumerate(by_name)}  # a token's own text may hold a colon
    single = [*(names[token] for token in before), "$A", *(names[token] for token in after)]
    special = [{"id": names[token], "ids": [number], "tokens": [token]} for token, number in by_name.items()]
    tokenizer.post_processor = processors.TemplateProcessing(single=single, pair=["$A", "$B"], special_tokens=special)
    return tokenizer


def _add_special(tokenizer: Tokenizer, *, tokens: Sequence[str]) -> Tokenizer:
    from tokenizers import AddedToken
    from tokenizers import Tokenizer as Backend

    copied = Backend.from_str(tokenizer.to_str())
    copied.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in tokens])
    return copied


def _flagged(tokenizer: Tokenizer, *, data: dict[str, Any], token: str, flag: str, value: bool) -> Tokenizer:
    import json

    entries = [{**each, flag: value} if each["content"] == token else each for each in data["added_tokens"]]
    return type(tokenizer).from_str(json.dumps({**data, "added_tokens": entries}))


def _reordered(tokenizer: Tokenizer, *, made_of: str) -> Tokenizer:
    import json

    from transformers.tokenization_utils_base import generate_merges

    state = json.loads(tokenizer.model.__getstate__())
    vocabulary = state["vocab"]
    if made_of == "merges":
        pairs = [tuple(each) if isinstance(each, list) else tuple(each.split(" ")) for each in state["merges"]]
        pairs.sort(key=lambda pair: vocabulary.get("".join(pair), len(vocabulary)))
    else:
        pairs = generate_merges(vocabulary)
    model = type(tokenizer.model)()
    model.__setstate__(json.dumps({**state, "merges": pairs}).encode())
    tokenizer.model = model
    return tokenizer
