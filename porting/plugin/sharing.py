"""What the collected checks and the fixtures share: one context for each portfile, in which the models run once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

from porting.errors import PortingError
from porting.plugin.settings import named_path, settings_of
from porting.text import show

if TYPE_CHECKING:
    from collections.abc import Callable

    from porting.checks import CheckContext
    from porting.tolerance import Tolerance

T = TypeVar("T")
MARKER = "porting"
HOW_TO_NAME = (
    "name one with --porting-portfile PATH, with porting_portfile in pytest's configuration file, or for this test "
    'with @pytest.mark.porting(portfile="PATH")'
)


@dataclass(frozen=True)
class Shared:
    """What is shared of one portfile.

    Attributes:
        context: the loaded portfile and what follows from it.
        own: the tolerance that the portfile says, whatever the run says.
    """

    context: CheckContext
    own: Tolerance

    @property
    def loosened(self) -> str:
        """Where the run allows more than the portfile does, in words."""
        used = self.context.portfile.tolerance()
        pairs = (("atol", used.atol, self.own.atol), ("rtol", used.rtol, self.own.rtol))
        return ", ".join(f"{name} {now:g} instead of {own:g}" for name, now, own in pairs if now > own)


_SHARED = pytest.StashKey[dict[Path, Shared]]()


def shared(config: pytest.Config, path: Path) -> Shared:
    """What is shared of a portfile in this run; the first who asks loads it.

    Raises:
        PortfileError: it cannot be loaded, or expects failures of checks that do not exist.
    """
    known = config.stash.setdefault(_SHARED, {})
    if path not in known:
        from porting.checks import CheckContext, expected_failures
        from porting.portfile import Portfile

        settings = settings_of(config)
        portfile = Portfile.load(path)
        expected_failures(portfile)
        known[path] = Shared(CheckContext(settings.applied(portfile), strict=settings.strict), portfile.tolerance())
    return known[path]


def give_portfiles(metafunc: pytest.Metafunc, fixture: str) -> None:
    """Give a test the portfile of its marker, else that of the run; with several of these it runs once for each."""
    path = _marked(metafunc.definition)
    paths = settings_of(metafunc.config).portfiles if path is None else (path,)
    if paths:
        ids = [pytest.HIDDEN_PARAM] if len(paths) == 1 else [relative(each, metafunc.config) for each in paths]
        metafunc.parametrize(fixture, paths, indirect=True, scope="session", ids=ids)


def path_for(request: pytest.FixtureRequest) -> Path | None:
    """The portfile that a test was given; for one that none can be given to, the only one of the run."""
    if hasattr(request, "param"):
        return Path(request.param)
    paths = settings_of(request.config).portfiles
    return paths[0] if len(paths) == 1 else None


def require_context(config: pytest.Config, path: Path | None) -> CheckContext:
    """The context of a test's portfile; without one, or if it cannot be loaded, the test fails."""
    if path is None:
        several = len(settings_of(config).portfiles) > 1
        pytest.fail(f"this test needs {'one' if several else 'a'} portfile\n\nNext: {HOW_TO_NAME}", pytrace=False)
    return or_fail(lambda: shared(config, path).context)


def or_fail(made: Callable[[], T]) -> T:
    """What a function returns; an error of porting fails the test with its message and what to do next."""
    try:
        return made()
    except PortingError as error:
        pytest.fail(said(error), pytrace=False)


def said(error: PortingError) -> str:
    """The message of an error, and what to do next as its last line."""
    return f"{error.message}\n\nNext: {error.hint}" if error.hint else error.message


def relative(path: Path, config: pytest.Config) -> str:
    """A path as it is shown: from the folder in which pytest was started, where it lies below."""
    folder = config.invocation_params.dir
    return show(path.relative_to(folder) if path.is_relative_to(folder) else path)


def _marked(node: Any) -> Path | None:
    """The portfile of the nearest marker that names one."""
    for marker in node.iter_markers(MARKER):
        unknown = [*marker.args, *(name for name in marker.kwargs if name != "portfile")]
        if unknown:
            text = f'the marker takes a portfile, @pytest.mark.porting(portfile="PATH"), and not {show(unknown[0])}'
            pytest.fail(text, pytrace=False)
        if "portfile" in marker.kwargs:
            return named_path(node.path.parent / marker.kwargs["portfile"])
    return None
