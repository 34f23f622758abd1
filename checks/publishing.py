"""Step 12 of the recipe: the weights are ready for the Hub, with a model card."""

from __future__ import annotations

from typing import TYPE_CHECKING

from porting.checks.shared.outcomes import ClaimRefuted, Figures, Lacking, Skip
from porting.checks.shared.wording import listed
from porting.evidence.asking import note
from porting.text import show

if TYPE_CHECKING:
    from pathlib import Path

    from porting.checks.shared.context import CheckContext

STEP = 12


def check_converted_folder(context: CheckContext) -> Figures:
    """The folder that is to be uploaded holds all that users need and nothing else, and loads as the port.

    Recipe step 12: config, weights as safetensors, what the portfile's tokenizer and processor are loaded from; no
    pickle, no link, no secret, no stray file; what the conversion wrote is unchanged; ``from_pretrained`` gives every
    tensor of the live port, and every setting of the portfile's processor.

    Raises:
        ClaimRefuted: something is missing, is too much, or differs.
        Lacking: there is no converted folder beside the portfile.
        Skip: the port is no ``PreTrainedModel``.
    """
    from porting.documents.contents import faults_of, upload_command
    from porting.documents.reloaded import unlike_port, unlike_processor
    from porting.pretrained import is_pretrained

    folder = folder_of(context)
    files = [path for path in folder.rglob("*") if path.is_file()]
    note(f"folder {folder.absolute()}", *(f"path {path.absolute()}" for path in files))
    size = sum(path.stat().st_size for path in files)
    figures: Figures = {"folder": show(folder.name), "files": len(files), "bytes": size}
    found = list(faults_of(folder, context.portfile.functions))
    if not found:
        if not is_pretrained(context.ported_structure):
            raise Skip("the port is no PreTrainedModel, so that no from_pretrained loads the folder", figures=figures)
        found = list(unlike_port(folder, context.ported_model))
        if "ported_processor" in context.portfile.functions:
            found += unlike_processor(folder, context.portfile.call("ported_processor"))
    hint = f"mend that, or convert anew, then: {context.command('check check_converted_folder')}"
    require_right(folder, found, hint, figures)
    hub_id = str(context.portfile.constants.get("HUB_ID") or "")
    upload = upload_command(folder, hub_id) if hub_id else None
    return {**figures, "tensors": len(context.ported_model.state_dict()), "upload": upload}


def check_model_card(context: CheckContext) -> Figures:
    """The model card has its metadata and sections, and nothing in it is left to be written.

    Recipe step 12: ``README.md`` of the converted folder, read as ``huggingface_hub`` reads it; licence, library and
    task in the metadata; how to use the model, its limits, its training and its evaluation in the text.

    Raises:
        ClaimRefuted: the metadata cannot be read, or is wrong; a section is missing; a template's word is left.
        Lacking: there is no card, or parts of it are left to be written.
    """
    from porting.documents.reading import card_faults, left_in

    path = folder_of(context) / "README.md"
    text = text_of(context, path, "card")
    require_written(context, path, left_in(text), "card")
    hint = f"write that into {show(path.name)}, then: {context.command('check check_model_card')}"
    require_right(path, list(card_faults(text, context.ported_structure)), hint)
    return {"lines": len(text.splitlines())}


CHECKS = (check_converted_folder, check_model_card)


def folder_of(context: CheckContext) -> Path:
    """The converted folder.

    Raises:
        Lacking: there is none.
    """
    from porting.weights.conversion.latest import converted_folder

    folder = converted_folder(context.portfile.folder)
    if folder is None:
        raise Lacking(
            "there is no converted folder beside the portfile", hint=f"make it: {context.command('convert converted')}"
        )
    return folder


def text_of(context: CheckContext, path: Path, what: str) -> str:
    """The text of a document.

    Raises:
        Lacking: it is not there; the hint says which command writes it.
    """
    from porting.documents.reading import read_document

    note(f"path {path.absolute()}")
    text = read_document(path)
    if text is None:
        command = context.command(f"write {what}")
        raise Lacking(f"there is no {show(path.name)}: {command} writes it", hint=f"write it: {command}")
    return text


def require_right(path: Path, faults: list[str], hint: str, figures: Figures | None = None) -> None:
    """Require that nothing is wrong with a document or a folder.

    Raises:
        ClaimRefuted: something is.
    """
    if faults:
        all_of_them = f"\n{listed([f'  {each}' for each in faults])}" if len(faults) > 1 else ""
        found = {**(figures or {}), "faults": len(faults)}
        raise ClaimRefuted(f"{show(path.name)}: {faults[0]}{all_of_them}", hint=hint, figures=found)


def require_written(context: CheckContext, path: Path, left: list[tuple[int, str]], what: str) -> None:
    """Require that nothing in a document is left to a person.

    Raises:
        Lacking: something is.
    """
    if left:
        lines = [f"  {show(path.name)}:{line} {show(words, 200)}" for line, words in left]
        raise Lacking(
            f"{len(left)} parts of {show(path.name)} are still to be written\n{listed(lines)}",
            hint=f"write them in place of the marks, then: {context.command(f'check {CLAIMS[what]}')}",
            figures={"left": len(left)},
        )


CLAIMS = {
    "page": "check_doc_page",
    "card": "check_model_card",
    "notebook": "check_notebook_runs",
    "pull-request": "check_pull_request",
}
"""The checks of documents, by what ``porting write`` calls them."""
