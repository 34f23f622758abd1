"""An original that is no live model here.

It is in another interpreter (``other_python``, ``shipping``, and ``child``, which runs there), or was recorded before
(``recorded``).
"""
