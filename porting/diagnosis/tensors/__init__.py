"""The tensors of a culprit against those of the original: what each should hold, and where that is.

``owned`` names tensors and compares contents, ``roles`` knows by which names they go, ``targets`` says which original
tensor a ported one should hold (``rows`` and ``unaligned`` for those of fused projections and of modules without a
counterpart). Then the explanations, each of one tensor and with the values that it should have: ``elsewhere``
(another tensor has them), ``rearranged``, ``rounded``, ``unloaded``.
"""
