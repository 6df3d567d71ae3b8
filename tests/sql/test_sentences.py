"""What is said of the day of three services: each family reads the columns that its monitors really have."""

import re
from datetime import timedelta

import pytest
from weir.core import numbers
from weir.core.signature import Task
from weir.edges.clickhouse import monitors
from weir.edges.clickhouse.client import connect
from weir.monitor import verdicts
from weir.monitor.spec import Asked
from weir.monitor.verdict import Scene, State
from weir.settings import load

from tests.console.filled import MOVED_AT, NOW, SERVICES

FOUND = monitors.files(load())
DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def client(day):
    return connect(day.recording)


def said(client, name, service=""):
    monitor = FOUND[name]
    of = next(one for one in SERVICES if one.service == service or (not service and Task(one.task) in monitor.tasks))
    subject = {"drift/feature": "wind"}.get(name, "")
    asked = Asked(service=of.service, begin=NOW - DAY, end=NOW, step_s=3600, subject=subject)
    scene = Scene(monitor=monitor, service=of.service, task=Task(of.task), begin=asked.begin, end=NOW, step_s=3600)
    verdict = verdicts.say(monitors.run(client, monitor, asked), scene)
    return verdict.state.value, verdict.sentence.replace(numbers.THIN, " ")


@pytest.mark.parametrize("name", FOUND)
def test_a_family_reads_the_columns_of_its_monitor(client, name):
    state, sentence = said(client, name)
    assert len(sentence) > 10
    assert not re.search(r"\bNone\b|\bnan\b|\binf\b", sentence), sentence
    assert state in list(State)


def test_what_moved_and_since_when_is_what_was_planted(client):
    state, sentence = said(client, "drift/features")
    assert state == "alarm"
    assert f"away from the baseline since {numbers.time(MOVED_AT).replace(numbers.THIN, ' ')}" in sentence
    assert "delay_3h" in sentence
