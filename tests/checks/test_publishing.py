from __future__ import annotations

from pathlib import Path

import pytest
import torch
from checked import result_of
from documented import clone_in, filled, llama, portfile_in, written

from porting.checks import CheckContext, CheckResult
from porting.checks.running.recording import outcome_of
from porting.documents.reading import LARGEST, DocumentError, read_document
from porting.evidence import changes, newest_records, record
from porting.evidence.asking import listening
from porting.portfile import Portfile

CHECKS = {"check_doc_page": "docs/tiny_llama.md", "check_model_card": "converted/README.md"}


@pytest.fixture
def portfile(tmp_path: Path) -> Portfile:
    return portfile_in(tmp_path)


def checked(name: str, portfile: Portfile) -> CheckResult:
    return result_of(name, CheckContext(portfile))


def complete(portfile: Portfile) -> None:
    for document in written(portfile).documents:
        filled(document.path)


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("check_doc_page", "porting write page"),
        ("check_model_card", "porting write card"),
        ("check_pull_request", "porting write pull-request"),
    ],
)
def test_a_document_that_is_not_there_is_lacking_with_its_command(name: str, command: str, portfile: Portfile) -> None:
    result = checked(name, portfile)
    assert result.lacking
    assert result.hint == f"write it: {command} --portfile {portfile.path}"


@pytest.mark.parametrize("name", ["check_doc_page", "check_model_card", "check_pull_request"])
def test_parts_that_are_left_are_told_by_line(name: str, portfile: Portfile) -> None:
    written(portfile)
    result = checked(name, portfile)
    assert result.lacking
    assert "are still to be written" in result.message
    assert result.figures["left"] == result.message.count("\n  ")


def test_documents_that_a_person_completed_pass(portfile: Portfile) -> None:
    complete(portfile)
    for name in ("check_doc_page", "check_model_card", "check_converted_folder", "check_pull_request"):
        assert checked(name, portfile).status == "passed", checked(name, portfile).message


@pytest.mark.parametrize(
    ("name", "old", "new", "words"),
    [
        ("check_doc_page", "[[autodoc]] LlamaModel", "[[autodoc]] LlamaModle", "LlamaModle, which does not exist"),
        ("check_doc_page", "[[autodoc]] LlamaForCausalLM", "", "LlamaForCausalLM has no [[autodoc]] entry"),
        ("check_doc_page", "*This model was released", "*It was released", "utils/add_dates.py asks for"),
        ("check_doc_page", "## Overview", "## Overview\n\n<INSERT SHORT SUMMARY HERE>", "is to be replaced"),
        ("check_model_card", "library_name: transformers", "library_name: timm", "library_name is timm"),
        ("check_model_card", "license: 'said by a person'\n", "", "no license"),
        ("check_model_card", "pipeline_tag: text-generation\n", "", "no pipeline_tag, such as text-generation"),
        ("check_model_card", "tags:\n", "tags: [\n", "its metadata cannot be read"),
        ("check_model_card", "---\nbase_model", "base_model", "it has no metadata"),
        ("check_model_card", "## Intended use and limitations", "## Else", "no section says its limits"),
        ("check_model_card", "```", "", "it has no example code"),
        ("check_model_card", "# ", "", "it has no title"),
    ],
)
def test_what_is_wrong_in_a_document_is_named(name: str, old: str, new: str, words: str, portfile: Portfile) -> None:
    complete(portfile)
    path = portfile.folder / CHECKS[name]
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    result = checked(name, portfile)
    assert result.status == "failed"
    assert words in result.message


def test_a_page_in_a_clone_has_to_be_in_the_toctree(tmp_path: Path) -> None:
    toctree = clone_in(tmp_path)
    portfile = portfile_in(tmp_path)
    complete(portfile)
    with listening() as heard:
        assert checked("check_doc_page", portfile).status == "passed"
    assert f"path {toctree}" in heard
    toctree.write_text(toctree.read_text().replace("model_doc/tiny_llama", "model_doc/other"))
    result = checked("check_doc_page", portfile)
    assert result.status == "failed"
    assert "_toctree.yml has no entry" in result.message


