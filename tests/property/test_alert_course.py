"""The course of an alert never loses or repeats a transition: out of order, replayed, killed and started again."""

import json

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from weir.monitor.alert import AlertState, Mark, Note, NoteKind, Severity, Watched
from weir.monitor.alert_course import KEPT, Holds, Memory, Reading, acknowledged, after, silenced
from weir.monitor.measurement import text_of
from weir.monitor.telling import is_told

STEP_S = 60
WATCHED = Watched(service="card", monitor="drift/psi", subject="amount")
LEVELS = st.sampled_from([None, None, Severity.TICKET, Severity.PAGE])
HOLDS = st.builds(Holds, fire_s=st.sampled_from([0, 60, 120, 180]), clear_s=st.sampled_from([0, 60, 120, 240]))
SILENCE = Note(
    note_id="s", kind=NoteKind.SILENCE, matchers={"service": "*"}, by="mona", reason="campaign", at_ms=0, until_ms=10**9
)


def reading(window, severity, revision=0):
    begin_ms = 1000 * STEP_S * window
    return Reading(begin_ms=begin_ms, end_ms=begin_ms + 1000 * STEP_S, severity=severity, revision=revision)


def plainly(levels, holds):
    """What is told of windows in order, by the rule itself, one window after the other."""
    state, rank, run, calm, told = "ok", 0, 0, 0, []
    for level in levels:
        bad = {None: 0, Severity.TICKET: 1, Severity.PAGE: 2}[level]
        if state == "firing":
            calm = 0 if bad else calm + STEP_S
            if bad > rank:
                rank = bad
                told.append("firing")
            if not bad and calm >= holds.clear_s:
                state = "resolved"
                told.append(state)
        elif bad:
            run, rank = run + STEP_S, max(rank, bad) if state == "pending" else bad
            new = "firing" if run >= holds.fire_s else "pending"
            if new != state:
                told.append(new)
            state, calm = new, 0
        else:
            if state == "pending":
                told.append("ok")
                state = "ok"
            run = 0
        run = 0 if state in ("firing", "resolved") else run
    return told


def fed(readings, holds, memory=None):
    memory, told = memory or Memory(), []
    for each in readings:
        memory, new = after(memory, WATCHED, each, holds)
        told += new
    return memory, told


def in_one_chain(told):
    assert [each.number for each in told] == list(range(1, len(told) + 1))
    state = AlertState.OK
    for each in told:
        assert each.from_state is state
        if isinstance(each.to_state, AlertState):
            assert each.to_state is not state or state is AlertState.FIRING
            state = each.to_state
    return state


@given(levels=st.lists(LEVELS, max_size=60), holds=HOLDS)
def test_windows_in_order_give_what_the_rule_says(levels, holds):
    _, told = fed([reading(window, level) for window, level in enumerate(levels)], holds)
    assert [each.to_state.value for each in told] == plainly(levels, holds)
    in_one_chain(told)


