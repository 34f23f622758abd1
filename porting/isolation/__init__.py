"""Every module of the port judged by itself.

``isolating`` feeds it the original's tensors, ``origin`` finds out where a difference arises in that run.
"""
