"""A working folder for a new port: a portfile that runs where it can, and marks what is left to a person.

``naming`` is the model's name in its forms, ``saved`` the checkpoint. Of the original, ``locating`` finds the files,
``reading`` the classes without importing them, ``ranking`` the one that is meant; ``trial``, a file of its own, builds
it in its own interpreter, and ``trying`` starts that with a limit of time. Of the port, ``siblings`` are the classes
of a model type, ``fitting`` finds the settings for a checkpoint's shapes, and ``concepts`` are the names
that a setting goes by. ``feeding`` says what goes into both, ``plan`` is all that is known, ``filling`` puts it into
the portfile's text, ``proving`` has ``child`` run that, ``writing`` makes the folder, whole or not at all; ``making``
is the whole, ``result`` what comes of it, ``checkouts`` what comes first in a checkout of Transformers.
"""

from __future__ import annotations

from porting.scaffold.making import Request, make_scaffold
from porting.scaffold.naming import ModelName
from porting.scaffold.result import Scaffold

__all__ = ["ModelName", "Request", "Scaffold", "make_scaffold"]
