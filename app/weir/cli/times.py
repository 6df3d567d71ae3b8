"""Times and spans of time as a person writes them."""

from __future__ import annotations

from datetime import UTC, datetime

import typer


def time_of(text: str, option: str) -> datetime:
    """A time in UTC, where it says nothing else. Raises typer.BadParameter."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        what = f"{text!r} is no time in ISO 8601, such as 2026-01-31 or 2026-01-31T12:00"
        raise typer.BadParameter(what, param_hint=option) from None
    return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)


def time_or_now(text: str, option: str) -> datetime:
    """The same, and the time of the call where there is no text. Raises typer.BadParameter."""
    return time_of(text, option) if text else datetime.now(UTC)


def between(begin: str, end: str) -> tuple[datetime, datetime]:
    """The times of --from and --to: by default the beginning, and now. Raises typer.BadParameter."""
    from weir.core.times import BEGINNING

    start, stop = time_of(begin, "--from") if begin else BEGINNING, time_or_now(end, "--to")
    if start >= stop:
        what = f"{begin} is not before --to, {stop:%Y-%m-%dT%H:%M} UTC"
        raise typer.BadParameter(what, param_hint="--from")
    return start, stop


def span_of(text: str, option: str) -> int:
    """A span of time in seconds. Raises typer.BadParameter."""
    from weir.monitor import durations

    try:
        return durations.seconds(text)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint=option) from None
