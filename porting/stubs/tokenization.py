"""The test of a port's tokenizer: hard texts with the original's ids."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from typing import Any

from porting.errors import PortingError
from porting.stubs.layout import Tree
from porting.stubs.literals import camel
from porting.stubs.material import Files, Material, Untested
from porting.stubs.modeling import fixture
from porting.stubs.quoting import quoted
from porting.stubs.rendering import render
from porting.stubs.replay import provenance
from porting.tokenizers.comparing import Pair, compare
from porting.tokenizers.corpus import build_corpus
from porting.tokenizers.sides import OriginalTokenizer, PortedTokenizer

TEMPLATE = "test_tokenization.py.jinja"
RESULTS = "expected_results_tokenization.json"
NEEDED = ("original_tokenize", "ported_tokenizer")
LONGEST = 200
"""Characters of a text, at most."""
OF_CATEGORY = 4
"""Texts of one category, at most."""


def tokenization_files(material: Material) -> Files:
    """The test file and its fixture.

    Raises:
        Untested: the portfile has not both sides, the port's is no tokenizer of Transformers, or they differ.
        PortfileError: a function of the portfile does not keep its contract.
    """
    portfile, place = material.portfile, material.place
    if missing := [name for name in NEEDED if name not in portfile.functions]:
        raise Untested(f"tokenizer: the portfile has no {missing[0]}()")
    if not isinstance(place, Tree):
        raise Untested("tokenizer: a test that stands alone looks at the model only")
    ported = PortedTokenizer(portfile.call("ported_tokenizer"), portfile.running)
    if not ported.of_transformers:
        raise Untested("tokenizer: the port's is none of Transformers, and could not be loaded by a test")
    special, pairs = _compared(material, ported)
    chosen = list(_chosen(pairs))
    if not chosen:
        raise Untested("tokenizer: no text could be compared with the original")
    results = {
        category: [_result(pair, ported, special) for pair in group]
        for category, group in groupby(chosen, lambda pair: pair.sample.category)
    }
    source = quoted(portfile, ("original_tokenize",))
    data = {
        **provenance(material.verification.original),
        **material.weights,
        "folder": place.name,
        "texts": len(chosen),
        "special": special,
        "source": source,
    }
    names = {
        "test_class": f"{camel(portfile.model_name)}TokenizationIntegrationTest",
        "quotes": bool(source),
        **material.replay.weights.flags,
    }
    return {
        place.test("tokenization"): render(TEMPLATE, names, data),
        place.fixtures / RESULTS: fixture(results),
    }


def _compared(material: Material, ported: PortedTokenizer) -> tuple[bool, list[Pair]]:
    """Whether special tokens are added, and the texts on which both sides agree."""
    portfile = material.portfile
    original = OriginalTokenizer(portfile.functions["original_tokenize"], portfile.running)
    samples = [each for each in build_corpus(list(ported.control_tokens)) if len(each.text) <= LONGEST]
    try:
        compared = compare(original, ported, samples)
    except PortingError as error:
        raise Untested(f"tokenizer: {error.message}") from error
    if differing := compared.of("different"):
        count = f"{len(differing)} of {len(compared.counted)} texts"
        raise Untested(f"tokenizer: the port gives other ids for {count}; see: porting tokenizer")
    return compared.special, compared.of("equal")


def _chosen(pairs: Iterable[Pair]) -> Iterable[Pair]:
    """Of each category the texts of the most ids, and those that are not noted for what libraries differ in."""
    counted = sorted((pair for pair in pairs if not pair.reason), key=lambda pair: pair.sample.category)
    for _, group in groupby(counted, lambda pair: pair.sample.category):
        yield from sorted(group, key=lambda pair: -len(set(pair.original.ids or ())))[:OF_CATEGORY]


def _result(pair: Pair, ported: PortedTokenizer, special: bool) -> dict[str, Any]:
    ids = list(pair.original.ids or ())
    text = pair.sample.text
    return {"text": text, "ids": ids, "comes_back": ported.decode(ids, skip_special_tokens=special) == text}
