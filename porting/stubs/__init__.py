"""Generated files: tests rendered from ``porting.templates`` with the original's values.

- What is written: ``modeling`` (outputs and greedy tokens), ``tokenization``, ``processing`` and ``reproducing`` (the
  script that makes the values again), put together by ``writing`` and placed by ``layout``; ``files`` writes.
- What is expected: ``material`` gathers it. ``origins`` says whose values they are, ``replay`` how the port runs
  again, ``expectations`` and ``layers`` which values and tolerances, ``ways`` how else a right port may compute them,
  ``sensitivity`` and ``sampling`` where to look, ``generation`` how the original goes on with a prompt.
- As text: ``literals``, ``written`` and ``importing`` make literals and names of data, ``quoting`` quotes the
  portfile, ``rendering`` fills templates and checks the code.
"""

from __future__ import annotations

from porting.stubs.generated import GeneratedTests
from porting.stubs.writing import Wanted, write_tests

__all__ = ["GeneratedTests", "Wanted", "write_tests"]
