"""Is a learner better than the champion: its figures beside those of others, day by day, and what they prove."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from weir.core import numbers
from weir.core.numbers import whole
from weir.learn.comparison import Word
from weir.learn.days import DAY_MS, GOOD, Day
from weir.learn.learner import CHAMPION, LEARNER, Terms
from weir.monitor import paired
from weir.monitor.verdict import State as Health
from weir.monitor.verdict import Verdict
from weir.web.console import learned
from weir.web.console.asking import Asker
from weir.web.console.drawing.chart import Band, Chart, Line, Rule, tones
from weir.web.console.drawing.windows import finite
from weir.web.console.panel import Act, Panel
from weir.web.console.view import View

QUESTION: Final = "Is it better than the champion?"
STATES: Final = {Word.PROMOTE: Health.OK, Word.KEEP: Health.OK, Word.UNDECIDED: Health.UNKNOWN}
SAID: Final = {
    Word.PROMOTE: "Yes. Promote it",
    Word.KEEP: "No. Keep the champion",
    Word.UNDECIDED: "Undecided. Nothing is proven yet",
}
ANSWERS: Final = {Word.PROMOTE: "Yes. It answers, and stays", Word.KEEP: "No. Take it back"}  # of one that answers
FEWEST: Final = 2  # days of a picture
FAR: Final = 2.0  # of the champion's loss: who is further off is in the table, or nobody could tell the others apart


def build(asker: Asker, view: View) -> Panel:
    """Its panel. Raises Refused."""
    found, name = learned.look(asker), view.learner
    state, file = found.states.get(name), found.files.get(name)
    terms = file.compare if file else Terms()
    days = state.days if state else ()
    compared = state.compared if state else None
    return Panel(
        name="better",
        question=QUESTION,
        verdict=verdict(compared, terms, answers=found.answers(name)),
        template="better.html",
        context={
            "figures": figures(state.figures) if state else [],
            "names": _names(state.figures) if state else [],
            "requests": state.requests if state else 0,
            "compared": [_row(one) for one in compared["figures"]] if compared else [],
            "losses": losses(days) if len(days) >= FEWEST else None,
            "gain": gain(days, terms) if len(days) >= FEWEST else None,
            "figure": learned.word(next(iter(days[0].figures))) if days else "",
        },
        note=(
            "On the same requests, as each would have answered when they were served. Interval: "
            f"{100 * (1 - terms.alpha):g}{numbers.THIN}%, it holds at every look, from day {paired.LEAST} on. "
            f"A day counts {terms.wait_h:g}{numbers.THIN}h after its end."
        ),
        acts=(Act("CSV", f"/learners/{name}/days.csv{view.kept()}"),) if days else (),
    )


def verdict(compared: Mapping[str, Any] | None, terms: Terms, *, answers: bool = False) -> Verdict:
    """What closed days say."""
    if compared is None:
        return Verdict(Health.UNKNOWN, "Too early to say. No day is closed on which it would have answered.")
    word = Word(compared["word"])
    since = f" since {numbers.day(learned.day(compared['since_ms']))}" if compared["since_ms"] else ""
    first = ANSWERS.get(word, SAID[word]) if answers else SAID[word]
    said = f"{first}{since}: {_proof(compared, word)}"
    days = f" On {compared['days']} closed days, {whole(compared['requests'])} requests."
    return Verdict(STATES[word], f"{said}.{days}")


def _proof(compared: Mapping[str, Any], word: Word) -> str:
    first = compared["figures"][0] if compared["figures"] else None
    if first is None or word is Word.UNDECIDED:
        return "; ".join(compared["why"]) or "no day counts"
    better = "better" if word is Word.PROMOTE else "worse"
    bound = first["low"] if word is Word.PROMOTE else first["high"]
    least = "" if bound is None else f", surely by {abs(bound):.4f}"
    return f"its {learned.word(first['figure'])} is {better} by {abs(first['better_by']):.4f}{least}"


def figures(of: Mapping[str, Mapping[str, float]]) -> list[tuple[str, list[str]]]:
    """Who answers, and each figure."""
    return [(_name(who), [learned.number(mine.get(name)) for name in _keys(of)]) for who, mine in of.items()]


def _keys(of: Mapping[str, Mapping[str, float]]) -> list[str]:
    return list(dict.fromkeys(name for mine in of.values() for name in mine))


def _names(of: Mapping[str, Mapping[str, float]]) -> list[str]:
    return [learned.word(name) for name in _keys(of)]


def _name(who: str) -> str:
    return {"last": "last class or value"}.get(who, who)


def _row(one: Mapping[str, Any]) -> dict[str, Any]:
    """A line of the comparison."""
    low, high = one["low"], one["high"]
    return {
        "figure": learned.word(one["figure"]),
        "against": _name(one["against"]),
        "better_by": signed(one["better_by"]),
        "interval": "" if low is None or high is None else f"{signed(low)} to {signed(high)}",
        "days": one["days"],
        "verdict": str(one["verdict"]),
        "since": learned.day(one["since_ms"]),
    }


def signed(value: float | None) -> str:
    """A difference, four digits behind the point, with its sign.

    >>> signed(0.01234), signed(-0.5), signed(None)
    ('+0.0123', '−0.5000', '–')
    """
    if value is None:
        return numbers.UNKNOWN
    return f"{numbers.MINUS if value < 0 else '+'}{abs(value):.4f}"


def losses(days: Sequence[Day]) -> Chart:
    """The figure that decides, day by day, of everybody who answers."""
    name = next(iter(days[0].figures))
    known = {day.begin_ms: day.figures[name] for day in days if name in day.figures}
    at = list(range(days[0].begin_ms, days[-1].begin_ms + 1, DAY_MS))
    total = {who: sum(part.sums[who] for part in known.values()) for who in next(iter(known.values())).sums}
    far = FAR * abs(total[CHAMPION])
    who = [each for each, own in total.items() if each in (LEARNER, CHAMPION) or abs(own) <= far]
    series = [
        Line(
            label=_name(each),
            values=[known[ms].sums[each] / known[ms].weight if ms in known else None for ms in at],
            width=2 if each == LEARNER else None,
            **tones(place),
        )
        for place, each in enumerate(who)
    ]
    return _timed(at, f"{learned.word(name)} by day", series, height=210)


def gain(days: Sequence[Day], terms: Terms) -> Chart | None:
    """By how much it is better than the champion, over all closed days until each, with the interval."""
    name = next(iter(days[0].figures))
    counted = [day for day in days if day.known >= terms.warm_up and name in day.figures]
    if len(counted) < FEWEST:
        return None
    sign = 1.0 if name in GOOD else -1.0
    parts = [day.figures[name] for day in counted]
    total = np.array([sign * (part.sums[LEARNER] - part.sums[CHAMPION]) for part in parts])
    of = paired.advantage(np.array([part.weight for part in parts]), total, terms.alpha)
    values = {day.begin_ms: place for place, day in enumerate(counted)}
    at = list(range(counted[0].begin_ms, counted[-1].begin_ms + 1, DAY_MS))

    def along(each: npt.NDArray[np.float64]) -> list[float | None]:
        return [finite(float(each[values[ms]])) if ms in values else None for ms in at]

    label = f"better by, {learned.word(name)}"
    return _timed(
        at,
        f"How much better than the champion by {learned.word(name)}, until each day",
        [Line(label=label, values=along(of.mean), width=2)],
        bands=[Band(low=along(of.low), high=along(of.high), label="interval that holds at every look")],
        rules=[Rule(at=0.0, label="as good", tone="base")],
        height=210,
    )


def _timed(at: Sequence[int], name: str, series: Sequence[Line], **more: Any) -> Chart:
    seconds = [ms // 1000 for ms in at]
    end = seconds[-1] + DAY_MS // 1000
    return Chart(name=name, t=seconds, begin=seconds[0], end=end, series=series, left=64, **more)
