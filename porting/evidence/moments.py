"""Moments until which a claim holds by itself: what was fetched this week is out of date the next."""

from __future__ import annotations

from datetime import UTC, datetime

FORMAT = "%Y-%m-%d %H:%M UTC"
COMING, OVER = "to come", "over"


def until(moment: datetime) -> str:
    """The topic of a claim that has to be checked anew after a moment (`porting.evidence.asking`)."""
    return f"until {moment.astimezone(UTC).strftime(FORMAT)}"


def moment_today(name: str) -> str:
    """Whether a moment, as `until` names it, is `COMING` or `OVER`.

    Raises:
        ValueError: it is none.
    """
    moment = datetime.strptime(name, FORMAT).replace(tzinfo=UTC)
    return COMING if datetime.now(UTC) <= moment else OVER
