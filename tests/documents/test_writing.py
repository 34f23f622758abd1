from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from documented import CONFIG, TOCTREE, clone_in, filled, portfile_in, written
from huggingface_hub import ModelCard

from porting.documents import Documents, examples
from porting.errors import OutputError
from porting.evidence import Outcome, record
from porting.parts import parts_left
from porting.portfile import Portfile


def states(documents: Documents) -> dict[str, str]:
    return {document.what: document.state for document in documents.documents}


@pytest.fixture
def portfile(tmp_path: Path) -> Portfile:
    return portfile_in(tmp_path)


def proven(portfile: Portfile, max_abs: float = 2.5e-6, result: str = "passed") -> None:
    outcome = Outcome("check_outputs_equal", 7, result, {"max_abs": max_abs})
    assert record(portfile, [outcome], "porting check") is None


def test_everything_that_applies_is_written_with_its_parts_told_by_line(portfile: Portfile) -> None:
    documents = written(portfile)
    assert states(documents) == {"page": "new", "card": "new", "pull-request": "new"}
    for document in documents.documents:
        text = document.path.read_text()
        assert document.parts == parts_left(text) != ()
        lines = text.splitlines()
        assert all(f"[[you: {part.what}]]" in lines[part.line - 1] for part in document.parts)
    paths = [document.path.relative_to(portfile.folder).as_posix() for document in documents.documents]
    assert paths == ["docs/tiny_llama.md", "converted/README.md", "pull-request.md"]


def test_writing_again_changes_nothing_and_keeps_what_a_person_wrote(portfile: Portfile) -> None:
    written(portfile)
    page = portfile.folder / "docs" / "tiny_llama.md"
    card = portfile.folder / "converted" / "README.md"
    texts = {path: filled(path) + "\nAnd more.\n" for path in (page, card)}
    for path, text in texts.items():
        path.write_text(text)
    documents = written(portfile, "page", "card")
    assert states(documents) == {"page": "as it was", "card": "as it was"}
    assert documents.left == 0
    assert {path: path.read_text() for path in texts} == texts


def test_new_evidence_changes_its_own_blocks_alone(portfile: Portfile) -> None:
    written(portfile)
    card = portfile.folder / "converted" / "README.md"
    before = filled(card)
    assert "Nothing was verified yet" in before
    proven(portfile)
    documents = written(portfile, "card", "pull-request")
    assert states(documents) == {"card": "changed", "pull-request": "changed"}
    after = card.read_text()
    assert "`2.5e-06`" in after
    assert "Nothing was verified yet" not in after
    assert after.partition("porting: verification begin")[0] == before.partition("porting: verification begin")[0]


def test_a_failure_is_not_told_as_a_proof(portfile: Portfile) -> None:
    proven(portfile, 3.0, "failed")
    written(portfile, "card")
    (row,) = [line for line in (portfile.folder / "converted" / "README.md").read_text().splitlines() if "`3`" in line]
    assert "| failed |" in row


def test_a_block_that_a_person_changed_is_kept_and_told(portfile: Portfile) -> None:
    written(portfile, "card")
    card = portfile.folder / "converted" / "README.md"
    card.write_text(card.read_text().replace("Nothing was verified yet.", "I verified it."))
    proven(portfile)
    documents = written(portfile, "card")
    assert "I verified it." in card.read_text()
    (conflict,) = documents.documents[0].conflicts
    assert "verification" in card.read_text().splitlines()[conflict.line - 1]


def test_a_persons_own_file_is_replaced_by_force_only(portfile: Portfile) -> None:
    path = portfile.folder / "pull-request.md"
    path.write_text("# Mine\n")
    documents = written(portfile, "pull-request")
    assert path.read_text() == "# Mine\n"
    assert "--force" in documents.documents[0].conflicts[0].message
    written(portfile, "pull-request", force=True)
    assert "# [WIP] Add Llama" in path.read_text()


def test_a_dry_run_writes_nothing_and_has_the_texts(portfile: Portfile) -> None:
    documents = written(portfile, dry_run=True)
    assert not (portfile.folder / "docs").exists()
    assert not (portfile.folder / "pull-request.md").exists()
    assert all("Llama" in text for text in documents.to_dict()["texts"].values())


def test_without_a_converted_folder_there_is_no_card(tmp_path: Path) -> None:
    portfile = portfile_in(tmp_path, converted=False)
    documents = written(portfile)
    assert "card" not in states(documents)
    assert "porting convert converted" in documents.skipped[0]
    with pytest.raises(OutputError, match="there is none"):
        written(portfile, "card")


def test_in_a_clone_the_page_is_among_the_others_and_in_the_toctree(tmp_path: Path) -> None:
    toctree = clone_in(tmp_path)
    (tmp_path / "work").mkdir()
    portfile = portfile_in(tmp_path / "work")
    documents = written(portfile, "page")
    assert states(documents) == {"page": "new", "toctree": "changed"}
    assert (toctree.parent / "model_doc" / "tiny_llama.md").is_file()
    entry = "      - local: model_doc/tiny_llama\n        title: Llama\n"
    assert toctree.read_text().replace(entry, "") == TOCTREE
    assert states(written(portfile, "page")) == {"page": "as it was"}


def test_a_toctree_without_the_group_is_left_alone_and_the_entry_shown(tmp_path: Path) -> None:
    toctree = clone_in(tmp_path, "- local: index\n  title: Transformers\n")
    portfile = portfile_in(tmp_path)
    documents = written(portfile, "page")
    assert toctree.read_text() == "- local: index\n  title: Transformers\n"
    assert any("local: model_doc/tiny_llama" in command for command in documents.commands)


