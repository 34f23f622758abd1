"""The child process that renders a foreign chat template: little time, little memory, the sandbox of Transformers.

It reads JSON, a line for the template and one for each conversation, writes how each rendering ended, and keeps what
was rendered to itself.
"""

from __future__ import annotations

import json
import resource
import sys
from pathlib import Path
from typing import Any

from porting.chat.bounded import MAX_CHARACTERS, MAX_MEMORY_BYTES


def main() -> None:
    """Render the conversations of standard input, one a line, and say of each how it ended."""
    from transformers.utils.chat_template_utils import render_jinja_template

    job = json.loads(sys.stdin.readline())
    _limit(job["seconds"])
    written = 0
    for line in sys.stdin:
        messages, generation = json.loads(line)
        ended, length = _rendered(render_jinja_template, job["template"], messages, generation, job["variables"])
        written += length
        sys.stdout.write(f"{'length' if written > MAX_CHARACTERS else ended}\n")
        sys.stdout.flush()


def _rendered(
    render: Any, template: str, messages: Any, generation: bool, variables: dict[str, Any]
) -> tuple[str, int]:
    """How it ended, and how many characters it wrote; a template may refuse a conversation by an exception."""
    try:
        result = render(
            conversations=[messages], chat_template=template, add_generation_prompt=generation, **variables
        )[0][0]
    except MemoryError:
        return "memory", 0
    except Exception:
        return "done", 0
    return "done", len(result)


def _limit(seconds: int) -> None:
    limits = {
        resource.RLIMIT_AS: _memory_in_use() + MAX_MEMORY_BYTES,
        resource.RLIMIT_CPU: _seconds_used() + seconds,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_CORE: 0,
    }
    for limit, value in limits.items():
        _, most = resource.getrlimit(limit)
        lowered = value if most == resource.RLIM_INFINITY else min(value, most)
        resource.setrlimit(limit, (lowered, lowered))


def _memory_in_use() -> int:
    """Bytes of address space; 0 where the system does not say, as macOS, which does not enforce the limit either."""
    status = Path("/proc/self/statm")
    return int(status.read_text().split()[0]) * resource.getpagesize() if status.is_file() else 0


def _seconds_used() -> int:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return int(used.ru_utime + used.ru_stime) + 1


if __name__ == "__main__":
    main()
