"""Commands that make what a check looks at, where it is lacking."""

from __future__ import annotations

from collections.abc import Mapping

MAKERS: Mapping[str, str] = {
    "check_generated_tests": "tests",
    "check_doc_page": "write page",
    "check_converted_folder": "convert converted",
    "check_model_card": "write card",
    "check_pull_request": "write pull-request",
}
