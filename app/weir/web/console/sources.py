"""The SQL behind panels that no monitor asks: a closed list of Weir's files, with their parameters for a view."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Final

import pyarrow as pa

from weir.core.errors import Refused
from weir.core.times import BEGINNING, END
from weir.edges.clickhouse import sql_files
from weir.edges.clickhouse.client import written
from weir.operations import diagnose, incidents
from weir.operations.balance import SETTLED
from weir.operations.glance import ASKED, BACK, RECENT, table_of
from weir.web.console.about import About, named
from weir.web.console.asking import Asker
from weir.web.console.view import View

MOST: Final = 100_000  # rows of an answer
OF_ALL: Final = ("health/traffic", "ledger/strips")  # monitors that panels ask of every service beside each other


@dataclass(frozen=True, slots=True)
class Source:
    """A file of weir/sql that whoever looks at a panel may read. asked: its parameters for a view."""

    name: str
    question: str
    asked: Callable[[Asker, View], Mapping[str, Any]]

    @property
    def title(self) -> str:
        """What its rows are."""
        return sql_files.load(self.name).header["title"]

    @property
    def sql(self) -> str:
        """The file."""
        return sql_files.load(self.name).text.strip()

    def bound(self, asker: Asker, view: View) -> dict[str, Any]:
        """What its parameters are for a view. Raises Unavailable, Refused."""
        known = self.asked(asker, view)
        return {name: value for name, value in known.items() if name in sql_files.load(self.name).parameters}


def _times(_asker: Asker, view: View) -> dict[str, Any]:
    end = _end(view)
    table = table_of(view.begin, end, view.step_s)
    since = {"since": view.begin, "recent": end - RECENT, "monitors": list(ASKED)}
    plain = {"from": written(view.begin), "to": written(end), "step": view.step_s, "traffic": table}
    return plain | since | {"settled": written(min(view.end, view.now) - SETTLED)}


def _figures(asker: Asker, view: View) -> dict[str, Any]:
    end = _end(view)
    return _times(asker, view) | {"from": min(view.begin, end - BACK), "to": end}


def _course(_asker: Asker, view: View) -> dict[str, Any]:
    monitors = [view.monitor] if view.monitor else list(ASKED)
    return {"service": view.service, "monitors": monitors, "from": view.begin, "to": view.end}


def _of_service(_asker: Asker, view: View) -> dict[str, Any]:
    asked = {"service": view.service, "from": view.begin, "to": view.end, "step": view.step_s}
    return asked | {"reason": view.reason, "monitor": view.monitor, "limit": MOST}


def _ever(_asker: Asker, view: View) -> dict[str, Any]:
    return {"service": view.service, "from": BEGINNING, "to": END, "limit": MOST}


def _of_alert(asker: Asker, view: View) -> dict[str, Any]:
    return {"alert": _alert(asker, view).id}


def _of_change(asker: Asker, view: View) -> dict[str, Any]:
    """What an alert's window is compared with; every row of both."""
    about = asker.ask(partial(diagnose.alert, which=_alert(asker, view).id))
    return diagnose.change_of(about).parameters() | {"dimension": "", "value": ""}


def _alert(asker: Asker, view: View) -> About:
    one = named(asker, view.alert) if view.alert else None
    if one is None:
        raise Refused(f"there is no alert {view.alert}", remedy="open it from the page of the alert")
    return one


def _ranked(_asker: Asker, view: View) -> dict[str, Any]:
    return incidents.parameters(view.end - incidents.LASTING, view.end, view.service)


def _end(view: View) -> datetime:
    return min(view.end, view.now) if view.live else view.end


SOURCES: Final[Mapping[str, Source]] = {
    one.name: one
    for one in (
        Source("overview/entries", "Is every request accounted for?", _times),
        Source("overview/partitions", "How far is each partition recorded?", _times),
        Source("overview/traffic", "How much, how fast, and what was decided?", _times),
        Source("overview/figures", "What have monitors found last?", _figures),
        Source("overview/course", "What have monitors found, window by window?", _course),
        Source("alerts/list", "What needs you, and what did?", _ever),
        Source("alerts/transitions", "What became of this alert?", _of_alert),
        Source("alerts/measured", "What has the monitor worker found?", _of_service),
        Source("alerts/ranking", "Where do incidents come from?", _ranked),
        Source("alerts/releases", "Which version answered when?", _of_service),
        Source("diagnose/values", "What moved with it?", _of_change),
        Source("dead_letters/groups", "What was turned away, and why?", _of_service),
        Source("dead_letters/newest", "Which letters are the newest?", _of_service),
        Source("learners/calls", "What do learners call for?", _ever),
    )
}


def answer(asker: Asker, view: View, name: str) -> pa.Table:
    """Rows behind a panel: of a source MOST at most, of a monitor all. name: of either. Raises Unavailable, Refused.

    Of a monitor that a panel asks of every service, and a view of none, the first column is the service.
    """
    if name in SOURCES:
        bound = SOURCES[name].bound(asker, view)
        return asker.ask(lambda client: sql_files.table(client, name, **bound)).slice(0, MOST)
    chosen = _chosen(view)
    if view.service or name not in OF_ALL:
        return asker.table(name, view, **chosen)
    services = asker.services()
    tables = asker.all(*(partial(asker.table, name, view, service=one, **chosen) for one in services))
    return (
        pa.concat_tables(
            [
                of.add_column(0, "service", pa.array([one] * of.num_rows, pa.string()))
                for one, of in zip(services, tables, strict=True)
            ],
            promote_options="permissive",
        )
        if tables
        else pa.table({})
    )


def bound(asker: Asker, view: View, name: str) -> dict[str, Any]:
    """What the parameters of its SQL are. Raises Unavailable, Refused."""
    return SOURCES[name].bound(asker, view) if name in SOURCES else asker.bound(name, view, **_chosen(view))


def _chosen(view: View) -> dict[str, str]:
    """The one subject whose rows are asked for; a monitor that takes none says so."""
    return {"subject": view.subject} if view.subject else {}
