"""The whole backing stack on one machine: broker, ClickHouse and schema registry as child processes of this one."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from pydantic import SecretStr

from weir import project, running
from weir.core.errors import Unavailable
from weir.edges.embedded import clickhouse as embedded_clickhouse
from weir.edges.embedded import kafka as embedded_kafka
from weir.edges.embedded import kafka_jars, leash
from weir.edges.embedded import registry as embedded_registry
from weir.edges.embedded import tansu as embedded_broker
from weir.edges.embedded.rows import follow_log
from weir.edges.embedded.service import HOST, claim_port, python, wait_ready
from weir.edges.embedded.tansu import Broker
from weir.setting_groups import PROJECT_FOLDERS
from weir.settings import Settings, default_of, variable_of

SESSION_TIMEOUT_S = 6.0  # the embedded broker holds a group's first join for half of it
FETCH_WAIT_MAX_MS = 5  # the embedded broker never answers a fetch early, so this is a hop's latency floor
LOCK_WAIT_S = 60.0  # the children of a killed predecessor are gone by then, also one that uses its grace
WORKER_GRACE_S = 15.0  # a worker finishes its batch and commits


@dataclass(frozen=True, slots=True)
class Ready:
    """A service that answers: where, and how many seconds after the start of the stack."""

    name: str
    address: str
    after_s: float


class Stack:
    """Starts the services on entry, ends them on exit; they also end when this process dies in any way.

    broker_port, clickhouse_port, registry_port: 0 takes a free one.
    report: called with one line whenever there is something to tell.

    Raises Unavailable, on entry, when another stack uses the same home, a port is taken, a program is missing, or
    a service does not become ready; what was started is ended again.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        broker_port: int = 0,
        clickhouse_port: int = 0,
        registry_port: int = 0,
        report: Callable[[str], None] = lambda line: None,
    ) -> None:
        self._given = settings
        self._ports = (broker_port, clickhouse_port, registry_port)
        self._report = report
        self._home = settings.paths.home.resolve()
        self._services: list[leash.Child] = []
        self._spawned: list[leash.Child] = []
        self._lock: int | None = None
        self.settings = settings  # of the running stack once entered
        self.ready: tuple[Ready, ...] = ()

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def environment(self) -> dict[str, str]:
        """The variables under which another process has this stack's settings.

        Only what differs from the defaults, or what this process's environment or project says otherwise.
        """
        values, said = self.settings.values(), os.environ.keys() | project.variables().keys()
        return {
            variable_of(name): value.get_secret_value() if isinstance(value, SecretStr) else str(value)
            for name, value in values.items()
            if variable_of(name) in said or value != default_of(name)
        }

    def spawn(self, arguments: Sequence[str], name: str, environment: dict[str, str] | None = None) -> leash.Child:
        """Start `weir <arguments>` on the same leash, with this stack's settings; its log is home/logs/<name>.log."""
        child = self._begin(name, python("weir", *arguments), WORKER_GRACE_S, environment or {})
        self._spawned.append(child)
        return child

    def child(self, name: str) -> leash.Child:
        """The process of a backing service: "broker", "clickhouse" or "registry"."""
        return next(child for child in self._services if child.name == name)

    def check(self) -> None:
        """Raises Unavailable, naming it and its last log lines, when a service or a spawned child has ended."""
        for child in self.ended():
            child.check()

    def ended(self) -> list[leash.Child]:
        """Services and spawned children that have ended by themselves."""
        return [child for child in (*self._services, *self._spawned) if child.poll() is not None]

    def stop(self) -> None:
        """End the spawned children first, all at once, then the services; calling it again is harmless."""
        for group in (self._spawned, self._services):
            for child in group:
                child.let_go()
            for child in group:
                child.stop()
            group.clear()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def forget(self, child: leash.Child) -> None:
        """Stop a spawned child and no longer expect it to run."""
        child.stop()
        self._spawned.remove(child)

    def _start(self) -> None:
        began_s = time.monotonic()
        self._home.mkdir(parents=True, exist_ok=True)
        self._lock = _lock(self._home, self._report)
        options = ("--broker-port", "--clickhouse-port", "--registry-port")
        names = ("Kafka broker", "ClickHouse", "schema registry")
        broker_port, clickhouse_port, registry_port = map(claim_port, names, self._ports, options)
        durable_log = self._given.embedded.embedded_broker == "kafka"
        broker = self._apache_kafka(broker_port) if durable_log else embedded_broker.tansu(broker_port)
        rows = self._home / "clickhouse"
        if aside := follow_log(rows, broker.log_id):
            facade = " ".join(python("weir.edges.embedded.clickhouse_facade", "--path", str(aside), "--port", "8124"))
            self._report(
                f"this Kafka log is another one than the last run's, whose rows are kept apart, in {aside}. "
                f"To query them: {facade}"
            )
        services = (
            broker.service,
            embedded_clickhouse.plan(rows / "current", clickhouse_port, durable=durable_log),
            embedded_registry.plan(
                self._given.paths.schemas_dir.resolve(),
                self._home / "registry",
                registry_port,
                self._given.kafka.deployment,
            ),
        )
        for service in services:  # all begin before the first is waited for
            self._services.append(
                self._begin(service.name, service.command, service.grace_s, dict(service.environment))
            )
        after_s = wait_ready(list(zip(services, self._services, strict=True)), began_s, self._report)
        self.ready = tuple(Ready(service.name, service.address, after_s[service.name]) for service in services)
        self.settings = self._given.having(
            home=self._home,
            **_project(self._given),
            bundles_dir=self._given.paths.bundles_dir.resolve(),
            kafka_libs_dir=self._given.paths.kafka_libs_dir.resolve(),
            brokers=broker.service.address,
            kafka_security_protocol="PLAINTEXT",
            clickhouse_url=f"http://{HOST}:{clickhouse_port}",
            clickhouse_user="default",
            registry_url=f"http://{HOST}:{registry_port}",
            registry_auth=SecretStr(""),
            session_timeout_s=SESSION_TIMEOUT_S,
            compression="none",
            **{} if durable_log else {"fetch_wait_max_ms": FETCH_WAIT_MAX_MS},
        )

    def _apache_kafka(self, port: int) -> Broker:
        libs = self._given.paths.kafka_libs_dir
        kafka_jars.fetch(libs, self._given.embedded.kafka_jars_url, self._report)
        return embedded_kafka.plan(libs, self._home / "kafka", port)

    def _begin(self, name: str, command: Sequence[str], grace_s: float, environment: dict[str, str]) -> leash.Child:
        assert self._lock is not None, "the stack is not running"
        return leash.start(
            name,
            command,
            log=self._home / "logs" / f"{name}.log",
            environment={**self.environment, **environment},
            grace_s=grace_s,
            keep_open=(self._lock,),
        )