def test_the_cards_metadata_is_read_by_the_hubs_own_parser(portfile: Portfile) -> None:
    written(portfile, "card")
    data = ModelCard.load(portfile.folder / "converted" / "README.md").data
    assert (data.library_name, data.pipeline_tag) == ("transformers", "text-generation")
    assert data.tags == ["llama"]
    assert data.license.startswith("[[you: ")


def test_figures_of_the_card_are_counted(portfile: Portfile) -> None:
    written(portfile, "card")
    text = (portfile.folder / "converted" / "README.md").read_text()
    count = sum(parameter.numel() for parameter in portfile.build("ported").parameters())
    assert f"| Parameters | `{count:,}` |" in text
    assert "| Dtype | `float32` |" in text


@pytest.mark.parametrize("name", ["../../etc/passwd", "a/b", "x\n---\nlicense: mit", "<script>", "`@org`"])
def test_a_hostile_name_makes_no_path_and_no_markup(name: str, tmp_path: Path) -> None:
    portfile = portfile_in(tmp_path, MODEL_NAME=name, HUB_ID=name)
    for document in written(portfile, "page", "card", "pull-request", "notebook").documents:
        assert document.path.resolve().is_relative_to(tmp_path)
        assert not any(mark in document.text for mark in ("<script>", "@org", "\n---\nlicense: mit"))


def test_a_hostile_config_stays_in_code_and_in_its_quotes(tmp_path: Path) -> None:
    from transformers import LlamaConfig

    hostile = "x\n---\n# <script>alert(1)</script> @someone"

    class Hostile(LlamaConfig):  # type: ignore[misc]
        model_type = hostile

    portfile = portfile_in(tmp_path, config=lambda: Hostile(**CONFIG))
    written(portfile, "card")
    text = (tmp_path / "converted" / "README.md").read_text()
    card = ModelCard(text)
    assert card.data.get("tags") == [hostile]
    assert "<script>" not in card.text
    assert "# Hostile" in card.text.splitlines()


def test_hostile_evidence_stays_in_code(portfile: Portfile) -> None:
    outcome = Outcome(
        "check_outputs_equal", 7, "passed", {"max_abs": "<img src=x> | a |\n<!-- porting: facts end -->"}
    )
    assert record(portfile, [outcome], "`rm -rf /` @someone\n# x") is None
    written(portfile, "card", "pull-request")
    for name in ("converted/README.md", "pull-request.md"):
        lines = (portfile.folder / name).read_text().splitlines()
        assert "# x" not in lines
        assert lines.count("<!-- porting: facts end -->") <= 1


def test_the_uploads_command_is_told_once_the_folder_is_complete_and_loads(
    portfile: Portfile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(examples, "fault_of", lambda program, folder: "")
    check = "porting check check_model_card check_converted_folder"
    folder = portfile.folder / "converted"
    assert written(portfile, "card", tried=True).commands == (check,)
    filled(folder / "README.md")
    assert written(portfile, "card").commands == (check,)
    assert written(portfile, "card", tried=True).commands == ("hf upload org/tiny ./converted .",)
    (folder / "optimizer.pt").write_bytes(b"")
    assert written(portfile, "card", tried=True).commands == (check,)


def test_the_nearest_models_are_told_with_their_figures(portfile: Portfile) -> None:
    written(portfile, "pull-request")
    text = (portfile.folder / "pull-request.md").read_text()
    block = text.partition("porting: nearest begin")[2].partition("porting: nearest end")[0]
    tensors = len(portfile.build("ported").state_dict())
    assert f"| {tensors} of {tensors} |" in block
    assert "`llama`" in block
    assert "has exactly these tensors." in block


ASKED = """
<!-- - [ ] never shown -->
## Before submitting
- [ ] I am a [person](https://example.com), and
      read all of it.
- [x] ticked by nobody
* [ ] I wrote <b>tests</b>
"""


def test_the_boxes_of_the_repositorys_own_template_are_left_to_a_person(tmp_path: Path) -> None:
    clone_in(tmp_path)
    (tmp_path / ".github").mkdir()
    (tmp_path / ".github" / "PULL_REQUEST_TEMPLATE.md").write_text(ASKED)
    portfile = portfile_in(tmp_path)
    (document,) = written(portfile, "pull-request").documents
    text = document.path.read_text()
    assert [line for line in text.splitlines() if line.startswith("- [ ]")] == [
        "- [ ] `I am a person, and read all of it.`",
        "- [ ] `I wrote <b>tests</b>`",
    ]
    assert any("tick what is so" in part.what for part in document.parts)


def test_without_weights_no_model_is_said_to_be_near(tmp_path: Path) -> None:
    written(portfile_in(tmp_path, converted=False), "pull-request")
    assert "Nothing is known of the checkpoint's tensors" in (tmp_path / "pull-request.md").read_text()


def contents(folder: Path) -> dict[str, str]:
    found = [path for path in folder.rglob("*") if path.suffix in (".md", ".ipynb") or "partial" in path.name]
    return {path.relative_to(folder).as_posix(): path.read_text() for path in found}


def test_a_disk_that_is_full_keeps_what_was_there_and_takes_all_once_there_is_room(
    portfile: Portfile, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    written(portfile, "pull-request")
    before = contents(portfile.folder)
    proven(portfile)
    with monkeypatch.context() as patched:
        patched.setattr("porting.atomic.os.fsync", refuse)
        with pytest.raises(OutputError, match="No space left") as caught:
            written(portfile, "page", "pull-request", "notebook")
    assert "make room" in caught.value.hint
    assert contents(portfile.folder) == before
    assert not (portfile.folder / "docs").exists()
    states_again = states(written(portfile, "page", "pull-request", "notebook"))
    assert states_again == {"page": "new", "pull-request": "changed", "notebook": "new"}
