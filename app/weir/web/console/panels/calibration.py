"""Where is it off: of classes the chance against what came true, of a regression the error by predicted value."""

from __future__ import annotations

from weir.core import numbers
from weir.core.signature import Task
from weir.monitor.segment import Segment
from weir.monitor.spec import Row
from weir.operations.glance import CHAMPION
from weir.web.console import releases
from weir.web.console.asking import Asker
from weir.web.console.drawing import curve
from weir.web.console.drawing.windows import newest
from weir.web.console.panel import Panel
from weir.web.console.told import Told, told, whole
from weir.web.console.view import View

CHANCES, VALUES = "outcome/calibration", "outcome/error_by_value"


def build(asker: Asker, view: View) -> Panel:
    """The picture that the task has."""
    if asker.task(view.service) is Task.REGRESSION:
        return _values(asker, view)
    asked, versions = whole(view), _versions(asker, view)
    if versions is None:
        found, older = told(asker, view, CHANCES, **asked), list[Row]()
    else:
        before, now = (_of(view, version) for version in versions)
        found, older = asker.all(
            lambda: told(asker, view, CHANCES, segment=now, **asked),
            lambda: told(asker, view, CHANCES, segment=before, **asked).rows,
        )
    names = (f"v{versions[0]}", f"v{versions[1]}") if versions and older else None
    left_out = curve.classes_left_out(found.rows, found.scene)
    more = f" {left_out} more classes are in the rows." if left_out else ""
    return Panel(
        name="calibration",
        question="Can the scores be read as probabilities?",
        verdict=found.verdict,
        template="picture.html",
        context={"chart_of": curve.calibration(found.rows, found.scene, older, names) if found.rows else None},
        note=f"Across: mean chance of a tenth. Up: share that came true. Dashed: both agree. {_when(found)}{more}",
        monitor=CHANCES,
        asked=dict(found.query) | ({"version": versions[1]} if versions else {}),
        unsplit=asker.unsplit(CHANCES, view),
    )


def _versions(asker: Asker, view: View) -> tuple[str, str] | None:
    """The version that answers and the one before it, where both answered in the view; None where it is of one."""
    if view.version or view.variant not in ("", CHAMPION):
        return None
    found = [one for one in releases.of(asker, view.service) if one.variant == CHAMPION and one.since < view.end]
    if len(found) < 2 or found[-1].since < view.begin:
        return None
    return found[-2].version, found[-1].version


def _of(view: View, version: str) -> Segment:
    """The view's part of one version."""
    return Segment(**{**view.segment.filters, "version": version})


def _values(asker: Asker, view: View) -> Panel:
    found = told(asker, view, VALUES, **whole(view))
    return Panel(
        name="calibration",
        question="Where is it off?",
        verdict=found.verdict,
        template="picture.html",
        context={"chart_of": curve.error_by_value(found.rows, found.scene) if found.rows else None},
        note=f"Across: predicted value. Up: predicted minus observed, and the mean size of it. {_when(found)}",
        monitor=VALUES,
        asked=found.query,
        unsplit=asker.unsplit(VALUES, view),
    )


def _when(found: Told) -> str:
    """Which window the picture is of."""
    rows = newest(found.rows, found.scene)
    if not rows:
        return ""
    counts = any(found.scene.counts(row) for row in rows)
    span, since = numbers.span(found.scene.step_s), numbers.time(rows[0].begin)
    return f"Filled: the {span} from {since}{'' if counts else ', of which too little is known yet'}."
