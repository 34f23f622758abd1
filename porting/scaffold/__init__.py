"""A working folder for a new port: a portfile that runs where it can, and marks what is left to a person.

``naming`` is the model's name in its forms, ``saved`` the checkpoint. Of the original, ``locating`` finds the files,
``reading`` the classes without importing them, ``ranking`` the one that is meant; ``trial``, a file of its own, builds
it in its own interpreter, and ``trying`` starts that with a limit of time. Of the port, ``siblings`` are the classes
of a model type, and ``searching`` finds the settings for a checkpoint's shapes: ``settings`` are those of a config
and of the configs in it, ``concepts`` the names that one goes by, ``facts`` what shapes say, ``options`` what each
may be, ``stages`` those that are lists, ``heads`` those that no shape tells, ``measuring`` the shapes that they give,
and ``fitting`` takes one after another. ``feeding`` says what goes into both, ``request`` is what was asked for,
``planning`` finds out all that can be known before either side runs, ``plan`` is that, ``filling`` puts it into
the portfile's text, ``proving`` has ``child`` run that, with ``settling`` for the heads, ``writing`` makes the
folder, whole or not at all; ``making`` is the whole, ``result`` what comes of it, ``checkouts`` what comes first in
a checkout of Transformers.
"""

from __future__ import annotations

from porting.scaffold.making import make_scaffold
from porting.scaffold.naming import ModelName
from porting.scaffold.request import Request
from porting.scaffold.result import Scaffold

__all__ = ["ModelName", "Request", "Scaffold", "make_scaffold"]
