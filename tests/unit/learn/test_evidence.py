"""What a learner that lives finds: the same comparison, detectors and rule as a replay, out of its log, however cut."""

import json
from dataclasses import replace

import numpy as np
import pytest
from weir.core.signature import Task
from weir.learn.comparison import compared
from weir.learn.evidence import Evidence, Seen, asked_from
from weir.learn.learner import CHAMPION, Retrain, Slow, Terms
from weir.learn.prequential import Prequential
from weir.learn.watch import Watch

from tests.unit.learn.streams import LOGISTIC, SCALER, learner, subject

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
BEGIN = 1_779_926_400_000  # midnight
A_DAY, DAYS, CHANGE = 120, 40, 25
TERMS = Terms(warm_up=A_DAY, wait_h=3)
OF = subject(Task.BINARY)
DECLARED = learner(SCALER, LOGISTIC, rate=0.01, compare=TERMS, retrain=Retrain(rest_days=5), drift=Slow())


@pytest.fixture(scope="module")
def seen():
    """40 days: the champion knows the share alone, and from the 26th on more comes true. 12 outcomes are late."""
    chance = np.random.default_rng(5)
    n = A_DAY * DAYS
    answered = BEGIN + np.arange(n) * (DAY_MS // A_DAY)
    raw = 2 * chance.normal(size=n) + np.where(np.arange(n) >= A_DAY * CHANGE, 1.2, -1.2)
    y = (chance.random(n) < 1 / (1 + np.exp(-raw))).astype(float)
    came = answered + chance.integers(1, 170, n) * 60_000
    came[: 3 * A_DAY : 30] += 2 * DAY_MS
    order = np.lexsort((np.arange(n), came))
    own = 1 / (1 + np.exp(-raw))
    said = {"learner": own[:, None], CHAMPION: np.full((n, 1), 0.32), "no change": np.full((n, 1), 0.5)}
    said["last"] = np.full((n, 1), 0.4)
    rows = np.arange(n)
    known = np.searchsorted(np.sort(came), answered)
    said_by = np.full(n, "d1")
    all_ = Seen(came[order], answered[order], y[order], said[CHAMPION][order], rows, known[order], {}, said_by)
    return Seen(
        *(getattr(all_, name) for name in ("at_ms", "answered_ms", "y", "champion", "rows", "known")),
        {who: each[order] for who, each in said.items()},
        said_by,
    )


def cut(of, begin, end):
    some = slice(begin, end)
    said = {who: each[some] for who, each in of.said.items()}
    rows = np.arange(end - begin)
    return Seen(
        of.at_ms[some], of.answered_ms[some], of.y[some], of.champion[some], rows, of.known[some], said, of.pairs[some]
    )


def lived(of, cuts, *, restarts=False):
    evidence, found = Evidence(OF, DECLARED), []
    for begin, end in zip([0, *cuts], [*cuts, len(of.y)], strict=True):
        evidence.take(cut(of, begin, end), stopped=False)
        found += evidence.news
        evidence.news = []
        if restarts:
            evidence = Evidence(OF, DECLARED, json.loads(json.dumps(evidence.kept(), allow_nan=False)))
    return evidence, found


def test_however_it_is_cut_and_wherever_it_is_stopped_the_same_is_found_once(seen):
    whole, found = lived(seen, [])
    cuts = sorted(np.random.default_rng(2).choice(len(seen.y), 60, replace=False).tolist())
    parts, again = lived(seen, cuts, restarts=True)
    assert [one.row() for one in again] == [one.row() for one in found]
    assert json.dumps(parts.kept()) == json.dumps(whole.kept())
    assert {one.kind for one in found} == {"promote", "incident", "incident-over", "drift", "retrain"}
    for kind in ("incident", "drift", "retrain"):
        ids = [one.action_id for one in found if one.kind == kind]
        assert len(set(ids)) == len(ids) > 0


def test_closed_days_say_what_a_replay_of_them_says(seen):
    """Which has the area under the curve besides; and what came late is in none of them."""
    evidence, _ = lived(seen, [])
    said = evidence.told()
    assert said["late"] == 12
    closing = (seen.answered_ms // DAY_MS + 1) * DAY_MS + 3 * HOUR_MS
    in_time = np.flatnonzero(seen.at_ms < closing)
    order = in_time[np.argsort(seen.answered_ms[in_time], kind="stable")]
    figures = Prequential(OF, tuple(seen.said))
    figures.take(
        seen.answered_ms[order], {who: each[order] for who, each in seen.said.items()}, seen.y[order], seen.known[order]
    )
    until = int(seen.at_ms[-1])
    expected = compared(
        figures.days(), TERMS, until_ms=until, stopped=False, champion=CHAMPION, baselines=("no change", "last")
    )
    assert (said["compared"]["word"], said["compared"]["days"]) == ("promote", expected.days)
    assert said["compared"]["since_ms"] == expected.since_ms
    mine = {(one["figure"], one["against"]): one for one in said["compared"]["figures"]}
    for one in expected.figures:
        if one.figure != "auc":
            assert mine[one.figure, one.against]["low"] == pytest.approx(one.low, rel=1e-9)


def test_what_drifts_is_what_a_watch_finds_and_asks_for_training_with_its_place_in_the_log(seen):
    _, found = lived(seen, [])
    watch = Watch(Task.BINARY, Slow())
    watch.take(seen.at_ms, seen.champion, seen.y)
    drifts = [one for one in found if one.kind == "drift"]
    assert [one.at_ms for one in drifts] == [one.at_ms for one in watch.alarms.drifts]
    first = next(one for one in found if one.kind == "retrain")
    assert drifts[0].at_ms < first.at_ms <= drifts[0].at_ms + 2 * DAY_MS
    said = asked_from(first, "log", 17).parameters
    assert (said["labelled_log"], said["labelled_offset"], said["from"]) == ("log", 17, BEGIN)
    assert asked_from(first, "log", 17).action_id == first.action_id
    assert asked_from(drifts[0], "log", 17) == drifts[0]


def test_one_that_is_stopped_is_not_proposed_and_other_terms_begin_anew(seen):
    evidence = Evidence(OF, DECLARED)
    evidence.take(seen, stopped=True)
    assert "promote" not in {one.kind for one in evidence.news}
    assert evidence.told()["compared"]["why"] == ("a guard has stopped it",)
    other = Evidence(OF, replace(DECLARED, compare=Terms(wait_h=4)), evidence.kept())
    assert other.told()["compared"] is None


def promoted(of, day, *, better):
    """The same from a day on with the learner as who answers, and the champion in shadow beside it.

    better: the learner goes on to say what it said; else it says the opposite from then on.
    """
    later = of.answered_ms >= BEGIN + day * DAY_MS
    said = (
        of.said
        if better
        else of.said | {"learner": np.where(later[:, None], 1 - of.said["learner"], of.said["learner"])}
    )
    return replace(of, said=said, pairs=np.where(later, "d2/d1", "d1"))


def test_once_it_answers_the_days_since_then_say_whether_it_is_to_be_taken_back(seen):
    """However the log is cut; the watch over the champion goes on, since it is the same one."""
    cuts = sorted(np.random.default_rng(3).choice(len(seen.y), 60, replace=False).tolist())
    taken = promoted(seen, 15, better=False)
    whole, found = lived(taken, [])
    parts, again = lived(taken, cuts, restarts=True)
    assert [one.row() for one in again] == [one.row() for one in found]
    assert json.dumps(parts.kept()) == json.dumps(whole.kept())
    *_, back = [one for one in found if one.kind in ("promote", "promote-back")]
    assert (back.kind, back.parameters, back.proposed_by) == (
        "promote-back",
        {"learner": DECLARED.name},
        "learners/one",
    )
    assert (back.begin_ms, back.evidence["answers"], back.evidence["champion"]) == (BEGIN + 15 * DAY_MS, "d2", "d1")
    assert back.sentence.startswith("take learner one back: on 24 closed days since it answers")
    assert whole.proposal == back
    plain = [one.row() for one in lived(seen, [])[1] if one.kind in ("incident", "incident-over", "drift")]
    assert [one.row() for one in found if one.kind in ("incident", "incident-over", "drift")] == plain
    better, _ = lived(promoted(seen, 15, better=True), [])
    assert (better.proposal, better.told()["compared"]["word"]) == (None, "promote")


def test_another_champion_ends_the_incident_of_the_one_before_and_its_days(seen):
    """What it had answered comes late, and is in no day."""
    later = seen.answered_ms >= BEGIN + (CHANGE + 1) * DAY_MS
    whole, found = lived(replace(seen, pairs=np.where(later, "d3", "d1")), [])
    assert "incident-over" not in {one.kind for one in lived(cut(seen, 0, int(np.argmax(later))), [])[1]}
    over = next(one for one in found if one.kind == "incident-over")
    assert "is over: d1 is champion no more, d3 is" in over.sentence
    assert whole.told()["compared"]["days"] == DAYS - CHANGE - 2
    assert whole.told()["late"] > 12
    assert whole.proposal is None
