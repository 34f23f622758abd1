"""What the checks of one portfile share: the models run once, whichever checks ask for them."""

from __future__ import annotations

import contextlib
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from porting.checks.shared.outcomes import Lacking, Skip
from porting.errors import PortingError
from porting.evidence.asking import listening, note
from porting.portfile import command_line
from porting.progress import Progress, silent
from porting.text import show

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    import torch

    from porting.behaviour import Material, Subject
    from porting.portfile import Portfile
    from porting.probes import Probe
    from porting.runs import Side
    from porting.trace import Trace
    from porting.verification import Verification
    from porting.weights import WeightsReport

Made = TypeVar("Made")
MADE_BY: Mapping[str, Literal["tokenizer", "processor"]] = {
    "ported_tokenizer": "tokenizer",
    "ported_processor": "processor",
}

PORTED_ALONE = (
    "function ported", "function run_ported", "function outputs", "function rules", "constant TOLERANCE",
    "constant MODULE_MAP", "files ported", "settings ported", "code ported",
)  # fmt: skip
"""How the topics begin that say nothing of what the original did."""


class CheckContext:
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
        self.portfile = portfile
        self.strict = strict
        self._verifying: dict[str, Any] = {"strict": strict, "probe": probe, "reinit": reinit, "progress": progress}
        self._made: dict[str, Any] = {}
        self._asked: dict[str, set[str]] = {}

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
        with _without("files "):
            return type(self.ported_model)

    @property
    def ported_structure(self) -> torch.nn.Module:
        """The live port for a claim that holds whatever its weights are: it speaks of its code and settings.

        Raises:
            PortfileError: ``ported()`` raised, or returned something else.
        """
        with _without("files ", "settings "):
            return self.ported_model

    @property
    def original_structure(self) -> torch.nn.Module:
        """The live original for such a claim.

        Raises:
            Skip: it is not live.
            PortfileError: ``original()`` raised, or returned something else.
        """
        with _without("files ", "settings "):
            return self.original_model

    @contextlib.contextmanager
    def whatever_values(self) -> Iterator[None]:
        """Compare the port with its checkpoint by names, shapes and dtypes, for a claim that speaks of no value."""
        with _without("files ported", "settings ported"), _without("files checkpoint", "headers checkpoint"):
            yield

    @property
    def built(self) -> dict[Side, torch.nn.Module]:
        """The models that were asked for and could be built."""
        models: dict[Side, Any] = {side: self._made.get(f"{side} model") for side in ("original", "ported")}
        return {side: model for side, model in models.items() if not isinstance(model, PortingError | None)}

    @property
    def ported(self) -> Subject:
        """The live port with the way in which it is run.

        Raises:
            PortfileError: a function of the portfile does not keep its contract.
        """
        return self.shared("ported", lambda: self._subject_of("ported", self.ported_model))

    @property
    def original(self) -> Subject:
        """The live original with the way in which it is run.

        Raises:
            Skip: it is not live.
            PortfileError: a function of the portfile does not keep its contract.
        """
        return self.shared("original", lambda: self._subject_of("original", self.original_model))

    @property
    def material(self) -> Material:
        """The inputs of both sides, from which others are made.

        Raises:
            PortfileError: a function of the portfile does not keep its contract.
        """
        return self.shared("material", self._make_material)

    @property
    def probes(self) -> tuple[Probe, ...]:
        """Both models on generated inputs; only where outputs differ the modules are compared, too.

        Raises:
            Skip: the original is not live.
            PortfileError: a function of the portfile does not keep its contract.
        """
        return self.shared("probes", self._make_probes)

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

    def shared(self, name: str, make: Callable[[], Made]) -> Made:
        """What several checks need, made when the first of them asks for it.

        What the making asked for is noted for each of them.

        Args:
            name: under which it is kept.
            make: makes it; a PortingError that it raises is kept, too.
        """
        if name not in self._made:
            with listening() as self._asked[name]:
                try:
                    self._made[name] = make()
                except PortingError as error:
                    self._made[name] = error
        note(*self._asked[name])
        made: Made | PortingError = self._made[name]
        if isinstance(made, PortingError):
            raise made
        return made

    def hand(self, name: str, made: Any, asked: Iterable[str]) -> None:
        """Give what was made elsewhere, under the name that `shared` keeps it by.

        Args:
            name: of it.
            made: it.
            asked: for what its making asked.
        """
        self._made[name], self._asked[name] = made, set(asked)

    def handed(self, name: str) -> Any:
        """What was handed over; None if nothing was."""
        return self.shared(name, lambda: None)

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
        return self.shared("verification", self._make_verification)

    @property
    def warnings(self) -> tuple[tuple[str, str], ...]:
        """Code and message of what weakens `verification`, if it was asked for and could be made."""
        made = self._made.get("verification")
        return () if made is None or isinstance(made, PortingError) else made.warnings

    def trace(self, side: Side) -> Trace:
        """What one side did: as `verification` saw it, else recorded alone, as where the other side cannot run.

        A claim about what the original did speaks of nothing of the port.

        Raises:
            PortfileError: a function of the portfile does not keep its contract.
            CaptureError: the forward raised.
            TraceError: the recorded trace is missing or damaged.
        """
        with _without_all(PORTED_ALONE) if side == "original" else contextlib.nullcontext():
            try:
                verification = self.verification
            except PortingError:
                return self._recorded(side)
            return verification.original if side == "original" else verification.ported

    @property
    def audit(self) -> WeightsReport | None:
        """Every tensor of the live port held against the checkpoint; None where nothing tells which is which.

        Names tell where ``rules()`` translates them, or all that the port needs are in the checkpoint.

        Raises:
            CheckpointError: the checkpoint cannot be read.
            PortfileError: a function of the portfile raised.
        """
        return self.shared("audit", self._make_audit)

    def command(self, command: str) -> str:
        """A command of ``porting`` as it is to be typed for this portfile."""
        path = self.portfile.path
        shown = path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
        return command_line(show(shown), command)

    @property
    def _original_is_live(self) -> bool:
        return self.portfile.original_trace is None and self.portfile.original_python is None

    def _subject_of(self, side: Side, model: torch.nn.Module) -> Subject:
        from porting.behaviour import Subject

        inputs = self.portfile.inputs(side)
        return Subject(side, model, inputs, partial(self.portfile.run, side), self.portfile.counted)

    def _make_material(self) -> Material:
        from porting.behaviour import Material

        ported = self.ported
        try:
            return Material.of(ported.model, ported.inputs, self.original.model, self.original.inputs)
        except Skip:
            return Material.of(ported.model, ported.inputs)

    def _make_probes(self) -> tuple[Probe, ...]:
        from porting.extending import guarded
        from porting.probes import run_probes
        from porting.probes.quick import quickly
        from porting.verifying import verify_on

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

    def _make_audit(self) -> WeightsReport | None:
        from porting.weights import audit_loaded

        checkpoint, rules = self.portfile.checkpoint(), self.portfile.rules()
        if checkpoint is None:
            return None
        report = audit_loaded(self.ported_model, checkpoint, rules)
        return None if rules is None and report.of("MISSING") else report

    def _make_verification(self) -> Verification:
        from porting.extending import require_live
        from porting.verifying import verify_portfile

        options = self._verifying
        require_live(self._original_is_live, probe=options["probe"], reinit=options["reinit"])
        options["progress"]("building the models", 0, 1)
        original = self.original_model if self._original_is_live else None
        return verify_portfile(self.portfile, original=original, ported=self.ported_model, **options)

    def _recorded(self, side: Side) -> Trace:
        from porting.hooks.capturing import capture
        from porting.trace import Trace
        from porting.verifying import original_of

        if side == "original" and not self._original_is_live:
            recorded = original_of(self.portfile)
            assert isinstance(recorded, Trace)
            return recorded
        return capture(
            self.original_model if side == "original" else self.ported_model,
            self.portfile.inputs(side),
            run=partial(self.portfile.run, side),
            valid_positions=self.portfile.valid_positions(),
            side=side,
            seed=int(side == "ported"),
        )


@contextlib.contextmanager
def _without(kind: str, instead: str | None = None) -> Iterator[None]:
    """Note topics of a kind as those of another, or not at all."""
    asked: set[str] = set()
    try:
        with listening(alone=True) as asked:
            yield
    finally:
        others = {topic for topic in asked if not topic.startswith(kind)}
        replaced = set() if instead is None else {topic.replace(kind, instead, 1) for topic in asked - others}
        note(*others, *replaced)


@contextlib.contextmanager
def _without_all(kinds: Iterable[str]) -> Iterator[None]:
    """Note no topic of some kinds."""
    with contextlib.ExitStack() as stack:
        for kind in kinds:
            stack.enter_context(_without(kind))
        yield
