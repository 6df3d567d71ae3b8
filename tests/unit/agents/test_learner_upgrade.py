"""Another River: a learner learns its log anew, and says how it differs from what the one before had come to."""

import json
from dataclasses import replace

import pyarrow as pa
import pytest
from structlog.testing import capture_logs
from weir.agents.learner import kept, made
from weir.agents.learner.books import check_log
from weir.agents.learner.entries import Entry, Kind, lists
from weir.cli.learner_screen import live
from weir.core.errors import Refused
from weir.core.signature import Task
from weir.learn.learner import Limits, Part
from weir.operations.live_learners import Shown

from tests.unit.learn.streams import LOGISTIC, SCALER, learner, subject
from tests.unit.learn.test_live import entries

KEY = b"0123456789abcdef" * 4
TREE = Part("river.tree.HoeffdingAdaptiveTreeClassifier", {"seed": 1, "grace_period": 50})
LEARNERS = {
    "arrays": learner(SCALER, LOGISTIC, rate=0.01, guards=Limits(window=100)),
    "a pickle": learner(TREE, guards=Limits(window=100)),
}
OLD = {"weir": "1", "river": "0.1"}
OF = subject(Task.BINARY)


@pytest.fixture
def log(monkeypatch):
    """Entries of the log of a service."""
    monkeypatch.setattr(made, "subject_of_record", lambda *_: (OF, {"kept": "kept", "returned": "returned"}))
    return [entry(*one) for one in entries(Task.BINARY, 650, 50)]


def entry(offset, at_ms, rows):
    columns = {"id": rows.ids, "key": rows.ids, "at_ms": rows.at_ms, "answered_ms": rows.answered_ms}
    columns |= {"tenant": rows.tenants, "x": lists(rows.x), "y": rows.y, "champion": lists(rows.champion)}
    said = {"inputs": list(OF.columns), "classes": list(OF.classes)}
    more = {"rows": pa.table(columns), "at_ms": at_ms, "worker": "one", "offset": offset}
    return Entry(kind=Kind.ROWS, subject="returns", first=rows.number, columns=said, **more)


def opened(of, row=None, key=KEY):
    one, _, why = kept.opened(None, of, 1000, row, key)
    return one, why


def lived(one, log):
    for each in log:
        one.take(each)
    return one


def written(of, log, versions=OLD):
    """The record of a state that another River has come to."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(made, "versions", lambda: versions)
        return lived(opened(of)[0], log).row("log", 7, "one")


@pytest.mark.parametrize("kind", LEARNERS)
def test_the_log_is_learned_anew_and_what_does_not_differ_is_said(kind, log, capsys):
    of = LEARNERS[kind]
    row = written(of, log[:9])
    one, why = opened(of, row)
    assert "its state is of River 0.1, and this is" in why
    assert one.live.held.next.offset == 0
    with capture_logs() as said:
        lived(one, log).upgraded(5000)
    (report,) = one.upgrades
    assert said[0]["event"] == "a learner has learned its log anew, since River is another one"
    assert (report["before"], report["after"], report["begin"], report["outcome"]) == (
        "0.1",
        made.versions()["river"],
        0,
        400,
    )
    assert report["rows"] > 300
    assert (report["differing"], report["largest"], report["why"]) == (0, 0, "")
    assert report["loss"]["before"] == report["loss"]["after"] > 0
    straight = lived(opened(of)[0], log)
    again = one.row("log", 9, "one")
    left = {"about": "", "good": b""} if kind == "a pickle" else {"about": ""}  # one model has several pickles
    assert straight.row("log", 9, "one") | left == again | left  # as if there had been no other
    goes_on, why = opened(of, again)
    assert why == ""
    assert goes_on.upgrade is None
    assert json.loads(goes_on.row("log", 10, "one")["about"])["upgrades"] == [report]  # the record stays
    live(shown(again))
    assert "River 0.1 became" in (line := capsys.readouterr().out)
    assert "0.0% differ, by 0 at most; log loss" in " ".join(line.split())


def shown(row):
    about = json.loads(row["about"])
    said = {"name": "one", "service": "returns", "digest": "", "learned": 5, "good": 0, "next": (3, 5), "rows": []}
    said |= {"stop": None, "blind": 0, "left": 0, "at": kept_at(), "about": about}
    return Shown(**said, kept=True, upgrades=tuple(about["upgrades"]))


def kept_at():
    from datetime import UTC, datetime

    return datetime(2026, 11, 30, tzinfo=UTC)


@pytest.mark.parametrize("kind", LEARNERS)
def test_a_model_that_behaves_otherwise_is_said_with_its_loss(kind, log, monkeypatch):
    of = LEARNERS[kind]
    row = written(of, log)
    other = replace(of, learning_rate=0.2) if kind == "arrays" else replace(of, model=(LEARNERS["arrays"].model[1],))
    plain = made.model_of
    monkeypatch.setattr(made, "model_of", lambda _learner, of: plain(other, of))  # what this River makes of the file
    monkeypatch.setattr(kept, "Linear", object if kind == "arrays" else type(None))
    one, _ = opened(of, row)
    lived(one, log).upgraded(5000)
    (report,) = one.upgrades
    assert report["rows"] > 500
    assert report["differing"] > 0.9
    assert 0.01 < report["largest"] <= 1
    assert report["loss"]["before"] != report["loss"]["after"]


def test_a_state_that_cannot_be_opened_any_more_is_said(log, monkeypatch):
    from weir.learn import allowed

    of = LEARNERS["a pickle"]
    row = written(of, log)
    monkeypatch.setattr(allowed, "NAMES", {})
    one, _ = opened(of, row)
    lived(one, log).upgraded(5000)
    (report,) = one.upgrades
    assert "the state before says nothing under River" in report["why"]
    assert (report["rows"], one.live.learned) == (0, 650)


def test_without_a_log_there_is_nothing_to_compare(log):
    one, _ = opened(LEARNERS["arrays"], written(LEARNERS["arrays"], log))
    one.upgraded(5000)
    assert one.upgrades[0]["why"] == "the log has no outcome that the state before had learned"


def test_without_a_key_a_pickle_is_not_kept_and_with_another_it_begins_anew(log):
    of = LEARNERS["a pickle"]
    one, why = opened(of, key=b"")
    assert "WEIR_LEARNER_KEY, which seals one, is not set" in why
    assert lived(one, log).row("log", 7, "one")["good"] == b""
    assert one.live.evidence is None
    row = written(of, log, made.versions())
    assert opened(of, row)[1] == ""
    assert opened(of, row)[0].live.held.next.number == 600
    one, why = opened(of, row, b"x" * 40)
    assert "its seal does not fit" in why
    assert one.live.held.next.number == 0
    assert "differ" in opened(of, {**row, "next_offset": row["next_offset"] - 2})[1]
    assert "differ" in opened(of, {**row, "held": row["held"].replace('"left": 0', '"left": 1')})[1]


@pytest.mark.parametrize("kind", LEARNERS)
def test_a_state_does_not_go_on_in_another_log(kind, log):
    """Its place would be one of that log: until the new one is as long, the learner would pass over all outcomes."""
    row = lived(opened(LEARNERS[kind])[0], log).row("log", 7, "one")
    found = {("returns", "one"): row}
    check_log("log", found)
    with pytest.raises(Refused, match="that is gone"):
        check_log("another", found)
    check_log("another", {("returns", "one"): row | {"answering": b"", "good": b""}})
