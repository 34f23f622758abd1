"""A running torch model, listened to: hooks on every module, one trace out.

``capturing`` is the whole of it; ``tracking`` follows the calls, ``listening`` and ``gradients`` snapshot what passes,
``selection`` says what of it is wanted, ``recordable`` what can be had; ``module_tree`` and ``module_table`` are the
model at rest, and ``preserving`` leaves it as it was found: what its modules hold
(``holding``), and each of their tensors (``keeping``).
"""