@given(data=st.data(), levels=st.lists(LEVELS, min_size=1, max_size=40), holds=HOLDS)
def test_windows_that_come_out_of_order_lead_where_they_lead_in_order(data, levels, holds):
    """As long as none is later than the windows that are kept."""
    straight, _ = fed([reading(window, level) for window, level in enumerate(levels)], holds)
    delay = data.draw(st.lists(st.integers(0, KEPT // 2 - 1), min_size=len(levels), max_size=len(levels)))
    order = sorted(range(len(levels)), key=lambda window: window + delay[window])
    shuffled, told = fed([reading(window, levels[window]) for window in order], holds)
    assert shuffled.seen == straight.seen
    quiet = {AlertState.OK, AlertState.RESOLVED}
    assert shuffled.state is straight.state or {shuffled.state, straight.state} == quiet
    assert in_one_chain(told) is shuffled.state
    if straight.state is AlertState.RESOLVED:  # somebody heard of the alert that is over
        assert AlertState.FIRING in [each.to_state for each in told]


@given(levels=st.lists(LEVELS, min_size=1, max_size=20), revised=st.lists(LEVELS, min_size=1, max_size=8), holds=HOLDS)
def test_revisions_lead_where_the_last_ones_lead(levels, revised, holds):
    n = min(len(levels), len(revised))
    first = [reading(window, level) for window, level in enumerate(levels)]
    again = [reading(len(levels) - 1 - i, level, revision=1) for i, level in enumerate(revised[:n])]
    memory, told = fed([*first, *again, *first], holds)
    truth = {each.begin_ms: each for each in [*first, *again]}
    straight, _ = fed([truth[begin] for begin in sorted(truth)], holds)
    quiet = {AlertState.OK, AlertState.RESOLVED}
    assert memory.state is straight.state or {memory.state, straight.state} <= quiet
    assert in_one_chain(told) is memory.state


def test_who_has_seen_a_ticket_has_not_seen_the_page_that_became_of_it():
    """However often the note is read: a worker that takes over reads all of them again."""
    holds, one = Holds(), {"kind": NoteKind.ACK, "key": WATCHED.key, "by": "mona", "reason": "seen", "at_ms": 1}
    memory, (fired,) = after(Memory(), WATCHED, reading(0, Severity.TICKET), holds)
    seen = {"alert_id": fired.alert_id, "number": str(fired.number)}
    notes = [Note(note_id=name, matchers=seen, **one) for name in ("first", "second")]
    memory, (mark,) = acknowledged(memory, WATCHED, notes[0])
    assert mark.to_state is Mark.ACKNOWLEDGED
    memory, (severer,) = after(memory, WATCHED, reading(1, Severity.PAGE), holds)
    for note in notes:
        assert acknowledged(memory, WATCHED, note) == (memory, ())
    again = Note(note_id="third", matchers={**seen, "number": str(severer.number)}, **one)
    assert [each.by for each in acknowledged(memory, WATCHED, again)[1]] == ["mona"]


class Worker(RuleBasedStateMachine):
    """A worker that writes transitions one by one, then its memory, and may be killed between any two writes.

    log: what was written of transitions, repeats among them; kept: the memory beside the latest measurement.
    """

    @initialize(holds=HOLDS)
    def begins(self, holds):
        self.holds, self.windows, self.log, self.kept = holds, [], [], [{}]
        self.memory = Memory()

    def write(self, memory, new, dies_after):
        for count, each in enumerate(new):
            if count == dies_after:
                return self.restart()
            self.log.append(each)
        self.memory = memory
        return None

    @rule(level=LEVELS, dies_after=st.integers(0, 4), measured=st.booleans())
    def a_window(self, level, dies_after, measured):
        self.windows.append(level)
        each = reading(len(self.windows) - 1, level)
        memory, new = after(self.memory, WATCHED, each, self.holds)
        self.write(memory, new, dies_after)
        if dies_after < len(new) or not measured:  # killed before the measurement was written: it is computed again
            self.restart()
            memory, new = after(self.memory, WATCHED, each, self.holds)
            self.write(memory, new, 9)
        self.kept.append(json.loads(text_of(memory.said())))

    @rule()
    def restart(self):
        """Goes on from the latest memory there is, whether beside a measurement or in a transition."""
        said = [self.kept[-1], *(json.loads(text_of(each.memory)) for each in self.log)]
        self.memory = Memory.latest(Memory.of(one) for one in said)

    @precondition(lambda self: self.windows)
    @rule(back=st.integers(1, 5))
    def windows_again(self, back):
        for window in range(max(len(self.windows) - back, 0), len(self.windows)):
            memory, new = after(self.memory, WATCHED, reading(window, self.windows[window]), self.holds)
            assert new == ()
            self.memory = memory

    @rule(twice=st.booleans(), other=st.booleans())
    def seen(self, twice, other):
        alert = {"alert_id": "another" if other else self.memory.alert_id}
        note = Note(note_id="n", kind=NoteKind.ACK, key=WATCHED.key, matchers=alert, by="m", reason="r", at_ms=1)
        for again in range(1 + twice):
            memory, new = acknowledged(self.memory, WATCHED, note)
            assert not ((other or again) and new)
            self.write(memory, new, 9)

    @rule(on=st.booleans(), twice=st.booleans())
    def silence(self, on, twice):
        for again in range(1 + twice):
            memory, new = silenced(self.memory, WATCHED, [SILENCE] if on else [], 1)
            assert not (again and new)
            self.write(memory, new, 9)

    @invariant()
    def nothing_is_lost_or_repeated(self):
        told = {}
        for each in self.log:
            assert told.setdefault(each.number, each) == each, "who writes a number again writes the same"
        told = [told[number] for number in sorted(told)]
        in_one_chain(told)
        marks = set(Mark)
        assert [each.to_state.value for each in told if each.to_state not in marks] == plainly(self.windows, self.holds)


TestWorker = Worker.TestCase
TestWorker.settings = settings(max_examples=120, stateful_step_count=40, deadline=None)


def test_who_was_told_that_it_fires_is_told_that_it_is_over():
    """Also when it is silenced in between; of what fired under a silence nobody hears."""
    page, fine = reading(0, Severity.PAGE), reading(1, None)
    memory, _ = after(Memory(), WATCHED, page, Holds())
    memory, (mark,) = silenced(Memory.of(json.loads(text_of(memory.said()))), WATCHED, [SILENCE], 1)
    _, (over,) = after(Memory.of(json.loads(text_of(memory.said()))), WATCHED, fine, Holds(), [SILENCE])
    assert (mark.to_state, over.to_state, is_told(over)) == (Mark.SILENCED, AlertState.RESOLVED, True)
    memory, _ = after(Memory(), WATCHED, page, Holds(), [SILENCE])
    _, (over,) = after(memory, WATCHED, fine, Holds(), [SILENCE])
    assert (over.to_state, is_told(over)) == (AlertState.RESOLVED, False)
    memory, _ = silenced(memory, WATCHED, [], 2)
    _, (over,) = after(memory, WATCHED, fine, Holds(), [SILENCE])
    assert is_told(over)
