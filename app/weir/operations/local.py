"""The system as the demo and `weir up` start it: embedded services, topics, tables, features, workers."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Collection
from functools import cache
from pathlib import Path

import httpx2
from prometheus_client.parser import text_string_to_metric_families

from weir.core.errors import Unavailable
from weir.edges.clickhouse import client as clickhouse
from weir.edges.clickhouse import migrations
from weir.edges.embedded.leash import Child
from weir.edges.embedded.service import CONSOLE_PORT, HOST, claim_port, free_port, is_free
from weir.edges.embedded.stack import Stack
from weir.edges.features import plan as feature_plan
from weir.edges.features.store.open import open_store
from weir.edges.kafka.topics import declared, ensure, extend
from weir.edges.schemas.registry import Registry, publish
from weir.operations import price_book, values
from weir.settings import Settings

READY_S = 120.0  # a scorer imports, checks its bundle and joins its group in under 15 s on an idle machine
ASKING = frozenset({"golden"})  # roles that only ask, and are of no use alone
APPLY_WITHIN_S = 180.0  # Feast alone takes 10 s to import on a busy machine


def prepare(stack: Stack) -> None:
    """Create what a stack lacks: topics, schemas, tables, views. What is there stays. Raises Unavailable, Refused."""
    settings = stack.settings
    topics = declared(settings)
    publish(Registry(settings.registry), settings.paths.schemas_dir, topics)
    extend(settings, topics)
    ensure(settings, topics)
    migrations.apply(settings.recording)
    values.make(settings)
    price_book.make(settings)


def kept(settings: Settings) -> str:
    """What is there of earlier runs, such as "12,011 predictions, 20,115 online records"; "" when nothing is.

    Raises Unavailable, Refused.
    """
    with clickhouse.connect(settings.recording) as client:
        predictions = int(client.query("SELECT countIf(NOT golden) FROM predictions").result_rows[0][0])
    store = open_store(settings)
    records = store.count()
    store.close()
    counted = {"predictions": predictions, "online records": records or 0}
    return ", ".join(f"{number:,} {what}" for what, number in counted.items() if number)


def apply_features(stack: Stack, say: Callable[[str], None]) -> None:
    """Run `weir apply` in a child where the feature repository has changed since: Feast itself stays out of here.

    Raises Unavailable when it cannot be applied.
    """
    repository = stack.settings.paths.feature_repo_dir
    plan = feature_plan.path(stack.settings)
    stamp, content = plan.with_name("applied"), _content_of(repository)
    if plan.exists() and stamp.exists() and stamp.read_text() == content:
        since = plan.stat().st_mtime > stamp.stat().st_mtime  # somebody may have applied another one
        if not since:
            return
    say(f"applying the feature repository {repository}")
    child = stack.spawn(["apply"], "apply")
    status = child.wait(APPLY_WITHIN_S)
    stack.forget(child)
    if status != 0:
        raise Unavailable(
            "the feature repository cannot be applied",
            where=str(repository),
            remedy=f"run `weir apply` and mend what it names; its last lines:\n{child.log_tail()}",
        )
    stamp.write_text(content)


def _content_of(repository: Path) -> str:
    """Where a feature repository is and what it says, as one hash, hex."""
    found = hashlib.sha256(str(repository.resolve()).encode())
    for path in sorted(repository.rglob("*")):
        if path.suffix in (".py", ".yaml") and path.is_file():
            found.update(f"\0{path.relative_to(repository)}\0".encode() + path.read_bytes())
    return found.hexdigest()


class Console:
    """The console as a child of a stack, beside its workers. port: None takes the usual one, or a free one; so does 0.

    Raises Unavailable where a port that was asked for is taken.
    """

    def __init__(self, stack: Stack, port: int | None = None) -> None:
        if port is None:
            port = CONSOLE_PORT if is_free(CONSOLE_PORT) else free_port()
        port = claim_port("console", port, "--console-port")
        self.address = f"http://{HOST}:{port}/"
        self._child = stack.spawn(["console", "--port", str(port), "--act"], "console")

    def wait_ready(self) -> None:
        """Block until it answers. Raises Unavailable, with its last words, where it has ended or takes too long."""
        deadline = time.monotonic() + READY_S
        while not _answers(f"{self.address}static/icon.svg"):
            self._child.check()
            if time.monotonic() > deadline:
                remedy = f"read {self._child.log}; its last lines:\n{self._child.log_tail()}"
                raise Unavailable(
                    f"the console does not answer after {READY_S:.0f} s", where=self.address, remedy=remedy
                )
            time.sleep(0.05)


class Workers:
    """Worker processes beside a stack, each with its health page on a known port."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._pages: dict[str, str] = {}
        self._children: dict[str, Child] = {}
        self._told: set[str] = set()
        self._asking: set[str] = set()

    def start(self, role: str, *arguments: str, name: str = "", **environment: str) -> None:
        """Start `weir worker <role>`, in the place of one of that name, which ends.

        name: what it is called here, where several have the role. environment: further settings, by variable name.
        """
        if (name or role) in self._children:
            self._stack.forget(self._children[name or role])
            self._told.discard(name or role)
        name, port = name or role, claim_port(role, 0, "WEIR_HTTP_PORT")
        if role in ASKING:
            self._asking.add(name)
        self._pages[name] = f"http://127.0.0.1:{port}"
        self._children[name] = self._stack.spawn(
            ["worker", role, *arguments], name, {**environment, "WEIR_HTTP_PORT": str(port)}
        )

    def end(self, name: str) -> None:
        """End one, and no longer expect it; nothing where there is none of that name."""
        if child := self._children.pop(name, None):
            del self._pages[name]
            self._stack.forget(child)

    def wait_ready(
        self,
        report: Callable[[str], None] = lambda line: None,
        needed: Collection[str] | None = None,
        look: Callable[[], None] = lambda: None,
        changing: Callable[[], Collection[str]] = tuple,
    ) -> None:
        """Block until every worker has joined its group.

        needed: without these it is not worth going on, all of them by default; of the others one that has ended is
        waited for no longer, and one that takes its time is reported. look: called meanwhile; it may start some anew.
        changing: those that it will start anew once they have ended, which is no fault of theirs. Raises Unavailable
        naming a needed one that has ended or is not ready in time, or a service that has ended.
        """
        deadline = time.monotonic() + READY_S
        waiting = dict.fromkeys(self._pages)
        needed = set(waiting) if needed is None else set(needed)
        while waiting:
            look()
            for role in list(waiting):
                page = self._pages[role]
                if _answers(f"{page}/ready"):
                    report(f"{role} ready, {page}/metrics")
                    del waiting[role]
            ended = self._stack.ended()
            again = changing()  # behind the other question: who has ended for that reason is among them
            for child in [one for one in ended if one.name not in again]:
                if child.name not in self._pages or child.name in needed:
                    child.check()
                waiting.pop(child.name, None)
            self.tell_ended(report, but=again)
            if waiting and time.monotonic() > deadline:
                self._too_late(waiting, needed, report)
                return
            time.sleep(0.05)

    def _too_late(self, waiting: Collection[str], needed: Collection[str], report: Callable[[str], None]) -> None:
        what, logs = f"{', '.join(waiting)} not ready after {READY_S:.0f} s", self._stack.settings.paths.home / "logs"
        if set(waiting) & set(needed):
            raise Unavailable(what, where=str(logs), remedy="read the worker's log there")
        report(f"{what}; the log is in {logs}")

    def tell_ended(self, report: Callable[[str], None], but: Collection[str] = ()) -> None:
        """Report each service and worker that has ended since the last call: which, how, and its last words.

        but: of these nothing, they are started again.
        """
        for child in self._stack.ended():
            if child.name not in self._told and child.name not in but:
                self._told.add(child.name)
                report(f"{child.name} (pid {child.pid}) {child.ending()}; the last lines of {child.log}:")
                report(child.log_tail() or "(it wrote nothing)")

    def check_useful(self) -> None:
        """Raises Unavailable naming what has ended, where nothing useful is left: without the broker, or any worker."""
        gone = {child.name: child for child in self._stack.ended()}
        logs = str(self._stack.settings.paths.home / "logs")
        if "broker" in gone:
            what = f"the broker {gone['broker'].ending()}, and nothing works without it"
            raise Unavailable(what, where=str(gone["broker"].log), remedy="read its log, and start again")
        useful = {role: child for role, child in self._children.items() if role not in self._asking}
        if useful and useful.keys() <= gone.keys():
            ends = ", ".join(f"{role} {child.ending()}" for role, child in useful.items())
            raise Unavailable(f"no worker is left: {ends}", where=logs, remedy="read their logs, and start again")

    @property
    def children(self) -> dict[str, Child]:
        """The processes by role, also those that have ended."""
        return dict(self._children)

    @property
    def pages(self) -> dict[str, str]:
        """Base address of each worker's health and metrics pages, by role."""
        return dict(self._pages)

    def check(self) -> None:
        """Raises Unavailable when a service or worker has ended, with its last words."""
        self._stack.check()

    def metric(self, role: str, name: str, **labels: str) -> float:
        """Sum of a worker's samples of this name that carry these labels; 0 when there are none."""
        page = _client().get(f"{self._pages[role]}/metrics", timeout=10).text
        return sum(
            sample.value
            for family in text_string_to_metric_families(page)
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        )


@cache
def _client() -> httpx2.Client:
    """One for all: making one loads every trusted certificate, 40 ms of CPU, and pages are asked 20 times a second."""
    return httpx2.Client(trust_env=False, limits=httpx2.Limits(max_keepalive_connections=0))


def _answers(url: str) -> bool:
    try:
        return _client().get(url, timeout=2).status_code == httpx2.codes.OK
    except httpx2.HTTPError:
        return False
