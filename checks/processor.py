"""Step 9 of the recipe: the port's processor makes of images and sounds what the original's preprocessing makes."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from porting.checks.shared.outcomes import ClaimRefuted, Figures, Inconclusive, Lacking, Skip
from porting.checks.shared.processing import Comparison, compared_samples, parts_of, samples_for
from porting.checks.shared.wording import MOST_LINES, more
from porting.errors import PortingError
from porting.text import show

if TYPE_CHECKING:
    from collections.abc import Sequence

    from porting.checks.shared.context import CheckContext
    from porting.processors import Finding, Processor

STEP = 9
MOST = 0.5
"""Share of the values of a sound that have to change in a batch."""


def check_processor_outputs_equal(context: CheckContext) -> Figures:
    """The processor's arrays are those of the original's preprocessing: shapes first, then values.

    Recipe step 9, against ``original_preprocess``; the stage that differs is named where a change of it proves it.
    What Transformers does in every processor is told in the figures and not refuted: transparency laid on white,
    margins of crops rounded down, torchvision's resizing in place of PIL's.

    Raises:
        ClaimRefuted: an array differs, or the port refuses a sample that the original takes.
        Inconclusive: no array could be compared.
        Skip: the portfile lacks one side.
    """
    counted = [compared_samples(context, processor).of(usual=True) for processor in parts_of(context)]
    if not any(comparison.pairs or comparison.refused for comparison in counted):
        raise Inconclusive("no array of the original's could be compared", hint=_NO_ARRAYS, figures=_figures(counted))
    return _judged(counted, counted, context)


def check_processor_unusual_samples(context: CheckContext) -> Figures:
    """Gray, transparent, tiny and oddly sized images and silent or short sounds are processed as the original does.

    Raises:
        ClaimRefuted: an array differs, or the port refuses a sample that the original takes.
        Skip: the portfile lacks one side, the original takes none of these samples, or the others differ already.
    """
    every = [compared_samples(context, processor) for processor in parts_of(context)]
    for comparison in every:
        finding = comparison.of(usual=True).finding()
        if comparison.of(usual=True).wrong and not (finding and finding.convention):
            raise Lacking("usual samples differ already: see check_processor_outputs_equal")
    counted = [comparison.of(usual=False) for comparison in every]
    if not any(comparison.pairs or comparison.refused for comparison in counted):
        raise Skip("no array of a gray, transparent, tiny or oddly sized sample of the original's could be compared")
    return _judged(counted, [one for each in every for one in each.apart() if not one.wrong[0][0].usual], context)


def check_processor_batch_invariance(context: CheckContext) -> Figures:
    """Samples that are processed together give what each of them gives alone, within the tolerance.

    Usual mistake: statistics, padding or a size that is taken over the whole batch. The ends of a sound meet padding
    in a batch: of its values most have to stay. Arrays that are other ones every time are left out.

    Raises:
        ClaimRefuted: an array of the batch is another one than alone.
        Skip: there is no processor of images or sounds, or it takes no batch of these samples.
    """
    from porting.processors.pairing import difference

    compared = 0
    for processor in parts_of(context):
        values = [sample.value for sample in samples_for(context, processor) if sample.usual]
        for number, (value, single, batch) in enumerate(_both_ways(processor, values)):
            for name in sorted(batch.keys() & single.keys()):
                one, two = _shared_part(single[name], batch[name])
                if one.dtype.kind != "f" or not one.size:
                    continue
                changed = _changed(context, processor, one, two)
                if changed and _random(processor, value, name):
                    continue
                compared += 1
                if changed:
                    raise ClaimRefuted(
                        f"{show(name)} of sample {number} is another one in a batch than alone:"
                        f" max abs {difference(one, two):.3g}",
                        hint="take statistics and sizes from each sample, and pad after everything else",
                    )
    if not compared:
        raise Skip("the processor returned no arrays that could be compared")
    return {"compared_arrays": compared}


def check_processor_saved_equal(context: CheckContext) -> Figures:
    """The processor that is saved and loaded again gives the same arrays.

    Recipe step 6, "processor saved too": a setting that is no argument of the class is lost.

    Raises:
        ClaimRefuted: it cannot be saved or loaded, or gives others.
        Skip: there is no processor of images or sounds.
    """
    from porting.processors import ArrayPair
    from porting.processors.running import ProcessorError

    compared = 0
    for processor in parts_of(context):
        again = _saved_and_loaded(processor)
        for sample in [each for each in samples_for(context, processor) if each.usual][:2]:
            try:
                one, two = processor.alone(sample.value), again.alone(sample.value)
            except ProcessorError:
                continue
            for name in sorted(one.keys() | two.keys()):
                same = name in one and name in two and not ArrayPair(name, name, one[name], two[name]).max_abs
                if not same and name in one and _random(processor, sample.value, name):
                    continue
                compared += 1
                if not same:
                    raise ClaimRefuted(
                        f"{show(name)} of {sample.label} is another one after saving and loading",
                        hint="take every setting as an argument of __init__, and keep it under the same name",
                    )
    if not compared:
        raise Skip("the processor took none of the samples, or draws random numbers for all of them")
    return {"compared_arrays": compared}


CHECKS = (
    check_processor_outputs_equal,
    check_processor_unusual_samples,
    check_processor_batch_invariance,
    check_processor_saved_equal,
)


def _judged(counted: Sequence[Comparison], differing: Sequence[Comparison], context: CheckContext) -> Figures:
    """Refute the claim with the first comparison in which an array differs, else with what the port alone refuses.

    Args:
        counted: what the figures are of.
        differing: each with the samples that are to have one explanation.
        context: of the check.
    """
    figures, conventions = _figures(counted), []
    for comparison in differing:
        finding = comparison.finding()
        if finding is not None and finding.convention:
            conventions.append(f"{finding.stage}: {finding.text}")
        elif comparison.wrong:
            raise ClaimRefuted(
                "\n".join(_lines(comparison, finding)),
                hint=_hint(context, finding),
                figures={**figures, "stage": finding.stage if finding else None},
            )
    if refused := [line for comparison in counted for line in comparison.refused]:
        raise ClaimRefuted(
            "\n".join((f"decode: {refused[0]}", *refused[1:MOST_LINES])),
            hint="convert every image to RGB first (do_convert_rgb = True)",
            figures={**figures, "stage": "decode"},
        )
    return {**figures, "conventions": "; ".join(dict.fromkeys(conventions)) or None}


_NO_ARRAYS = "return from original_preprocess(sample) a dict of arrays, such as {'pixel_values': ...}"


def _figures(counted: Sequence[Comparison]) -> Figures:
    pairs = [pair for comparison in counted for _, pair in comparison.pairs]
    first = pairs[0] if pairs else None
    values = first.ported if first is not None else None
    return {
        "compared_arrays": len(pairs),
        "differing_arrays": sum(len(comparison.wrong) for comparison in counted),
        "max_abs": max((pair.max_abs for pair in pairs), default=None),
        "dtype": str(values.dtype) if values is not None else None,
        "original_dtype": str(first.original.dtype) if first is not None else None,
        "least": float(values.min()) if values is not None and values.size else None,
        "greatest": float(values.max()) if values is not None and values.size else None,
    }


def _lines(comparison: Comparison, finding: Finding | None) -> list[str]:
    sample, first = comparison.wrong[0]
    if finding is None:
        head = f"{comparison.symptom()}: of {sample.label}, {show(first.ported_name)} differs ({first.describe()})"
    else:
        head = f"{finding.stage}: the original has {show(finding.text, 300)}" if "=" in finding.text else ""
        head = head or f"{finding.stage}: {show(finding.text, 300)}"
    lines = [head, ""]
    if finding is not None:
        lines.append(f"Proven: with this change all samples agree (what is left: {finding.max_abs_after:.2g})")
    lines.append(f"Arrays that differ: {len(comparison.wrong)} of {len(comparison.pairs)}")
    lines += [f"  {sample.label}: {show(pair.ported_name)}: {pair.describe()}" for sample, pair in comparison.wrong]
    return lines[: MOST_LINES + 4] + more(len(comparison.wrong))


def _hint(context: CheckContext, finding: Finding | None) -> str:
    if finding is None:
        return "run original_preprocess() and the processor stage by stage on one sample, and compare after each"
    return f"mend the stage {finding.stage} in the processor, then: {context.command('check')}"


def _both_ways(processor: Processor, values: Sequence[Any]) -> list[tuple[Any, Any, Any]]:
    """Each value that the processor takes, with its arrays alone and in a batch of them."""
    from porting.processors.running import ProcessorError

    taken, alone = [], []
    for value in values:
        with contextlib.suppress(ProcessorError):
            alone.append(processor.alone(value))
            taken.append(value)
    try:
        return list(zip(taken, alone, processor.batch(taken), strict=True)) if taken else []
    except ProcessorError as error:
        raise Skip(f"the processor does not take a batch of the samples: {error.message}") from None


def _changed(context: CheckContext, processor: Processor, alone: Any, batch: Any) -> bool:
    """Whether an array of a batch is another one; of sounds, whose ends meet the padding there, most of its values."""
    import numpy as np

    if alone.shape != batch.shape:
        return True
    tolerance = context.portfile.tolerance()
    off = ~np.isclose(batch, alone, tolerance.rtol, tolerance.atol, equal_nan=True)
    return bool(off.mean() > MOST if processor.kind == "audio" else off.any())


def _random(processor: Processor, value: Any, name: str) -> bool:
    """Whether an array is another one every time."""
    from porting.processors.pairing import difference

    return difference(processor.alone(value)[name], processor.alone(value)[name]) > 0


def _shared_part(alone: Any, batch: Any) -> tuple[Any, Any]:
    """What a padded array of a batch has in common with the array alone, at the start of every axis."""
    if alone.ndim != batch.ndim or any(one > two for one, two in zip(alone.shape, batch.shape, strict=True)):
        return alone, batch
    return alone, batch[tuple(slice(0, side) for side in alone.shape)]


def _saved_and_loaded(processor: Processor) -> Processor:
    import tempfile

    with tempfile.TemporaryDirectory(prefix="porting-") as folder:
        try:
            processor.part.save_pretrained(folder)
            return replace(processor, part=type(processor.part).from_pretrained(folder))
        except PortingError:
            raise
        except Exception as error:
            raise ClaimRefuted(
                f"the processor cannot be saved and loaded: {type(error).__name__}: {show(error, 300)}",
                hint="take every setting as an argument of __init__, and make it plain JSON",
            ) from error
