"""What is known of a new port, before it is written down."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from porting.scaffold.feeding import Feed
from porting.scaffold.naming import ModelName
from porting.scaffold.reading import SourceClass
from porting.scaffold.saved import Saved
from porting.scaffold.siblings import Sibling
from porting.scaffold.trying import Built


@dataclass(frozen=True)
class Plan:
    """All that the portfile says.

    Attributes:
        name: of the model.
        folder: where the portfile will lie.
        python: the original's interpreter, if it is another one.
        repository: the folder that the original's modules are found in; None for an installed package.
        kind: the class that is the original as far as its source says.
        built: the way in which it was built; None if it was not.
        why: why not, in a sentence.
        saved: the checkpoint.
        port: the class of Transformers, and its settings.
        own: whether that is the new model's own class.
        feed: the inputs.
        flags: settings of the original's forward that make it return what the port returns.
        rules: the function ``rules`` as Python.
        inferred: whether they were found out.
        lacking: the port's tensors that the rules do not make.
        proven: whether both sides were run, and are the same.
    """

    name: ModelName
    folder: Path
    python: str | None = None
    repository: Path | None = None
    kind: SourceClass | None = None
    built: Built | None = None
    why: str = ""
    saved: Saved | None = None
    port: Sibling | None = None
    own: bool = False
    feed: Feed = field(default_factory=Feed)
    flags: Mapping[str, bool] = field(default_factory=dict)
    rules: str = "def rules():\n    return []\n"
    inferred: bool = False
    lacking: tuple[str, ...] = ()
    proven: bool = False
