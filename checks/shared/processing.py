"""What the checks of processors share: the parts of the processor, the samples, and what both sides make of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from porting.checks.shared.outcomes import Lacking, Skip
from porting.errors import PortfileError
from porting.kinds import kind_of
from porting.text import show

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np

    from porting.checks.shared.context import CheckContext
    from porting.processors import ArrayPair, Finding, Processor, Sample
    from porting.processors.changes import Reference
    from porting.tolerance import Tolerance


class BadReturnError(PortfileError):
    """A function of the portfile returned what it must not, for whichever sample."""


@dataclass(frozen=True)
class Comparison:
    """Both sides on the samples of one kind.

    Attributes:
        processor: the port's.
        tolerance: within which arrays agree.
        pairs: sample and arrays, of all samples that both sides take.
        refused: by the port alone, and what it said.
        refusing: the samples of those.
    """

    processor: Processor
    tolerance: Tolerance
    pairs: tuple[tuple[Sample, ArrayPair], ...]
    refused: tuple[str, ...] = ()
    refusing: tuple[Sample, ...] = ()

    @property
    def wrong(self) -> list[tuple[Sample, ArrayPair]]:
        """Those that do not agree."""
        return [(sample, pair) for sample, pair in self.pairs if not pair.agrees(self.tolerance)]

    def of(self, *, usual: bool) -> Comparison:
        """The samples that every preprocessing should take, or the others."""
        kept = [number for number, sample in enumerate(self.refusing) if sample.usual == usual]
        return replace(
            self,
            pairs=tuple((sample, pair) for sample, pair in self.pairs if sample.usual == usual),
            refused=tuple(self.refused[number] for number in kept),
            refusing=tuple(self.refusing[number] for number in kept),
        )

    def apart(self) -> list[Comparison]:
        """One for each sample that differs, with those that agree."""
        wrong = {id(sample): sample for sample, _ in self.wrong}
        return [
            replace(
                self, pairs=tuple((each, pair) for each, pair in self.pairs if id(each) not in wrong or each is sample)
            )
            for sample in wrong.values()
        ]

    def finding(self) -> Finding | None:
        """The stage that differs, if a change of it makes the main arrays agree."""
        from porting.processors import find_stage

        wrong = [_reference(sample, pair) for sample, pair in self.wrong if _main(pair)]
        names = {id(sample) for sample, _ in self.wrong}
        right = [_reference(sample, pair) for sample, pair in self.pairs if id(sample) not in names and _main(pair)]
        return find_stage(self.processor, wrong, right, self.tolerance) if wrong else None

    def symptom(self) -> str:
        """What the samples that differ have in common, as far as it tells the stage."""
        if not all(pair.same_shape for _, pair in self.wrong):
            return "the size (resize, crop or pad)"
        return "an unknown stage"


def parts_of(context: CheckContext) -> list[Processor]:
    """The parts of ``ported_processor()`` that take images and sounds.

    Raises:
        Skip: there is none.
        PortfileError: it is no processor.
    """
    from porting.processors import processors_of

    found = processors_of(context.returned("ported_processor"))
    if not found:
        raise Skip("the port's processor takes neither images nor sounds")
    return found


def samples_for(context: CheckContext, processor: Processor) -> list[Sample]:
    """The built-in samples of its kind, and those of the portfile's ``samples()``.

    Raises:
        Skip: Pillow is not installed.
        PortfileError: ``samples()`` does not keep its contract.
    """
    from porting.processors import given_samples, samples_of

    given = given_samples(context.returned("samples")) if "samples" in context.portfile.functions else []
    try:
        built_in = samples_of(processor.kind, processor.rate)
    except ImportError as error:
        raise Lacking(f"the built-in images cannot be made: {error}") from None
    return [*built_in, *(each for each in given if each.kind == processor.kind)]


def compared_samples(context: CheckContext, processor: Processor) -> Comparison:
    """Both sides on every sample that the original takes.

    Raises:
        Skip: the portfile has no ``original_preprocess``.
        PortfileError: it takes none of them, or returns no dict of arrays.
    """
    if "original_preprocess" not in context.portfile.functions:
        raise Lacking("the portfile has no original_preprocess(sample)")
    return context.shared(f"processed {processor.kind}", lambda: _compared(context, processor))


def _compared(context: CheckContext, processor: Processor) -> Comparison:
    from porting.processors import pair_arrays
    from porting.processors.running import ProcessorError

    tolerance = context.portfile.tolerance()
    pairs: list[tuple[Sample, ArrayPair]] = []
    refused: list[tuple[Sample, str]] = []
    taken, samples = _taken(context, processor), samples_for(context, processor)
    for number, original in taken.items():
        sample = samples[number]
        try:
            ported = processor.alone(sample.value)
        except ProcessorError as error:
            refused.append((sample, f"the original takes {sample.label}, the port raises {error.message}"))
            continue
        made = [_channels_first(pair) for pair in pair_arrays(original, ported)]
        moving = _moving(context, processor, sample) if any(not pair.agrees(tolerance) for pair in made) else set()
        pairs += [(sample, pair) for pair in made if not {pair.original_name, pair.ported_name} & moving]
    return Comparison(
        processor,
        tolerance,
        tuple(pairs),
        tuple(text for _, text in refused),
        tuple(sample for sample, _ in refused),
    )


def _moving(context: CheckContext, processor: Processor, sample: Sample) -> set[str]:
    """The names of arrays that either side makes otherwise every time, as random crops and noise."""
    from porting.processors.pairing import difference

    runs = [_arrays_of(context, sample), _arrays_of(context, sample)], [processor.alone(sample.value) for _ in "12"]
    return {name for one, two in runs for name in one.keys() & two.keys() if difference(one[name], two[name]) > 0}


def _arrays_of(context: CheckContext, sample: Sample) -> Mapping[str, np.ndarray]:
    """The original's arrays of a sample.

    Raises:
        PortfileError: it raised, or returned no dict.
    """
    from porting.processors.running import NUMERIC, as_array

    made = context.portfile.call("original_preprocess", _copied(sample.value))
    if not hasattr(made, "items"):
        raise BadReturnError(f"original_preprocess() must return a dict of arrays, and returned {kind_of(made)}")
    arrays = {show(name): as_array(value) for name, value in made.items()}
    return {name: array for name, array in arrays.items() if array.dtype.kind in NUMERIC}


def _taken(context: CheckContext, processor: Processor) -> dict[int, Mapping[str, np.ndarray]]:
    """What the original makes of the samples that it takes, by their numbers."""
    taken: dict[int, Mapping[str, np.ndarray]] = {}
    error: PortfileError | None = None
    for number, sample in enumerate(samples_for(context, processor)):
        try:
            taken[number] = _arrays_of(context, sample)
        except BadReturnError:
            raise
        except PortfileError as raised:
            error = error or raised
    if not taken and error is not None:
        hint = "return samples that original_preprocess() takes from samples() in the portfile"
        raise PortfileError(f"it takes none of the samples: {error.message}", hint=hint)
    return taken


def _channels_first(pair: ArrayPair) -> ArrayPair:
    """An image of the original whose channels come last, as the port has it where its channels come first."""
    import numpy as np

    original, ported = pair.original, pair.ported
    if original.ndim == ported.ndim == 3 and original.shape[-1] == ported.shape[0] and original.shape[0] > 4:
        return replace(pair, original=np.moveaxis(original, -1, 0))
    return pair


def _main(pair: ArrayPair) -> bool:
    return pair.original.dtype.kind == "f" or pair.ported.dtype.kind == "f"


def _reference(sample: Sample, pair: ArrayPair) -> Reference:
    from porting.processors.changes import Reference

    return Reference(sample.value, pair.ported_name, pair.original)


def _copied(value: Any) -> Any:
    return value.copy() if hasattr(value, "copy") else value
