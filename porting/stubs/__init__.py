"""Generated files: tests rendered from ``porting.templates`` with the original's values.

- What is written: ``modeling`` (the outputs), put together by ``writing``, placed by ``layout``, ``files`` writes.
- What is expected: ``replay`` (how the port runs again), ``origins`` (whose values they are), ``expectations``
  (values and tolerances), ``ways`` (right ways to compute the port), ``sensitivity`` and ``sampling`` (where to look).
- As text: ``literals`` and ``written`` make literals of data, ``rendering`` fills templates and checks the code.
"""

from __future__ import annotations

from porting.stubs.generated import GeneratedTests
from porting.stubs.writing import Wanted, write_tests

__all__ = ["GeneratedTests", "Wanted", "write_tests"]
