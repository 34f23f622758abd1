"""What goes into both models: small seeded inputs, two rows, of different lengths where a mask can say so."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from porting.scaffold.concepts import by_concept
from porting.scaffold.reading import Argument

LENGTH, SHORT = 16, 11
SAMPLES = 8000
"""Samples of a sound."""
TOKENS = ("input_ids", "ids", "idx", "tokens", "token_ids", "input_tokens", "text", "src", "tokens_ids")
IMAGES = ("pixel_values", "pixels", "image", "images", "img", "imgs")
FEATURES = ("input_features", "mel", "mels", "fbank", "spectrogram")
SOUNDS = ("input_values", "audio", "wav", "waveform", "wave")


@dataclass(frozen=True)
class Feed:
    """The inputs.

    Attributes:
        title: in one line.
        kind: ``text``, ``image``, ``features`` or ``sound``; an empty text where it is not known.
        main: the name of the first of them.
        shape: of it, if it is no text.
        low: the least id of a text, which is no special token.
        high: one more than the greatest.
        length: of the longer row.
        short: of the shorter one.
        padding: the id after its end.
        mask: whether there is an attention mask, which both sides take.
        types: whether there are token types, which both sides take.
        decoder: whether there are ids for a decoder.
        beside: the name and the shape of images or sounds that go with a text.
        renamed: the original's names for them, where they are others.
        left: what a person has to write.
    """

    title: str = "The inputs of both forwards"
    kind: str = ""
    main: str = "x"
    shape: tuple[int, ...] = (2, 8)
    low: int = 1
    high: int = 2
    length: int = LENGTH
    short: int = SHORT
    padding: int = 0
    mask: bool = False
    types: bool = False
    decoder: bool = False
    beside: tuple[str, tuple[int, ...]] | None = None
    renamed: tuple[tuple[str, str], ...] = ()
    left: tuple[str, ...] = ()

    @property
    def names(self) -> list[str]:
        """The names of the arguments, in their order."""
        more = {"attention_mask": self.mask, "token_type_ids": self.types, "decoder_input_ids": self.decoder}
        beside = [self.beside[0]] if self.beside else []
        return [self.main, *beside, *(name for name, there in more.items() if there)]


def feed_port(model_class: type, config: Any, forward: Sequence[Argument] | None) -> Feed:
    """Inputs that the port takes, and an original with this forward, too; None if that is not known.

    Args:
        model_class: of the port.
        config: of the port.
        forward: the original's arguments.
    """
    main = str(getattr(model_class, "main_input_name", "input_ids"))
    takes = frozenset(inspect.signature(model_class.forward).parameters)  # type: ignore[attr-defined]
    decoder = bool(getattr(config, "is_encoder_decoder", False)) and "decoder_input_ids" in takes
    theirs = None if forward is None else frozenset(each.name for each in forward)
    both = takes if theirs is None else takes & theirs
    kind = kind_of(main)
    settings = _settings(config)
    low, high = _ordinary(settings)
    length = max(min(LENGTH, int(by_concept(settings).get("positions", LENGTH)) - 2), 2)
    return _named(
        forward,
        Feed(
            title=_TITLES.get(kind, Feed.title),
            kind=kind,
            main=main,
            shape=_shape(kind, settings),
            low=low,
            high=high,
            length=length,
            short=max(length * 2 // 3, 1),
            padding=_number(settings, "pad_token_id", 0),
            mask=kind == "text" and "attention_mask" in both,
            types=kind == "text" and "token_type_ids" in both and _number(settings, "type_vocab_size", 0) > 1,
            decoder=decoder,
            beside=_beside(kind, model_class, settings, forward),
            left=() if kind else (f"inputs for {main}, which is not of a usual kind",),
        ),
    )


def _beside(
    kind: str, model_class: type, settings: Mapping[str, Any], forward: Sequence[Argument] | None
) -> tuple[str, tuple[int, ...]] | None:
    """Images or sounds that a port takes beside a text, where the original's forward takes such, too."""
    takes = inspect.signature(model_class.forward).parameters  # type: ignore[attr-defined]
    theirs = None if forward is None else {kind_of(each.name) for each in forward}
    others = [(name, kind_of(name)) for name in takes if kind_of(name) not in ("", "text")]
    found = [(name, other) for name, other in others if theirs is None or other in theirs]
    return (found[0][0], _shape(found[0][1], settings)) if kind == "text" and found else None


