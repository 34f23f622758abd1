"""Render a chat template where it can do no harm, before it is rendered here."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from porting.chat.conversations import Conversation, Messages
from porting.chat.prompts import Builder, Refusal
from porting.errors import PortingError
from porting.text import size_words

MAX_MEMORY_BYTES = 1 << 30
MAX_SECONDS = 5
MAX_CHARACTERS = 1 << 24
"""Of all renderings together: whoever renders them again keeps them, and makes ids of them."""
PATIENCE = 60.0
"""Seconds for the whole child, its start included."""
SOURCE = "import sys; sys.path[:0] = {path!r}; from porting.chat.child import main; main()"


@dataclass(frozen=True, slots=True)
class Unbounded:
    """A rendering that came to no end within the limits.

    Attributes:
        conversation: that was rendered.
        generation: whether with generation prompt.
        reason: which limit it met.
    """

    conversation: Conversation
    generation: bool
    reason: str


class Renderer:
    """The child process, for the length of a ``with`` block."""

    def __init__(self, template: str, variables: Mapping[str, Any] | None = None, seconds: int = MAX_SECONDS) -> None:
        """Give what every rendering needs.

        Args:
            template: Jinja source.
            variables: further ones of the template, as the special tokens.
            seconds: of computing for all renderings.
        """
        texts = {name: value for name, value in (variables or {}).items() if isinstance(value, str)}
        self._job = {"template": template, "seconds": seconds, "variables": texts}
        self._reason = ""

    def __enter__(self) -> Self:
        """Start the child."""
        source = SOURCE.format(path=[str(Path(path).absolute()) for path in sys.path if path])
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        self._folder = tempfile.TemporaryDirectory(prefix="porting-")
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-c", source],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            cwd=self._folder.name, env=environment,
        )  # fmt: skip
        self._timer = threading.Timer(PATIENCE, self._process.kill)
        self._timer.daemon = True
        self._timer.start()
        self._send(self._job)
        return self

    def __exit__(self, *_: object) -> None:
        """End it."""
        self._timer.cancel()
        self._process.kill()
        with suppress(OSError):
            self._process.communicate()
        self._folder.cleanup()

    def unbounded(self, messages: Messages, generation: bool) -> str:
        """Which limit the rendering of a conversation meets; empty if it comes to an end.

        Raises:
            PortingError: the child could not be started.
        """
        if not self._reason:
            self._send((messages, generation))
            assert self._process.stdout is not None
            ended = self._process.stdout.readline().decode("ascii").strip()
            if not ended and (code := self._process.wait()) > 0:
                raise PortingError(
                    f"the child process that renders the chat template ended with exit code {code}",
                    hint="is the interpreter's own environment intact? try: python -c 'import transformers'",
                )
            self._reason = self._words(ended)
        return self._reason

    def _send(self, value: Any) -> None:
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):
            self._process.stdin.write(json.dumps(value, default=str).encode("ascii") + b"\n")
            self._process.stdin.flush()

    def _words(self, ended: str) -> str:
        return {
            "done": "",
            "memory": f"it needs more than {size_words(MAX_MEMORY_BYTES)}",
            "length": f"it writes more than {MAX_CHARACTERS} characters",
        }.get(ended, f"it does not end within {self._job['seconds']} seconds")


def render_bounded(
    template: str,
    bank: Sequence[Conversation],
    variables: Mapping[str, Any] | None = None,
    seconds: int = MAX_SECONDS,
) -> Unbounded | None:
    """Render every conversation in a child process, with and without generation prompt; None if all came to an end.

    Args:
        template: Jinja source.
        bank: the conversations.
        variables: further ones of the template, as the special tokens.
        seconds: of computing for all of them.

    Raises:
        PortingError: the child could not be started.
    """
    with Renderer(template, variables, seconds) as renderer:
        for conversation in bank:
            for generation in (False, True):
                if reason := renderer.unbounded(conversation.messages, generation):
                    return Unbounded(conversation, generation, reason)
    return None


def bounded_builder(build: Builder, renderer: Renderer) -> Builder:
    """The same builder, which refuses what meets a limit in the child."""

    def bounded(messages: Messages, generation: bool) -> str | Refusal:
        reason = renderer.unbounded(messages, generation)
        return Refusal(f"it has no end: {reason}") if reason else build(messages, generation)

    return bounded
