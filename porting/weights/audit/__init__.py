"""Whether a live model holds what its checkpoint and the rules say, in every tensor.

``judging`` compares each tensor with what the rules make of the checkpoint; ``arithmetic``, ``rearranged``,
``misplaced``, ``changed`` and ``elsewhere`` say what a wrong one holds instead; ``rebuilding`` and ``computed`` judge
what no checkpoint brings; ``explaining`` and ``gathering`` make findings and the report of it.
"""
