"""Values that only the port produced are refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from toys import make_inputs, make_pair

from porting.errors import GenerationError
from porting.stubs.origins import require_original
from porting.verification import Verification, verify


@pytest.fixture(scope="module")
def verification() -> Verification:
    original, ported = make_pair()
    one, other = make_inputs()
    return verify(original, ported, other, original_inputs=one)


def with_original(verification: Verification, **run: Any) -> Verification:
    original = replace(verification.original, run={**verification.original.run, **run})
    return replace(verification, original=original)


def test_another_implementation_is_an_original(verification: Verification) -> None:
    require_original(verification)


def test_what_the_port_produced_is_refused(verification: Verification) -> None:
    own = verification.ported.run
    (sha256,) = own["sources"].values()
    for run, message in (
        ({"side": "ported"}, "was recorded from a port"),
        ({"model": own["model"]}, "is the port's own class"),
        ({"sources": {"copy.py": sha256}}, "is a copy of the port's"),
    ):
        with pytest.raises(GenerationError, match=message):
            require_original(with_original(verification, **run))
