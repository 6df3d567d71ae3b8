"""One alert: its figure asked again, what it is about, and the offsets that it covers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from weir.core.errors import Refused
from weir.core.numbers import figure, span, whole
from weir.monitor.alert import Transition
from weir.monitor.burn import BurnMonitor
from weir.monitor.verdict import State, Verdict
from weir.web.console import releases, words
from weir.web.console.about import About, Evidence, alerts, evidence, held_by, held_to, measured, named
from weir.web.console.asking import Asker
from weir.web.console.panel import Act, Panel
from weir.web.console.told import complete_to
from weir.web.console.view import View

QUESTION: Final = "What happened?"
MOST_GROUPED: Final = 12


def build(asker: Asker, view: View) -> Panel:
    """Its panel. Raises Unavailable; Refused where there is no such alert."""
    one = of(asker, view)
    refused = ""
    found: Evidence | None = None
    try:
        found = evidence(asker, one, view.now)
    except Refused as error:
        refused = f"{error.what[0].upper()}{error.what[1:]}."
    moved = {"from": found.begin, "to": found.end} if found else {}
    there = view.link(alert="", service="", feature=one.subject, **moved)
    return Panel(
        name="alert",
        question=one.title,
        verdict=Verdict(State(one.kind), sentence(one, view)),
        template="alert.html",
        context={
            "one": one,
            "drawn": _chart(asker, one, found, view) if found and any(x is not None for x in found.values) else None,
            "facts": _facts(asker, one, view),
            "refused": refused,
        },
        note=_note(one, found) if found else "",
        monitor=_source(found),
        asked=_asked(one, found, view) if found else {},
        acts=(Act(f"Open {one.service}", f"/s/{one.service}{there}"),) if one.service else (),
    )


def _note(one: About, found: Evidence) -> str:
    if isinstance(found.monitor, BurnMonitor):
        return f"As the monitor worker found {one.monitor}: the largest of each {span(found.step_s)}."
    return f"Asked again just now from {one.monitor}, by windows of {span(found.step_s)}."


def _source(found: Evidence | None) -> str:
    """Whose SQL and rows are behind the picture; the course of the alert where there is none."""
    if found is None:
        return "alerts/transitions"
    return "alerts/measured" if isinstance(found.monitor, BurnMonitor) else found.monitor.name


def _asked(one: About, found: Evidence, view: View) -> Mapping[str, str]:
    """What the address of those rows says beside the view."""
    asked = {"service": one.service, "from": found.begin, "to": found.end, "step": found.step_s, "monitor": one.monitor}
    return view.words(**asked, subject=found.subject, **one.segments.filters)


def of(asker: Asker, view: View) -> About:
    """The alert that a view names. Raises Unavailable, Refused."""
    one = named(asker, view.alert)
    if one is None:
        raise Refused(f"there is no alert {view.alert}", remedy="`weir alerts list --all` names those that there are")
    return one


def sentence(one: About, view: View) -> str:
    """How long it was, what it is held to, and who looks after it."""
    lasts = span(one.lasts_s(view.now))
    said = f"It fired for {lasts} and is over." if one.until else f"It is {one.state} for {lasts}."
    seen = f" Seen by {one.seen_by}." if one.seen_by else ""
    return " ".join(filter(None, (one.why, said))) + seen


def _chart(asker: Asker, one: About, found: Evidence, view: View) -> Any:
    unit = found.monitor.unit.value
    until = one.until or view.now
    marks = [
        {"at": int(each.since.timestamp()), "label": each.label}
        for each in releases.of(asker, one.service)
        if found.begin <= each.since < found.end
    ]
    bound = found.bound
    told = [f"{one.subject or found.monitor.value} {figure(value, unit)}" for value in found.values]
    data: Mapping[str, Any] = {
        "t": found.times,
        "series": [{"label": one.subject or found.monitor.title, "values": list(found.values), "tone": "s1"}],
        "rules": [{"at": bound.bound, "label": f"limit {figure(bound.bound, unit)}"}] if bound else [],
        "shaded": [[int(one.since.timestamp()), int(until.timestamp())]],
        "marks": marks,
        "from": int(found.begin.timestamp()),
        "to": int(found.end.timestamp()),
        "held": _held(asker, one, found, view),
        "unit": unit,
        "zero": unit != "auc",
        "height": 230,
        "says": told,
    }
    return words.chart(data, "lines", f"{found.monitor.title}, around the alert", "h230")


def _held(asker: Asker, one: About, found: Evidence, view: View) -> list[list[int]]:
    """What of the picture is not complete: behind what its service is recorded to, or at the end of an open window."""
    to = complete_to(asker, replace(view, service=one.service)) if one.service else None
    if to is None or to >= found.end:
        return []
    return [[int(max(to, found.begin).timestamp()), int(found.end.timestamp())]]


def _facts(asker: Asker, one: About, view: View) -> list[tuple[str, Any]]:
    course = transitions(asker, one.id)
    fired = [each for each in course if each.to_state.value == "firing"] or course
    covers = {(each.topic, each.partition, each.first, each.last) for each in fired[-1].covers} if fired else set()
    monitor = held_by(asker, one)
    bound, expected = held_to(asker, one, monitor) if monitor else (None, None)
    facts = [
        ("Since", words.utc(one.since)),
        ("Until", words.utc(one.until)) if one.until else ("For", span(one.lasts_s(view.now))),
        ("Measured", measured(asker, one)),
        ("Limit", f"{bound.sign} {figure(bound.bound, monitor.unit.value)}" if bound and monitor else "its own past"),
        ("False alarms", str(expected or "not known")),
        ("Owner", one.owner or "nobody"),
        ("Severity", one.severity),
        ("Monitor", one.monitor),
        ("Subject", one.subject or "the service"),
        ("Segment", one.segment or "all"),
        ("Cause", one.cause or "its own"),
    ]
    if beside := grouped(asker, one):
        there = [(f"/alerts/{each.id}{view.kept()}", each.name) for each in beside]
        facts.append(("Grouped with it", words.listed(there)))
    if covers:
        offsets = sum(last - first + 1 for _, _, first, last in covers)
        parts = len({(topic, partition) for topic, partition, _, _ in covers})
        told = "; ".join(f"{topic}/{partition}: {first} – {last}" for topic, partition, first, last in sorted(covers))
        some = "partition" if parts == 1 else "partitions"
        facts.append(("Covers", f"{parts} {some}, {whole(offsets)} offsets: {told}"))
    return facts


def grouped(asker: Asker, one: About) -> list[About]:
    """Other alerts of its service and cause. Raises Unavailable, Refused."""
    if not one.cause:
        return []
    return [
        each for each in alerts(asker) if (each.service, each.cause) == (one.service, one.cause) and each.id != one.id
    ][:MOST_GROUPED]


def transitions(asker: Asker, alert: str) -> list[Transition]:
    """What became of an alert, in order. Raises Unavailable, Refused."""
    return [Transition.of(row) for row in asker.sql("alerts/transitions", alert=alert)]
