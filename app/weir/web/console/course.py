"""What monitors have stored of a service, window by window: nothing of it is asked anew."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from weir.web.console.asking import Asker
from weir.web.console.drawing.windows import finite


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
