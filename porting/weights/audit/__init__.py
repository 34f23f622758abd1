"""Whether a live model holds what its checkpoint and the rules say, in every tensor.

``auditing`` has the functions that people call, ``gathering`` is one audit from beginning to end.

- What is wrong: ``judging`` compares each tensor, by ``comparing``, with what the rules make of the checkpoint;
  ``ties`` and ``absent`` look for ties and biases that are not there. What no checkpoint brings is found by ``live``,
  built anew by ``rebuilding`` and judged by ``computed``.
- What it is instead: ``arithmetic``, ``rearranged`` (in which of the ``orders``), ``misplaced``, ``changed`` and
  ``weightnorm`` give a ``relation`` to the right tensor; ``elsewhere`` finds another one, by ``signatures``.
- In words: ``explaining`` makes findings of it, with what ``names`` say.
"""
