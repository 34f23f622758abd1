"""The two tokenizers, each asked for ids in the same way: the original as a black box, the port with its stages."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from porting.errors import PortfileError
from porting.kinds import kind_of
from porting.text import show
from porting.tokenizers.ids import as_ids

if TYPE_CHECKING:
    from tokenizers import Tokenizer

Encode = Callable[[str], list[int]]
Running = Callable[[], AbstractContextManager[None]]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a tokenizer said to a text.

    Attributes:
        ids: None if it gave none.
        error: why it gave none.
    """

    ids: tuple[int, ...] | None
    error: str = ""


def ask(encode: Encode, text: str) -> Answer:
    """Ask for the ids of a text; whatever is raised is the answer's error.

    Raises:
        PortfileError: what came back are no ids.
    """
    try:
        return Answer(tuple(encode(text)))
    except (KeyboardInterrupt, PortfileError):
        raise
    except BaseException as error:  # a panic of the tokenizers library is no Exception
        return Answer(None, f"{type(error).__name__}: {show(error)}")


class OriginalTokenizer:
    """The original's tokenizer: text in, ids out.

    Args:
        tokenize: ``original_tokenize`` of the portfile.
        running: the context in which the user's code runs.
    """

    def __init__(self, tokenize: Callable[[str], Any], running: Running = nullcontext) -> None:
        self._tokenize = tokenize
        self._running = running

    def encode(self, text: str) -> list[int]:
        """The ids of a text."""
        with self._running():
            answer = self._tokenize(text)
        return as_ids(answer, "original_tokenize()")


class PortedTokenizer:
    """The port's tokenizer, of whatever class.

    Args:
        tokenizer: of Transformers, of the tokenizers library, a processor that has one, or any object with ``encode``.
        running: the context in which the user's code runs.

    Raises:
        PortfileError: it is none of these.
    """

    def __init__(self, tokenizer: Any, running: Running = nullcontext) -> None:
        inner = getattr(tokenizer, "tokenizer", None)
        self.tokenizer = inner if callable(inner) and not hasattr(tokenizer, "encode") else tokenizer
        self._running = running
        if not callable(getattr(self.tokenizer, "encode", None)):
            raise PortfileError(
                f"ported_tokenizer() must return a tokenizer, and returned {kind_of(tokenizer)}",
                hint="return one of Transformers, such as AutoTokenizer.from_pretrained(folder)",
            )

    @cached_property
    def of_transformers(self) -> bool:
        """Whether it is a tokenizer of Transformers."""
        from transformers import PreTrainedTokenizerBase

        return isinstance(self.tokenizer, PreTrainedTokenizerBase)

    @cached_property
    def backend(self) -> Tokenizer | None:
        """The tokenizer of the tokenizers library inside, whose stages can be seen."""
        from tokenizers import Tokenizer

        found = getattr(self.tokenizer, "backend_tokenizer", self.tokenizer)
        return found if isinstance(found, Tokenizer) else None

    @property
    def name(self) -> str:
        """Of its class."""
        return type(self.tokenizer).__name__

    def encode(self, text: str) -> list[int]:
        """The ids of a text, as a plain call gives them."""
        with self._running():
            answer = self.tokenizer(text, verbose=False) if self.of_transformers else self.tokenizer.encode(text)
        return as_ids(answer, "the tokenizer of ported_tokenizer()")

    def encode_plain(self, text: str) -> list[int]:
        """The ids of a text without the special tokens that the tokenizer adds."""
        with self._running():
            if self.of_transformers:
                answer = self.tokenizer(text, add_special_tokens=False, verbose=False)
            elif self.backend is not None:
                answer = self.backend.encode(text, add_special_tokens=False)
            else:
                answer = self.tokenizer.encode(text)
        return as_ids(answer, "the tokenizer of ported_tokenizer()")

    def decode(self, ids: list[int], *, skip_special_tokens: bool = False) -> str:
        """The text of some ids."""
        with self._running():
            if self.of_transformers:
                return str(self.tokenizer.decode(ids, skip_special_tokens=skip_special_tokens))
            if self.backend is not None:
                return str(self.backend.decode(ids, skip_special_tokens=skip_special_tokens))
            return str(self.tokenizer.decode(ids))

    @cached_property
    def vocabulary(self) -> dict[int, str]:
        """Id to piece, of all that it knows."""
        get_vocab = getattr(self.tokenizer, "get_vocab", None)
        return {int(number): str(piece) for piece, number in get_vocab().items()} if callable(get_vocab) else {}

    @cached_property
    def control_tokens(self) -> dict[str, int]:
        """The special tokens with their ids, as they are written in a text; without one that only means "unknown"."""
        ids = {piece: number for number, piece in self.vocabulary.items()}
        named = getattr(self.tokenizer, "special_tokens_map", {})
        if self.backend is not None:
            found = [token.content for token in self.backend.get_added_tokens_decoder().values() if token.special]
        else:
            found = [str(token) for token in getattr(self.tokenizer, "all_special_tokens", [])]
        unknown = str(named.get("unk_token"))
        only = unknown not in [str(token) for name, token in named.items() if name != "unk_token"]
        return {token: ids[token] for token in found if token in ids and not (only and token == unknown)}

    @property
    def unknown(self) -> int | None:
        """The id of what is not in the vocabulary."""
        if self.of_transformers:
            found = self.tokenizer.unk_token_id
            return None if found is None else int(found)
        token = getattr(getattr(self.backend, "model", None), "unk_token", None)
        return None if token is None or self.backend is None else self.backend.token_to_id(token)

    def piece(self, number: int) -> str:
        """An id as a piece to print."""
        return show(self.vocabulary[number]) if number in self.vocabulary else f"(no piece {number})"
