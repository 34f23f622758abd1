"""A model run again to learn from the difference: on other tensors, in another precision, on a part of the batch.

``feeding`` puts recorded tensors in the place of a run's own, ``precision`` computes in float64, ``batching`` cuts the
inputs into rows, ``rerunning`` runs, ``repeating`` asks for the same bits.
"""
