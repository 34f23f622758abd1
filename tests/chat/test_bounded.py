"""Foreign templates in a child process: what comes to no end is told, what does leaves nothing behind."""

from __future__ import annotations

from pathlib import Path

import pytest
from chatting import FORMATS

from porting.chat import Refusal, Renderer, bounded_builder, conversations, render_bounded


@pytest.mark.parametrize(
    "template",
    ["{{ 10**(10**7) }}", "{% for i in range(99999) %}{% for j in range(3000) %}{% endfor %}{% endfor %}"],
)
def test_a_template_that_takes_too_long_is_stopped(template: str) -> None:
    found = render_bounded(template, conversations(), seconds=1)
    assert found is not None
    assert "1 seconds" in found.reason


def test_the_conversation_that_has_no_end_is_named() -> None:
    template = "{% if messages | length > 1 %}{{ 'a' * 10**10 }}{% endif %}"
    found = render_bounded(template, conversations())
    assert found is not None
    assert len(found.conversation.messages) == 2
    assert "GB" in found.reason


def test_right_templates_and_those_that_refuse_come_to_an_end() -> None:
    variables = {"bos_token": "<s>", "eos_token": "</s>"}
    assert render_bounded(FORMATS["llama2"].template, conversations(), variables) is None
    assert render_bounded("{{ raise_exception('no') }}", conversations()) is None
    assert render_bounded("{% broken", conversations()) is None


def test_nothing_of_the_working_folder_is_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit(3)")
    monkeypatch.chdir(tmp_path)
    assert render_bounded("x", conversations()[:1]) is None


def test_what_other_conversations_do_is_bounded_too() -> None:
    template = "{% if messages[0]['content'] == 'x' %}{{ 'a' * 10**10 }}{% endif %}y"
    with Renderer(template) as renderer:
        build = bounded_builder(lambda messages, generation: f"{len(messages)} {generation}", renderer)
        assert build([{"role": "user", "content": "z"}], True) == "1 True"
        found = [build([{"role": "user", "content": "x"}], False) for _ in range(2)]
    assert all(isinstance(each, Refusal) and "GB" in each.said for each in found)


def test_much_that_is_written_in_all_is_too_much() -> None:
    found = render_bounded("{{ 'a' * 1000000 }}", conversations())
    assert found is not None
    assert "characters" in found.reason
