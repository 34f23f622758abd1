from __future__ import annotations

import pytest
import yaml
from documented import TOCTREE

from porting.documents.toctree import entry_text, has_entry, with_entry


@pytest.mark.parametrize(
    ("name", "title", "neighbour"),
    [("aa", "AA", "ALBERT"), ("camel", "Camel", "XLM"), ("zz", "zz", None), ("bertha", "bertha", "XLM")],
)
def test_an_entry_stands_in_the_order_of_titles(name: str, title: str, neighbour: str | None) -> None:
    found = with_entry(TOCTREE, name, title, ["text"])
    assert found is not None
    entry = entry_text(name, title)
    assert found.replace(entry, "") == TOCTREE
    following = found.partition(entry)[2].splitlines()
    assert (
        (following[1].strip() == f"title: {neighbour}") if neighbour else (following[0] == "      title: Text models")
    )
    assert has_entry(found, name)


def test_the_group_follows_what_the_model_reads_wherever_its_title_stands() -> None:
    found = with_entry(TOCTREE, "swan", "Swan", ["image"])
    assert found is not None
    assert found.partition("model_doc/swan")[0].rpartition("title: Vision models")[1]
    assert with_entry(TOCTREE, "swan", "Swan", ["audio"]) is None
    assert with_entry(TOCTREE, "swan", "Swan", ["text", "image"]) is None


def test_an_entry_is_added_once_and_line_ends_are_kept() -> None:
    windows = TOCTREE.replace("\n", "\r\n")
    found = with_entry(windows, "camel", "Camel", ["text"])
    assert found is not None
    assert found.count("\n") == found.count("\r\n") == windows.count("\r\n") + 2
    assert with_entry(found, "camel", "Camel", ["text"]) is None


def test_a_title_that_yaml_would_read_otherwise_is_quoted() -> None:
    import yaml

    for title in ("a: b", "'x", "- y", "{z}", "yes # no", "null", "1.5", "Off"):
        (entry,) = yaml.safe_load(entry_text("name", title))
        assert entry == {"local": "model_doc/name", "title": title}


def test_an_entry_with_more_in_it_than_is_known_is_not_torn_apart() -> None:
    more = TOCTREE.replace("title: XLM\n", "title: XLM\n        isNew: true\n")
    comment = TOCTREE.replace("        title: XLM\n", "        # its title\n        title: XLM\n")
    for toctree in (more, comment):
        assert toctree != TOCTREE
        for name in ("a", "m", "z"):
            found = with_entry(toctree, name, name.upper(), ["text"])
            entry = str({"local": f"model_doc/{name}", "title": name.upper()})
            before, after = str(yaml.safe_load(toctree)), str(yaml.safe_load(found or toctree))
            assert after.replace(f"{entry}, ", "").replace(f", {entry}", "") == before
    assert with_entry("title: Text models\nsections:\n- local: model_doc/b\n  title: B", "c", "C", ["text"]) is None


def test_a_title_is_one_line_whatever_is_in_it() -> None:
    assert entry_text("x", "a'\n- local: evil\x1b").count("\n") == 2
