"""What the pytest plugin does once it is used: ``porting.pytest_plugin`` loads nothing of this before.

``settings`` reads the options, ``collecting`` turns checks into items, ``running`` follows the run, ``telling`` says
what it found; ``sharing`` is what items and fixtures have in common, ``closeness`` and ``goldens`` are two fixtures.
"""
