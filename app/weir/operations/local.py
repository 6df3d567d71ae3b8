"""The system as the demo and `weir up` start it: embedded services, topics, tables, features, workers."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import httpx2
from prometheus_client.parser import text_string_to_metric_families

from weir.core.errors import Unavailable
from weir.edges.clickhouse import migrations
from weir.edges.embedded.leash import Child
from weir.edges.embedded.service import claim_port
from weir.edges.embedded.stack import Stack
from weir.edges.features.store.open import open_store
from weir.edges.kafka.topics import declared, ensure
from weir.edges.schemas.registry import Registry, publish
from weir.settings import Settings

READY_S = 60.0  # a scorer imports, checks its bundle and joins its group in under 15 s on an idle machine


def prepare(stack: Stack) -> None:
    """Create what a fresh stack lacks: topics, schemas, tables. Raises Unavailable, Refused.

    Where the log is new, online features that were computed from another one are dropped: they lie in its future.
    """
    settings = stack.settings
    if stack.log_is_new:
        store = open_store(settings)
        store.clear()
        store.close()
    topics = declared(settings)
    publish(Registry(settings.registry), settings.paths.schemas_dir, topics)
    ensure(settings, topics)
    migrations.apply(settings.recording)


class Workers:
    """Worker processes beside a stack, each with its health page on a known port."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._pages: dict[str, str] = {}
        self._children: dict[str, Child] = {}

    def start(self, role: str, *arguments: str, **environment: str) -> None:
        """Start `weir worker <role>`; environment: further settings, by variable name."""
        port = claim_port(role, 0, "WEIR_HTTP_PORT")
        self._pages[role] = f"http://127.0.0.1:{port}"
        self._children[role] = self._stack.spawn(
            ["worker", role, *arguments], role, {**environment, "WEIR_HTTP_PORT": str(port)}
        )

    def wait_ready(self, report: Callable[[str], None] = lambda line: None) -> None:
        """Block until every worker has joined its group. Raises Unavailable naming one that does not or has ended."""
        deadline = time.monotonic() + READY_S
        waiting = dict(self._pages)
        while waiting:
            for role, page in list(waiting.items()):
                if _answers(f"{page}/ready"):
                    report(f"{role} ready, {page}/metrics")
                    del waiting[role]
            self.check()
            if waiting and time.monotonic() > deadline:
                raise Unavailable(
                    f"{', '.join(waiting)} not ready after {READY_S:.0f} s",
                    where=str(self._stack.settings.paths.home / "logs"),
                    remedy="read the worker's log there",
                )
            time.sleep(0.05)

    @property
    def pages(self) -> dict[str, str]:
        """Base address of each worker's health and metrics pages, by role."""
        return dict(self._pages)

    def check(self) -> None:
        """Raises Unavailable when a service or worker has ended, with its last words."""
        self._stack.check()

    def metric(self, role: str, name: str, **labels: str) -> float:
        """Sum of a worker's samples of this name that carry these labels; 0 when there are none."""
        page = httpx2.get(f"{self._pages[role]}/metrics", timeout=10).text
        return sum(
            sample.value
            for family in text_string_to_metric_families(page)
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        )


def _answers(url: str) -> bool:
    try:
        return httpx2.get(url, timeout=2).status_code == httpx2.codes.OK
    except httpx2.HTTPError:
        return False


def latest_bundle(settings: Settings) -> Path | None:
    """The bundle built last in `settings.bundles_dir`, if there is one."""
    found = [path.parent for path in settings.paths.bundles_dir.glob("*/bundle.yaml")]
    return max(found, key=lambda path: path.stat().st_mtime, default=None)
