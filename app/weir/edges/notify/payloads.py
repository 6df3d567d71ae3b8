"""What is sent of transitions that are told as one, in the words of each receiver.

Alertmanager: postableAlerts of api/v2/openapi.yaml in prometheus/alertmanager. PagerDuty: Events API v2,
reference/events-v2/openapiv3.json in PagerDuty/api-schema. Slack: incoming webhooks, docs.slack.dev, with blocks.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from weir.monitor.alert import AlertState, Mark, Severity, Transition

Group = Sequence[Transition]

UNRESOLVED: Final = timedelta(days=7)  # Alertmanager calls an alert resolved that it has not heard of since
SLACK_CHARS: Final = 3000  # of the text of a section
SUMMARY_CHARS: Final = 1024  # of PagerDuty's summary
LISTED: Final = 20  # alerts of a group that a message for people names
PAGERDUTY_SEVERITY: Final = {Severity.PAGE: "critical", Severity.TICKET: "warning"}
PAGERDUTY_ACTION: Final = {AlertState.RESOLVED: "resolve", Mark.ACKNOWLEDGED: "acknowledge"}  # any other: trigger
SLACK_MARK: Final = {AlertState.RESOLVED: ":white_check_mark:", Mark.ACKNOWLEDGED: ":eyes:"}  # any other by severity
SLACK_FIRING: Final = {Severity.PAGE: ":rotating_light:", Severity.TICKET: ":warning:"}


def webhook(group: Group) -> dict[str, Any]:
    """For any receiver: what the topic of alerts has, without what only Weir reads."""
    first = group[0]
    alerts = [{name: value for name, value in one.row().items() if name != "memory"} for one in group]
    return {"version": "1", "state": first.to_state.value, "title": title(group), "alerts": alerts}


def alertmanager(group: Group) -> list[dict[str, Any]]:
    """For POST /api/v2/alerts. The labels are what tells alerts apart, so nothing in them changes while one goes on."""
    return [_postable(one) for one in group]


def slack(group: Group) -> dict[str, Any]:
    """For an incoming webhook: a title and a line for each alert."""
    lines = [f"• {_escaped(one.sentence)} (`weir alerts show {one.alert_id}`)" for one in group[:LISTED]]
    if len(group) > LISTED:
        lines.append(f"and {len(group) - LISTED} more")
    first = group[0]
    told = " · ".join(filter(None, (_owner(first), first.watched.runbook and f"run-book: {first.watched.runbook}")))
    said = "\n".join(lines)[:SLACK_CHARS]
    head = f"{SLACK_MARK.get(first.to_state) or SLACK_FIRING[worst(group)]} *{_escaped(title(group))}*"
    sections = [head, said, *([_escaped(told)] if told else [])]
    blocks = [{"type": "section", "text": {"type": "mrkdwn", "text": text}} for text in sections]
    return {"text": _escaped(title(group)), "blocks": blocks}


def pagerduty(one: Transition, routing_key: str) -> dict[str, Any]:
    """For POST /v2/enqueue: one event an alert, whose later ones find it by the alert's id."""
    event: dict[str, Any] = {
        "routing_key": routing_key,
        "event_action": PAGERDUTY_ACTION.get(one.to_state, "trigger"),
        "dedup_key": one.alert_id,
    }
    if event["event_action"] != "trigger":
        return event
    about = one.watched
    return event | {
        "client": "Weir",
        "payload": {
            "summary": one.sentence[:SUMMARY_CHARS],
            "timestamp": _iso(one.at_ms),
            "severity": PAGERDUTY_SEVERITY[one.severity],
            "source": about.service,
            "component": about.subject or about.service,
            "group": about.cause or about.monitor,
            "class": about.monitor,
            "custom_details": {name: value for name, value in one.row().items() if name not in ("memory", "sentence")},
        },
    }


def title(group: Group) -> str:
    """One line for all of them."""
    first = group[0]
    what = first.watched.cause or first.watched.monitor
    several = f", {len(group)} alerts" if len(group) > 1 else ""
    return f"{first.watched.service}: {what} {first.to_state.value}{several}"


def worst(group: Group) -> Severity:
    """The severest of them."""
    return Severity.PAGE if any(one.severity is Severity.PAGE for one in group) else Severity.TICKET


def _postable(one: Transition) -> dict[str, Any]:
    about = one.watched
    labels = {
        "alertname": about.monitor,
        "alert_id": one.alert_id,
        "service": about.service,
        "subject": about.subject,
        "segment": about.segment,
        "owner": about.owner,
        "cause": about.cause,
    }
    resolved = one.to_state is AlertState.RESOLVED
    annotations = {
        "summary": one.sentence,
        "severity": one.severity.value,
        "state": one.to_state.value,
        "evidence": one.row()["evidence"],
        "covers": one.row()["covers"],
        "runbook": about.runbook,
        "show": f"weir alerts show {one.alert_id}",
    }
    return {
        "labels": {name: value for name, value in labels.items() if value},  # an empty label is none there
        "annotations": {name: value for name, value in annotations.items() if value},
        "startsAt": _iso(one.begin_ms),
        "endsAt": _iso(one.at_ms) if resolved else _iso(one.at_ms, UNRESOLVED),
    }


def _owner(one: Transition) -> str:
    return f"owner: {one.watched.owner}" if one.watched.owner else ""


def _escaped(text: str) -> str:
    """Slack reads three characters as its own."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _iso(time_ms: int, later: timedelta = timedelta()) -> str:
    return (datetime.fromtimestamp(time_ms / 1000, UTC) + later).isoformat(timespec="milliseconds")
