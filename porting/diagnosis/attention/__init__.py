"""Attention between its projections and its output, observed as it runs, and what it would give if one thing changed.

``watching`` finds the attention in a live forward, ``scores`` reads how its scores are made, ``model`` computes it
anew, ``rotation`` and ``origins`` say what became of queries, keys and values before, ``replay`` runs a module on what
it was fed, ``bench`` tells whether an edit gives the original's tensor; the other files hold the edits.
"""
