from __future__ import annotations

import ast
import math
from collections import OrderedDict

import pytest

from porting.errors import GenerationError
from porting.stubs.literals import LINE, accessor, dotted, ensure_same_code, identifier, plain, prose, pylit

HOSTILE = (
    '"""\nimport os\n"""', "'''", '"', "'", "\\", "\\\n", "a\nb", "\x00", "\x1b[31m", "\u202e", "\u2028", "\ud800",
    "é", "{{ x }}", "{% raw %}", "#", "x = 1; y", "${x}", "%s", "f'{x}'", "N\\{DASH}", "\\u0041", "\U0001f600",
)  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE)
def test_any_text_becomes_one_ascii_literal_of_the_same_value(text: str) -> None:
    literal = pylit(text)
    assert literal.isascii()
    assert literal.isprintable()
    assert ast.literal_eval(literal) == text


@pytest.mark.parametrize(
    "value",
    [None, True, 0, -3, 1e-5, -0.5, 2**70, [], (), (1,), (None,), {}, [[1, 2], [3.5]], {"a": [1, "b"], "c": ("d",)}],
)
def test_plain_values_become_their_literals(value: object) -> None:
    found = ast.literal_eval(pylit(value))
    assert found == value
    assert type(found) is type(value)


class Sly(str):
    def __repr__(self) -> str:
        return "__import__('os')"

    def encode(self, encoding: str = "utf-8", errors: str = "strict") -> bytes:
        return b'"+__import__("os")+"'


@pytest.mark.parametrize(
    "value",
    [math.nan, math.inf, -math.inf, [1.0, math.nan], b"x", {1}, 1j, object(), Sly("x"), OrderedDict(), [Sly("x")]],
)
def test_everything_else_is_refused(value: object) -> None:
    with pytest.raises(GenerationError, match="cannot be written as a literal"):
        pylit(value)


def nested(depth: int) -> list[object]:
    found: list[object] = []
    for _ in range(depth):
        found = [found]
    return found


@pytest.mark.parametrize(
    "value", [10**5000, {"a": 10**5000}, nested(250), nested(5000)], ids=["long", "inside", "deep", "deeper"]
)
def test_what_python_cannot_read_back_is_refused(value: object) -> None:
    with pytest.raises(GenerationError, match="cannot be written as a literal"):
        pylit(value)


def test_long_numbers_are_wrapped_and_keep_their_values() -> None:
    value = [[float(i) / 7 for i in range(40)], list(range(100))]
    lines = pylit(value, 16).split("\n")
    assert len(lines) > 5
    assert all(len(line) <= LINE + 1 for line in lines)
    assert ast.literal_eval("".join(lines)) == value


@pytest.mark.parametrize("name", ["a", "_x1", "BertModel"])
def test_plain_identifiers_pass(name: str) -> None:
    assert identifier(name) == name
    assert dotted(f"a.{name}") == f"a.{name}"


@pytest.mark.parametrize("name", ["", "1a", "a b", "a.b", "class", "None", "a\n", "a;b", "a" * 101, *HOSTILE])
def test_other_identifiers_are_refused(name: str) -> None:
    with pytest.raises(GenerationError, match="cannot be a name"):
        identifier(name)


@pytest.mark.parametrize("name", ["", ".a", "a..b", "a.b.", "a.import"])
def test_other_module_paths_are_refused(name: str) -> None:
    with pytest.raises(GenerationError):
        dotted(name)


@pytest.mark.parametrize("text", HOSTILE)
def test_plain_words_cannot_end_a_comment_or_a_docstring(text: str) -> None:
    words = plain(text)
    assert words.isascii()
    assert not set(words) & set("\"'\\\n\r#{}%$")
    assert len(plain(text * 1000)) <= 300


def test_an_accessor_is_a_chain_of_attributes_and_items() -> None:
    assert accessor(()) == ""
    assert accessor((("attribute", "logits"),)) == ".logits"
    assert accessor((("attribute", "hidden_states"), ("item", 0))) == ".hidden_states[0]"
    assert accessor((("item", '"] + x["'),)) == '["\\"] + x[\\""]'
    with pytest.raises(GenerationError):
        accessor((("attribute", "logits()"),))


@pytest.mark.parametrize("text", [*HOSTILE, "def f():\n\treturn 1  \n\n    # é\n", '"""', 'a\\"""\\'])
def test_prose_stays_inside_its_docstring(text: str) -> None:
    found = prose(text, 8)
    assert found.isascii()
    lines = [line.rstrip() for line in text.expandtabs(4).splitlines()]
    (node,) = ast.parse(f'"""\n{found}\n"""').body
    assert isinstance(node, ast.Expr)
    assert isinstance(node.value, ast.Constant)
    assert node.value.value == "\n".join(["", *(" " * 8 + line if line else "" for line in lines), ""])


REFERENCE = "import a\nx = a.f(1)\n"


@pytest.mark.parametrize("text", ["import a\nx = a.f([1, 'b', -2.5])\ny = a.f({'c': (1, 2)})\n"])
def test_other_data_is_the_same_code(text: str) -> None:
    ensure_same_code(text, REFERENCE)


@pytest.mark.parametrize(
    "text",
    [
        "import a, os\nx = a.f(1)\n",
        "import a\nfrom os import system\nx = a.f(1)\n",
        "import a\nx = a.f(1)\nprint(2)\n",
        "import a\nx = a.f(a.g)()\n",
        "import a\nx = a.f(1)\ny = lambda: 1\n",
        "import a\nx = a.f(1)\ndel x\n",
        "import a\nx = a.f([1 for _ in x])\n",
        "import a\nx = a.f(1)\n@x\nclass Y: pass\n",
        "import a\n",
    ],
)
def test_other_code_is_refused(text: str) -> None:
    with pytest.raises(GenerationError, match="became code"):
        ensure_same_code(text, REFERENCE)


@pytest.mark.parametrize("text", ["import", "x = 'a\n'", "\x00", "(" * 500])
def test_what_is_not_python_is_refused(text: str) -> None:
    with pytest.raises(GenerationError, match="is not Python"):
        ensure_same_code(text, REFERENCE)
