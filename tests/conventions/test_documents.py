"""Documents are asked of models, and not of the layers that stand beside them."""

from __future__ import annotations

from pathlib import Path

import pytest

from porting.conventions.documents import undocumented
from porting.conventions.files import Source

BODY = "\n    def forward(self, x):\n        return x\n"
BASE = "class FirstPreTrainedModel(PreTrainedModel):\n    pass\n"


@pytest.mark.parametrize(
    ("text", "lacking"),
    [
        (BASE + f"class FirstModel(FirstPreTrainedModel):{BODY}", ["FirstModel"]),
        (BASE + f"class FirstForIt(FirstPreTrainedModel, Mixin):{BODY}", ["FirstForIt"]),
        (BASE + f"class FirstLayer(nn.Module):{BODY}", []),
        (BASE + f"class FirstLayer(GradientCheckpointingLayer):{BODY}class FirstBlock(FirstLayer):{BODY}", []),
        (BASE + f"class FirstModel(OtherModel):{BODY}", ["FirstModel"]),
        (f"class FirstModel(nn.Module):{BODY}", ["FirstModel"]),
        (f"class FirstModel(FirstModel):{BODY}", ["FirstModel"]),
    ],
)
def test_models_have_docstrings_and_layers_need_none(text: str, lacking: list[str]) -> None:
    found = undocumented(Source(Path("modeling_first.py"), text))
    assert [words for _, words in found] == [
        words for each in lacking for words in (f"class {each} has no docstring", f"{each}.forward has no docstring")
    ]
