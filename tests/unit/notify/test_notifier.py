"""Receivers over a real server: tried again, never waited for, and told of nowhere else."""

import dataclasses
import threading
import time
from collections import Counter

import pytest
from structlog.testing import capture_logs
from weir.core.errors import Refused
from weir.edges.notify import receivers
from weir.edges.notify.notifier import Notifier, Outcome, Patience
from weir.edges.notify.receivers import Kind, Receiver
from weir.monitor.alert import Severity

from tests.ports import free_port
from tests.unit.monitor.test_records import FIRED
from tests.unit.notify.server import Server
from tests.waiting import WAIT_S, until

QUICKLY = Patience(first_pause_s=0.01, timeout_s=30.0)


class Told:
    """Outcomes by receiver and kind."""

    def __init__(self):
        self.counts, self.lock = Counter(), threading.Lock()

    def __call__(self, name, outcome):
        with self.lock:
            self.counts[name, outcome] += 1


def of(kind, server, **changes):
    return Receiver(name=kind.value, kind=kind, url=f"{server.url}/post", key="secret", **changes)


def told_to(receiver, server, patience=QUICKLY, alerts=(FIRED,)):
    """What became of it, after everything was sent or dropped."""
    told = Told()
    notifier = Notifier([receiver], told, patience)
    notifier.tell(alerts)
    notifier.close(WAIT_S)
    return {outcome: count for (_, outcome), count in told.counts.items()}


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind is not Kind.LOG])
def test_each_kind_is_posted_once(kind):
    with Server().running() as server:
        assert told_to(of(kind, server), server) == {Outcome.SENT: 1}
        ((path, headers, body),) = server.got
    assert path == "/post"
    assert headers["Content-Type"] == "application/json"
    assert ("secret" in str(body)) == (kind is Kind.PAGERDUTY)
    assert headers.get("Authorization") == ("Bearer secret" if kind is Kind.WEBHOOK else None)


def test_a_receiver_that_fails_is_tried_again_until_it_takes_it():
    with Server((503, {}), (429, {}), (200, {})).running() as server:
        assert told_to(of(Kind.SLACK, server), server) == {Outcome.RETRIED: 2, Outcome.SENT: 1}
        assert len({str(body) for _, _, body in server.got}) == 1


@pytest.mark.parametrize("status", [400, 401, 404, 301, 307])
def test_what_a_receiver_does_not_want_is_not_sent_again_nor_elsewhere(status):
    with Server().running() as elsewhere, Server((status, {"Location": f"{elsewhere.url}/x"})).running() as server:
        assert told_to(of(Kind.WEBHOOK, server), server) == {Outcome.REFUSED: 1}
        assert (len(server.got), elsewhere.got) == (1, [])


def test_where_nobody_answers_it_is_given_up_after_its_time_and_said_without_the_address():
    gone = Receiver(name="gone", kind=Kind.SLACK, url=f"http://127.0.0.1:{free_port()}/hooks/very-secret")
    with capture_logs() as logs:
        found = told_to(gone, None, Patience(budget_s=0.05, first_pause_s=0.01))
    assert found[Outcome.DROPPED] == 1
    assert "very-secret" not in str(logs) + repr(gone)
    assert any(entry["event"] == "an alert was not told" for entry in logs)


def test_nobody_waits_for_a_receiver_that_does_not_answer_and_what_is_too_much_is_counted():
    with Server().running() as slow, Server().running() as fast:
        slow.held.clear()
        told = Told()
        both = [of(Kind.WEBHOOK, slow), of(Kind.SLACK, fast)]
        notifier = Notifier(both, told, dataclasses.replace(QUICKLY, waiting=3))
        notifier.tell([FIRED])
        until(lambda: slow.got, WAIT_S, "the first post to the slow one")
        for n in range(1, 10):
            until(lambda n=n: told.counts["slack", Outcome.SENT] == n, WAIT_S, "the other one to have it")
            notifier.tell([FIRED])
        until(lambda: told.counts["slack", Outcome.SENT] == 10, WAIT_S, "the other one to have all")
        assert told.counts["webhook", Outcome.DROPPED] == 6
        slow.held.set()
        notifier.close(WAIT_S)
        assert told.counts["webhook", Outcome.SENT] == 4


def test_what_waits_is_sent_when_a_worker_ends_and_all_receivers_share_the_time():
    with Server().running() as one, Server().running() as two, Server().running() as fast:
        one.held.clear()
        two.held.clear()
        told = Told()
        slow = [dataclasses.replace(of(Kind.WEBHOOK, server), name=server.url) for server in (one, two)]
        notifier = Notifier([*slow, of(Kind.SLACK, fast)], told, dataclasses.replace(QUICKLY, timeout_s=1.0))
        notifier.tell([FIRED])
        notifier.tell([FIRED])
        until(lambda: told.counts["slack", Outcome.SENT] == 2, WAIT_S, "the fast one to have all")
        began_s = time.monotonic()
        notifier.close(0.5)
        assert time.monotonic() - began_s < WAIT_S
        for receiver in slow:
            counted = receiver.name, Outcome.DROPPED
            until(lambda counted=counted: told.counts[counted] == 2, WAIT_S, "what waits for a slow one to be dropped")
        one.held.set()
        two.held.set()