@pytest.mark.parametrize("shared", ["tiny-llama", "tiny"])
def test_a_page_may_be_called_otherwise_or_shared_and_name_the_package(shared: str, tmp_path: Path) -> None:
    toctree = clone_in(tmp_path)
    portfile = portfile_in(tmp_path)
    complete(portfile)
    page = toctree.parent / "model_doc" / "tiny_llama.md"
    page.rename(page.with_name(f"{shared}.md")).write_text(page_with_package(page.with_name(f"{shared}.md")))
    page.with_name("another.md").write_text("# Another\n\n[[autodoc]] LlamaModelOfOthers\n")
    toctree.write_text(toctree.read_text().replace("model_doc/tiny_llama", f"model_doc/{shared}"))
    assert (checked("check_doc_page", portfile).status, page.exists()) == ("passed", False)
    toctree.write_text(toctree.read_text().replace(f"model_doc/{shared}", "model_doc/gone"))
    assert "has no entry" in checked("check_doc_page", portfile).message


def page_with_package(page: Path) -> str:
    return page.read_text().replace("[[autodoc]] Llama", "[[autodoc]] transformers.Llama")


def test_a_document_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "page.md").open("wb") as file:
        file.truncate(LARGEST)
    assert read_document(tmp_path / "page.md") == "\0" * LARGEST
    with (tmp_path / "page.md").open("ab") as file:
        file.write(b"x")
    with pytest.raises(DocumentError, match="too large"):
        read_document(tmp_path / "page.md")


def test_a_folder_of_other_weights_than_the_ports_is_refuted(portfile: Portfile) -> None:
    model = llama()
    with torch.no_grad():
        model.lm_head.weight += 1
    model.save_pretrained(portfile.folder / "converted", save_original_format=False)
    result = checked("check_converted_folder", portfile)
    assert result.status == "failed"
    assert "lm_head.weight has other values" in result.message


def test_a_folder_with_a_pickle_is_refuted_and_a_right_one_names_the_upload(portfile: Portfile) -> None:
    result = checked("check_converted_folder", portfile)
    assert (result.status, result.figures["upload"]) == ("passed", "hf upload org/tiny ./converted .")
    (portfile.folder / "converted" / "optimizer.pt").write_bytes(b"")
    result = checked("check_converted_folder", portfile)
    assert result.status == "failed"
    assert "optimizer.pt" in result.message


def test_without_a_converted_folder_the_claims_are_lacking(tmp_path: Path) -> None:
    portfile = portfile_in(tmp_path, converted=False)
    for name in ("check_converted_folder", "check_model_card"):
        result = checked(name, portfile)
        assert result.lacking
        assert "convert converted" in result.hint


def test_evidence_of_a_document_and_a_folder_goes_stale_with_them(portfile: Portfile) -> None:
    complete(portfile)
    names = ("check_doc_page", "check_model_card", "check_converted_folder")
    outcomes = [outcome_of(portfile, checked(name, portfile)) for name in names]
    assert record(portfile, outcomes, "porting check") is None
    records = newest_records(portfile)
    assert [changes(records[name], portfile) for name in names] == [(), (), ()]
    page = portfile.folder / "docs" / "tiny_llama.md"
    page.write_text(page.read_text() + "more\n")
    assert [changes(records[name], portfile) for name in names] == [("docs/tiny_llama.md changed",), (), ()]
    (portfile.folder / "converted" / "notes.txt").write_text("x")
    assert changes(records["check_converted_folder"], portfile) == ("the files of converted are others",)
    card = portfile.folder / "converted" / "README.md"
    card.write_text(card.read_text() + "more\n")
    assert changes(records["check_model_card"], portfile) == ("converted/README.md changed",)


def test_a_notebook_that_was_written_runs_once_its_parts_are_filled(portfile: Portfile) -> None:
    assert not checked("check_notebook_runs", portfile).lacking
    written(portfile, "notebook")
    assert checked("check_notebook_runs", portfile).lacking
    path = portfile.folder / "tiny_llama.ipynb"
    filled(path)
    result = checked("check_notebook_runs", portfile)
    assert (result.status, result.figures) == ("passed", {"notebooks": 1, "cells": 1})
    path.write_text("{}")
    assert checked("check_notebook_runs", portfile).status == "error"


def test_a_model_named_as_in_the_guides_is_no_placeholder(tmp_path: Path) -> None:
    portfile = portfile_in(tmp_path, MODEL_NAME="brand_new_bert", HUB_ID="org/brand_new_bert")
    complete(portfile)
    for name in ("check_doc_page", "check_model_card"):
        assert checked(name, portfile).status == "passed", checked(name, portfile).message
