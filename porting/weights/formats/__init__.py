"""The file formats of checkpoints, read without trust in what they hold.

``choosing`` finds the file in a folder and ``reading`` the reader for it; ``entries`` says what every format gives.
``safetensors`` needs no more. ``torchfiles`` reads what ``torch.save`` writes: ``catalogues`` asks a child process
what its pickle lists, ``torchstorages`` finds the data, and ``picklecode`` is for a pickle that may run its code.
``arrays`` reads NumPy's files by their ``npyheaders``. ``index`` is about shards, ``zips`` about archives.
"""
