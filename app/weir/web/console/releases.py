"""Since when each version of a service answers: what changed, beside what happened."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from weir.web.console.asking import Asker
from weir.web.console.drawing.chart import Mark
from weir.web.console.view import View

KEPT_S: Final = 10.0  # for which the panels of a page share them


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
    if not service:
        return []
    rows = asker.once(("releases", service), KEPT_S, lambda: asker.sql("alerts/releases", service=service))
    return [
        Release(
            version=row["version"], variant=row["variant"], since=_utc(row["since"]), predictions=row["predictions"]
        )
        for row in rows
    ]


def marks(asker: Asker, view: View, service: str = "") -> list[Mark]:
    """What came after the first of a view's service, for its charts; of another its name is said.

    Raises Unavailable, Refused.
    """
    name = f"{service} " if service and service != view.service else ""
    return [
        Mark(at=int(one.since.timestamp()), label=f"{name}{one.label}")
        for one in of(asker, service or view.service)[1:]
        if view.begin <= one.since < view.end
    ]


def _utc(time: datetime | int) -> datetime:
    return datetime.fromtimestamp(time, UTC) if isinstance(time, int) else time.astimezone(UTC)
