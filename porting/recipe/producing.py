"""Commands that produce the evidence of a check where ``porting check NAME`` only looks at what another one made."""

from __future__ import annotations

from collections.abc import Mapping

COMMANDS: Mapping[str, str] = {}
