"""How good a service's predictions probably are where it is not known yet what came true, held to what later did."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from clickhouse_connect.driver import Client

from weir.core.signature import Task
from weir.edges.clickhouse import cells, reports
from weir.monitor import estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """One figure of one window. maturity: share of its predictions whose outcome is in."""

    begin: datetime
    figure: str
    maturity: float
    estimate: estimate.Estimate


def windows(
    client: Client, service: str, *, begin: datetime, end: datetime, step_s: int, maturity: float
) -> list[Window]:
    """Every figure of every window that has predictions, in this order.

    The windows before one are what its estimate is learned from and held to: let the time begin months before.
    maturity: share of a window's outcomes that must be in for it to be true. Raises Unavailable, Refused.
    """
    of, asked = reports.meaning(client, service), cells.Asked(service, begin, end, step_s)
    if of.task is Task.REGRESSION:
        values = cells.by_value(client, asked)
        begins, share = values.begins, values.known.sum(1) / values.n.sum(1)
        parts = (values.n, values.known, values.absolute, values.squared)
        figures, unseen = estimate.losses(*parts, share >= maturity)
    else:
        found = cells.by_chance(client, asked, of)
        begins, share = found.begins, found.known[:, 0].sum((1, 2)) / found.n[:, 0].sum((1, 2))
        figures, unseen = estimate.classes(found.scores, found.n, found.known, found.hits, share >= maturity)
    return [
        Window(
            begin=datetime.fromtimestamp(int(at), UTC),
            figure=figure.name,
            maturity=float(share[place]),
            estimate=estimate.judge(figure, place, float(unseen[place])),
        )
        for place, at in enumerate(begins)
        for figure in figures
    ]
