"""Since when each version of a service answers: what changed, beside what happened."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from weir.web.console.asking import Asker
from weir.web.console.drawing.chart import Mark
from weir.web.console.view import View


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """since: begin of the first hour in which it answered. predictions: of it, all."""

    version: str
    variant: str
    since: datetime
    predictions: int

    @property
    def label(self) -> str:
        """Such as "v8", or "v9 as challenger"."""
        beside = "" if self.variant in ("", "champion") else f" as {self.variant}"
        return f"v{self.version}{beside}"


def of(asker: Asker, service: str) -> list[Release]:
    """Of a service, the oldest first. Raises Unavailable, Refused."""
    rows = asker.sql("alerts/releases", service=service) if service else []
    return [
        Release(
            version=row["version"], variant=row["variant"], since=_utc(row["since"]), predictions=row["predictions"]
        )
        for row in rows
    ]


def marks(asker: Asker, view: View) -> list[Mark]:
    """What came after the first of a view's service, for its charts. Raises Unavailable, Refused."""
    return [
        Mark(at=int(one.since.timestamp()), label=one.label)
        for one in of(asker, view.service)[1:]
        if view.begin <= one.since < view.end
    ]


def _utc(time: datetime | int) -> datetime:
    return datetime.fromtimestamp(time, UTC) if isinstance(time, int) else time.astimezone(UTC)
