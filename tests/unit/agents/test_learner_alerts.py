"""The alert of a learner that has stopped, where somebody else writes of it in the same moment."""

import json
from dataclasses import replace
from types import SimpleNamespace

import pytest
from weir.agents.learner import alerts
from weir.agents.learner.alerts import AT_ONCE, Alerts
from weir.core.errors import Unavailable
from weir.learn.run import Position, Stop
from weir.monitor import alert_course
from weir.monitor.alert import Note, NoteKind, Severity, Watched
from weir.monitor.alert_course import Memory, Reading
from weir.settings import load

WATCHED = Watched(service="parcels", monitor="learner", subject="size", owner="", cause="size", runbook="learner")
STOP = Stop("outlier_sd", "too far", {}, Position(), 100)


class InMemory(Alerts):
    """On a log in memory, and nothing recorded. meanwhile: writes right before what is written."""

    def __init__(self, meanwhile):
        self.log, self.told, self.meanwhile = [], [], list(meanwhile)
        super().__init__(load(), lambda: None, self.told.append)

    def _memories(self):
        found = {}
        for one in self.log:
            said, before = Memory.of(json.loads(json.dumps(one.memory))), found.get(WATCHED.key, Memory())
            found[WATCHED.key] = said if said.number > before.number else before
        return found

    def _write(self, changes):
        if self.meanwhile:
            self.log += self.meanwhile.pop(0)(self._memories()[WATCHED.key])
        self.log += changes


def acknowledged(memory):
    note = Note(note_id="n", kind=NoteKind.ACK, key=WATCHED.key, matchers={}, at_ms=5, until_ms=0, by="ada", reason="")
    return alert_course.acknowledged(memory, WATCHED, note)[1]


@pytest.fixture
def firing(monkeypatch):
    """Writes that a worker makes of an alert that fires."""
    monkeypatch.setattr(alerts.sql_files, "rows", lambda *_: [])

    def begun(meanwhile):
        one = InMemory(meanwhile)
        reading = Reading(begin_ms=1, end_ms=1, severity=Severity.TICKET, sentence="stopped")
        one.log = list(alert_course.after(Memory(), WATCHED, reading, AT_ONCE)[1])
        return one

    return begun


def test_an_end_is_written_behind_an_acknowledgement_of_the_same_moment(firing):
    """Under one number the first counts: the alert would fire for ever."""
    one = firing([acknowledged])
    one._change(WATCHED, None, 9, "goes on")
    assert [(each.number, each.to_state) for each in one.log] == [
        (1, "firing"),
        (2, "acknowledged"),
        (2, "resolved"),  # void
        (3, "resolved"),
    ]
    assert [each[0].number for each in one.told] == [3]
    assert one._memories()[WATCHED.key].state == "resolved"


def test_where_nobody_else_writes_it_is_written_once(firing):
    one = firing([])
    one._change(WATCHED, None, 9, "goes on")
    one._change(WATCHED, replace(STOP, what="again"), 10, "")
    assert [(each.number, each.to_state) for each in one.log] == [(1, "firing"), (2, "resolved"), (3, "firing")]


def test_it_is_not_tried_for_ever(firing, monkeypatch):
    monkeypatch.setattr(alerts, "TRIES", 1)
    one = firing([acknowledged])
    with pytest.raises(Unavailable, match="all the time"):
        one._change(WATCHED, None, 9, "goes on")
    assert one.told == []


def test_a_file_that_is_put_aside_for_a_moment_ends_no_alert(firing, tmp_path):
    """It would not fire again either: the learner has stopped before, as far as the worker knows."""
    one = firing([])
    one._settings = load(learners_dir=tmp_path)
    of = alerts.watched(one._settings, "parcels", "size")
    stopped = SimpleNamespace(
        learner=SimpleNamespace(name="size", service="parcels"),
        live=SimpleNamespace(now=SimpleNamespace(good=SimpleNamespace(stop=STOP))),
    )
    one._firing, one._watched = {of.key: STOP}, {of.key: of}
    one.check([stopped], 9)
    assert [each.to_state for each in one.log] == ["firing"]
    one.check([], 10)
    assert [each.to_state for each in one.log] == ["firing", "resolved"]
