"""Where a port is developed: versions, the checkout of Transformers with its branch and remotes, the original's side.

- ``versions``: of Python and of the packages that are needed.
- ``repository``: what git knows of a checkout; no program that the repository configures is run, and no network asked.
- ``remotes``: which remote is Transformers itself, and which the fork.
- ``imports``: whether an interpreter imports what ``original()`` imports, and a framework; ``importing`` is what runs
  there.
"""
