"""Figures of a monitor's windows: ClickHouse is asked, and what it says is judged."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final

from clickhouse_connect.driver import Client

from weir.core.errors import Unavailable
from weir.edges.clickhouse import monitors, slos
from weir.edges.clickhouse.joined import Joined
from weir.monitor import assess
from weir.monitor.assess import Computed, Found
from weir.monitor.baseline import Against
from weir.monitor.burn import BurnMonitor
from weir.monitor.due import Due
from weir.monitor.judge import Bounds
from weir.monitor.left import Left, Work, covered_of
from weir.monitor.spec import Asked, Monitor, Row

OfService = Mapping[str, Mapping[str, Bounds]]  # bounds by monitor and subject
SIDE_BY_SIDE: Final = 2  # statements about windows of one run; planning one, ClickHouse uses a single core


@dataclass(slots=True)
class Figures:
    """What monitors say. calibrated, now, worker: as of `Rounds`."""

    calibrated: Callable[[Client, str], OfService]
    now: Callable[[], datetime]
    worker: str
    _bounds: dict[str, OfService] = field(default_factory=dict)
    _looked_at: set[tuple[str, str]] = field(default_factory=set)

    def calibrate(self, client: Client, service: str) -> None:
        """Ask for the bounds of a service. Raises Unavailable, Refused."""
        self._bounds[service] = self.calibrated(client, service)

    def of(
        self,
        client: Client,
        work: Work,
        monitor: Monitor,
        run: Sequence[Due],
        of: Mapping[str, Any] | None,
        left: Left,
        joined: Joined | None = None,
    ) -> tuple[list[list[Found]], Exception | None]:
        """Figures of each window of a run, up to the first that has none because of an error, and that error.

        `left` knows them afterwards. Raises Unavailable when it is ClickHouse that does not answer.
        """
        windows: list[list[Found]] = []
        at, rule = self.now(), assess.rule_of(monitor, self._bounds.get(work.service, {}).get(monitor.name))
        try:
            for items, rows in self._answers(client, work, monitor, run, of, joined):
                by_window = defaultdict(list)
                for row in rows:
                    by_window[row.begin].append(row)
                for item in items:
                    what = replace(self.computed(work, item), at=at)  # the same of all that is written at once
                    found = assess.of_rows(monitor, rule, by_window[item.window.begin], what, left)
                    windows.append([noted(left, one) for one in found])
        except Exception as error:  # whatever it is, it is this monitor's: the others go on
            if isinstance(error, Unavailable) and not client.ping():
                raise
            return windows, error
        return windows, None

    def computed(self, work: Work, item: Due) -> Computed:
        """What is said with every figure of a window."""
        what = item.what
        return Computed(
            work=work,
            begin=item.window.begin,
            covers=tuple(map(covered_of, sorted([*what.covers, *(what.outcomes or ())]))),
            revision=what.revision,
            age=what.age,
            early=what.early,
            at=self.now(),
            worker=self.worker,
        )

    def _answers(
        self,
        client: Client,
        work: Work,
        monitor: Monitor,
        run: Sequence[Due],
        of: Mapping[str, Any] | None,
        joined: Joined | None,
    ) -> Iterator[tuple[Sequence[Due], list[Row]]]:
        """Rows of the windows of a run, of all together or of one after the other. What cannot be asked is raised."""
        if isinstance(monitor, BurnMonitor):
            yield run, slos.burns(client, monitor, _asked(work, run), of)
            return
        if monitor.own and (looked := (work.service, monitor.sha256)) not in self._looked_at:
            monitors.check(client, monitor, work.service)  # it is not Weir's, and may not have been checked
            self._looked_at.add(looked)
        if monitor.baseline.against is not Against.SEASON:
            asked = _asked(work, run)
            yield run, monitors.run(client, monitor, asked, of, joined.table(monitor, asked) if joined else None)
            return
        each = lambda item: monitors.run(client, monitor, _asked(work, [item]), of)  # noqa: E731
        with ThreadPoolExecutor(SIDE_BY_SIDE, "seasons") as several:  # every window has a season of its own before it
            for item, rows in zip(run, several.map(each, run), strict=True):
                yield [item], rows


def _asked(work: Work, run: Sequence[Due]) -> Asked:
    end = run[-1].window.begin + timedelta(seconds=work.step_s)
    return Asked(service=work.service, begin=run[0].window.begin, end=end, step_s=work.step_s)


def noted(left: Left, found: Found) -> Found:
    """The figure; `left` knows it afterwards."""
    left.measured(found.measurement, found.alert)
    left.proposed.update(one.action_id for one in found.actions)
    return found
