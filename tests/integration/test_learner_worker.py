"""`weir worker learner` between a real broker and a real ClickHouse."""

from __future__ import annotations

import json
import socket
import time
from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import numpy as np
import pytest
from river import linear_model, optim, preprocessing
from typer.testing import CliRunner
from weir.agents.learner import files, made
from weir.agents.learner.entries import Entry, Kind
from weir.core.chunk import Partition
from weir.core.errors import Refused
from weir.core.signature import Input, Signature, Source, Task
from weir.edges.kafka.admin import bounds
from weir.learn import snapshot
from weir.learn.learner import Learner, Promotion
from weir.learn.linear import Linear
from weir.monitor.action import Action
from weir.operations import diagnose

from tests.bundles import opened_bundle, tiny_bundle
from tests.chaos.monitor import prepared
from tests.command_line import cli
from tests.doubles import labelled
from tests.doubles.labelled import INPUTS, Sender, outcome
from tests.group_offsets import committed_by
from tests.unit.notify.server import Server
from tests.waiting import WAIT_S, until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from weir.agents.learner.rounds import Rounds
    from weir.core.bundle import Bundle
    from weir.edges.embedded.stack import Stack
    from weir.settings import Settings

    Weir = Callable[..., tuple[int, str]]

pytestmark = pytest.mark.one_broker("kafka")

FRAGILE = labelled.made("fragile", "binary", 900, ("whole", "broken"), seed=1)
PARCELS = labelled.made("parcels", "multiclass", 300, ("letter", "box", "pallet"), seed=2)
ARRIVALS = labelled.made("arrivals", "regression", 300, seed=3)