def test_a_message_that_cannot_be_sent_holds_back_none_behind_it():
    nowhere = Receiver(name="nowhere", kind=Kind.SLACK, url="http://a\x00b/")
    told = Told()
    notifier = Notifier([nowhere], told, QUICKLY)
    notifier.tell([FIRED])
    notifier.tell([FIRED])
    notifier.close(WAIT_S)
    assert told.counts["nowhere", Outcome.DROPPED] == 2


def test_who_hears_of_what():
    payments = Receiver(name="p", kind=Kind.LOG, owners=("pay*",), severities=(Severity.PAGE,))
    assert payments.hears("payments", Severity.PAGE)
    assert not payments.hears("payments", Severity.TICKET)
    assert not payments.hears("platform", Severity.PAGE)


def test_the_log_says_what_fires():
    with capture_logs() as logs:
        assert told_to(receivers.LOG, None) == {Outcome.SENT: 1}
    (entry,) = logs
    assert (entry["event"], entry["sentences"]) == ("card: drift firing", [FIRED.sentence])


FILE = """receivers:
- {name: pager, kind: pagerduty, owners: [payments], severities: [page], key_from: env:PAGER}
- {name: channel, kind: slack, url_from: "file:%s"}
- {name: am, kind: alertmanager, url: "http://alertmanager:9093/api/v2/alerts"}
"""


def test_receivers_come_from_a_file_and_their_secrets_from_elsewhere(tmp_path):
    (tmp_path / "url").write_text("https://hooks.slack.com/services/T/B/x\n")
    (tmp_path / "notify.yaml").write_text(FILE % (tmp_path / "url"))
    pager, channel, manager = receivers.read(tmp_path / "notify.yaml", {"PAGER": "k"})
    assert (pager.url, pager.key, pager.owners) == (receivers.PAGERDUTY, "k", ("payments",))
    assert channel.url == "https://hooks.slack.com/services/T/B/x"
    assert manager.hears("anybody", Severity.TICKET)
    assert receivers.read(tmp_path / "nothing.yaml") == (receivers.LOG,)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("receivers: 3", "receivers: Input should be a valid tuple"),
        ("receivers: [", "receivers cannot be read"),
        ("receivers: [{name: a, kind: fax}]", "receivers.0.kind"),
        ("receivers: [{name: a, kind: slack, link: x}]", "receivers.0.link: Extra inputs"),
        ("receivers: [{name: a, kind: slack}]", "receiver a has no address"),
        ("receivers: [{name: a, kind: webhook, url: 'file:///etc/passwd'}]", "receiver a has no address"),
        ("receivers: [{name: a, kind: webhook, url: 'http://user:pw@host/'}]", "receiver a has no address"),
        ("receivers: [{name: a, kind: pagerduty}]", "receiver a has no routing key"),
        ("receivers: [{name: a, kind: pagerduty, key_from: 'env:NOBODY'}]", "there is no secret at env:NOBODY"),
        ("receivers: [{name: a, kind: slack, url_from: 'abc'}]", "abc is no place of a secret"),
        ("receivers: [{name: a, kind: log}, {name: a, kind: log}]", "there are two receivers a"),
    ],
)
def test_a_faulty_file_of_receivers_is_refused(tmp_path, text, says):
    (tmp_path / "notify.yaml").write_text(text)
    with pytest.raises(Refused, match=says):
        receivers.read(tmp_path / "notify.yaml", {})


def test_a_receiver_that_no_request_can_be_made_for_is_refused_and_its_key_not_told():
    with pytest.raises(Refused, match="receiver webhook cannot be told") as refused:
        Notifier([Receiver(name="webhook", kind=Kind.WEBHOOK, url="http://127.0.0.1:1/post", key="clé")])
    assert "clé" not in str(refused.value)


def test_the_log_needs_no_proxy_and_a_proxy_that_cannot_be_used_is_named(monkeypatch):
    monkeypatch.setenv("all_proxy", "socks5://127.0.0.1:1")
    monkeypatch.delenv("no_proxy", raising=False)
    Notifier([Receiver(name="log", kind=Kind.LOG)]).close(WAIT_S)
    with pytest.raises(Refused, match=r"receiver away cannot be reached through the proxy.*unset it"):
        Notifier([Receiver(name="away", kind=Kind.WEBHOOK, url="https://example.org/hook")])
