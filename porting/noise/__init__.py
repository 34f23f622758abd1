"""How far right results move by themselves.

``floor`` is what a verdict rests on, ``measuring`` reruns a captured model for the trace's own figures, with the
comparisons of ``retracing``.
"""
