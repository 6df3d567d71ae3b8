"""What every panel of the overview is about, asked once for all of them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from weir.operations import balance, budgets, overview
from weir.operations.balance import Partition
from weir.operations.budgets import FRESH, Budgets
from weir.operations.overview import Overview
from weir.web.console.asking import Asker
from weir.web.console.view import View

FRESH_S: Final = int(FRESH.total_seconds())
SAME_S: Final = 2.0  # for which the panels of one page, and of other tabs, share it
STANDING_S: Final = 4.0  # for which it is not asked again how far partitions are recorded; a tick is longer


def glimpse(asker: Asker, view: View) -> Overview:
    """The overview of a view's time, as `weir status` has it. Raises Unavailable, Refused."""
    begin, end = view.begin, min(view.end, view.now) if view.live else view.end

    def look() -> Overview:
        left, found = budgets_at(asker, end).left, partitions(asker, view)
        return asker.ask(lambda client: overview.look(client, begin, end, view.step_s, view.service, left, found))

    return asker.once(("overview", view.begin, view.end, view.step_s, view.service), SAME_S, look)


def partitions(asker: Asker, view: View) -> list[Partition]:
    """How far every partition is recorded in the view's time, up to now. Raises as `glimpse`."""
    end = min(view.end, view.now)  # what is still to come is not late
    key = ("partitions", view.begin, view.end)
    return asker.once(key, STANDING_S, lambda: asker.ask(lambda c: balance.partitions(c, view.begin, end)))


def budgets_at(asker: Asker, end: datetime) -> Budgets:
    """What is left of every error budget in that minute: a question over weeks, asked once. Raises as `glimpse`."""
    at = datetime.fromtimestamp(int(end.timestamp()) // FRESH_S * FRESH_S, UTC)
    return asker.once(("budgets", at), FRESH_S, lambda: asker.ask(lambda c: budgets.look(c, asker.settings, at)))
