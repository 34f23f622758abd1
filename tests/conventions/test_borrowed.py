"""Values that were copied with another model's tests are told from those that any model may have."""

from __future__ import annotations

from pathlib import Path

import pytest

from porting.conventions.borrowed import Facts, borrowed, cased_name
from porting.conventions.files import Source

PARENT = """
import torch

class OldModelTest:
    model_id = "old/checkpoint"

    def test_inference(self):
        model = OldModel.from_pretrained("org/old-base")
        other = OldModel.from_pretrained(self.model_id)
        tokenizer = AutoTokenizer.from_pretrained("org/old-base-tokens")
        data = load_dataset("org/data", "clean")
        expected_slice = torch.tensor([[[0.4249, 0.1008, -0.7531], [0.3771, 0.1188, 0.7467]]])
        EXPECTED_TEXT = "Once upon a time there was a fox"
        self.assertEqual(decoded, "And then the fox went home again")
        config = Config(image_mean=[0.4815, 0.4578, 0.4082], image_std=[0.2686, 0.2613, 0.2758])
        grid = torch.tensor([0.1, 0.2, 0.3, 0.5])
"""


def facts(text: str, *classes: str) -> Facts:
    return Facts.of(Source(Path("test_modeling_x.py"), text), classes or None)


def found(line: str) -> list[str]:
    own = facts(f"import torch\n\ndef test(self):\n    {line}\n", "NewModel", "NewConfig")
    return [each.kind for each in borrowed(own, facts(PARENT))]


@pytest.mark.parametrize(
    ("line", "kinds"),
    [
        ('NewModel.from_pretrained("org/old-base", dtype="auto")', ["checkpoint"]),
        ('model_class.from_pretrained("org/old-base")', ["checkpoint"]),
        ('AutoModelForCausalLM.from_pretrained("old/checkpoint")', ["checkpoint"]),
        ('NAME = "org/old-base"; NewModel.from_pretrained(NAME)', ["checkpoint"]),
        ('NewConfig.from_pretrained("org/old-base")', ["checkpoint"]),
        ("expected = torch.tensor([[0.3771, 0.1188, 0.7467]])", ["numbers"]),
        ("logits = torch.tensor([0.4249, 0.1008, -0.7531])", ["numbers"]),
        ("expected_mean = [0.4249, 0.1008, -0.7531]", ["numbers"]),
        ("torch.testing.assert_close(x, torch.tensor([0.4249, 0.1008, -0.7531]))", ["numbers"]),
        ('expected_text = "Once upon a time there was a fox"', ["text"]),
        ('self.assertEqual(text, "And then the fox went home again")', ["text"]),
    ],
)
def test_what_was_copied_is_found(line: str, kinds: list[str]) -> None:
    assert found(line) == kinds


@pytest.mark.parametrize(
    "line",
    [
        'NewModel.from_pretrained("org/new-base")',
        'AutoTokenizer.from_pretrained("org/old-base")',
        'NewProcessor.from_pretrained("org/old-base")',
        'OldModel.from_pretrained("org/old-base")',
        'load_dataset("org/old-base")',
        "expected = torch.tensor([[0.3771, 0.1188, 0.7468]])",
        "expected = torch.tensor([[0.4249, 0.1008, 0.7531]])",
        "expected = torch.tensor([0.1, 0.2, 0.3, 0.5])",
        "config = Config(image_mean=[0.4815, 0.4578, 0.4082])",
        "image_mean = torch.tensor([0.4815, 0.4578, 0.4082])",
        "input_boxes = torch.tensor([0.4249, 0.1008, -0.7531])",
        "expected_pixel_slice = torch.tensor([0.4249, 0.1008, -0.7531])",
        'self.assertEqual(a, b, msg="And then the fox went home again")',
        'self.assertEqual(a, b, msg=f"And then the fox went home again{a}")',
        'prompt = "Once upon a time there was a fox"',
        'expected_text = "another text of the same model"',
    ],
)
def test_what_any_model_may_have_is_left_alone(line: str) -> None:
    assert found(line) == []


def test_a_row_of_few_precise_numbers_may_be_in_any_test() -> None:
    same = facts("expected = torch.tensor([[0.4249, 0.1008, 0.5]])")
    assert borrowed(same, same) == []
    precise = facts("expected = torch.tensor([[0.4249, 0.1008, 0.5123]])")
    assert [each.kind for each in borrowed(precise, precise)] == ["numbers"]


def test_the_lines_are_those_of_the_port() -> None:
    own = facts('import torch\n\nexpected = [\n    [0.4249, 0.1008, -0.7531],\n]\nM.from_pretrained("org/old-base")\n')
    assert [each.line for each in borrowed(own, facts(PARENT))] == [4, 6]


@pytest.mark.parametrize(
    ("line", "kinds"),
    [
        ('NewModel.from_pretrained("org/New-7B")', ["checkpoint"]),
        ('NewModel.from_pretrained("org/Old-7B")', ["checkpoint"]),
        ('expected_text = "The New model is good at this"', ["text"]),
        ('NewModel.from_pretrained("org/Newest-7B")', []),
        ('NewModel.from_pretrained("neworg/New-7B")', []),
    ],
)
def test_a_name_that_was_replaced_in_what_was_copied_hides_nothing(line: str, kinds: list[str]) -> None:
    parent = 'OldModel.from_pretrained("org/Old-7B")\nexpected_text = "The Old model is good at this"\n'
    own = facts(f"{line}\n", "NewModel")
    found = borrowed(own, facts(parent), ("Old", "New"))
    assert [each.kind for each in found] == kinds
    assert all(each.there == ("" if "Old" in each.what else each.what.replace("New", "Old")) for each in found)


@pytest.mark.parametrize(
    ("text", "name", "cased"),
    [
        ("class BrandNewModelTest: ...", "brand_new", "BrandNew"),
        ("xlnetconfig = XLNETConfig()", "xlnet", "XLNET"),
        ("brandnew = GLM4vForIt()", "glm4v", "GLM4v"),
        ("nothing", "brand_new", "BrandNew"),
    ],
)
def test_a_model_is_called_in_classes_as_its_test_writes_it(text: str, name: str, cased: str) -> None:
    assert cased_name(Source(Path("test_modeling_x.py"), text), name) == cased
