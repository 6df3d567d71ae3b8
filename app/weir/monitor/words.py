"""Words that sentences of several families share."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final

from weir.core import numbers
from weir.monitor.spec import Monitor, Row, Unit
from weir.monitor.threshold import Threshold
from weir.monitor.verdict import Scene

QUANTITIES: Final = {Unit.PSI: "PSI", Unit.KS: "KS", Unit.AUC: "AUC"}
WHOLE_SHARE: Final = re.compile(r"\.0+(\s%)$")


def nothing(scene: Scene) -> str:
    """Of a monitor without a row."""
    return f"Nothing is recorded from {numbers.time(scene.begin)} to {numbers.time(scene.end)}."


def early(rows: Sequence[Row], scene: Scene) -> str:
    """Why no row of some says anything yet: which of the three it lacks."""
    lacking = [row for row in rows if row.value is not None]
    if not lacking:
        return f"There is no figure of {scene.monitor.title[:1].lower()}{scene.monitor.title[1:]} in this time."
    complete = [row for row in lacking if scene.is_complete(row)]
    if not complete:
        return f"Too early to say: the record is complete to {numbers.time(scene.complete_to)}, before a window ends."
    if not any(scene.is_mature(row) for row in complete):
        known = max(float(row.details["maturity"]) for row in complete)
        need = plain_share(numbers.share(scene.monitor.maturity))
        return f"Too early to say: no window has {need} of its outcomes yet, the furthest has {numbers.share(known)}."
    most = max(row.n for row in complete)
    return f"Too few to say: a window needs {numbers.whole(scene.monitor.minimum)} rows, and has {numbers.whole(most)}."


def figure(value: float | None, scene: Scene) -> str:
    """A figure of the scene's monitor, in its unit."""
    return numbers.figure(value, scene.monitor.unit.value, scene.currency)


def alarm(monitor: Monitor, row: Row, crossed: Threshold | None, *, usual: bool = False) -> str:
    """What an alert says of a figure. usual: the bound is the mean of its own history.

    The alert, its receivers, the console and the terminal have this sentence, each as it is.
    """
    unit, currency = monitor.unit.value, str(row.details.get("currency") or "USD")
    named = " ".join(filter(None, (QUANTITIES.get(monitor.unit), numbers.figure(row.value, unit, currency))))
    what = f"{monitor.title}{f' of {row.subject}' if row.subject else ''}: {named}"
    if crossed is None:
        return f"{what}, within its limits"
    limit = plain_share(numbers.figure(crossed.bound, unit, currency))
    return f"{what}, {beyond(crossed)} {f'what is usual, {limit}' if usual else f'its limit of {limit}'}"


def quantity(scene: Scene) -> str:
    """What a figure of the scene's monitor is called beside its number; '' where its unit says it."""
    return QUANTITIES.get(scene.monitor.unit, "")


def bound(threshold: Threshold, scene: Scene) -> str:
    """A bound as it is set, in the monitor's unit: 0.1 of a share is 10 %, and 5 of seconds 5 s."""
    return plain_share(numbers.figure(threshold.bound, scene.monitor.unit.value, scene.currency))


def plain_share(text: str) -> str:
    """A share that somebody has set: without a decimal that says nothing.

    >>> plain_share("10.0 %")
    '10 %'
    """
    return WHOLE_SHARE.sub(r"\1", text)


def beyond(threshold: Threshold) -> str:
    """The side on which figures cross it."""
    return "above" if threshold.rises else "below"


def many(n: int, one: str, several: str = "") -> str:
    """A number of things.

    >>> many(1, "window"), many(3, "window"), many(2, "entry", "entries")
    ('1 window', '3 windows', '2 entries')
    """
    return f"{numbers.whole(n)} {one if n == 1 else several or f'{one}s'}"


def all_of(n: int, one: str, several: str = "") -> str:
    """All of some things, at the begin of a sentence.

    >>> all_of(1, "view"), all_of(3, "view")
    ('The view', 'All 3 views')
    """
    return f"The {one}" if n == 1 else f"All {many(n, one, several)}"


def every(n: int, one: str) -> str:
    """All of some things, within a sentence.

    >>> every(1, "window"), every(24, "window")
    ('the window', 'all 24 windows')
    """
    return f"the {one}" if n == 1 else f"all {many(n, one)}"


def the_before(n: int) -> str:
    """The windows before one.

    >>> the_before(1), the_before(6)
    ('the window before it', 'the 6 windows before it')
    """
    return f"the {'window' if n == 1 else many(n, 'window')} before it"


def be(n: int) -> str:
    """Is, or are."""
    return "is" if n == 1 else "are"


def were(n: int) -> str:
    """Was, or were."""
    return "was" if n == 1 else "were"


def listed(names: Sequence[str], most: int = 3) -> str:
    """Names in a sentence.

    >>> listed(["a"]), listed(["a", "b"]), listed(["a", "b", "c", "d"], 2)
    ('a', 'a and b', 'a, b and 2 more')
    """
    shown, left = list(names[:most]), len(names) - most
    if left > 0:
        return f"{', '.join(shown)} and {left} more"
    return " and ".join([", ".join(shown[:-1]), shown[-1]] if len(shown) > 1 else shown)


def since(begins: Iterable[datetime], windows: Sequence[datetime]) -> datetime | None:
    """Since when something is true: begin of the run of windows, none left out, that ends with the newest.

    begins: of windows of which it is true; windows: all, ascending. None where it is not true of the newest.
    """
    true, found = set(begins), None
    for at in reversed(windows):
        if at not in true:
            break
        found = at
    return found


def at(time: datetime | None) -> str:
    """A moment in a sentence."""
    return numbers.time(time)


def name(row: Row) -> str:
    """A row's subject; of the whole service a word for it."""
    return row.subject or "the service"


def ended(row: Row, scene: Scene) -> str:
    """When a row's window ended."""
    return numbers.time(min(row.begin + timedelta(seconds=scene.step_s), scene.end))


def begun(text: str) -> str:
    """A sentence begins with a capital."""
    return text[:1].upper() + text[1:]
