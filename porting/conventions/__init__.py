"""What reviewers of Transformers ask of a port's files.

- ``structure``: levels of inheritance, and imports; ``documents``: docstrings, and what is left to be filled in.
- ``dropout`` and ``devices``, by ``calls``: what drops in eval mode, and devices that are written down.
- ``borrowed`` and ``parents``: expected values in the tests that are those of the model that they were copied from.

The files are read and never run; names and texts in them are shown escaped.
"""
