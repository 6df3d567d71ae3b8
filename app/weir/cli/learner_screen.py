"""What `weir learners` shows of one: of its life, and of a replay."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from rich.markup import escape

from weir.cli import learner_evidence
from weir.cli.output import Column, say, show, show_json

if TYPE_CHECKING:
    from weir.operations.learner_replay import Replayed
    from weir.operations.live_learners import Shown


def live(found: Shown) -> None:
    """A learner that lives."""
    columns = (
        Column("who", "who", name=True),
        Column("requests", "requests", lambda count: f"{count:,}", right=True),
        *learner_evidence.figures_in(found.rows),
    )
    if found.rows:
        show(found.rows, columns, as_json=False)
    sealed = "; it is kept as a sealed pickle" if found.kept else "; its state is not kept"
    named = f"; its newest state is {found.digest}" if found.digest else sealed
    much = f"has learned {found.learned:,} outcomes, {found.good:,} in whole windows"
    say(f"{found.name} of {found.service} {much}{named}")
    offset, number = found.next
    restart = f"a restart goes on at offset {offset:,}, outcome {number:,}"
    if not (found.kept or found.digest):
        restart = (
            "a restart learns the log anew; WEIR_LEARNER_KEY keeps states, and the worker's log says where it does not"
        )
    say(f"written {found.at:%Y-%m-%d %H:%M:%S} UTC; {restart}")
    if found.blind:
        say(f"{found.blind:,} requests are in no figure: answered before its first state, or without a number;")
        say(f"    weir learners replay {found.name} --known occurred has figures of those that were loaded later")
    if found.found:
        learner_evidence.show_live(found.found)
    for one in found.upgrades:
        say(escape(_upgraded(one)))
    if found.stop:
        say(f"[bold red]stopped[/] by guard {found.stop['guard']}: {escape(found.stop['what'])}")
        evidence = ", ".join(f"{key} {value}" for key, value in found.stop["evidence"].items())
        say(escape(f"    {evidence}; {found.left:,} outcomes have come since, which it does not learn"))
        say("    figures go on with these: by what its last good state says of their requests")


def _upgraded(one: Mapping[str, Any]) -> str:
    """What came of another River, as a line."""
    at = datetime.fromtimestamp(one["at_ms"] / 1000, UTC)
    begin = f"{at:%Y-%m-%d %H:%M} UTC: River {one['before']} became {one['after']}: outcomes {one['begin']:,} to "
    begin += f"{one['outcome']:,} were learned anew"
    if one["why"]:
        return f"{begin}; {one['why']}"
    loss, name = one["loss"], one["figure"].replace("_", " ")
    said = f"of {one['rows']:,} answers {one['differing']:.1%} differ, by {one['largest']:.2g} at most"
    return f"{begin}; {said}; {name} {loss['before']:.6g} before, {loss['after']:.6g} after"


def replayed(name: str, done: Replayed, *, as_json: bool) -> None:
    """What came of a replay."""
    if as_json:
        show_json(
            {
                "learner": name,
                "outcomes": done.outcomes,
                "left_out": done.left_out,
                "unscored": done.unscored,
                "blind": done.blind,
                "compiled": done.compiled,
                "made_by": done.made_by,
                "stopped": asdict(done.stop) if done.stop else None,
                "late": done.late,
                "unvalued": done.unvalued,
                "comparison": learner_evidence.compared(done.comparison),
                "proposal": done.proposal.row() if done.proposal else None,
                "alarms": learner_evidence.alarms(done.alarms),
                "retraining": [one.row() for one in done.retraining],
                "rows": [{key: _finite(value) for key, value in row.items()} for row in done.rows],
            }
        )
        return
    columns = (
        Column("month", "month", name=True),
        Column("who", "who"),
        Column("requests", "requests", lambda count: f"{count:,}", right=True),
        *learner_evidence.figures_in(done.rows),
    )
    if done.rows:
        show(done.rows, columns, as_json=False)
    by = "compiled" if done.compiled else "River's own, row by row"
    say(f"{name} has learned {done.outcomes:,} outcomes in whole windows of {done.window:,} ({by})")
    if done.rows and done.blind >= done.rows[-1]["requests"]:
        say(
            "no request was served after an outcome was known; were they loaded later? `--known occurred` replays those"
        )
    if done.made_by:
        by = ", ".join(f"{name} {version}" for name, version in done.made_by.items())
        say(f"the snapshot was made by {escape(by)}, which are not here: bits may differ from a replay without a stop")
    if done.left_out:
        say(f"{done.left_out:,} outcomes are left out: they mean no class of the service, or say nothing")
    if done.unscored:
        say(f"{done.unscored:,} requests are in no figure: their recorded score is no number")
    learner_evidence.show_comparison(done.comparison, done.late)
    if done.unvalued:
        say(done.unvalued)
    learner_evidence.show_alarms(done.alarms)
    for one in done.retraining:
        say(escape(f"{learner_evidence.day(one.at_ms)}: {one.sentence}"))
    if stop := done.stop:
        at = datetime.fromtimestamp(stop.at.at_ms / 1000, UTC)
        say(f"[bold red]stopped[/] by guard {stop.guard} at {at:%Y-%m-%d %H:%M:%S} UTC: {escape(stop.what)}")
        said = ", ".join(f"{key} {value}" for key, value in stop.evidence.items())
        say(escape(f"    prediction {stop.at.prediction_id}; {said}"))
        say(f"    since then it answers with what it knew after {stop.outcomes:,} outcomes")


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and math.isnan(value) else value
