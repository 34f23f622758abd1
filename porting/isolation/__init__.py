"""Every module of the port judged by itself.

``isolating`` runs the port on the original's tensors, ``observing`` compares at every place of that run, ``exactly``
makes it again in float64, ``dataflow`` and ``origin`` find out where a difference arises, ``boundaries`` and
``entries`` tell modules that merely begin or end at another place than their counterparts.
"""
