"""A small port whose documents are written: a Llama with its converted folder, and a clone of Transformers."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from porting.documents import Documents, Wanted, write_documents
from porting.documents.result import What
from porting.portfile import Portfile

CONFIG = {
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "vocab_size": 32,
    "eos_token_id": None,
}
TOCTREE = """\
- sections:
  - local: index
    title: Transformers
  title: Get started
- sections:
  - sections:
    - sections:
      - local: model_doc/albert
        title: ALBERT
      - local: model_doc/bert
        title: BERT
      - local: model_doc/xlm
        title: XLM
      title: Text models
    - title: Vision models
      sections:
      - local: model_doc/beit
        title: BEiT
    title: Models
  title: API
"""


def llama() -> LlamaForCausalLM:
    torch.manual_seed(0)
    return LlamaForCausalLM(LlamaConfig(**CONFIG)).eval()


def portfile_in(folder: Path, *, converted: bool = True, **more: Any) -> Portfile:
    """A portfile of a Llama, and its converted folder beside it.

    Args:
        folder: of the portfile that is not there.
        converted: whether there is such a folder.
        more: functions and constants of the portfile that replace the usual ones.
    """
    if converted:
        llama().save_pretrained(folder / "converted", save_original_format=False)
    functions: dict[str, Any] = {
        "ported": llama,
        "config": lambda: LlamaConfig(**CONFIG),
        "ported_class": lambda: LlamaForCausalLM,
        "inputs": lambda: {"input_ids": torch.arange(12).view(2, 6)},
    }
    constants = {"HUB_ID": "org/tiny", "MODEL_NAME": "tiny_llama"}
    given = {**functions, **constants, **more}
    kept = {name: value for name, value in given.items() if value is not None}
    return Portfile(
        folder / "portfile.py",
        {name: value for name, value in kept.items() if not name.isupper()},
        {name: value for name, value in kept.items() if name.isupper()},
    )


def written(portfile: Portfile, *what: What, **wanted: Any) -> Documents:
    """Write documents without running their examples."""
    return write_documents(portfile, what, Wanted(**{"tried": False, **wanted}))


def filled(path: Path, words: str = "said by a person") -> str:
    """Fill in all parts of a file that are left to a person; its text."""
    text = re.sub(r"\[\[you: [^\[\]]+\]\]", words, path.read_text())
    path.write_text(text)
    return text


def clone_in(folder: Path, toctree: str = TOCTREE) -> Path:
    """What makes a folder a clone of Transformers, with a table of contents."""
    package = folder / "src" / "transformers"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    contents = folder / "docs" / "source" / "en" / "_toctree.yml"
    contents.parent.mkdir(parents=True)
    contents.write_text(toctree)
    return contents
