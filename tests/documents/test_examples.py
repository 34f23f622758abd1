"""The examples of a page and a card run as they are printed, on the converted folder in place of the Hub."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from documented import llama, portfile_in
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from porting.documents import examples, write_documents
from porting.documents.examples import Example, example_of, examples_of
from porting.documents.port import Port
from porting.documents.trying import fault_of


def code_of(text: str) -> str:
    return text.partition("```py")[2].partition("\n")[2].partition("```")[0]


def tokenizer() -> PreTrainedTokenizerFast:
    words = ["[UNK]", "The", "sun", "rises", "in", "the", "east", ",", "and", "it", "sets"]
    made = Tokenizer(models.WordLevel({word: number for number, word in enumerate(words)}, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    return PreTrainedTokenizerFast(tokenizer_object=made, unk_token="[UNK]", model_input_names=["input_ids"])


def test_documents_of_a_port_with_a_tokenizer_have_code_that_runs(tmp_path: Path) -> None:
    tokenizer().save_pretrained(tmp_path / "converted")
    portfile = portfile_in(tmp_path, ported_tokenizer=tokenizer)
    documents = write_documents(portfile, ["page", "card", "notebook"])
    assert documents.ok
    page, card, notebook = (document.text for document in documents.documents)
    program = code_of(page)
    assert program == code_of(card)
    assert "tokenizer.batch_decode" in program
    assert '"org/tiny"' in program
    cells = [cell for cell in json.loads(notebook)["cells"] if cell["cell_type"] == "code"]
    assert "".join(cells[0]["source"]) == program.rstrip()
    local = program.replace("org/tiny", str(tmp_path / "converted"))
    done = subprocess.run([sys.executable, "-c", local], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert "The sun rises" in done.stdout


def test_without_a_reader_the_example_has_the_ports_own_inputs(tmp_path: Path) -> None:
    (program,) = examples_of(Port(portfile_in(tmp_path, converted=False), llama()), "org/tiny")
    assert "torch.tensor([[0, 1, 2, 3, 4, 5], [6, 7, 8, 9, 10, 11]]" in program


def test_the_first_example_that_runs_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    port = Port(portfile_in(tmp_path, ported_tokenizer=tokenizer), llama())
    monkeypatch.setattr(examples, "fault_of", lambda program, folder: "no" if "AutoTokenizer" in program else "")
    found = example_of(port, tried=True)
    assert found.fault == ""
    assert "AutoTokenizer" not in found.code
    monkeypatch.setattr(examples, "fault_of", lambda program, folder: "ValueError: no")
    found = example_of(port, tried=True)
    assert (found.fault, found.tried) == ("ValueError: no", True)
    assert "AutoTokenizer" in found.code


def test_an_example_that_does_not_run_is_told_and_fails_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(examples, "fault_of", lambda program, folder: "ValueError: no")
    documents = write_documents(portfile_in(tmp_path), ["card"])
    assert (documents.ok, documents.exit_code) == (False, 1)
    assert documents.documents[0].fault == "ValueError: no"


def test_a_class_that_cannot_be_imported_has_no_example(tmp_path: Path) -> None:
    class Local(type(llama())):  # type: ignore[misc]
        pass

    found = example_of(Port(portfile_in(tmp_path), Local(llama().config)), tried=True)
    assert found == Example("", found.fault)
    assert "cannot be imported" in found.fault


def test_a_program_that_ends_badly_says_its_last_line(tmp_path: Path) -> None:
    assert fault_of("print(1)", tmp_path) == ""
    assert fault_of("raise ValueError('\\x1b[31mno\\x07')", tmp_path) == "ValueError: no\\x07"
    assert fault_of("import sys; sys.exit(3)", tmp_path) == "it said nothing and ended with 3"
