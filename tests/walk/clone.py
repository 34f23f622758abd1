"""A clone of Transformers to walk in, where none can be downloaded.

The installed package stands in for ``src/transformers``, in a git repository with the remotes and the few other files
that a real clone has and a port touches: the documentation's table of contents, the settings of ruff. The commands of
the tutorial import it from there, as they would from a clone that was installed with ``pip install -e .``. It has
neither Transformers' own tests nor its ``utils/``.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
from pathlib import Path

PORT = Path(__file__).parent / "checkout"
"""What the contributor has written when the tutorial begins to verify, as files of the clone."""

UPSTREAM = "https://github.com/huggingface/transformers.git"
FORK = "https://github.com/ada/transformers.git"

SETTINGS = """\
[tool.ruff]
target-version = "py310"
line-length = 119

[tool.ruff.lint]
select = ["E", "F", "I", "W", "UP", "FURB", "SIM", "C4"]
ignore = ["E501", "E741", "SIM1", "SIM212", "SIM300"]

[tool.ruff.lint.per-file-ignores]
"__init__.py" = ["E402", "F401", "F403", "F811"]

[tool.ruff.lint.isort]
lines-after-imports = 2
known-first-party = ["transformers"]

[tool.pytest.ini_options]
markers = ["slow: needs a checkpoint, runs with RUN_SLOW=1"]
"""

TOCTREE = """\
- sections:
  - isExpanded: false
    sections:
    - local: model_doc/bert
      title: BERT
    - local: model_doc/minimax
      title: MiniMax
    title: Text models
  title: Models
"""

PARENT = ("tests/models/bert/__init__.py", "tests/models/bert/test_modeling_bert.py")
"""The tests of the model that was copied; the copy has only its name replaced."""

MAPPED = {
    "auto_mappings.py": '("minilm", "MiniLMConfig")',
    "modeling_auto.py": '("minilm", "MiniLMModel")',
    "tokenization_auto.py": '("minilm", "BertTokenizer" if is_tokenizers_available() else None)',
}
"""What `transformers add-new-model-like` adds to the first mapping of each file of ``models/auto``."""


def make_clone(root: Path) -> None:
    """Make a clone whose main branch is the installed Transformers."""
    spec = importlib.util.find_spec("transformers")
    assert spec is not None
    assert spec.origin is not None
    shutil.copytree(Path(spec.origin).parent, root / "src" / "transformers")
    files = {
        ".gitignore": "__pycache__/\n*.pyc\n",
        "pyproject.toml": SETTINGS,
        "docs/source/en/_toctree.yml": TOCTREE,
        "docs/source/en/model_doc/bert.md": "# BERT\n",
        "tests/__init__.py": "",
        "tests/models/__init__.py": "",
    }
    files |= {name: _of_parent(PORT / name.replace("bert", "minilm")) for name in PARENT}
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    for arguments in (
        ["init", "--quiet", "--initial-branch=main"],
        ["remote", "add", "upstream", UPSTREAM],
        ["remote", "add", "origin", FORK],
        ["add", "."],
        ["commit", "--quiet", "--message=Transformers"],
        ["update-ref", "refs/remotes/upstream/main", "main"],
    ):
        git(root, *arguments)


def write_port(root: Path) -> None:
    """Put what the contributor has written so far into the clone, and the model into ``models/auto``."""
    shutil.copytree(PORT, root, dirs_exist_ok=True)
    for name, entry in MAPPED.items():
        path = root / "src" / "transformers" / "models" / "auto" / name
        text = path.read_text(encoding="utf-8")
        path.write_text(re.sub(r'^( +)\("bert", ', rf"\1{entry},\n\g<0>", text, count=1, flags=re.MULTILINE))


def _of_parent(copy: Path) -> str:
    text = copy.read_text(encoding="utf-8")
    return text.replace("MiniLM", "Bert").replace("minilm", "bert")


def git(root: Path, *arguments: str) -> None:
    """Run git in a folder, as nobody's own settings would have it."""
    subprocess.run(["git", *arguments], cwd=root, env={**os.environ, **AUTHOR}, check=True)


AUTHOR = {
    **{f"GIT_{role}_NAME": "Ada Test" for role in ("AUTHOR", "COMMITTER")},
    **{f"GIT_{role}_EMAIL": "ada@example.org" for role in ("AUTHOR", "COMMITTER")},
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
}
