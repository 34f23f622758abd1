"""The demo: a real original, a real port, a real checkpoint, and bugs to put into the port."""

from __future__ import annotations

from porting.demo.bugs import BUGS, Bug
from porting.demo.folder import write_demo

__all__ = ["BUGS", "Bug", "write_demo"]
