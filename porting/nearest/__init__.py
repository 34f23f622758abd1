"""Which architectures that Transformers already has a checkpoint is nearest to, by its tensors' names and shapes.

``cells`` are a model's blocks, and ``roles`` what their tensors are by their places; ``architectures`` is the index of
those of Transformers, which ``building`` makes; ``likely`` says at a glance which are worth trying. ``fitting`` fits
one block into another: ``sizes`` says which size stands for which, ``parts`` which tensors are one on the other side,
``naming`` what names say, and ``fits`` is what comes of it. ``matching`` does that for all blocks of two models,
``converting`` says whether Transformers reads such names already, ``ranking`` puts these together, and ``result`` is
the answer.

What structure suggests is proven by a model: ``configuring`` makes a config with some settings, ``limits`` bounds what
may be built, ``exact`` compares what is built with the checkpoint, ``settling`` finds the settings, for which
``solving`` says what each must be, and ``proving`` has that done for the nearest architectures.
"""

from __future__ import annotations

from porting.nearest.architectures import is_indexed
from porting.nearest.proving import prove
from porting.nearest.ranking import nearest_architectures
from porting.nearest.result import Candidate, conclusion

__all__ = ["Candidate", "conclusion", "is_indexed", "nearest_architectures", "prove"]
