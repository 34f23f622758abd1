"""What the checks of one portfile share: the models run once, whichever checks ask for them."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from porting.errors import PortingError
from porting.portfile import command_line
from porting.text import show

if TYPE_CHECKING:
    import torch

    from porting.portfile import Portfile
    from porting.verification import Verification

Made = TypeVar("Made")


class CheckContext:
    """A portfile and what follows from it, made when a check first asks for it.

    What cannot be made is not tried again: the same error is raised for every check that needs it.
    """

    def __init__(self, portfile: Portfile) -> None:
        self.portfile = portfile

    @property
    def ported_model(self) -> torch.nn.Module:
        """The live port, the one that `verification` ran.

        Raises:
            PortfileError: ``ported()`` raised, or returned something else.
        """
        return _unless_failed(self._ported_model)

    @property
    def verification(self) -> Verification:
        """Both sides run, aligned, compared and judged.

        Raises:
            PortfileError: a function of the portfile does not keep its contract.
            CaptureError: a forward raised.
            TraceError: the recorded trace is missing or damaged.
        """
        return _unless_failed(self._verification)

    def command(self, command: str) -> str:
        """A command of ``porting`` as it is to be typed for this portfile."""
        path = self.portfile.path
        shown = path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
        return command_line(show(shown), command)

    @cached_property
    def _ported_model(self) -> torch.nn.Module | PortingError:
        try:
            return self.portfile.build("ported")
        except PortingError as error:
            return error

    @cached_property
    def _verification(self) -> Verification | PortingError:
        from porting.verifying import verify_portfile

        try:
            return verify_portfile(self.portfile, ported=self.ported_model)
        except PortingError as error:
            return error


def _unless_failed(made: Made | PortingError) -> Made:
    if isinstance(made, PortingError):
        raise made
    return made
