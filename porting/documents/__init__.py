"""The documents of a port: its page, its model card, the text of its pull request, a notebook.

``port``, ``proofs`` and ``neighbours`` know what is said, ``examples`` makes code that ``trying`` runs, and ``page``,
``card``, ``pullrequest``, ``notebook`` and ``toctree`` say it. ``markdown`` lets no untrusted value become more than
text, ``fences`` keeps what a person wrote, and ``writing`` puts it together. ``reading`` says what is wrong with a
document as it is, ``contents`` and ``reloaded`` what is wrong with a folder that is to be uploaded.
"""

from __future__ import annotations

from porting.documents.result import Document, Documents
from porting.documents.writing import WHAT, Wanted, write_documents

__all__ = ["WHAT", "Document", "Documents", "Wanted", "write_documents"]
