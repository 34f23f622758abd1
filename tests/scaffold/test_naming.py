from __future__ import annotations

import pytest

from porting.scaffold.naming import ModelName, ModelNameError


def test_a_name_has_three_forms() -> None:
    name = ModelName.of("brand_new_bert2")
    assert (name.snake, name.camel, name.kebab) == ("brand_new_bert2", "BrandNewBert2", "brand-new-bert2")


@pytest.mark.parametrize(
    "name",
    ["BrandNewBert", "brand-new", "2bert", "a__b", "_a", "a_", "class", "", "../x", "a b", "é", "a" * 61, "a\n"],
)
def test_what_is_no_module_of_transformers_is_refused(name: str) -> None:
    with pytest.raises(ModelNameError) as caught:
        ModelName.of(name)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("name", "proposed"), [("BrandNewBert", "brand_new_bert"), ("My-Model", "my_model"), ("GPTNeo", "gpt_neo")]
)
def test_a_right_name_is_proposed(name: str, proposed: str) -> None:
    with pytest.raises(ModelNameError) as caught:
        ModelName.of(name)
    assert caught.value.hint.endswith(f"porting new {proposed}")
