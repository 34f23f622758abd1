from __future__ import annotations

import json
from pathlib import Path

from documented import CONFIG, llama
from processes import porting

PORTFILE = f"""
HUB_ID, MODEL_NAME = "org/tiny", "tiny_llama"

def config():
    from transformers import LlamaConfig
    return LlamaConfig(**{CONFIG!r})

def ported_class():
    from transformers import LlamaForCausalLM
    return LlamaForCausalLM
"""


def test_the_command_writes_and_lists_parts_by_line(tmp_path: Path) -> None:
    (tmp_path / "portfile.py").write_text(PORTFILE)
    llama().save_pretrained(tmp_path / "converted", save_original_format=False)
    done = porting(tmp_path, "write", "card", "--no-try")
    assert done.returncode == 0, done.stderr
    lines = (tmp_path / "converted" / "README.md").read_text().splitlines()
    (number,) = [number for number, line in enumerate(lines, 1) if line.startswith("license: ")]
    assert f"converted/README.md:{number} you: the licence" in done.stdout


def test_an_unknown_document_is_wrong_usage_and_a_missing_folder_an_error(tmp_path: Path) -> None:
    (tmp_path / "portfile.py").write_text(PORTFILE)
    assert porting(tmp_path, "write", "poem").returncode == 2
    done = porting(tmp_path, "write", "card", "--json")
    assert done.returncode == 4
    assert json.loads(done.stdout)["error"]["hint"] == "porting convert converted"
