"""The file formats of checkpoints, read without trust in what they hold.

``choosing`` finds the file, ``entries`` says what every format gives, and each format has a reader: ``safetensors``,
``torchfiles`` (with ``catalogues``, what a child process reads in a pickle), ``arrays`` for NumPy's. ``index`` is
about shards, ``zips`` about the archives that two of the formats are.
"""
