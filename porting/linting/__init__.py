"""What the linters of Transformers find in a port's files; each runs in a process of its own, and writes nothing.

- ``mlinter``: Transformers' linter for model files.
- ``ruff``: with Transformers' settings, or those of the checkout.
- ``registry``: which scripts of a checkout's ``utils/`` a pull request has to pass, each with its recipe step.
- ``running``: they run in a copy of the checkout (``copying``), so that nothing that they do is done to the port.
- ``checkers``: what one of them says; ``naming``: which lines of that are about the port; ``mending``: what its own
  fix changes, where it does not say what it objects to.
"""
