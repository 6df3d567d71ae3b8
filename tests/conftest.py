"""Fixtures that several folders of tests share."""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hypothesis
import pytest
from weir.edges.observability import process_metrics
from weir.settings import Settings, load

from tests import java, workers
from tests.databases import databases  # noqa: F401 - a fixture
from tests.kafka_cluster import LIBS, kafka_libs
from tests.redis_server import redis_server
from tests.toolchains import environment
from tests.wheel import installed, wheel, worker_image  # noqa: F401 - fixtures

if TYPE_CHECKING:
    from weir.edges.embedded.stack import Stack

process_metrics.keep_in_memory()  # before any test imports Feast
os.environ.setdefault("WEIR_KAFKA_LIBS_DIR", str(LIBS))  # every home that a test makes has the jars of this checkout
# Tests start some hundred processes. Without bytecode each of them compiles all that it imports, anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
os.environ.setdefault(java.OPTIONS, java.options(LIBS))
# A shell that starts the tests in the background lets them ignore Ctrl-C, and every program that they start.
signal.signal(signal.SIGINT, signal.default_int_handler)

# A busy machine is no finding, and a change is judged by the same examples each time; `make fuzz` looks for others.
hypothesis.settings.register_profile(
    "weir", deadline=None, derandomize=True, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("weir")


BROKERS: dict[str, str | None] = {"tansu": None, "kafka": "kafka"}  # None: what tests have that do not choose
TANSU_WAITS_MS = 25  # it answers no fetch early: five times as many, as users have it, would only heat the machine
INTEGRATION = Path(__file__).parent / "integration"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--broker", choices=[*BROKERS], help="run the integration tests on this broker only")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Integration tests run on each broker; other tests that need one have the embedded one.

    Those that are marked `one_broker` run on that one alone: what they are about is the same on the other.

    Where Apache Kafka cannot be had, its tests are skipped and say so. pytest sorts by the parameter, so that each
    broker starts once.
    """
    if metafunc.definition.path.is_relative_to(INTEGRATION):
        asked, only = metafunc.config.getoption("--broker"), metafunc.definition.get_closest_marker("one_broker")
        names = [asked] if asked else [*only.args] if only else [*BROKERS]
        for fixture in sorted({"stack", "broker"} & set(metafunc.fixturenames)):  # each worker names tests alike
            params = [BROKERS[name] for name in names]
            metafunc.parametrize(fixture, params, ids=names, indirect=True, scope="session")


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> workers.Schedule | None:
    """Unless `--dist` asks for another."""
    return workers.Schedule(config, log) if config.getoption("dist") == "load" else None


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if hasattr(config, "workerinput"):  # one worker of several
        items.sort(key=lambda item: workers.turn(item.nodeid))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What tests measured (`record_property`), for whoever reads the log: a busy machine is no fault."""
    passed = [report for report in terminalreporter.stats.get("passed", []) if report.user_properties]
    if passed:
        terminalreporter.section("measured")
    for report in passed:
        for what, value in report.user_properties:
            terminalreporter.write_line(f"{report.nodeid}: {what}: {value}")


def broker_settings(request: pytest.FixtureRequest) -> dict[str, Any]:
    """What a stack's settings need to have the broker that was asked for; skips the test where it cannot run."""
    if getattr(request, "param", None) == "kafka":
        return {"embedded_broker": "kafka", "kafka_libs_dir": kafka_libs()}
    return {"embedded_broker": "tansu"}


@pytest.fixture(scope="module", autouse=True)
def _nothing_is_left_open() -> Iterator[None]:
    """Collect garbage where it was made: a socket or file that a module leaves open is told of by its last test."""
    yield
    gc.collect()


@pytest.fixture(scope="session")
def broker(request: pytest.FixtureRequest) -> dict[str, Any]:
    """The same, for tests that start a stack of their own."""
    return broker_settings(request)


@pytest.fixture(scope="session")
def stack(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Broker, ClickHouse and schema registry, started once per broker; use topics and databases of your own."""
    from weir.edges.embedded.stack import Stack  # tests without it need no extras

    given = broker_settings(request)
    with Stack(load(home=tmp_path_factory.mktemp("home"), **given)) as running:
        if given["embedded_broker"] == "tansu":
            running.settings = running.settings.having(fetch_wait_max_ms=TANSU_WAITS_MS)
        yield running
        running.check()  # a service that died under the tests is a failure, not a detail


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """A real Redis server; tests that ask for it are skipped where there is none."""
    with redis_server() as url:
        yield url


@pytest.fixture(params=["lmdb", "redis"])
def store_settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    """Settings of an empty home, once with the embedded online store and once with Redis."""

    url = "lmdb" if request.param == "lmdb" else request.getfixturevalue("redis_url")
    return load(home=tmp_path, online_store=url, lookup_budget_ms=10_000)  # not what these tests are about


@pytest.fixture(scope="session")
def cases() -> Path:
    """Models as other toolchains export them, a folder each, with the library's own scores; see tests/toolchains."""
    try:
        return environment.exported()
    except environment.Unavailable as error:
        pytest.skip(f"no toolchains here: {error}")
