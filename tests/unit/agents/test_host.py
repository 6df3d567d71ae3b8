"""A worker's app from start to end."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest
from weir.agents.worker import host
from weir.telemetry import Telemetry


class App:
    """What a host asks of an app."""

    def __init__(self) -> None:
        self.conf, self.failure, self.failed = SimpleNamespace(id="group"), None, asyncio.Event()
        self.stopped = False

    async def start(self) -> None:
        """At once."""

    async def stop(self) -> None:
        self.stopped = True

    def fail(self, error: BaseException) -> None:
        self.failure = error
        self.failed.set()

    def progress(self) -> dict:
        return {}


@pytest.fixture
def apps(monkeypatch):
    monkeypatch.setattr(host.gc, "freeze", lambda: None)  # the tests' own garbage is to be collected
    monkeypatch.setattr(host.sys, "setswitchinterval", lambda _: None)
    return []


def made(apps: list[App]) -> App:
    apps.append(App())
    return apps[-1]


def test_a_worker_whose_work_is_over_is_drained_and_says_so(apps):
    looks = iter([False, False, True])
    assert host.run(lambda: made(apps), Telemetry(), "scorer", lambda: next(looks))
    assert apps[0].stopped


def test_a_look_that_fails_is_the_workers_failure(apps):
    def over() -> bool:
        raise PermissionError("bundles.json may not be read")

    with pytest.raises(PermissionError, match="may not be read"):
        host.run(lambda: made(apps), Telemetry(), "scorer", over)
    assert apps[0].stopped
