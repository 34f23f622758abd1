"""Step 8 of the recipe: the port's own tests are there, are its own, and pass."""

from __future__ import annotations

import contextlib
import os
import shlex
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from porting.checks.shared.outcomes import ClaimRefuted, Figures, Inconclusive, Lacking, Skip
from porting.checks.shared.wording import listed
from porting.checks.shared.working import folder_for_hub, own_checkout, python_files
from porting.errors import PortingError
from porting.evidence.asking import note
from porting.text import show

if TYPE_CHECKING:
    from collections.abc import Iterator

    from porting.checkout import Checkout
    from porting.checks.shared.context import CheckContext
    from porting.conventions.borrowed import Borrowed
    from porting.testing import TestRun

STEP = 8
SECONDS_OF_INTEGRATION = 900.0
SECONDS_OF_MODEL = 1800.0


def check_generated_tests(context: CheckContext) -> Figures:
    """The integration tests with the original's values, which ``porting tests`` wrote, pass.

    Recipe step 8. They are run with the slow ones, without the network; if all are skipped, that is no pass. Before
    the weights are on the Hub, while the portfile has no ``REVISION``, the converted folder stands for ``HUB_ID``, and
    the figures say so; once it has one, they load from there.

    Raises:
        ClaimRefuted: one fails, or there is none in the files.
        Inconclusive: none ran, or they did not end, or all that fail need files of the Hub.
        Lacking: they are not written, or all that fail need a package that is not installed.
    """
    from porting.testing import run_tests

    found = dict(_generated(context))
    context.reads(*(path for paths in found.values() for path in paths))
    if not found:
        raise Lacking("there are no integration tests with the original's values", hint=context.command("tests"))
    _ask_for_port(context)
    run = partial(run_tests, slow=True, seconds=SECONDS_OF_INTEGRATION)
    runs = [run(paths, root) for root, paths in found.items()]
    by_hand = _run_by_hand([path for paths in found.values() for path in paths], slow=True)
    needs_file = any(each.needs_file for ran in runs for each in ran.failures)
    folders = _before_the_upload(context) if needs_file else {}
    if not folders:
        return _judged(context, runs, by_hand)
    runs = [run(paths, root, standing_for=folders) for root, paths in found.items()]
    return {"not on the Hub yet, loaded from": show(Path(*folders.values()).name), **_judged(context, runs, by_hand)}


def check_model_tests(context: CheckContext) -> Figures:
    """The common tests of Transformers, which the port's model test in a checkout runs, pass.

    Recipe step 8. Slow tests are left out, and the network is not asked.

    Raises:
        ClaimRefuted: one fails, or the file has none.
        Inconclusive: none ran, or they did not end, or all that fail need files of the Hub.
        Skip: the port came with Transformers.
        Lacking: it lies in no checkout, or has no model test there, or lacks packages that the tests need.
    """
    from porting.stubs.layout import has_model_test
    from porting.testing import run_tests

    checkout, path = _model_test(context)
    if not has_model_test(path):
        raise Lacking(
            f"{show(path.name)} has no class of the common tests, such as a ...ModelTest",
            hint="see another model's test: CausalLMModelTest, or ModelTesterMixin with a tester",
        )
    run = run_tests([path], checkout.root, slow=False, seconds=SECONDS_OF_MODEL)
    return _judged(context, [run], _run_by_hand([path], slow=False))


def check_tests_are_own(context: CheckContext) -> Figures:
    """The port's model test loads no checkpoint of another model, and expects no numbers or text of its tests.

    Recipe, "today's way": ``transformers add-new-model-like`` copies the tests and replaces the name alone. Held
    against are the models that the port's files are made from, and the one whose test is most alike.

    Raises:
        ClaimRefuted: a checkpoint or a row of expected numbers is another model's.
        Inconclusive: only a text is, and the test names no checkpoint of its own that may rightly say it, too; or a
            checkpoint is, but for the model's name in it.
        Skip: the port came with Transformers, or there is no other model's test.
        Lacking: it lies in no checkout, or has no model test there.
    """
    from porting.conventions.borrowed import Facts, borrowed, cased_name
    from porting.conventions.files import Source, classes_in
    from porting.conventions.parents import parents_of

    checkout, path = _model_test(context)
    modeling = own_checkout(context)[1]
    source, model = Source.read(path), modeling.parent.name
    own = Facts.of(source, classes_in(python_files(modeling)))
    parents = parents_of(checkout, model, python_files(modeling), path)
    tests = {name: checkout.tests_folder(name) / f"test_modeling_{name}.py" for name in parents}
    others = {name: Source.read(test) for name, test in tests.items() if test.is_file()}
    context.reads(*python_files(modeling), *tests.values())
    if not others:
        raise Skip("there is no test of another model that this one may have been copied from")
    called = cased_name(source, model)
    found = [
        (name, each)
        for name, other in others.items()
        for each in borrowed(own, Facts.of(other), (cased_name(other, name), called))
    ]
    figures: Figures = {"held against": ", ".join(others), "found": 0}
    return _all_own(context, path, found, figures, names_checkpoint=bool(own.checkpoints))


CHECKS = (check_tests_are_own, check_model_tests, check_generated_tests)


