"""Tells receivers of alerts without keeping anybody waiting: a queue and a thread for each."""

from __future__ import annotations

import queue
import random
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from http import HTTPStatus
from typing import Any, Final

import httpx2
import structlog

from weir.core.addresses import is_this_machine
from weir.core.errors import Refused, shortened
from weir.edges.notify import payloads
from weir.edges.notify.receivers import Kind, Receiver
from weir.monitor.alert import Transition
from weir.monitor.telling import grouped, is_told

WAITING: Final = 1000  # messages for one receiver; what comes beyond is dropped, and said
TIMEOUT_S: Final = 10.0
BUDGET_S: Final = 900.0  # for which one message is tried again; alerts that are older are history
FIRST_PAUSE_S: Final = 1.0
LONGEST_PAUSE_S: Final = 60.0
AGAIN: Final = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS})


class Outcome(StrEnum):
    """What became of a message."""

    SENT = "sent"
    RETRIED = "retried"  # it is tried again
    REFUSED = "refused"  # the receiver does not want it, and would not the next time
    DROPPED = "dropped"  # too many wait, it was tried for too long, or the worker ends


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a message is tried. Seconds; pauses double from first_pause_s on."""

    budget_s: float = BUDGET_S
    first_pause_s: float = FIRST_PAUSE_S
    timeout_s: float = TIMEOUT_S
    waiting: int = WAITING


class Notifier:
    """Tells each receiver what concerns it. `tell` never waits, whatever receivers do.

    told: hears of every outcome, with the receiver's name; from several threads. What waits when a process is killed is
    not sent: whoever starts the next one may tell the latest transitions again, which receivers know by the alert's id.

    Raises Refused for a receiver that no request could be made for.
    """

    def __init__(
        self,
        receivers: Sequence[Receiver],
        told: Callable[[str, Outcome], None] = lambda _name, _outcome: None,
        patience: Patience = Patience(),
    ) -> None:
        self._posts = [_Post(receiver, told, patience) for receiver in receivers]

    def tell(self, transitions: Iterable[Transition]) -> None:
        """Queue what people are to hear of these, those of one cause as one message."""
        heard = [one for one in transitions if is_told(one)]
        for post in self._posts:
            mine = [one for one in heard if post.receiver.hears(one.watched.owner, one.severity)]
            for group in grouped(mine):
                for message in _messages(post.receiver, group):
                    post.put(message)

    def close(self, within_s: float = TIMEOUT_S) -> None:
        """Send what waits, for so long in all; then drop it, and say so."""
        end_s = time.monotonic() + within_s
        for post in self._posts:
            post.waiting.put(_END)
        for post in self._posts:
            post.thread.join(max(0.0, end_s - time.monotonic()))
        for post in self._posts:
            post.ended.set()
        for post in self._posts:
            post.thread.join(post.patience.timeout_s)


@dataclass(slots=True)
class _Post:
    """One receiver, what waits for it, and the thread that sends it."""

    receiver: Receiver
    told: Callable[[str, Outcome], None]
    patience: Patience
    waiting: queue.SimpleQueue[Any] = field(init=False)
    client: httpx2.Client = field(init=False)
    ended: threading.Event = field(default_factory=threading.Event)
    thread: threading.Thread = field(init=False)

    def __post_init__(self) -> None:
        self.waiting = queue.SimpleQueue()
        try:
            self.client = _client(self.receiver, self.patience.timeout_s)
        except (httpx2.InvalidURL, ValueError) as error:  # its words are not told: they may hold the key
            what = (
                f"receiver {self.receiver.name} cannot be told: its address or its key is none ({type(error).__name__})"
            )
            raise Refused(what, remedy="mend it; a key is letters, digits and signs without accents") from None
        except ImportError as error:  # of what a proxy of the environment needs
            what = f"receiver {self.receiver.name} cannot be reached through the proxy that the environment names"
            raise Refused(what, remedy=f"unset it, or name one that speaks HTTP: {error}") from error
        self.thread = threading.Thread(target=self._run, name=f"notify-{self.receiver.name}", daemon=True)
        self.thread.start()

    def put(self, message: Any) -> None:
        if self.waiting.qsize() >= self.patience.waiting:
            self._say(Outcome.DROPPED, f"{self.patience.waiting} messages wait for it")
        else:
            self.waiting.put(message)

    def _run(self) -> None:
        with self.client as client:
            while (message := self.waiting.get()) is not _END:
                try:
                    self._deliver(client, message)
                except Exception as error:  # whatever it is: what waits behind it is to be sent
                    self._say(Outcome.DROPPED, f"{type(error).__name__}: {shortened(str(error))}")

    def _deliver(self, client: httpx2.Client, message: Any) -> None:
        """Send a message, and again while there is hope and patience."""
        if self.ended.is_set():
            return self._say(Outcome.DROPPED, "the worker ends")
        if self.receiver.kind is Kind.LOG:
            structlog.get_logger("weir.alerts").warning(message["title"], **message)
            return self.told(self.receiver.name, Outcome.SENT)
        pause_s, waited_s = self.patience.first_pause_s, 0.0
        while True:
            outcome, why = _sent(client, self.receiver, message)
            if outcome is not Outcome.RETRIED:
                return self._say(outcome, why)
            if waited_s + pause_s > self.patience.budget_s:
                return self._say(Outcome.DROPPED, f"tried for {waited_s:.0f} s: {why}")
            self.told(self.receiver.name, outcome)
            if self.ended.wait(pause_s * random.uniform(0.5, 1.0)):  # so that workers do not ask in step
                return self._say(Outcome.DROPPED, f"the worker ends: {why}")
            waited_s, pause_s = waited_s + pause_s, min(2 * pause_s, LONGEST_PAUSE_S)

    def _say(self, outcome: Outcome, why: str) -> None:
        self.told(self.receiver.name, outcome)
        if outcome is not Outcome.SENT:
            log = structlog.get_logger(__name__)
            log.error("an alert was not told", receiver=self.receiver.name, outcome=outcome.value, reason=why)


_END: Final = object()


def _messages(receiver: Receiver, group: Sequence[Transition]) -> list[Any]:
    """What is sent of a group, as JSON."""
    match receiver.kind:
        case Kind.ALERTMANAGER:
            return [payloads.alertmanager(group)]
        case Kind.SLACK:
            return [payloads.slack(group)]
        case Kind.PAGERDUTY:
            return [payloads.pagerduty(one, receiver.key) for one in group]
        case Kind.LOG:
            said = {"state": group[0].to_state.value, "alerts": [one.alert_id for one in group]}
            return [{"title": payloads.title(group), **said, "sentences": [one.sentence for one in group]}]
        case Kind.WEBHOOK:
            return [payloads.webhook(group)]


def _client(receiver: Receiver, timeout_s: float) -> httpx2.Client:
    """One that follows nobody elsewhere, and needs no proxy to reach this machine."""
    bearer = {"Authorization": f"Bearer {receiver.key}"} if receiver.key and receiver.kind is Kind.WEBHOOK else {}
    by_proxy = bool(receiver.url) and not is_this_machine(receiver.url)
    return httpx2.Client(timeout=timeout_s, follow_redirects=False, headers=bearer, trust_env=by_proxy)


def _sent(client: httpx2.Client, receiver: Receiver, message: Any) -> tuple[Outcome, str]:
    """Try once. The reason names no address: it may be a secret."""
    try:
        answer = client.post(receiver.url, json=message)
    except httpx2.HTTPError as error:
        return Outcome.RETRIED, f"no answer: {type(error).__name__}"
    if answer.is_success:
        return Outcome.SENT, ""
    said = f"{answer.status_code} {shortened(answer.text)}"
    again = answer.status_code in AGAIN or answer.is_server_error
    return (Outcome.RETRIED if again else Outcome.REFUSED), said
