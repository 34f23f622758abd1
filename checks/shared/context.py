"""What the checks of one portfile share: the models run once, whichever checks ask for them."""

from __future__ import annotations

from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from porting.checks.shared.outcomes import Skip
from porting.errors import PortingError
from porting.portfile import command_line
from porting.text import show

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch

    from porting.behaviour import Material, Subject
    from porting.portfile import Portfile
    from porting.probes import Probe
    from porting.runs import Side
    from porting.trace import Trace
    from porting.verification import Verification
    from porting.weights import WeightsReport

Made = TypeVar("Made")


class CheckContext:
    """A portfile and what follows from it, made when a check first asks for it.

    What cannot be made is not tried again: the same error is raised for every check that needs it.
    """

    def __init__(self, portfile: Portfile, *, strict: bool = False) -> None:
        """Share what follows from a portfile; ``strict`` makes ``suspicious`` a failure of `verification`."""
        self.portfile = portfile
        self.strict = strict
        self._returned: dict[str, Any] = {}
        self._shared: dict[str, Any] = {}

    @property
    def ported_model(self) -> torch.nn.Module:
        """The live port, the one that `verification` ran.

        Raises:
            PortfileError: ``ported()`` raised, or returned something else.
        """
        return _unless_failed(self._ported_model)

    @property
    def original_model(self) -> torch.nn.Module:
        """The live original, the one that `verification` ran.

        Raises:
            Skip: there is only a recorded one, or one in another interpreter.
            PortfileError: ``original()`` raised, or returned something else.
        """
        if not self._original_is_live:
            raise Skip("the original is a recorded one, and this needs it live: original() without ORIGINAL_TRACE")
        return _unless_failed(self._original_model)

    @property
    def built(self) -> dict[Side, torch.nn.Module]:
        """The models that were asked for and could be built."""
        models: dict[Side, Any] = {side: vars(self).get(f"_{side}_model") for side in ("original", "ported")}
        return {side: model for side, model in models.items() if not isinstance(model, PortingError | None)}

    @property
    def ported(self) -> Subject:
        """The live port with the way in which it is run.

        Raises:
            PortfileError: a function of the portfile does not keep its contract.
        """
        return _unless_failed(self._ported)

    @property
    def original(self) -> Subject:
        """The live original with the way in which it is run.

        Raises:
            Skip: it is not live.
            PortfileError: a function of the portfile does not keep its contract.
        """
        _ = self.original_model
        return _unless_failed(self._original)

    @property
    def material(self) -> Material:
        """The inputs of both sides, from which others are made.

        Raises:
            PortfileError: a function of the portfile does not keep its contract.
        """
        return _unless_failed(self._material)

    @property
    def probes(self) -> tuple[Probe, ...]:
        """Both models on generated inputs; only where outputs differ the modules are compared, too.

        Raises:
            Skip: the original is not live.
            PortfileError: a function of the portfile does not keep its contract.
        """
        _ = self.original_model
        return _unless_failed(self._probes)

    @property
    def config(self) -> Any:
        """The port's config: ``config()``, else that of the live port.

        Raises:
            Skip: it has none.
            PortfileError: a function of the portfile raised.
        """
        config = self.portfile.config()
        config = getattr(self.ported_model, "config", None) if config is None else config
        if config is None:
            raise Skip("the port has no config: neither config() in the portfile nor an attribute of the model")
        return config

    def returned(self, name: str, *args: Any) -> Any:
        """What an optional function of the portfile returns; without arguments it is called once.

        Raises:
            Skip: the portfile does not have it.
            PortfileError: it raised.
        """
        if name not in self.portfile.functions:
            raise Skip(f"the portfile has no {name}()")
        if args:
            return self.portfile.call(name, *args)
        if name not in self._returned:
            try:
                self._returned[name] = self.portfile.call(name)
            except PortingError as error:
                self._returned[name] = error
        return _unless_failed(self._returned[name])

    def shared(self, name: str, make: Callable[[], Made]) -> Made:
        """What several checks of a file need, made when the first of them asks for it.

        Args:
            name: under which it is kept.
            make: makes it; a PortingError that it raises is kept, too.
        """
        if name not in self._shared:
            try:
                self._shared[name] = make()
            except PortingError as error:
                self._shared[name] = error
        made: Made | PortingError = self._shared[name]
        return _unless_failed(made)

    @property
    def verification(self) -> Verification:
        """Both sides run, aligned, compared and judged.

        Raises:
            PortfileError: a function of the portfile does not keep its contract.
            CaptureError: a forward raised.
            TraceError: the recorded trace is missing or damaged.
        """
        return _unless_failed(self._verification)

    @property
    def warnings(self) -> tuple[tuple[str, str], ...]:
        """Code and message of what weakens `verification`, if it was asked for and could be made."""
        made = vars(self).get("_verification")
        return () if made is None or isinstance(made, PortingError) else made.warnings

    def trace(self, side: Side) -> Trace:
        """What one side did: as `verification` saw it, else recorded alone, as where the other side cannot run.

        Raises:
            PortfileError: a function of the portfile does not keep its contract.
            CaptureError: the forward raised.
            TraceError: the recorded trace is missing or damaged.
        """
        if not isinstance(self._verification, PortingError):
            return getattr(self._verification, side)  # type: ignore[no-any-return]
        from porting.hooks.capturing import capture
        from porting.verifying import original_of

        if side == "original" and not self._original_is_live:
            return original_of(self.portfile)  # type: ignore[return-value]
        return capture(
            self.original_model if side == "original" else self.ported_model,
            self.portfile.inputs(side),
            run=partial(self.portfile.run, side),
            valid_positions=self.portfile.valid_positions(),
            side=side,
            seed=int(side == "ported"),
        )

    @property
    def audit(self) -> WeightsReport | None:
        """Every tensor of the live port held against the checkpoint; None where nothing tells which is which.

        Names tell where ``rules()`` translates them, or all that the port needs are in the checkpoint.

        Raises:
            CheckpointError: the checkpoint cannot be read.
            PortfileError: a function of the portfile raised.
        """
        return _unless_failed(self._audit)

    def command(self, command: str) -> str:
        """A command of ``porting`` as it is to be typed for this portfile."""
        path = self.portfile.path
        shown = path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
        return command_line(show(shown), command)

    @property
    def _original_is_live(self) -> bool:
        return self.portfile.original_trace is None and self.portfile.original_python is None

    @cached_property
    def _ported_model(self) -> torch.nn.Module | PortingError:
        try:
            return self.portfile.build("ported")
        except PortingError as error:
            return error

    @cached_property
    def _original_model(self) -> torch.nn.Module | PortingError:
        try:
            return self.portfile.build("original")
        except PortingError as error:
            return error

    @cached_property
    def _ported(self) -> Subject | PortingError:
        return self._subject_of("ported", self.ported_model)

    @cached_property
    def _original(self) -> Subject | PortingError:
        return self._subject_of("original", self.original_model)

    @cached_property
    def _material(self) -> Material | PortingError:
        from porting.behaviour import Material

        try:
            ported = self.ported
            try:
                return Material.of(ported.model, ported.inputs, self.original.model, self.original.inputs)
            except Skip:
                return Material.of(ported.model, ported.inputs)
        except PortingError as error:
            return error

    @cached_property
    def _probes(self) -> tuple[Probe, ...] | PortingError:
        from porting.extending import guarded
        from porting.probes import run_probes
        from porting.probes.quick import quickly
        from porting.verifying import verify_on

        try:
            original, ported, portfile = self.original, self.ported, self.portfile
            verify = quickly(
                original.result,
                ported.result,
                partial(verify_on, portfile, original.model, ported.model),
                outputs=guarded(portfile.pair_outputs),
                tolerance=portfile.tolerance(),
                counted=portfile.counted,
                culprits=self.verification.culprits,
            )
            return run_probes(verify, original.model, ported.model, ported.inputs, original.inputs)
        except PortingError as error:
            return error

    def _subject_of(self, side: Side, model: torch.nn.Module) -> Subject | PortingError:
        from porting.behaviour import Subject

        try:
            inputs = self.portfile.inputs(side)
        except PortingError as error:
            return error
        return Subject(side, model, inputs, partial(self.portfile.run, side), self.portfile.counted)

    @cached_property
    def _audit(self) -> WeightsReport | PortingError | None:
        from porting.weights import audit_loaded

        try:
            checkpoint, rules = self.portfile.checkpoint(), self.portfile.rules()
            if checkpoint is None:
                return None
            report = audit_loaded(self.ported_model, checkpoint, rules)
        except PortingError as error:
            return error
        return None if rules is None and report.of("MISSING") else report

    @cached_property
    def _verification(self) -> Verification | PortingError:
        from porting.verifying import verify_portfile

        try:
            original = self.original_model if self._original_is_live else None
            return verify_portfile(self.portfile, original=original, ported=self.ported_model, strict=self.strict)
        except PortingError as error:
            return error


def _unless_failed(made: Made | PortingError) -> Made:
    if isinstance(made, PortingError):
        raise made
    return made
