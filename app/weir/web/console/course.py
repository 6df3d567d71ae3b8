"""What monitors have stored of a service, window by window: nothing of it is asked anew."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from weir.monitor.spec import Asked, Row
from weir.monitor.verdict import Scene
from weir.web.console.asking import Asker
from weir.web.console.drawing.windows import finite
from weir.web.console.told import Told, in_steps
from weir.web.console.view import View


@dataclass(frozen=True, slots=True)
class Course:
    """Of one monitor and subject, in windows of step_s seconds. values: None where a window says none.

    begins: seconds since 1970. n: rows of each window. totals: of its details, 0 where there is none. details: of the
    newest window.
    """

    monitor: str
    subject: str
    step_s: int
    begins: Sequence[int]
    values: Sequence[float | None]
    n: Sequence[int]
    totals: Sequence[float]
    details: Mapping[str, Any]

    @property
    def known(self) -> list[float]:
        """The values that there are, in order."""
        return [value for value in self.values if value is not None]

    @property
    def mean(self) -> float | None:
        """Of all windows; None of fewer than two."""
        return sum(self.known) / len(self.known) if len(self.known) > 1 else None


def course(asker: Asker, service: str, monitors: Sequence[str], begin: datetime, end: datetime) -> list[Course]:
    """Windows that begin in a time, by monitor and subject. Raises Unavailable, Refused."""
    asked = {"service": service, "monitors": list(monitors), "from": begin, "to": end}
    return [
        Course(
            row["monitor"],
            row["subject"],
            row["step_s"],
            row["begins"],
            [finite(value) for value in row["values"]],
            row["n"],
            row["totals"],
            json.loads(row["details"] or "{}"),
        )
        for row in asker.sql("overview/course", **asked)
    ]


def stored(asker: Asker, view: View, monitor: str, begin: datetime) -> Told | None:
    """The same of one monitor as rows of its windows, from a time to the view's end; None where there are none.

    Of windows of several lengths those of which there are most. Raises Unavailable, Refused.
    """
    found = course(asker, view.service, (monitor,), begin, view.end)
    lengths = Counter({one.step_s: len(one.begins) for one in found})
    if not lengths:
        return None
    step_s = lengths.most_common(1)[0][0]
    mine = [one for one in found if one.step_s == step_s]
    currency = next((str(one.details["currency"]) for one in mine if one.details.get("currency")), "USD")
    rows = [
        Row(
            begin=datetime.fromtimestamp(at, UTC), subject=one.subject, n=n, value=value, details={"currency": currency}
        )
        for one in mine
        for at, n, value in zip(one.begins, one.n, one.values, strict=True)
    ]
    spans = in_steps(replace(view, begin=begin), step_s)
    scene = Scene(
        monitor=asker.monitor(monitor),
        service=view.service,
        task=asker.task(view.service),
        currency=currency,
        **spans,
    )
    asked = Asked(service=view.service, **spans)
    return Told(sorted(rows, key=lambda row: (row.begin, row.subject)), scene, asked)