def feed_original(forward: Sequence[Argument] | None, settings: Mapping[str, Any], facts: Mapping[str, Any]) -> Feed:
    """Inputs for an original alone, as far as its forward says what they are."""
    required = [each for each in forward or () if each.required]
    first = required[0].name if required else ""
    sizes = {**{name: found[0] for name, found in facts.items() if found}, **by_concept(dict(settings))}
    kind = kind_of(first) or ("text" if facts.get("vocabulary") and not facts.get("patch") else "")
    named = {"vocab_size": sizes.get("vocabulary", 2), "image_size": sizes.get("image", 224)}
    named |= {"num_channels": sizes.get("channels", 3)}
    if not kind or not first:
        return Feed(left=("the inputs of both forwards: two rows, of different lengths where they can be",))
    low, high = _ordinary(named)
    left = tuple(f"{each.name}, which the original's forward takes, too" for each in required[1:])
    return Feed(title=_TITLES[kind], kind=kind, main=first, shape=_shape(kind, named), low=low, high=high, left=left)


def kind_of(name: str) -> str:
    """The kind of an input by its name; an empty text for a name that says nothing."""
    kinds = {"text": TOKENS, "image": IMAGES, "features": FEATURES, "sound": SOUNDS}
    return next((kind for kind, names in kinds.items() if name.lower() in names), "")


_TITLES = {
    "text": "Two rows of random ids that are no special tokens",
    "image": "Two images of random values",
    "features": "Two spectrograms of random values",
    "sound": "Two sounds of random values",
}


def _named(forward: Sequence[Argument] | None, feed: Feed) -> Feed:
    """The same with the original's own names, where they are others."""
    if forward is None:
        return feed
    theirs = [each.name for each in forward]
    beside = [feed.beside[0]] if feed.beside else []
    wanted = [*beside, feed.main, *(["decoder_input_ids"] if feed.decoder else [])]
    required = [each.name for each in forward if each.required] or theirs[: len(beside) + 1]
    pairs = {new: new if new in theirs else None for new in feed.names}
    spare = [name for name in required if name not in pairs.values()]
    for new in wanted:
        if pairs[new] is None and spare:
            pairs[new] = next((name for name in spare if kind_of(name) == kind_of(new)), spare[0])
            spare.remove(str(pairs[new]))
    left = [f"{name}, which the original's forward takes, too" for name in spare]
    left += [f"where the original's forward takes {new}" for new in wanted if pairs[new] is None]
    renamed = tuple((old, new) for new, old in pairs.items() if old is not None)
    same = all(old == new for old, new in renamed)
    return replace(feed, renamed=() if same else renamed, left=(*feed.left, *left))


def _settings(config: Any) -> dict[str, Any]:
    """A config's settings, those of an inner text or vision config, too."""
    found = config.to_dict()
    inner = [value for value in found.values() if isinstance(value, dict)]
    return {**{str(key): value for each in inner for key, value in each.items()}, **found}


def _ordinary(settings: Mapping[str, Any]) -> tuple[int, int]:
    """The longest range of ids without a special token."""
    size = max(_number(settings, "vocab_size", 2), 2)
    special = {value for name, value in settings.items() if name.endswith("_token_id") and type(value) is int}
    marks = [-1, *sorted(value for value in special if 0 <= value < size), size]
    low, high = max(pairwise(marks), key=lambda gap: gap[1] - gap[0])
    return (low + 1, high) if high - low > 1 else (0, size)


def _shape(kind: str, settings: Mapping[str, Any]) -> tuple[int, ...]:
    if kind == "image":
        size = settings.get("image_size", 224)
        sides = tuple(size)[:2] if isinstance(size, (list, tuple)) and len(size) > 1 else (size, size)
        height, width = (side if type(side) is int else 224 for side in sides)
        return 2, _number(settings, "num_channels", 3), height, width
    if kind == "features":
        return 2, _number(settings, "num_mel_bins", 80), 2 * _number(settings, "max_source_positions", 50)
    channels = _number(settings, "audio_channels", 0)
    return (2, channels, SAMPLES) if channels else (2, SAMPLES)


def _number(settings: Mapping[str, Any], name: str, default: int) -> int:
    value = settings.get(name)
    return value if type(value) is int and value >= 0 else default
