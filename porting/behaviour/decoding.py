"""A text read in pieces, with what a model keeps of the pieces before: its cache, or its states."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch

from porting.behaviour.agreement import agree
from porting.behaviour.subject import Subject
from porting.errors import CaptureError, PortingError
from porting.hooks.preserving import preserved, seed_everything
from porting.runs import Inputs
from porting.text import show

CACHES = ("past_key_values", "cache_params", "state")
"""Names under which models return what they keep, and take it again."""
RESULTS = ("logits", "last_hidden_state")
"""What has a place for each token, the first that there is."""
NOT_READ = ("labels", "decoder_labels", "use_cache", "return_dict", "logits_to_keep", "cache_position", *CACHES)
"""Arguments that are for a whole text, or that this room gives itself."""


class NotDecodable(PortingError):  # noqa: N818 - says what a model is, and is no mistake of anybody's
    """A model does not read a text in pieces; the message says why."""

    code = "not-decodable"


@dataclass(frozen=True)
class Reader:
    """A model that reads a text.

    Attributes:
        model: left as it was found by every reading.
        text: name of the argument with the tokens, int64 (batch, length).
        along: names of the arguments that have a value for each token: cut with it.
        masks: those of them that also speak of the tokens before: always given from the first token on.
        inputs: all arguments for the whole text, by name.
    """

    model: torch.nn.Module
    text: str
    along: tuple[str, ...]
    masks: tuple[str, ...]
    inputs: Mapping[str, Any]

    @classmethod
    def of(cls, model: torch.nn.Module, inputs: Inputs) -> Reader:
        """What a model is given, taken apart.

        Raises:
            NotDecodable: its forward has no argument for a cache, or is given no text.
        """
        parameters = inspect.signature(model.forward).parameters
        told = "use_cache" in parameters or any(each.kind is each.VAR_KEYWORD for each in parameters.values())
        if not set(CACHES) & set(parameters) or not told:
            raise NotDecodable(f"the port's forward takes no cache: none of {', '.join(CACHES)}, or no use_cache")
        names = [name for name, each in parameters.items() if each.kind is each.POSITIONAL_OR_KEYWORD]
        given = {**dict(zip(names, inputs.args, strict=False)), **inputs.kwargs}
        given = {name: value for name, value in given.items() if name not in NOT_READ and value is not None}
        text = next((name for name in ("decoder_input_ids", "input_ids") if _is_text(given.get(name))), None)
        if text is None:
            raise NotDecodable("the port's inputs hold no text of tokens (input_ids or decoder_input_ids)")
        own = [
            name
            for name, value in given.items()
            if isinstance(value, torch.Tensor)
            and value.shape[:2] == given[text].shape
            and value.dim() == 2
            and name.startswith("decoder_") == text.startswith("decoder_")
        ]
        return cls(model, text, tuple(own), tuple(name for name in own if "mask" in name), given)

    @property
    def length(self) -> int:
        """Tokens of the text."""
        return int(self.inputs[self.text].shape[1])

    @property
    def valid(self) -> torch.Tensor | None:
        """Which tokens count: bool (batch, length); None: all."""
        masks = [self.inputs[name].bool() for name in self.masks]
        return masks[0] if masks else None

    def whole(self, length: int | None = None) -> Mapping[str, torch.Tensor]:
        """Read the text, or its first tokens, at once and without a cache.

        Returns:
            The result under its own name: (batch, length, …).

        Raises:
            CaptureError: the forward raised.
            NotDecodable: it returns nothing with a place for each token.
        """
        length = self.length if length is None else length
        return self._result(self._run(self._cut(0, length), use_cache=False), self._shape(length))

    def in_pieces(
        self,
        sizes: Sequence[int],
        cache: Callable[[], object] | None = None,
        change: Callable[[dict[str, Any], int], dict[str, Any]] | None = None,
    ) -> Mapping[str, torch.Tensor]:
        """Read the text piece after piece, each with what was kept of those before.

        Args:
            sizes: of the pieces; together no more than the text.
            cache: makes what is kept before the first piece; else the model does.
            change: of the arguments of each piece but the first, given how many tokens were read before.

        Returns:
            As `whole`, the results of the pieces one after another.

        Raises:
            CaptureError: the forward raised.
            NotDecodable: the model keeps nothing.
        """
        kept: dict[str, Any] = {} if cache is None else {"past_key_values": cache()}
        parts: list[Mapping[str, torch.Tensor]] = []
        read = 0
        for size in sizes:
            arguments = self._cut(read, read + size, history=set(kept) <= {"past_key_values"})
            if change is not None and read:
                arguments = change(arguments, read)
            returned = self._run({**arguments, **kept}, use_cache=True)
            kept = _kept(returned)
            if not kept:
                raise NotDecodable("the port returns no cache, though it is told to use one")
            parts.append(self._result(returned, self._shape(size)))
            read += size
        (name,) = parts[0]
        return {name: torch.cat([part[name] for part in parts], dim=1)}

    @cached_property
    def subject(self) -> Subject:
        """The model with this text, run by its own arguments: what it rounds there is measured once."""
        inputs = Inputs(kwargs=self.inputs)
        return Subject("ported", self.model, inputs, lambda model, given: given.forward(model), lambda _: None)

    def looks_ahead(self) -> bool:
        """Whether a later token changes what is returned for an earlier one: the first half alone gives another.

        Raises:
            CaptureError: the forward raised.
            NotDecodable: it returns nothing with a place for each token.
        """
        half = max(1, self.length // 2)
        begun = {name: tensor[:, :half] for name, tensor in self.whole().items()}
        valid = None if self.valid is None else self.valid[:, :half]
        return bool(agree(begun, self.whole(half), self.subject.allowance, valid).wrong)

    def _shape(self, length: int) -> tuple[int, int]:
        return int(self.inputs[self.text].shape[0]), length

    def _cut(self, start: int, end: int, *, history: bool = True) -> dict[str, Any]:
        """The arguments for the tokens from ``start`` to ``end``; a mask also speaks of those before.

        States that are no list of tokens have no use for a mask over those that were read.
        """
        whole = self.masks if history else ()
        cut = {name: self.inputs[name][:, 0 if name in whole else start : end] for name in self.along}
        rest = {} if start and not self._has_encoder else self.inputs
        return {**rest, **cut}

    @property
    def _has_encoder(self) -> bool:
        return self.text.startswith("decoder_")

    def _run(self, arguments: Mapping[str, Any], *, use_cache: bool) -> Any:
        with preserved(self.model), torch.no_grad():
            seed_everything(0)
            try:
                return self.model(**arguments, use_cache=use_cache)
            except Exception as error:
                tokens = tuple(arguments[self.text].shape)
                raise CaptureError(
                    f"the ported model's forward raised {type(error).__name__} on tokens of shape {tokens} "
                    f"{'with' if use_cache else 'without'} a cache: {show(error, 300)}",
                    side="ported",
                ) from error

    def _result(self, returned: Any, shape: tuple[int, int]) -> dict[str, torch.Tensor]:
        """What was returned for each token.

        Raises:
            CaptureError: it has not the shape of the tokens.
            NotDecodable: there is nothing of that kind.
        """
        for name in RESULTS:
            value = _field(returned, name)
            if isinstance(value, torch.Tensor) and value.dim() > 2:
                if value.shape[:2] != shape:
                    text = f"the port returned {name} of shape {tuple(value.shape)} for tokens of shape {shape}"
                    raise CaptureError(text, side="ported")
                return {name: value.detach().cpu()}
        raise NotDecodable(f"the port returns none of {', '.join(RESULTS)} with a place for each token")


def _is_text(value: Any) -> bool:
    return isinstance(value, torch.Tensor) and value.dim() == 2 and not value.is_floating_point()


def _kept(returned: Any) -> dict[str, Any]:
    return {name: value for name in CACHES if (value := _field(returned, name)) is not None}


def _field(returned: Any, name: str) -> Any:
    return returned.get(name) if isinstance(returned, Mapping) else getattr(returned, name, None)