def _generated(context: CheckContext) -> Iterator[tuple[Path, list[Path]]]:
    """The test files that ``porting tests`` wrote, by the folder in which they are to be run."""
    from porting.checkout import find_checkout, installed_checkout
    from porting.errors import GenerationError
    from porting.stubs.layout import Tree, is_generated, standalone_path

    portfile = context.portfile
    checkouts = (find_checkout(portfile.folder), installed_checkout())
    roots = dict.fromkeys([portfile.folder, *(each.root for each in checkouts if each is not None)])
    for root in roots:
        try:
            tree, alone = Tree.of(portfile.model_name, root), standalone_path(portfile.model_name, root)
        except GenerationError:
            return
        context.reads(tree.modeling()[0], alone)
        paths = [path for path in (*sorted(tree.test("any").parent.glob("test_*.py")), alone) if is_generated(path)]
        if paths:
            yield root, paths


def _ask_for_port(context: CheckContext) -> None:
    """Have the claim speak of the port, which tests build by themselves; one that cannot be built here is theirs."""
    with contextlib.suppress(PortingError):
        _ = context.ported_model


def _before_the_upload(context: CheckContext) -> dict[str, str]:
    """The converted folder by the ``HUB_ID`` that it stands for; none once a ``REVISION`` names what was uploaded."""
    from porting.documents.contents import CARD

    if context.portfile.constants.get("REVISION"):
        return {}
    folders = folder_for_hub(context)
    for folder in map(Path, folders.values()):
        note(*(f"folder {folder.absolute() / pattern}" for pattern in ("*.json", "*.safetensors")))
        context.reads(*(path for path in folder.rglob("*") if path.is_file() and path.name != CARD))
    return folders


def _model_test(context: CheckContext) -> tuple[Checkout, Path]:
    """The checkout that the port lies in, and its model test there.

    Raises:
        Skip: the port came with Transformers.
        Lacking: it lies in no checkout, or there is no such file.
    """
    checkout, modeling = own_checkout(context)
    name = modeling.parent.name
    path = checkout.tests_folder(name) / f"test_modeling_{name}.py"
    context.reads(path)
    if not path.is_file():
        raise Lacking(f"there is no {show(path.relative_to(checkout.root))}", hint="transformers add-new-model-like")
    return checkout, path


def _run_by_hand(paths: list[Path], *, slow: bool) -> str:
    """The command that runs test files, to be typed."""
    names = " ".join(shlex.quote(os.path.relpath(path)) for path in paths)
    return show(f"{'RUN_SLOW=1 ' if slow else ''}python -m pytest {names}", 300)


def _judged(context: CheckContext, runs: list[TestRun], by_hand: str) -> Figures:
    """The figures of test runs that passed.

    Args:
        context: of the check.
        runs: what came of them.
        by_hand: the command that runs the same.
    """
    counted = {word: sum(getattr(run, word) for run in runs) for word in ("passed", "failed", "skipped")}
    figures: Figures = {**counted}
    failures = [each for run in runs for each in run.failures]
    if any(run.failures and not run.lacks for run in runs):
        lines = [each.line for each in failures if not each.package and not each.needs_file]
        lines += [each.line for each in failures if each.line not in lines]
        raise ClaimRefuted(
            f"{_tests(counted['failed'], 'fails', 'fail')}: {lines[0]}\n{listed([f'  {line}' for line in lines])}",
            hint=f"mend the port or the test, and run it alone: {by_hand}",
            figures=figures,
        )
    if packages := sorted({each.package for each in failures if each.package}):
        raise Lacking(
            f"{_tests(counted['failed'], 'needs', 'need')} packages that are not installed: {', '.join(packages)}",
            hint=f"pip install {' '.join(packages)}, or all that Transformers' tests need: the extra [testing] of it",
        )
    for run in runs:
        if run.failures:
            raise Inconclusive(
                f"{_tests(run.failed, 'needs', 'need')} files of the Hub that are not here: {run.failures[0].line}",
                hint=f"run them once with the network: {by_hand}; before the upload, while the portfile has no "
                f"REVISION, the converted folder stands for HUB_ID: {context.command('convert converted')}",
                figures=figures,
            )
        if not run.complete or not run.passed:
            why = "all tests were skipped" if run.skipped and run.complete else f"pytest: {run.last_line}"
            raise Inconclusive(f"no test showed anything; {why}", hint=context.command("check tests"), figures=figures)
    return figures


def _tests(count: int, one: str, more: str) -> str:
    return f"1 test {one}" if count == 1 else f"{count} tests {more}"


def _all_own(
    context: CheckContext, path: Path, found: list[tuple[str, Borrowed]], figures: Figures, *, names_checkpoint: bool
) -> Figures:
    """The figures of a test that has nothing of others.

    Args:
        context: of the port.
        path: of its test.
        found: what it has of others, each with the other's name.
        figures: to be completed.
        names_checkpoint: whether it names one, so that a text may rightly be that of another model, too.
    """
    mine = str(context.portfile.constants.get("HUB_ID") or "")
    others = [(name, each) for name, each in found if each.what != mine]
    found = sorted(others, key=lambda each: (not each[1].is_sure, each[1].kind == "text"))
    figures = {**figures, "found": len(found)}
    if not found or (names_checkpoint and found[0][1].kind == "text"):
        return figures
    lines = [f"  {show(path.name)}:{_described(name, each)}" for name, each in found]
    kind = ClaimRefuted if found[0][1].is_sure else Inconclusive
    raise kind(
        f"{lines[0].strip()}\n{listed(lines)}",
        hint=f"put the port's own checkpoint and the original's values there: {context.command('tests')}",
        figures=figures,
    )


def _described(name: str, found: Borrowed) -> str:
    what = {"checkpoint": "the checkpoint", "numbers": "the expected numbers", "text": "the expected text"}[found.kind]
    there = f" ({show(found.there, 80)})" if found.there else ""
    return f"{found.line} {what} {show(found.what, 80)}: also in the tests of {show(name)}{there}"
