"""Where the port is written: its files, and the checkout of Transformers that they lie in."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

from porting.checks.shared.outcomes import Lacking, Skip
from porting.evidence.asking import note
from porting.text import show

if TYPE_CHECKING:
    from porting.checkout import Checkout
    from porting.checks.shared.context import CheckContext
    from porting.environment.repository import Repository


TESTS = "test_*.py"


def clone_hint() -> str:
    """How a checkout is made."""
    return "clone your fork of https://github.com/huggingface/transformers, then in the clone: pip install -e ."


def working_checkout(context: CheckContext) -> Checkout:
    """The checkout in which a model is added: the one that is imported, or in which the portfile lies.

    Raises:
        Lacking: there is none.
    """
    from porting.checkout import find_checkout, installed_checkout

    found = installed_checkout() or find_checkout(context.portfile.folder)
    if found is None:
        raise Lacking("there is no checkout of Transformers", hint=clone_hint())
    return found


def repository_of(checkout: Checkout) -> Repository:
    """The git repository that a checkout is.

    Raises:
        Lacking: git cannot read it, or it is none.
    """
    from porting.environment.repository import Repository, RepositoryError

    try:
        return Repository.at(checkout.root)
    except RepositoryError as error:
        raise Lacking(
            f"the checkout {show(checkout.root)} is no repository that git reads: {error.message}", hint=clone_hint()
        ) from error


def modeling_of(context: CheckContext) -> Path:
    """The file in which the port is written.

    Raises:
        Lacking: it is no ``modeling_*.py``.
    """
    from porting.conventions.files import modeling_file

    path = modeling_file(context.ported_kind)
    if path is None:
        raise Lacking("the port is not written in a modeling_*.py, as Transformers' models are")
    return path


def own_checkout(context: CheckContext) -> tuple[Checkout, Path]:
    """The checkout that the port's own files lie in, and its ``modeling_*.py``.

    Raises:
        Skip: the port is not written in such a file, or it came with Transformers.
        Lacking: the file lies in no checkout.
    """
    from porting.checkout import find_checkout
    from porting.conventions.files import is_shipped

    path = modeling_of(context)
    if is_shipped(path):
        raise Skip(f"{show(path.name)} came with Transformers, and is not what is added to it")
    checkout = find_checkout(path)
    if checkout is None:
        raise Lacking(f"{show(path.name)} lies in no checkout of Transformers", hint=clone_hint())
    return checkout, path


def folder_for_hub(context: CheckContext) -> dict[str, str]:
    """The converted folder beside the portfile, by the ``HUB_ID`` that it is to be uploaded as; none without both."""
    from porting.weights.conversion.latest import converted_folder

    folder, hub_id = converted_folder(context.portfile.folder), context.portfile.constants.get("HUB_ID")
    return {hub_id: str(folder)} if folder is not None and isinstance(hub_id, str) else {}


def python_files(modeling: Path) -> list[Path]:
    """The port's files: in the models of a checkout all of its folder, else those of the same name."""
    from porting.checkout import find_checkout
    from porting.conventions.files import files_of

    checkout = find_checkout(modeling)
    if checkout is not None and modeling.parent.parent == checkout.package / "models":
        note(f"folder {modeling.parent.absolute() / '*.py'}")
        found = sorted(path for path in modeling.parent.glob("*.py") if path.is_file())
    else:
        found = [source.path for source in files_of(modeling)]
    note(*(f"path {path.absolute()}" for path in found))
    return found


def test_files(context: CheckContext, modeling: Path) -> list[Path]:
    """The port's test files: in its checkout, and beside the portfile, where ``porting tests`` writes them."""
    from porting.checkout import find_checkout
    from porting.errors import GenerationError
    from porting.stubs.layout import Tree

    checkout = find_checkout(modeling)
    folders = [] if checkout is None else [checkout.tests_folder(modeling.parent.name)]
    with contextlib.suppress(GenerationError):
        folders.append(Tree.of(context.portfile.model_name, context.portfile.folder).test("modeling").parent)
    note(*(f"folder {folder.absolute() / TESTS}" for folder in folders))
    found = (path for folder in folders for path in sorted(folder.glob(TESTS)) if path.is_file())
    context.reads(*(paths := list(dict.fromkeys(found))))
    return paths
