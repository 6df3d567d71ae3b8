"""Since when each version of a service answers: what changed, beside what happened."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from weir.web.console.asking import Asker


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """since: begin of the first hour in which it answered."""

    version: str
    variant: str
    since: datetime

    @property
    def label(self) -> str:
        """Such as "v8", or "v9 as challenger"."""
        beside = "" if self.variant in ("", "champion") else f" as {self.variant}"
        return f"v{self.version}{beside}"


def of(asker: Asker, service: str) -> list[Release]:
    """Of a service, the oldest first. Raises Unavailable, Refused."""
    rows = asker.sql("alerts/releases", service=service) if service else []
    return [Release(version=row["version"], variant=row["variant"], since=_utc(row["since"])) for row in rows]


def _utc(time: datetime | int) -> datetime:
    return datetime.fromtimestamp(time, UTC) if isinstance(time, int) else time.astimezone(UTC)
