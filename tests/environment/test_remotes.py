from __future__ import annotations

import pytest

from porting.environment.remotes import UPSTREAM, fork_of, repository_of, upstream_of


@pytest.mark.parametrize(
    "url",
    [
        "https://github.com/huggingface/transformers",
        "https://github.com/huggingface/transformers.git",
        "https://github.com/HuggingFace/Transformers/",
        "https://someone:secret@github.com/huggingface/transformers.git",
        "git@github.com:huggingface/transformers.git",
        "github-work:huggingface/transformers",
        "ssh://git@github.com/huggingface/transformers.git",
        "ssh://git@ssh.github.com:443/huggingface/transformers.git",
        "git://github.com/huggingface/transformers.git/",
    ],
)
def test_every_form_of_a_url_names_the_same_repository(url: str) -> None:
    assert repository_of(url) == UPSTREAM
    assert upstream_of({"fork": "git@github.com:me/transformers.git", "theirs": url}) == "theirs"
    assert fork_of({"theirs": url}) is None


@pytest.mark.parametrize(
    "url",
    [
        "https://github.com/me/transformers.git",
        "https://github.com/huggingface/transformers-fork",
        "https://example.org/huggingface/transformers/more",
        "/home/me/huggingface/transformers",
        "../huggingface/transformers",
        "file:///huggingface/transformers",
        "",
    ],
)
def test_other_places_are_not_transformers(url: str) -> None:
    assert repository_of(url) != UPSTREAM
    assert upstream_of({"origin": url}) is None
    assert fork_of({"origin": url}) == "origin"
