"""One learner: what it is, whether it learns, which guard has stopped it and why."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from weir.core.errors import Refused
from weir.core.numbers import whole
from weir.monitor.verdict import State as Health
from weir.monitor.verdict import Verdict
from weir.web.console import learned
from weir.web.console.asking import Asker
from weir.web.console.learned import Learned
from weir.web.console.panel import Act, Panel
from weir.web.console.panels.learners import LATE
from weir.web.console.view import View

QUESTION: Final = "Does it learn?"
FEATURES: Final = 40  # that are named; more are counted


def build(asker: Asker, view: View) -> Panel:
    """Its panel. Raises Refused."""
    found, name = learned.look(asker), view.learner
    state = found.states.get(name)
    stop = state.stop if state else None
    service = state.service if state else found.files[name].service if name in found.files else ""
    return Panel(
        name="learner",
        question=QUESTION,
        verdict=verdict(found, name),
        template="learner.html",
        context={
            "facts": facts(found, name),
            "evidence": {} if stop is None else stop["evidence"],
            "refused": found.refused.get(name, ()),
            "columns": list(state.about["columns"]) if state else [],
            "most": FEATURES,
            "name": name,
            "stopped": stop is not None,
            "kept": list(reversed(state.states))[:8] if state else [],
            "all_kept": len(state.states) if state else 0,
        },
        acts=(
            *((Act("Its service", f"/s/{service}{view.kept()}"),) if service else ()),
            Act("CSV", f"/learners/{name}/state.csv{view.kept()}"),
        ),
    )


def verdict(found: Learned, name: str) -> Verdict:
    """Whether it learns, and why not."""
    state, (health, _) = found.states.get(name), found.health(name)
    if name in found.refused:
        return Verdict(health, f"No. Its file is refused: {_first(found.refused[name])}.")
    if state is None:
        if found.away is not None:
            return Verdict(health, f"Nobody can say now: {found.away.what}.")
        return Verdict(health, "Not yet. No worker has written a state of it: it does with the first outcome.")
    if state.stop is not None:
        what = str(state.stop["what"])
        left = f" {learned.outcomes(state.left)} have come since, which it does not learn." if state.left else ""
        return Verdict(health, f"No. It was stopped by {learned.stopped_by(state.stop)}: {what}.{left}")
    late = found.waiting is not None and found.waiting > LATE
    rest = f" {learned.outcomes(found.waiting or 0)} wait to be learned." if late else ""
    return Verdict(Health.LOOK if late else health, f"Yes. It has learned {learned.outcomes(state.learned)}.{rest}")


def facts(found: Learned, name: str) -> list[tuple[str, Any]]:
    """What is known of it; times are times."""
    state, file = found.states.get(name), found.files.get(name)
    known: list[tuple[str, Any]] = [
        ("Service", state.service if state else file.service if file else ""),
        ("Model", str(file) if file else _model(state.about) if state else ""),
    ]
    if file is not None:
        known.append(("Answers", f"{'yes' if found.answers(name) else 'no'}, {found.decides(name)}"))
    if state is None:
        return known
    rate = file.learning_rate if file else None
    made = state.about.get("versions", {})
    known += [
        ("Learned", f"{whole(state.learned)}, {whole(state.good)} in whole windows"),
        ("Newest state", state.digest or "no name: its model cannot answer requests"),
        ("Written", state.at),
        ("Wait to be learned", "not known" if found.waiting is None else learned.outcomes(found.waiting)),
        ("Judged on", f"{whole(state.requests)} requests; {whole(state.blind)} in no figure"),
        ("Outcomes judged together", whole(int(state.about["learner"].get("window", 0)))),
    ]
    known += [("Learning rate", f"{rate:g}")] if rate is not None else []
    known += [("Made by", ", ".join(f"{each} {version}" for each, version in made.items()))] if made else []
    return known


def _model(about: Mapping[str, Any]) -> str:
    return str(about["learner"].get("model", ""))


def _first(faults: Any) -> str:
    one: Refused = faults[0]
    return one.what
