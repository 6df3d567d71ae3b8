"""How good a service's predictions probably are where it is not known yet what came true, held to what later did."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
from clickhouse_connect.driver import Client

from weir.core.signature import Task
from weir.edges.clickhouse import cells, reports, sql_files
from weir.edges.clickhouse.client import written
from weir.monitor import estimate
from weir.monitor.spec import Asked, Monitor, Unit
from weir.monitor.usual import Way

MATURITY: Final = 0.9  # share of a window's outcomes that must be in for it to be true
BEFORE: Final = 28  # windows that one is learned from and held to: four weeks of days
BEFORE_ROWS: Final = 1_000_000  # predictions of these at most: a round has five seconds for all that it asks
# What the worker measures by `table`: no SQL alone makes it, since what a score means is learned.
MONITOR: Final = Monitor(
    name="outcome/estimated",
    question="How good is it probably, before it is known what came true?",
    title="Estimate before outcomes are known",
    source="of classes their own chances (CBPE), of numbers the losses of such values (DLE); see monitor/estimate.py",
    tasks=tuple(Task),
    time="begin",
    subject=("figure",),
    value="value",
    unit=Unit.NUMBER,
    n="n",
    low="low",
    high="high",
    window_s=86_400,
    usual={"": Way.FALLS, "mae": Way.RISES, "rmse": Way.RISES},
    runbook="outcome",
    parameters={},
    sql="",
    sha256=hashlib.sha256(Path(estimate.__file__).read_bytes()).hexdigest(),
)
HEADER: Final = {
    "name": MONITOR.name,
    "question": MONITOR.question,
    "title": MONITOR.title,
    "source": "CBPE (NannyML) and DLE; Brier 1950, isotonic regression by Barlow et al. 1972, band by Lei et al. 2018",
    "tasks": "all",
    "subject": ", ".join(MONITOR.subject),
    "window": "1d",
    "usual": "falls, mae rises, rmse rises",
    "runbook": MONITOR.runbook,
    "SQL": "none: what a score means is an isotonic fit, which no SQL makes. weir/monitor/estimate.py has it, and says"
    " when its estimates cannot be trusted; what it has said is read by outcome/foreseen",
}
SCHEMA: Final = pa.schema(
    {
        "begin": pa.timestamp("s", "UTC"),
        "figure": pa.string(),
        "value": pa.float64(),
        "n": pa.int64(),
        "low": pa.float64(),
        "high": pa.float64(),
        **dict.fromkeys(("estimate", "realised", "off", "maturity"), pa.float64()),
        "compared": pa.int64(),
        **dict.fromkeys(("error", "bias", "naive_error"), pa.float64()),
        "doubts": pa.list_(pa.string()),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """One figure of one window. n: its predictions. maturity: share of them whose outcome is in."""

    begin: datetime
    figure: str
    n: int
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
        begins, n = values.begins, values.n.sum(1)
        share = values.known.sum(1) / n
        parts = (values.n, values.known, values.absolute, values.squared)
        figures, unseen = estimate.losses(*parts, share >= maturity)
    else:
        found = cells.by_chance(client, asked, of)
        begins, n = found.begins, found.n[:, 0].sum((1, 2))
        share = found.known[:, 0].sum((1, 2)) / n
        figures, unseen = estimate.classes(found.scores, found.n, found.known, found.hits, share >= maturity)
    return [
        Window(
            begin=datetime.fromtimestamp(int(at), UTC),
            figure=figure.name,
            n=int(n[place]),
            maturity=float(share[place]),
            estimate=estimate.judge(figure, place, float(unseen[place])),
        )
        for place, at in enumerate(begins)
        for figure in figures
    ]


def table(client: Client, asked: Asked) -> pa.Table:
    """The figures of the windows asked about, as a monitor answers, each learned from the windows before it.

    value: the estimate; null where it cannot be trusted. estimate has it anyway, with the doubts, what came true as far
    as it is known (realised), and how far the estimate is from that (off). Raises Unavailable, Refused.
    """
    step = timedelta(seconds=asked.step_s)
    since = _since(client, asked, step)
    found = windows(client, asked.service, begin=since, end=asked.end, step_s=asked.step_s, maturity=MATURITY)
    return pa.Table.from_pylist([_row(one) for one in found if one.begin >= asked.begin], SCHEMA)


def _since(client: Client, asked: Asked, step: timedelta) -> datetime:
    """Begin of the windows before those asked about: of `BEFORE`, the newest that have `BEFORE_ROWS` together."""
    time = {"from": written(asked.begin - BEFORE * step), "to": written(asked.begin)}
    counted: Counter[int] = Counter()
    for row in sql_files.rows(client, "gate/windows", service=asked.service, step=asked.step_s, **time):
        begin = row["begin"]
        counted[begin if isinstance(begin, int) else int(begin.timestamp())] += row["predictions"]
    since, held = asked.begin, 0
    for begin in sorted(counted, reverse=True):
        held += counted[begin]
        if held > BEFORE_ROWS:
            break
        since = datetime.fromtimestamp(begin, UTC)
    return since


def _row(window: Window) -> dict[str, Any]:
    said = window.estimate
    trusted = not said.doubts
    row: dict[str, Any] = {name: _finite(value) for name, value in asdict(said).items()}
    row["estimate"] = row["value"]
    row |= {} if trusted else dict.fromkeys(("value", "low", "high"))
    return row | {
        "begin": window.begin,
        "figure": window.figure,
        "n": window.n,
        "maturity": window.maturity,
        "off": _finite(said.value - said.realised),
        "doubts": list(said.doubts),
    }


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
