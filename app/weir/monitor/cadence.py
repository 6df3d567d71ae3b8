"""The smallest effect that a monitor can see, by how long its windows are: what says how often it is worth asking.

All are for a test at SIGNIFICANCE that finds the effect with POWER, of a window against a reference that is much larger
unless said otherwise. Rows are taken as independent; where they are not, n is the rows divided by the design effect.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from weir.monitor.baseline import Against
from weir.monitor.burn import BurnMonitor
from weir.monitor.spec import Monitor, Unit

SIGNIFICANCE, POWER = 0.05, 0.8
Z_BOTH: Final = 1.959964 + 0.841621  # normal quantiles at 1 - SIGNIFICANCE / 2 and at POWER
KOLMOGOROV: Final = 1.358099  # what sqrt(n) times Kolmogorov's distance exceeds with probability SIGNIFICANCE
NONCENTRALITY: Final = 15.6487  # of chi-square with 9 degrees of freedom that is found with POWER: ten bins
CADENCES_S: Final = (300, 900, 3600, 21_600, 86_400, 604_800)
LONGEST_S: Final = 86_400  # between two looks of a worker, whatever the traffic: rows may come in bursts
DELAY: Final = 0.1  # of the labels' delay: how much later than its labels a figure may be


def of_distance(n: float, m: float = math.inf) -> float:
    """Of Kolmogorov's distance. Source: Massey 1951, Journal of the American Statistical Association 46, eq. 3.

    At the place of the largest difference the variance of an empirical distribution is at most 1 / 4n.

    >>> round(of_distance(1000), 4)
    0.0563
    """
    return (KOLMOGOROV + 0.841621 / 2) * math.sqrt(1 / n + 1 / m)


def of_psi(n: float, m: float = math.inf) -> float:
    """Of the population stability index over ten bins. Source: Yurdakul 2018; Cohen 1988, Table 7.3.

    >>> round(of_psi(1000), 4)
    0.0156
    """
    return NONCENTRALITY * (1 / n + 1 / m)


def of_mean(n: float, m: float = math.inf) -> float:
    """Of a mean, in standard deviations. Source: Cohen 1988, section 2.4.

    >>> round(of_mean(1000), 4)
    0.0886
    """
    return Z_BOTH * math.sqrt(1 / n + 1 / m)


def of_share(n: float, share: float, m: float = math.inf) -> float:
    """Of a share that was `share`. Source: Fleiss, Levin & Paik 2003, section 4.2, without the small correction.

    >>> round(of_share(1000, 0.1), 4)
    0.0266
    """
    return Z_BOTH * math.sqrt(share * (1 - share) * (1 / n + 1 / m))


def of_auc(n: float, positive: float, auc: float = 0.75) -> float:
    """Of an AUC, with a share `positive` of positives. Source: Hanley & McNeil 1982, Radiology 143, eq. 1.

    >>> round(of_auc(1000, 0.2), 4)
    0.0594
    """
    a, b = max(1.0, n * positive), max(1.0, n * (1 - positive))
    q1, q2 = auc / (2 - auc), 2 * auc**2 / (1 + auc)
    variance = (auc * (1 - auc) + (a - 1) * (q1 - auc**2) + (b - 1) * (q2 - auc**2)) / (a * b)
    return Z_BOTH * math.sqrt(variance)


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """What a service sees.

    rows_s: predictions a second. positive: share of positives. labelled: of rows whose outcome comes; delay_s: after
    which nine in ten of these have come.
    """

    rows_s: float
    positive: float = 0.5
    labelled: float = 1.0
    delay_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One cadence.

    rows: in a window of it, with outcomes where the monitor asks for them. effect: the smallest that can be seen, in
    `unit`; None with too few rows. known_after_s: after the window's begin. enough: see `choices`.
    """

    cadence_s: int
    rows: float
    effect: float | None
    unit: str
    known_after_s: float
    enough: bool


def choices(monitor: Monitor, traffic: Traffic, cadences_s: Sequence[int] = CADENCES_S) -> list[Choice]:
    """What a monitor can see at each cadence. enough: the rows that it needs, and the effect of its lowest bound."""
    bounds = [abs(one.bound) for one in (monitor.warn, monitor.page) if one is not None]
    found = []
    for cadence_s in cadences_s:
        rows = traffic.rows_s * cadence_s * (traffic.labelled if monitor.maturity else 1.0)
        effect, unit = _effect(monitor.unit, rows, traffic) if rows >= 2 else (None, monitor.unit.value)
        seen = effect is not None and (unit != monitor.unit.value or not bounds or effect <= min(bounds))
        found.append(
            Choice(
                cadence_s=cadence_s,
                rows=rows,
                effect=effect,
                unit=unit,
                known_after_s=cadence_s + (traffic.delay_s if monitor.maturity else 0.0),
                enough=rows >= monitor.minimum and seen,
            )
        )
    return found


def chosen(options: Sequence[Choice]) -> Choice:
    """The shortest cadence at which enough can be seen; the longest where none is."""
    return next((one for one in options if one.enough), options[-1])


def look_s(monitor: Monitor, traffic: Traffic | None, *, waits: bool) -> float:
    """Seconds of event time between two looks of a worker for windows that are due; 0: each look of its rounds.

    What the header says counts. Else a monitor that compares with a baseline or waits for outcomes, and whose windows
    mostly have too few rows to say anything alone, is looked at as seldom as enough rows take to come (`chosen`); one
    that waits for outcomes no more often than their delay makes worth it. A day at most. All others: at once.

    waits: for outcomes. traffic: None where it is not known.
    """
    if monitor.cadence_s > 0:
        return monitor.cadence_s
    least = float(monitor.window_s if waits else 0)
    tests = waits or monitor.baseline.against is not Against.NONE
    if traffic is None or not tests or isinstance(monitor, BurnMonitor):
        return least
    wanted = DELAY * traffic.delay_s if waits else 0.0
    (one,) = choices(monitor, traffic, [monitor.window_s])
    if one.rows < monitor.minimum:
        wanted = max(wanted, chosen(choices(monitor, traffic)).cadence_s)
    wanted = min(wanted, LONGEST_S)
    return max(least, wanted) if wanted > monitor.window_s else least


def _effect(unit: Unit, rows: float, traffic: Traffic) -> tuple[float, str]:
    if unit is Unit.KS:
        return of_distance(rows), "ks"
    if unit is Unit.PSI:
        return of_psi(rows), "psi"
    if unit is Unit.AUC:
        return of_auc(rows, traffic.positive), "auc"
    if unit is Unit.SHARE:
        return of_share(rows, 0.5), "share"  # the widest that a share can vary
    return of_mean(rows), "sd"
