"""The bank of conversations, and what the portfile may add to it."""

from __future__ import annotations

from typing import Any

import pytest

from porting.chat import conversations, given_conversations
from porting.errors import PortfileError


def test_the_bank_has_every_role_order_and_difficulty() -> None:
    bank = conversations(("<|mine|>",))
    orders = {"".join(message["role"][0] for message in each.messages) for each in bank}
    assert {"u", "su", "uau", "suau", "ua", "uu", "s", "au"} <= orders
    contents = " ".join(str(message["content"]) for each in bank for message in each.messages)
    assert all(text in contents for text in ("<|mine|>", "[INST]", "東京", "{{ content }}"))
    assert any(each.in_parts for each in bank)
    assert max(each.size[1] for each in bank) > 4000


@pytest.mark.parametrize("value", ["text", [{"role": "user", "content": "x"}], [[]], [[{"role": "user"}]], [["x"]]])
def test_what_is_no_list_of_conversations_is_refused(value: Any) -> None:
    with pytest.raises(PortfileError, match=r"conversations\(\) must return"):
        given_conversations(value)
