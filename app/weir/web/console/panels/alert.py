"""One alert: its figure asked again, what it is about, and the offsets that it covers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from weir.core.errors import Refused
from weir.core.numbers import figure, span, whole
from weir.monitor.alert import Transition
from weir.monitor.burn import BurnMonitor
from weir.monitor.verdict import State, Verdict
from weir.web.console import releases, words
from weir.web.console.about import About, Evidence, evidence, held_by, measured, named
from weir.web.console.asking import Asker
from weir.web.console.panel import Act, Panel
from weir.web.console.view import View

QUESTION: Final = "What happened?"


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
        acts=(Act(f"Open {one.service}", f"/s/{one.service}{there}"),) if one.service else (),
    )


def _note(one: About, found: Evidence) -> str:
    if isinstance(found.monitor, BurnMonitor):
        return f"As the monitor worker found {one.monitor}: the largest of each {span(found.step_s)}."
    return f"Asked again just now from {one.monitor}, by windows of {span(found.step_s)}."


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
        "unit": unit,
        "zero": unit != "auc",
        "height": 230,
        "says": told,
    }
    return words.chart(data, "lines", f"{found.monitor.title}, around the alert", "h230")


def _facts(asker: Asker, one: About, view: View) -> list[tuple[str, Any]]:
    course = transitions(asker, one.id)
    fired = [each for each in course if each.to_state.value == "firing"] or course
    covers = {(each.topic, each.partition, each.first, each.last) for each in fired[-1].covers} if fired else set()
    monitor = held_by(asker, one)
    bound = (monitor.page or monitor.warn) if monitor else None
    facts = [
        ("Since", words.utc(one.since)),
        ("Until", words.utc(one.until)) if one.until else ("For", span(one.lasts_s(view.now))),
        ("Measured", measured(asker, one)),
        ("Limit", f"{bound.sign} {figure(bound.bound, monitor.unit.value)}" if bound and monitor else "its own past"),
        ("Owner", one.owner or "nobody"),
        ("Severity", one.severity),
        ("Monitor", one.monitor),
        ("Subject", one.subject or "the service"),
        ("Segment", one.segment or "all"),
        ("Cause", one.cause or "its own"),
    ]
    if covers:
        offsets = sum(last - first + 1 for _, _, first, last in covers)
        parts = len({(topic, partition) for topic, partition, _, _ in covers})
        told = "; ".join(f"{topic}/{partition}: {first} – {last}" for topic, partition, first, last in sorted(covers))
        some = "partition" if parts == 1 else "partitions"
        facts.append(("Covers", f"{parts} {some}, {whole(offsets)} offsets: {told}"))
    return facts


def transitions(asker: Asker, alert: str) -> list[Transition]:
    """What became of an alert, in order. Raises Unavailable, Refused."""
    return [Transition.of(row) for row in asker.sql("alerts/transitions", alert=alert)]
