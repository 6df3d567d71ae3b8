"""Alerts of which nothing more will be heard: their monitor has no file any more, or their service is gone.

A file that is wrong is being written, and a folder that is not there may come back: both are no reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from clickhouse_connect.driver import Client

from weir.edges.clickhouse import gate, monitors
from weir.learn.learner import MONITOR as LEARNER
from weir.monitor.alert import Watched
from weir.monitor.burn import FOLDER as OBJECTIVES
from weir.monitor.spec import Monitor
from weir.settings import Settings

NO_FILE: Final = "the monitor is gone: it has no file any more"
NOT_ASKED: Final = "the monitor is not asked of this service any more"
NO_SERVICE: Final = "the service is gone: it has no service.yaml any more, and nothing was scored for a day"
QUIET: Final = timedelta(days=1)  # a service of another project has no file here, and is scored all the same


def why(settings: Settings, client: Client, watched: Watched, known: Mapping[str, Monitor], now: datetime) -> str:
    """Why nobody asks any more about what an alert is about; empty where somebody does.

    known: the monitors that there are, by name. The learner worker ends the alerts of learners itself.
    Raises Unavailable, Refused.
    """
    if watched.monitor == LEARNER:
        return ""
    one = known.get(watched.monitor)
    if one is None:
        return NO_FILE if _has_no_file(settings, watched.monitor) else ""
    if one.on_demand or not one.is_of(watched.service):
        return NOT_ASKED
    return NO_SERVICE if _is_gone(settings, client, watched.service, now) else ""


def _has_no_file(settings: Settings, monitor: str) -> bool:
    if monitor.startswith(OBJECTIVES):
        objective = monitor.removeprefix(OBJECTIVES).rpartition("/")[0]
        folder, files = settings.paths.slos_dir, [settings.paths.slos_dir / f"{objective}.yaml"]
    else:
        folder = settings.paths.monitors_dir
        files = [folder / f"{monitor}.sql", monitors.FOLDER / f"{monitor}.sql"]
    return folder.is_dir() and not any(path.exists() for path in files)


def _is_gone(settings: Settings, client: Client, service: str, now: datetime) -> bool:
    folder = settings.paths.services_dir
    if not folder.is_dir() or (folder / service / "service.yaml").exists():
        return False
    scored = gate.last_scored(client, service)
    return scored is None or scored < now - QUIET