def _project(settings: Settings) -> dict[str, Path]:
    """The project's folders, absolute, so that children have the same wherever they run; only those that exist."""
    folders = {field: getattr(settings.paths, field) for field in PROJECT_FOLDERS}
    return {field: folder.resolve() for field, folder in folders.items() if folder.is_dir()}


def _lock(home: Path, report: Callable[[str], None]) -> int:
    """A descriptor that locks `home` for this process and its children's guards.

    The guards inherit it: should this process be killed, the lock stands until the last child is gone, and a new
    stack waits for that instead of meeting the old one's ports and files. Raises Unavailable when it waits in vain.
    """
    descriptor = os.open(home / running.LOCK, os.O_RDWR | os.O_CREAT, 0o644)
    deadline_s = time.monotonic() + LOCK_WAIT_S
    told = False
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(descriptor, 32, 0).decode().strip()
            if not told:
                report(f"another stack uses {home} (process {holder}): waiting for its end, {LOCK_WAIT_S:g} s at most")
                told = True
            if time.monotonic() > deadline_s:
                os.close(descriptor)
                raise Unavailable(
                    "another embedded stack uses this home",
                    where=str(home),
                    remedy=f"stop it (process {holder}), or set WEIR_HOME to another directory",
                ) from None
            time.sleep(0.05)  # between two tries
            continue
        running.remove(home)  # of one that was killed, and may have had this process's number
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        return descriptor
