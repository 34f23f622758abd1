"""A running torch model, listened to: hooks on every module, one trace out.

``capturing`` is the whole of it. ``tracking`` follows the calls, by what ``attaching`` puts on each module;
``listening`` and ``gradients`` snapshot what passes; ``selection`` says what of it is wanted, ``recordable`` what can
be had. ``module_tree`` and ``module_table`` are the model at rest. ``preserving`` leaves it as it was found, by what
``holding`` notes of attributes and ``keeping`` of tensors; ``surroundings`` is what changes in the process meanwhile.
"""
