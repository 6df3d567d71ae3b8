"""The whole at a glance: is every request accounted for, what needs somebody, and how each service does.

It asks what is kept by views and what monitors have stored, and no monitor anew: six statements, whatever the number of
services, one more for each of the four partitions that lack most offsets, and one where there is nothing yet.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from clickhouse_connect.driver import Client

from weir.monitor.verdict import State, Verdict, worst
from weir.operations import balance as balances
from weir.operations import glance, needs_you
from weir.operations.balance import Balance, Partition
from weir.operations.glance import Service
from weir.operations.needs_you import Alert, Cause

STEPS_S: Final = (60, 300, 900, 1800, 3600, 7200, 21_600, 43_200, 86_400, 604_800)
COLUMNS: Final = 48  # of a sparkline in a terminal, at most


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """What is seen of a time [begin, end), UTC, in steps of step_s seconds. needs: what the alerts come to."""

    begin: datetime
    end: datetime
    step_s: int
    balance: Balance
    alerts: tuple[Alert, ...]
    causes: tuple[Cause, ...]
    needs: Verdict
    services: tuple[Service, ...]

    @property
    def state(self) -> State:
        """The worst of all."""
        return worst([self.balance.verdict.state, self.needs.state, *(one.state for one in self.services)])

    @property
    def in_order(self) -> bool:
        """Whether nothing fires and no offset is missing: what `weir status` ends with 0 for."""
        return not self.balance.missing and not self.balance.unbalanced and not any(one.fires for one in self.alerts)

    @property
    def newest(self) -> datetime | None:
        """Event time of the newest prediction of all; None where there has been none."""
        return max((one.newest for one in self.services if one.newest is not None), default=None)


def look(
    client: Client,
    begin: datetime,
    end: datetime,
    step_s: int,
    service: str = "",
    budgets: Mapping[str, float] | None = None,
    partitions: Sequence[Partition] | None = None,
) -> Overview:
    """The overview of a time. service: of one alone; of all by default. budgets: what is left of them, by service.

    partitions: of this time and all services, where the caller has asked already.

    Raises Unavailable, Refused.
    """
    if partitions is None:
        partitions = balances.partitions(client, begin, end)
    partitions = [one for one in partitions if service in ("", one.service)]
    names = {one.service for one in partitions}
    balance = balances.balance(client, partitions, begin, end, names)
    alerts = needs_you.live(client, service)
    newest = balances.newest(client, partitions, end)
    shown = names | {one.service for one in alerts} or glance.announced(client, service)
    services = glance.services(
        client,
        shown,
        begin,
        end,
        step_s,
        alerts,
        {**newest, **balances.complete_to(partitions, balance.behind)},
        {one.service for one in balance.behind},
        newest,
        budgets or {},
    )
    return Overview(
        begin=begin,
        end=end,
        step_s=step_s,
        balance=balance,
        alerts=alerts,
        causes=needs_you.causes(alerts),
        needs=needs_you.verdict(alerts),
        services=services,
    )


def plain(seen: Overview) -> dict[str, Any]:
    """For JSON: everything, and what follows from it."""
    found = asdict(seen)
    found["balance"]["unbalanced"] = seen.balance.unbalanced
    del found["causes"]  # its alerts are there already, each with its cause
    return found | {"state": seen.state, "in_order": seen.in_order}


def steps(span_s: int, end: datetime) -> tuple[datetime, datetime, int]:
    """Begin, end and step in seconds of the last span_s seconds, with at most COLUMNS steps and a bit.

    The begin is at a whole step, so that rolled-up tables can be read.
    """
    step_s = next((step for step in STEPS_S if span_s / step <= COLUMNS), STEPS_S[-1])
    begin = int((end - timedelta(seconds=span_s)).timestamp()) // step_s * step_s
    return datetime.fromtimestamp(begin, end.tzinfo), end, step_s
