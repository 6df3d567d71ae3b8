"""What is sent to each receiver is what it publishes that it takes."""

import dataclasses
import json

import pytest
from weir.edges.notify import payloads
from weir.monitor.alert import AlertState, Mark, Severity
from weir.monitor.telling import grouped, is_told

from tests.unit.monitor.test_records import FIRED
from tests.unit.notify.schema import PUBLISHED, faults

STATES = {
    "firing": FIRED,
    "ticket": dataclasses.replace(FIRED, severity=Severity.TICKET),
    "resolved": dataclasses.replace(FIRED, from_state=AlertState.FIRING, to_state=AlertState.RESOLVED),
    "acknowledged": dataclasses.replace(FIRED, from_state=AlertState.FIRING, to_state=Mark.ACKNOWLEDGED, by="mona"),
    "bare": dataclasses.replace(FIRED, watched=dataclasses.replace(FIRED.watched, owner="", cause="", subject="")),
    "endless": dataclasses.replace(FIRED, sentence="a long story & <more> " * 1000),
}


@pytest.mark.parametrize("name", STATES)
@pytest.mark.parametrize("several", [1, 50])
def test_payloads_are_what_receivers_publish(name, several):
    group = [STATES[name]] * several
    sent = {"alertmanager": payloads.alertmanager(group), "slack": payloads.slack(group)}
    sent["pagerduty"] = payloads.pagerduty(STATES[name], "key")
    for receiver, payload in sent.items():
        assert list(faults(json.loads(json.dumps(payload)), PUBLISHED[receiver])) == []


def test_the_schemas_refuse_what_is_not_published():
    good = payloads.pagerduty(FIRED, "key")
    for bad in ({**good, "event_action": "shout"}, {**good, "more": "x"}, {"event_action": "trigger"}):
        assert list(faults(bad, PUBLISHED["pagerduty"]))
    assert list(faults([{"labels": {"a": 1}}], PUBLISHED["alertmanager"]))
    assert list(faults({"text": "", "blocks": [{"type": "section"}]}, PUBLISHED["slack"]))


def test_pagerduty_knows_an_alert_by_its_id_from_trigger_to_resolve():
    events = [payloads.pagerduty(STATES[name], "key") for name in ("firing", "acknowledged", "resolved")]
    assert [event["event_action"] for event in events] == ["trigger", "acknowledge", "resolve"]
    assert {event["dedup_key"] for event in events} == {FIRED.alert_id}
    assert events[0]["payload"]["severity"] == "critical"
    assert payloads.pagerduty(STATES["ticket"], "key")["payload"]["severity"] == "warning"


def test_alertmanager_knows_an_alert_by_labels_that_do_not_change():
    firing, resolved = (payloads.alertmanager([STATES[name]])[0] for name in ("firing", "resolved"))
    assert firing["labels"] == resolved["labels"]
    assert payloads.alertmanager([STATES["ticket"]])[0]["labels"] == firing["labels"], "it may grow worse meanwhile"
    assert firing["startsAt"] == resolved["startsAt"] < resolved["endsAt"] < firing["endsAt"]


def test_every_message_says_evidence_window_offsets_owner_and_run_book():
    about = dataclasses.replace(FIRED.watched, runbook="drift")
    said = json.dumps(payloads.webhook([dataclasses.replace(FIRED, watched=about)]))
    for word in ("drift/psi", "weir.requests.card", "payments", '"runbook": "drift"', '"begin"', '"end"'):
        assert word in said
    assert '"memory"' not in said


def test_alerts_of_one_cause_are_told_as_one_and_others_alone():
    def of(subject, cause, **changes):
        about = dataclasses.replace(FIRED.watched, subject=subject, cause=cause)
        return dataclasses.replace(FIRED, watched=about, **changes)

    told = [of("a", "views/route"), of("b", ""), of("c", "views/route"), of("d", "")]
    assert [[one.watched.subject for one in group] for group in grouped(told)] == [["a", "c"], ["b"], ["d"]]
    assert "2 alerts" in payloads.slack(grouped(told)[0])["text"]


def test_people_hear_of_what_fires_ends_or_was_seen_and_of_nothing_under_silence():
    pending = dataclasses.replace(FIRED, from_state=AlertState.OK, to_state=AlertState.PENDING)
    assert [is_told(STATES[name]) for name in ("firing", "resolved", "acknowledged")] == [True] * 3
    assert [is_told(one) for one in (pending, dataclasses.replace(FIRED, silence="note"))] == [False] * 2
