"""The templates that are installed with porting, rendered by Jinja."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jinja2 import Environment


def environment(**options: Any) -> Environment:
    """An environment for ``porting.templates``, in which a name that is not given is an error.

    Args:
        options: of Jinja: whether HTML is escaped, or what else is done with each value.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    return Environment(  # noqa: S701 - most templates are no HTML: the caller says what makes values harmless
        loader=PackageLoader("porting.templates", ""),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        **options,
    )
