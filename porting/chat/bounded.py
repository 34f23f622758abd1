"""Render a chat template where it can do no harm, before it is rendered here."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from porting.chat.conversations import Conversation
from porting.errors import PortingError
from porting.text import size_words

MAX_MEMORY_BYTES = 1 << 30
MAX_SECONDS = 5
MAX_CHARACTERS = 1 << 24
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
    jobs = [(conversation, generation) for conversation in bank for generation in (False, True)]
    document = {
        "template": template,
        "seconds": seconds,
        "variables": {name: value for name, value in (variables or {}).items() if isinstance(value, str)},
        "renderings": [(conversation.messages, generation) for conversation, generation in jobs],
    }
    ended = _ended(json.dumps(document, default=str))
    if len(ended) == len(jobs) and all(how == "done" for how in ended):
        return None
    reasons = {
        "memory": f"it needs more than {size_words(MAX_MEMORY_BYTES)}",
        "length": f"it writes more than {MAX_CHARACTERS} characters",
        "done": f"it does not end within {seconds} seconds",
    }
    stopped = len(ended) - 1 if ended and ended[-1] != "done" else len(ended)
    return Unbounded(*jobs[stopped], reasons[ended[-1] if ended else "done"])


def _ended(document: str) -> list[str]:
    """How each rendering ended, in order; those after the last are missing."""
    source = SOURCE.format(path=[str(Path(path).absolute()) for path in sys.path if path])
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    with tempfile.TemporaryDirectory(prefix="porting-") as empty:
        try:
            done = subprocess.run(
                [sys.executable, "-I", "-c", source],
                input=document.encode("ascii"), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                timeout=PATIENCE, cwd=empty, env=environment, check=False,
            )  # fmt: skip
            said, code = done.stdout, done.returncode
        except subprocess.TimeoutExpired as error:
            said, code = error.stdout or b"", -1
    ended = [line.split()[1] for line in said.decode("ascii").splitlines() if line.count(" ") == 1]
    if code > 0:
        raise PortingError(
            f"the child process that renders the chat template ended with exit code {code}",
            hint="is the interpreter's own environment intact? try: python -c 'import transformers'",
        )
    return ended
