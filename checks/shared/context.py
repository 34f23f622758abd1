"""What the checks of one portfile share: the models run once, whichever checks ask for them."""

from __future__ import annotations

import contextlib
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from porting.checks.shared import making
from porting.checks.shared.outcomes import Lacking, Skip
from porting.checks.shared.sharing import Shared, noting, without
from porting.errors import PortingError
from porting.evidence.asking import note
from porting.portfile import command_line
from porting.progress import Progress, silent
from porting.text import show

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import torch

    from porting.behaviour import Material, Subject
    from porting.portfile import Portfile
    from porting.probes import Probe
    from porting.runs import Side
    from porting.trace import Trace
    from porting.verification import Verification
    from porting.weights import WeightsReport

BOTH_SIDES = ("outputs", "valid_positions", "TOLERANCE", "MODULE_MAP")
"""What the portfile says of the two sides together."""
MADE_BY: Mapping[str, Literal["tokenizer", "processor"]] = {
    "ported_tokenizer": "tokenizer",
    "ported_processor": "processor",
}


class CheckContext(Shared):
    """A portfile and what follows from it, made when a check first asks for it.

    What cannot be made is not tried again: the same error is raised for every check that needs it.
    """

    def __init__(
        self,
        portfile: Portfile,
        *,
        strict: bool = False,
        probe: bool = False,
        reinit: int | None = None,
        progress: Progress = silent,
    ) -> None:
        """Share what follows from a portfile.

        Args:
            portfile: of the port.
            strict: make ``suspicious`` a failure of `verification`.
            probe: have `verification` also run both models on generated inputs.
            reinit: have it also run them with the same new weights, made from this seed.
            progress: called as the verification goes on.
        """
        super().__init__()
        self.portfile = portfile
        self.strict = strict
        self.verifying: dict[str, Any] = {"strict": strict, "probe": probe, "reinit": reinit, "progress": progress}

    @property
    def ported_model(self) -> torch.nn.Module:
        """The live port, the one that `verification` ran.

        Raises:
            PortfileError: ``ported()`` raised, or returned something else.
        """
        return self.shared("ported model", lambda: self.portfile.build("ported"))

    @property
    def original_model(self) -> torch.nn.Module:
        """The live original, the one that `verification` ran.

        Raises:
            Skip: there is only a recorded one, or one in another interpreter.
            PortfileError: ``original()`` raised, or returned something else.
        """
        if self.portfile.original_trace is not None:
            raise Lacking("the original is a recorded one, and this needs it live: original() without ORIGINAL_TRACE")
        if self.portfile.original_python is not None:
            raise Lacking("the original runs in another interpreter, and this needs it here, without ORIGINAL_PYTHON")
        return self.shared("original model", lambda: self.portfile.build("original"))

    @property
    def ported_kind(self) -> type[torch.nn.Module]:
        """The port's class; a claim that asks for no more speaks of its code.

        Raises:
            PortfileError: ``ported()`` raised, or returned something else.
        """
        with without("files "):
            return type(self.ported_model)

    @property
    def ported_structure(self) -> torch.nn.Module:
        """The live port for a claim that holds whatever its weights are: it speaks of its code and settings.

        Raises:
            PortfileError: ``ported()`` raised, or returned something else.
        """
        with without("files ", "settings "):
            return self.ported_model

    @property
    def original_structure(self) -> torch.nn.Module:
        """The live original for such a claim.

        Raises:
            Skip: it is not live.
            PortfileError: ``original()`` raised, or returned something else.
        """
        with without("files ", "settings "):
            return self.original_model

    @contextlib.contextmanager
    def whatever_values(self) -> Iterator[None]:
        """Compare the port with its checkpoint by names, shapes and dtypes, for a claim that speaks of no value."""
        with without("files ported", "settings ported"), without("files checkpoint", "headers checkpoint"):
            yield

    @property
    def built(self) -> dict[Side, torch.nn.Module]:
        """The models that were asked for and could be built."""
        models: dict[Side, Any] = {side: self.made(f"{side} model") for side in ("original", "ported")}
        return {side: model for side, model in models.items() if model is not None}

    @property
    def ported(self) -> Subject:
        """The live port with the way in which it is run.

        Raises:
            PortfileError: a function of the portfile does not keep its contract.
        """
        return self.shared("ported", lambda: making.subject_of(self, "ported", self.ported_model))

    @property
    def original(self) -> Subject:
        """The live original with the way in which it is run.

        Raises:
            Skip: it is not live.
            PortfileError: a function of the portfile does not keep its contract.
        """
        return self.shared("original", lambda: making.subject_of(self, "original", self.original_model))

    @property
    def material(self) -> Material:
        """The inputs of both sides, from which others are made.

        Raises:
            PortfileError: a function of the portfile does not keep its contract.
        """
        return self.shared("material", partial(making.material_of, self))

    @property
    def probes(self) -> tuple[Probe, ...]:
        """Both models on generated inputs; only where outputs differ the modules are compared, too.

        Raises:
            Skip: the original is not live.
            PortfileError: a function of the portfile does not keep its contract.
        """
        return self.shared("probes", partial(making.probes_of, self))

    @property
    def config(self) -> Any:
        """The port's config: ``config()``, else that of the live port.

        Raises:
            Skip: it has none.
            PortfileError: a function of the portfile raised.
        """
        config = self.portfile.config()
        config = getattr(self.ported_structure, "config", None) if config is None else config
        if config is None:
            raise Lacking("the port has no config: neither config() in the portfile nor an attribute of the model")
        return config

    def returned(self, name: str, *args: Any) -> Any:
        """What an optional function of the portfile returns; without arguments it is called once.

        Raises:
            Lacking: the portfile does not have it.
            Skip: it has no need of it: the port takes neither text nor what a processor makes.
            PortfileError: it raised.
        """
        if name not in self.portfile.functions:
            self.refuse_needless(name)
            raise Lacking(f"the portfile has no {name}()")
        if args:
            return self.portfile.call(name, *args)
        return self.shared(f"{name}()", lambda: self.portfile.call(name))

    def refuse_needless(self, name: str) -> None:
        """A tokenizer makes tokens, a processor images and sounds: a port that takes none of them needs none.

        Args:
            name: the function of the portfile that returns the port's.

        Raises:
            Skip: there is no such function, and no need of it.
            PortfileError: ``inputs()`` does not keep its contract.
        """
        from porting.inputs.roles import takes_made_by

        kind = MADE_BY.get(name)
        if (
            name in self.portfile.functions
            or kind is None
            or not any(name in self.portfile.functions for name in ("inputs", "ported_inputs"))
        ):
            return
        if not takes_made_by(kind, self.portfile.inputs("ported").named()):
            raise Skip(f"the port takes nothing that a {kind} makes, and the portfile has no {name}()")

    def reads(self, *paths: Path) -> None:
        """Note files that a claim speaks of, also such that are not there."""
        note(*(f"path {path.absolute()}" for path in paths))

    @property
    def verification(self) -> Verification:
        """Both sides run, aligned, compared and judged.

        Raises:
            PortfileError: a function of the portfile does not keep its contract.
            CaptureError: a forward raised.
            TraceError: the recorded trace is missing or damaged.
        """
        return self.shared("verification", partial(making.verification_of, self))

    @property
    def warnings(self) -> tuple[tuple[str, str], ...]:
        """Code and message of what weakens `verification`, if it was asked for and could be made."""
        made = self.made("verification")
        return () if made is None else made.warnings

    def trace(self, side: Side) -> Trace:
        """What one side did: as `verification` saw it, else recorded alone, as where the other side cannot run.

        A claim that asks for no more speaks of that side.

        Raises:
            PortfileError: a function of the portfile does not keep its contract.
            CaptureError: the forward raised.
            TraceError: the recorded trace is missing or damaged.
        """
        with self._alone(side):
            try:
                verification = self.verification
            except PortingError:
                return making.recorded_of(self, side)
            return verification.original if side == "original" else verification.ported

    @contextlib.contextmanager
    def _alone(self, side: Side) -> Iterator[None]:
        """Note nothing that only the other side, or both together, have to do with."""
        other = "ported" if side == "original" else "original"
        inputs = ["inputs"] if f"{side}_inputs" in self.portfile.functions else []
        names = {other, f"run_{other}", f"{other}_inputs", *BOTH_SIDES, *inputs}
        with noting(lambda asked: {topic for topic in asked if topic.partition(" ")[2] not in names}):
            yield

    @property
    def audit(self) -> WeightsReport | None:
        """Every tensor of the live port held against the checkpoint; None where nothing tells which is which.

        Names tell where ``rules()`` translates them, or all that the port needs are in the checkpoint.

        Raises:
            CheckpointError: the checkpoint cannot be read.
            PortfileError: a function of the portfile raised.
        """
        return self.shared("audit", partial(making.audit_of, self))

    def command(self, command: str) -> str:
        """A command of ``porting`` as it is to be typed for this portfile."""
        path = self.portfile.path
        shown = path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
        return command_line(show(shown), command)

    @property
    def original_is_live(self) -> bool:
        """Whether it is built in this interpreter."""
        return self.portfile.original_trace is None and self.portfile.original_python is None
