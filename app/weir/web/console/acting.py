"""What needs Kafka or the registry: what a person does, and what a letter says. Loaded when somebody first asks."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from weir.core.errors import Refused
from weir.edges.clickhouse.client import connect
from weir.edges.clickhouse.dead_letters import Letter
from weir.monitor import durations
from weir.monitor.alert import Note, Transition
from weir.settings import Settings

if TYPE_CHECKING:
    from weir.operations.redrive import Redriven, Resend

MOST_LETTERS: Final = 1000  # that one redrive sends, as `weir dead-letters redrive` does
LONGEST_SILENCE: Final = timedelta(days=30)
NAME_CHARS, REASON_CHARS = 80, 500


def acknowledge(settings: Settings, one: Transition, form: dict[str, str], now: datetime) -> Note:
    """Say under a name that an alert is looked after. Raises Unavailable, Refused."""
    from weir.operations import notes

    by, reason = _said(form)
    return notes.acknowledge(settings, one, reason, now, by)


def silence(settings: Settings, one: Transition, form: dict[str, str], now: datetime) -> Note:
    """Let an alert be silent for a while, under a name. Raises Unavailable, Refused."""
    from weir.operations import notes

    by, reason = _said(form)
    try:
        lasting = timedelta(seconds=durations.seconds(form.get("for", "")))
    except ValueError as error:
        raise Refused(f"nobody knows how long that is: {error}", remedy="choose a time") from error
    if not timedelta(0) < lasting <= LONGEST_SILENCE:
        raise Refused("a silence lasts a month at most", remedy="choose a shorter time")
    return notes.silence(settings, {}, one.watched.key, now + lasting, reason, now, by)


def fields(settings: Settings, letter: Letter) -> tuple[dict[str, Any] | None, str]:
    """What a letter says under its service's contract; where it cannot be read, why."""
    from weir.operations import letter_fields

    return letter_fields.fields(settings, letter)


def tried(settings: Settings, service: str, letters: Sequence[Letter]) -> tuple[list[Resend], list[str]]:
    """What would be sent again of a service's letters, and why each would be rejected again; "" where it decodes.

    Raises Unavailable, Refused.
    """
    from weir.operations import repair

    return repair.prepared(settings.having(service=service, bundle=""), list(letters), [], None)


def redrive(settings: Settings, resends: Sequence[Resend], verdicts: Sequence[str], by: str) -> Redriven:
    """Send those again under a name that are not rejected at once, each at most once. Raises Unavailable, Refused."""
    from weir.operations import redrive as redriving

    sent = [resend for resend, verdict in zip(resends, verdicts, strict=True) if not verdict]
    service = sent[0].letter.service if sent else ""
    with connect(settings.recording) as client:
        return redriving.redrive(client, settings.having(service=service, bundle=""), sent, by)


def is_name(text: str) -> bool:
    """Whether somebody can be called so."""
    return 0 < len(text) <= NAME_CHARS and text.isprintable()


def _said(form: dict[str, str]) -> tuple[str, str]:
    """Who says it, and why. Raises Refused where one of them is not said."""
    by, reason = form.get("by", "").strip(), form.get("reason", "").strip()
    if not is_name(by) or not reason or len(reason) > REASON_CHARS:
        remedy = f"write a name of {NAME_CHARS} characters and a reason of {REASON_CHARS} at most"
        raise Refused("a name and a reason are needed", remedy=remedy)
    return by, reason
