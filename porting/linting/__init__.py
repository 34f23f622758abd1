"""What the linters of Transformers find in a port's files; each runs in a process of its own, and writes nothing.

- ``mlinter``: Transformers' linter for model files.
- ``ruff``: with Transformers' settings, or those of the checkout.
- ``checkers``: the scripts of a checkout's ``utils/`` that a pull request has to pass, each with its recipe step.
- ``naming``: which lines of what they say are about the port.
"""
