"""Generated files: tests rendered from ``porting.templates`` with the original's values."""

from __future__ import annotations

from porting.stubs.integration import GeneratedTest, write_integration_test

__all__ = ["GeneratedTest", "write_integration_test"]
