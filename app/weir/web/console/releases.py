"""From when on which version of a service answers: what changed, beside what happened."""

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
    """A stretch of hours in which a bundle gives most answers of a variant.

    since: begin of its first hour. predictions: of it in these. again: whether it has had such a stretch before.
    anew: whether another bundle of that version answered until then.
    """

    version: str
    digest: str
    variant: str
    since: datetime
    predictions: int
    again: bool = False
    anew: bool = False

    @property
    def name(self) -> str:
        """Such as "v8", or "v9 as challenger"."""
        beside = "" if self.variant in ("", "champion") else f" as {self.variant}"
        return f"v{self.version}{beside}"

    @property
    def label(self) -> str:
        """The same, and whether it comes back: "v7 again"; "v8 anew" of another bundle of that version."""
        return f"{self.name} again" if self.again else f"{self.name} anew" if self.anew else self.name


def of(asker: Asker, service: str) -> list[Release]:
    """Of a service, the oldest first. Raises Unavailable, Refused."""
    if not service:
        return []
    rows = asker.once(("releases", service), KEPT_S, lambda: asker.sql("alerts/releases", service=service))
    found: list[Release] = []
    for row in rows:
        before = [one for one in found if one.variant == row["variant"]]
        found.append(
            Release(
                version=row["version"],
                digest=row["digest"],
                variant=row["variant"],
                since=_utc(row["since"]),
                predictions=row["predictions"],
                again=any(one.digest == row["digest"] for one in before),
                anew=bool(before) and before[-1].version == row["version"],
            )
        )
    return found


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