@pytest.fixture(scope="module")
def project(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A deployment with three services whose requests are recorded, and their learners; of FRAGILE the first 800."""
    from weir.edges.clickhouse.client import connect

    home = tmp_path_factory.mktemp("learners")
    labelled.learners(home / "learners")
    settings = prepared(stack, f"l{uuid4().hex[:8]}", home)
    settings = settings.having(learners_dir=home / "learners", learner_publish_s=0, home=home)
    with closing(connect(settings.recording)) as client:
        for one in (FRAGILE, PARCELS, ARRIVALS):
            labelled.bundle(client, one)
            labelled.record(client, one, end=min(800, len(one.ids)))
    return settings


@pytest.fixture(scope="module")
def weir(project: Settings) -> Weir:
    """`weir learners`, or another group: exit status, and what it said."""
    variables = {
        "WEIR_BROKERS": project.kafka.brokers,
        "WEIR_DEPLOYMENT": project.kafka.deployment,
        "WEIR_REGISTRY_URL": project.registry.registry_url,
        "WEIR_CLICKHOUSE_URL": project.recording.clickhouse_url,
        "WEIR_CLICKHOUSE_DATABASE": project.recording.clickhouse_database,
        "WEIR_LEARNERS_DIR": str(project.paths.learners_dir),
        "WEIR_HOME": str(project.paths.home),
        "COLUMNS": "200",
    }

    def said(*words: str, bundles: Path | None = None, of: str = "learners") -> tuple[int, str]:
        more = {"WEIR_BUNDLES_DIR": str(bundles)} if bundles else {}
        done = CliRunner().invoke(cli, [of, *words], env=variables | more)
        if isinstance(done.exception, Refused):
            return done.exception.status, str(done.exception)
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return done.exit_code, done.stdout

    return said


def rounds(settings: Settings, **more: Any) -> Rounds:
    from weir.agents.learner.rounds import Rounds
    from weir.edges.clickhouse.client import connect

    given = {"connect": lambda: connect(settings.recording), "now_ms": lambda: round(time.time() * 1000)}
    return Rounds(settings=settings, **{**given, **more})


def states(settings: Settings) -> dict[str, dict[str, Any]]:
    """The newest snapshot of each learner by name."""
    from weir.agents.learner.books import Book, Snapshots

    found = Snapshots(Book(settings, settings.kafka.names.learner_snapshots)).read()
    return {name: row for (_, name), row in found.items()}


def learned(worker: Rounds) -> dict[str, int]:
    return {one.learner.name: one.live.learned for one in worker.opened.learners}


def stopped(worker: Rounds, name: str) -> bool:
    return next(one for one in worker.opened.learners if one.learner.name == name).live.now.good.stop is not None


def lived(settings: Settings, worker: Rounds, ready: Callable[[], bool]) -> None:
    """Let a worker of this process work until it is so."""
    until(lambda: worker.round() < 0 or ready(), WAIT_S, "the learners", every_s=0.0)


def send(settings: Settings, rows: list[dict[str, Any]], partition: int = 0) -> None:
    with closing(Sender(settings)) as sender:
        sender.send(rows, partition)


def river(kind: type, rate: float, of: labelled.Recorded, rows: list[int]) -> dict[str, float]:
    """Weights of River's own model, which has learned these requests in this order."""
    model = preprocessing.StandardScaler() | kind(optim.SGD(rate))
    for i in rows:
        true = of.labels[i] if of.task == "regression" else of.labels[i] == of.classes[1]
        model.learn_one(dict(zip(INPUTS, of.x[i].tolist(), strict=True)), true)
    return dict(model[kind.__name__].weights)


def weights(worker: Rounds, name: str) -> dict[str, float]:
    kept = next(one for one in worker.opened.learners if one.learner.name == name)
    return dict(zip(INPUTS, kept.live.answering[0][3].tolist(), strict=True))


@pytest.fixture(scope="module")
def begun(project: Settings) -> dict[str, int]:
    """Learners that have learned something of each service; how many outcomes waited for their predictions meanwhile.

    Of FRAGILE 5 to 400, 800 and 801: two come early, one again, some corrected, withdrawn or of no class.
    """
    from weir.edges.clickhouse.client import connect

    worker = rounds(project)
    early = [outcome(FRAGILE, 800), outcome(FRAGILE, 801, by_request=True)]
    others = [outcome(FRAGILE, 3, label="lost"), outcome(FRAGILE, 4, withdrawn=True, label=None)]
    send(project, [*early, *others, *(outcome(FRAGILE, i) for i in range(5, 400))])
    send(project, [outcome(PARCELS, i, by_request=i % 2 == 0) for i in range(300)], 1)
    send(project, [outcome(ARRIVALS, i) for i in range(300)], 2)
    lived(project, worker, lambda: worker.opened.memory.firsts == {"fragile": 395, "parcels": 300, "arrivals": 300})
    send(project, [outcome(FRAGILE, 5), outcome(FRAGILE, 6, revision=1, label="whole"), outcome(FRAGILE, 400)])
    lived(project, worker, lambda: worker.opened.memory.firsts["fragile"] == 396)
    waited = worker.opened.memory.waiting.num_rows
    worker.close()  # what waits outlives a worker
    with closing(connect(project.recording)) as client:
        labelled.record(client, FRAGILE, 800)
    lived(project, worker, lambda: worker.opened.memory.firsts["fragile"] == 398)
    lived(project, worker, lambda: learned(worker) == {"broken": 398, "hybrid": 398, "size": 300, "minutes": 300})
    worker.close()
    return {"waited": waited}


def test_learners_of_several_services_learn_what_comes_once(project: Settings, begun: dict[str, int]) -> None:
    """Early outcomes wait for their predictions; what comes again, corrected, withdrawn or of no class is left out."""
    assert begun == {"waited": 2}
    worker, found = rounds(project), states(project)
    worker.round()
    rows = [*range(5, 401), 800, 801]
    assert weights(worker, "broken") == pytest.approx(river(linear_model.LogisticRegression, 0.01, FRAGILE, rows))
    minutes = river(linear_model.LinearRegression, 0.01, ARRIVALS, [*range(300)])
    assert weights(worker, "minutes") == pytest.approx(minutes)
    kept = next(one for one in worker.opened.learners if one.learner.name == "minutes")
    path = project.paths.home / "learners" / "arrivals" / "minutes.arrow"
    assert path.read_bytes() == found["minutes"]["good"]
    assert snapshot.load(path.read_bytes(), kept.subject, made.belongs(kept.learner))[0].outcomes == 300
    assert (found["size"]["good"], found["size"]["digest"]) == (b"", "")
    worker.close()


class Killed(BaseException):
    """The worker is gone, as by SIGKILL."""


@pytest.mark.usefixtures("begun")
def test_killed_at_any_write_it_comes_to_the_same_bits(project: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before it and behind it, again and again; the figures are over the same requests, too."""
    from weir.agents.learner.books import Journal, Snapshots

    before = states(project)["broken"]["learned"]
    todo, calls = list(range(401, 800)), [0]
    send(project, [outcome(FRAGILE, i) for i in todo[:50]])

    def deadly(owner: type, name: str) -> None:
        plain = getattr(owner, name)

        def write(self: Any, rows: Any) -> None:
            calls[0] += 1
            if calls[0] % 4 == 2:
                raise Killed
            plain(self, rows)
            if calls[0] % 5 == 3:
                raise Killed

        monkeypatch.setattr(owner, name, write)

    deadly(Journal, "write")
    deadly(Snapshots, "write")
    worker, deaths = rounds(project), 0
    for begin in range(50, len(todo), 100):
        send(project, [outcome(FRAGILE, i) for i in todo[begin : begin + 100]])
        for _ in range(3):
            try:
                worker.round()
            except Killed:  # what it held is gone; the next round begins with what is written
                deaths += 1
    monkeypatch.undo()
    lived(project, worker, lambda: learned(worker)["broken"] == before + len(todo))
    worker.close()
    assert deaths > 5
    same_as_never_stopped(project)
    rows = [*range(5, 401), 800, 801, *todo]
    assert weights(whole(project), "broken") == pytest.approx(
        river(linear_model.LogisticRegression, 0.01, FRAGILE, rows)
    )


def whole(settings: Settings) -> Rounds:
    """A worker that has learned the whole log in one go, from no snapshot."""
    from weir.agents.learner.books import Snapshots

    worker = rounds(settings)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Snapshots, "read", lambda self: {})
        worker.opened = worker._open()
    return worker


def same_as_never_stopped(settings: Settings) -> None:
    """The newest snapshots are what a learner would have written that has learned the whole log in one go."""
    worker, found = whole(settings), states(settings)
    for one in worker.opened.learners:
        row = one.row(worker.opened.journal.log, 0, "")
        assert {**found[one.learner.name], "at": 0, "worker": ""} == row
    worker.close()


@pytest.mark.usefixtures("begun")
def test_two_that_both_write_learn_each_outcome_once(project: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """As after a sleep: each believes to be the active one. What the later one has written is void, and joined anew."""
    from weir.agents.learner.ahead import Ahead, Came
    from weir.agents.learner.books import NotHeld

    one, other = rounds(project), rounds(project)
    todo, take = states(project)["broken"]["learned"], Ahead.take

    def overtaken(self: Ahead) -> Came:
        """Between what the other reads and what it writes, the first reads and writes the same."""
        came = take(self)
        if came.records and other.opened is not None and self is other.opened.ahead:
            lived(project, one, lambda: learned(one)["broken"] == todo)
        return came

    def void() -> bool:
        try:
            other.round()
        except NotHeld:
            return True
        return False

    monkeypatch.setattr(Ahead, "take", overtaken)
    for begin in (802, 814):
        todo += 12
        send(project, [outcome(FRAGILE, i) for i in range(begin, begin + 12)])
        until(void, WAIT_S, "a round that is void", every_s=0.0)
        assert one.opened is not None, "the round of the first is not"
    other.round()
    assert [learned(worker)["broken"] for worker in (one, other)] == [todo, todo]
    assert one.opened.memory.firsts["fragile"] == todo
    for worker in (one, other):
        worker.close()


@pytest.mark.usefixtures("begun")
def test_its_states_are_served_and_it_is_promoted_and_taken_back(project: Settings, tmp_path: Path, weir: Weir) -> None:
    """Whoever serves its bundle follows the learner; what answered before goes on in shadow."""
    from weir.agents.worker.following import Following
    from weir.agents.worker.learned import Learned
    from weir.edges.bundles import folder
    from weir.edges.kafka.log_reader import LogReader
    from weir.operations import challengers, serving
    from weir.telemetry import Telemetry

    inputs = tuple(Input(name=name, source=Source.REQUEST, ref=name) for name in INPUTS)
    champion = tiny_bundle(tmp_path, Signature(inputs=inputs, classes=("whole", "broken")), service="fragile")
    settings = project.having(bundles_dir=champion.parent)
    status, said = weir("promote", "broken", "--yes", bundles=champion.parent)
    assert (status, "--unproven promotes it all the same" in said) == (1, True)
    assert "takes what the service answers" in weir("promote", "hybrid", "--yes", bundles=champion.parent)[1]
    assert "no graph says exactly" in weir("promote", "size", "--yes", bundles=champion.parent)[1]
    status, said = weir("promote", "broken", "--yes", "--unproven", bundles=champion.parent)
    assert (status, "back again: weir learners promote broken --back" in said) == (0, True), said
    answers = serving.choose((), settings, only=("fragile",), contracts=False).served["fragile"]
    assert (answers.bundle.learner.name, challengers.there(settings)) == ("broken", {"fragile": champion})
    assert answers.bundle.learner.state == states(project)["broken"]["digest"]
    listed = json.loads(weir("list", "--json", bundles=champion.parent)[1])
    assert [one["name"] for one in listed if one["answers"]] == ["broken"]
    assert "answers for fragile already" in weir("promote", "broken", "--yes", bundles=champion.parent)[1]

    learned = Learned(settings, opened_bundle(answers.path), Telemetry())
    following = Following(settings, learned).start()
    worker = rounds(project)
    send(project, [outcome(FRAGILE, i) for i in range(830, 840)])
    until(lambda: worker.round() < 0 or learned.now().state != answers.bundle.learner.state, WAIT_S, "the next state")
    until(lambda: worker.round() < 0 or learned.now().state == states(project)["broken"]["digest"], WAIT_S, "the last")
    kept = next(one for one in worker.opened.learners if one.learner.name == "broken")
    x, out = FRAGILE.x[:100], np.empty((100, 1))
    Linear(Task.BINARY, *kept.live.answering).run(x, np.zeros(100), np.zeros(100, bool), out)
    np.testing.assert_allclose(learned.now().run(x.astype(np.float32)), out, rtol=0, atol=1e-6)
    worker.close()
    following.close()

    status, said = weir("promote", "broken", "--back", "--yes", bundles=champion.parent)
    assert (status, "tiny-logistic 1" in said) == (0, True), said
    assert serving.choose((), settings, only=("fragile",), contracts=False).served["fragile"].path == champion
    assert challengers.there(settings) == {"fragile": answers.path}
    assert folder.find("fragile", settings) == champion  # a learner is nobody's newest bundle
    newest = serving.choose((), settings, only=("fragile",), newest=True, contracts=False).served["fragile"]
    assert newest.path == champion
    for shadow in (champion, answers.path):
        assert begins_behind_what_is_answered(project, shadow)
    from weir.agents.learner.books import Book

    topic = project.kafka.names.actions
    done = [one for _, one in Book(project, topic).decoded(LogReader(project.kafka, Partition(topic, 0)).read(WAIT_S))]
    assert [one["kind"] for one in done] == ["promoted", "promoted-back"]
    assert json.loads(done[0]["parameters"]) == {
        "learner": "broken",
        "state": answers.bundle.version,
        "answers": answers.bundle.short_digest,
        "shadow": champion.name[:12],
    }
    assert done[0]["proposed_by"].endswith(f"@{socket.gethostname()}")


def begins_behind_what_is_answered(settings: Settings, shadow: Path) -> bool:
    names = settings.kafka.names
    ends = {source: end for source, (_, end) in bounds(settings.kafka, names.predictions).items()}
    with committed_by(settings, names.shadow("fragile", shadow.name[:12])) as committed:
        return committed(ends) == ends


PROPOSED = Action(
    kind="promote",
    service="fragile",
    subject="",
    proposed_by="learners/broken",
    sentence="let learner broken answer",
    parameters={"learner": "broken"},
    evidence={"days": 20},
    measurement_id="",
    begin_ms=1,
    end_ms=2,
    at_ms=2,
)


CUTS = ("begin_shadow", "say", "challengers", "serving")  # behind each of them it dies


def proposed(kind: str, number: int, answers: str, champion: str) -> Action:
    """What learner broken proposes, with other evidence each time."""
    evidence = {"days": 20, "answers": answers, "champion": champion}
    return replace(PROPOSED, kind=kind, begin_ms=number, end_ms=number + 1, at_ms=number + 1, evidence=evidence)


@dataclass(frozen=True, slots=True)
class Ruled:
    """The rule of learner broken, of a service that `champion` answered first. settings: of a home of its own."""

    settings: Settings
    learner: Learner
    champion: Path

    @property
    def mine(self) -> str:
        return self.champion.name[:12]

    def take(self, of: Action, now_ms: int, learner: Learner | None = None) -> list[Action]:
        """As by a worker that has just begun."""
        from weir.operations.learner_rule import Rule

        return Rule(self.settings)([(learner or self.learner, of)], now_ms)

    def answering(self) -> Bundle:
        """What later starts serve."""
        from weir.operations import serving

        unnamed = self.settings.having(bundle="")
        return serving.choose((), unnamed, only=("fragile",), contracts=False).served["fragile"].bundle

    def deeds(self) -> list[dict[str, Any]]:
        """What the rule has written."""
        found = log_of(self.settings, self.settings.kafka.names.actions)
        return [one for one in found if one["proposed_by"] == "rule of learners/broken.yaml"]


@pytest.fixture
def ruled(project: Settings, begun: dict[str, int], tmp_path: Path) -> Ruled:
    inputs = tuple(Input(name=name, source=Source.REQUEST, ref=name) for name in INPUTS)
    champion = tiny_bundle(tmp_path, Signature(inputs=inputs, classes=("whole", "broken")), service="fragile")
    settings = project.having(bundles_dir=champion.parent, home=tmp_path, bundle=str(champion), service="fragile")
    return Ruled(settings, replace(files.named(project, "broken"), promotion=Promotion.AUTOMATIC), champion)


def test_a_rule_takes_nothing_that_a_person_could_not(project: Settings, ruled: Ruled) -> None:
    of = proposed("promote", 1, ruled.mine, ruled.mine)
    assert ruled.take(of, 1, replace(ruled.learner, promotion=Promotion.MANUAL)) == []
    for other in (proposed("promote", 1, ruled.mine, "another"), proposed("promote-back", 1, ruled.mine, ruled.mine)):
        assert ruled.take(other, 1) == []  # what was compared with does not answer; nothing can be taken back
    hybrid = replace(files.named(project, "hybrid"), promotion=Promotion.AUTOMATIC)
    assert ruled.take(of, 1, hybrid) == []  # its feature would be its own answer
    assert (ruled.deeds(), ruled.answering().short_digest) == ([], ruled.mine)


def test_a_rule_takes_what_stands_once_wherever_it_is_killed(ruled: Ruled, monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind each thing that it does, there and back again."""
    from weir.operations import challengers, learner_promotion, serving
    from weir.operations.learner_rule import REST_MS

    owners = {"challengers": (challengers, "remember"), "serving": (serving, "remember")}
    for done, cut in enumerate(CUTS, 1):
        now, at_ms = ruled.answering(), done * REST_MS
        back = now.learner is not None
        of = proposed("promote-back" if back else "promote", done, now.short_digest, ruled.mine)
        owner, name = owners.get(cut, (learner_promotion, cut))
        plain = getattr(owner, name)

        def dies(*given: Any, plain: Callable[..., Any] = plain) -> None:
            plain(*given)
            raise Killed

        with monkeypatch.context() as patch:
            patch.setattr(owner, name, dies)
            with pytest.raises(Killed):
                ruled.take(of, at_ms)
        ruled.take(of, at_ms)
        assert (ruled.answering().learner is None) == back
        assert ruled.take(of, at_ms) == []  # once
        next_kind = "promote" if back else "promote-back"
        next_one = proposed(next_kind, 900 + done, ruled.answering().short_digest, ruled.mine)
        assert ruled.take(next_one, at_ms + REST_MS - 1) == []  # it rests for some days
        assert len(ruled.deeds()) == done
        assert json.loads(ruled.deeds()[-1]["evidence"])["action_id"] == of.action_id
    *_, last, back_again = ruled.deeds()
    assert (last["kind"], back_again["kind"]) == ("promoted", "promoted-back")
    beside = json.loads(back_again["parameters"])["shadow"]
    assert challengers.there(ruled.settings)["fragile"].name[:12] == beside


@pytest.mark.usefixtures("begun")
def test_a_promoted_learner_is_judged_beside_the_shadow_and_others_beside_it(project: Settings) -> None:
    """Where the shadow has said nothing the request is in no figure; what was answered just now waits for it."""
    from weir.edges.clickhouse.client import connect

    answered = labelled.made("fragile", "binary", 20, ("whole", "broken"), labelled.BEGIN_MS + 10**7, seed=9)
    now_ms = round(time.time() * 1000)
    young = labelled.made("fragile", "binary", 2, ("whole", "broken"), now_ms + 300_000, seed=10)
    with closing(connect(project.recording)) as client:
        labelled.record_promotion(client, "fragile", "broken", "d2", "d1")
        for of in (answered, young):
            labelled.record(client, of, digest="d2", learner_state="s")
        labelled.record_shadow(client, answered, "d1", 0.9, 15)
        labelled.record_shadow(client, young, "d1", 0.9, 1)
    worker = rounds(project)
    worker.round()
    before = dict(worker.opened.memory.firsts)["fragile"]
    send(project, [outcome(of, i) for of in (answered, young) for i in range(len(of.ids))])
    lived(project, worker, lambda: worker.opened.memory.firsts["fragile"] == before + 21)
    assert worker.opened.memory.waiting.num_rows == 1
    worker.close()
    entry = labelled_rows(project)[-1]
    mine, other = (entry.labelled(INPUTS, learner) for learner in ("broken", "hybrid"))
    assert mine.pairs.tolist() == ["d2/d1"] * 21
    np.testing.assert_allclose(mine.reference[:, 0], [0.9] * 15 + [np.nan] * 5 + [0.9], rtol=1e-6)
    assert other.pairs.tolist() == ["d2"] * 21
    assert other.reference.tolist() == other.champion.tolist()


def labelled_rows(settings: Settings) -> list[Entry]:
    """Entries of the log of labelled outcomes that have rows."""
    found = [Entry.of(row, number) for number, row in enumerate(log_of(settings, settings.kafka.names.labelled))]
    return [one for one in found if one.kind is Kind.ROWS]


def log_of(settings: Settings, topic: str) -> list[dict[str, Any]]:
    """All that a topic of one partition has."""
    from weir.agents.learner.books import READ_S, Book
    from weir.edges.kafka.log_reader import LogReader

    values = LogReader(settings.kafka, Partition(topic, 0)).read(READ_S)
    return [row for _, row in Book(settings, topic).decoded(values)]


def log_of_alerts(settings: Settings) -> list[dict[str, Any]]:
    """What topic alerts has."""
    return log_of(settings, settings.kafka.names.alerts)


def record_alerts(settings: Settings) -> None:
    """As a recorder does."""
    from weir.edges.clickhouse.client import connect

    rows = log_of_alerts(settings)
    skipped = {"covers"}
    columns = [name for name in rows[0] if name not in skipped]
    times = {"at", "begin", "end"}
    values = [
        [np.datetime64(row[name], "ms").item() if name in times else row[name] for name in columns] for row in rows
    ]
    with closing(connect(settings.recording)) as client:
        client.insert("alerts", values, columns)


def fires_once(project: Settings, worker: Rounds, weir: Callable[..., tuple[int, str]]) -> None:
    """The alert is listed with its evidence, and a worker that has just started does not write it again."""
    from weir.agents.learner.alerts import Alerts
    from weir.edges.clickhouse.client import connect

    record_alerts(project)
    (row,) = json.loads(weir("list", "--json", of="alerts")[1])
    assert (row["state"], row["of_monitor"], row["of_subject"]) == ("firing", "learner", "minutes")
    assert json.loads(row["proof"])["evidence"]["value"] == 1e12
    said = weir("show", row["alert_id"], of="alerts")[1]
    assert "learner minutes has stopped: outcome is 1e+12" in said
    assert "runbook/learner.md" in said
    assert "weir learners show minutes" in said
    assert "guard outlier_sd" in said
    assert "weir diagnose" not in said
    with pytest.raises(Refused, match="which no change of predictions explains"):
        diagnose.change_of(diagnose.alert(connect(project.recording), row["alert_id"]))
    again = Alerts(project, lambda: connect(project.recording), lambda _changes: None)
    again.check(worker.opened.learners, 1)  # as a worker that has just started
    assert len(log_of_alerts(project)) == 1


def test_what_learners_call_for_is_written_once_and_told(project: Settings, tmp_path: Path) -> None:
    """Whoever finds it again, as after a kill, finds it written."""
    from weir.agents.learner.actions import Actions
    from weir.agents.learner.agent import Told
    from weir.agents.learner.books import READ_S, Book
    from weir.core.chunk import Partition
    from weir.edges.kafka.log_reader import LogReader
    from weir.edges.notify import receivers
    from weir.edges.notify.notifier import Notifier
    from weir.telemetry import Telemetry

    with Server().running() as server:
        (tmp_path / "notify.yaml").write_text(f"receivers: [{{name: hook, kind: webhook, url: '{server.url}'}}]")
        notifier = Notifier(receivers.read(tmp_path / "notify.yaml"))
        told = Told(project, Telemetry(), notifier)
        first = replace(PROPOSED, at_ms=round(time.time() * 1000))
        drift = replace(first, kind="drift")
        old = replace(PROPOSED, kind="incident")  # of what is long past nobody hears
        for _ in range(2):
            actions = Actions(project, told.actions)
            actions.write([first, replace(first, at_ms=3), old])
            actions.write([drift, replace(drift, proposed_by="learners/hybrid")])  # of one champion
        notifier.close()
        assert len(server.got) == 2
    topic = project.kafka.names.actions
    values = LogReader(project.kafka, Partition(topic, 0)).read(READ_S)
    assert [Action.of(row) for _, row in Book(project, topic).decoded(values)][-3:] == [first, old, drift]


@pytest.mark.usefixtures("begun")
def test_a_poisoned_outcome_freezes_its_learner_and_somebody_is_told(
    project: Settings, tmp_path: Path, weir: Weir
) -> None:
    """Of one service; the others go on. `show` says why, `resume` and `freeze` are obeyed; meanwhile an alert fires."""
    from weir.agents.learner.actions import Actions
    from weir.agents.learner.agent import Told
    from weir.agents.learner.alerts import Alerts
    from weir.edges.notify import receivers
    from weir.edges.notify.notifier import Notifier
    from weir.telemetry import Telemetry

    poisoned = labelled.made("arrivals", "regression", 400, seed=3)
    from weir.edges.clickhouse.client import connect

    with closing(connect(project.recording)) as client:
        labelled.record(client, poisoned, 300)
    (tmp_path / "notify.yaml").write_text("")
    with Server().running() as server:
        (tmp_path / "notify.yaml").write_text(f"receivers: [{{name: hook, kind: webhook, url: '{server.url}'}}]")
        notifier = Notifier(receivers.read(tmp_path / "notify.yaml"))
        told = Told(project, Telemetry(), notifier)
        alerts = Alerts(project, lambda: connect(project.recording), notifier.tell)
        worker = rounds(project, told=told, alerts=alerts, actions=Actions(project, told.actions))
        bad = outcome(poisoned, 310, observed=1e12)
        send(project, [*(outcome(poisoned, i) for i in range(300, 310)), bad, outcome(poisoned, 311)])
        lived(project, worker, lambda: stopped(worker, "minutes"))
        until(lambda: server.got, WAIT_S, "the alert")
        fires_once(project, worker, weir)
        notifier.close()
    status, said = weir("show", "minutes", "--json")
    found = json.loads(said)
    assert (status, found["stop"]["guard"], found["good"], found["learned"]) == (1, "outlier_sd", 300, 300)
    assert found["stop"]["evidence"]["value"] == 1e12
    assert "stopped by guard outlier_sd: outcome is 1e+12" in weir("show", "minutes")[1]
    assert weir("show", "broken")[0] == 0
    status, said = weir("export", "broken", "--to", str(tmp_path / "onnx"))
    assert (status, "the graph is off by at most" in said) == (0, True)
    assert len([*(tmp_path / "onnx").glob("broken.*")]) == 3
    assert weir("resume", "minutes", "--reason", "a typing error")[0] == 0
    lived(project, worker, lambda: not stopped(worker, "minutes"))
    assert [one["to_state"] for one in log_of_alerts(project)] == ["firing", "resolved"]
    send(project, [outcome(poisoned, i) for i in range(312, 350)])
    lived(project, worker, lambda: learned(worker)["minutes"] == 338)
    assert weir("freeze", "broken", "--reason", "looks odd")[0] == 0
    lived(project, worker, lambda: stopped(worker, "broken"))
    status, said = weir("show", "broken")
    assert status == 1
    assert "stopped by guard operator: looks odd" in said
    worker.close()
    same_as_never_stopped(project)
    (project.paths.learners_dir / "broken.yaml").unlink()  # while its alert fires
    Alerts(project, lambda: connect(project.recording), lambda _changes: None).check([], round(time.time() * 1000))
    last = log_of_alerts(project)[-1]
    assert (last["subject"], last["to_state"], "the learner is gone" in last["sentence"]) == (
        "broken",
        "resolved",
        True,
    )
