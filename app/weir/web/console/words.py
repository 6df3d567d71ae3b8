"""How templates write: the environment of Jinja, times, sparklines, charts and glyphs."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import jinja2
from markupsafe import Markup, escape

from weir.core.numbers import figure, money, share, short, span, whole
from weir.web.console.drawing.chart import Chart

FOLDER: Final = Path(__file__).parent
ANSWER_CHARS: Final = 48
FORMS: Final = {"full": "%-d %b %H:%M", "day": "%-d %b", "clock": "%H:%M", "second": "%-d %b %H:%M:%S"}
GLYPHS: Final = {
    "ok": '<path d="M2 6.5 5 9.5 10 3" fill="none" stroke="currentColor" stroke-width="2" stroke-linecap="round" '
    'stroke-linejoin="round"/>',
    "look": '<path d="M6 1 11.5 11H.5Z" fill="currentColor"/>',
    "alarm": '<path d="M6 0 12 6 6 12 0 6Z" fill="currentColor"/>',
    "unknown": '<circle cx="6" cy="6" r="4.2" fill="none" stroke="currentColor" stroke-width="1.6"/>',
}


@cache
def environment() -> jinja2.Environment:
    """Of all templates; everything is escaped that is not Markup, and a name that is not there is a fault."""
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(FOLDER / "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    made.globals |= {each.__name__: each for each in (utc, spark, state, glyph, chart, drawn, sentence)}
    made.globals |= {each.__name__: each for each in (short, whole, share, money, span, figure)}
    return made


def render(template: str, **context: Any) -> str:
    """One template, written."""
    return environment().get_template(template).render(**context)


def utc(time: datetime | float | None, form: str = "full") -> Markup:
    """A time as an element that the page rewrites in the reader's zone. A number is seconds since 1970."""
    if time is None:
        return Markup("–")
    at = time.astimezone(UTC) if isinstance(time, datetime) else datetime.fromtimestamp(time, UTC)
    return Markup('<time datetime="{}" data-t="{}" data-form="{}">{}</time>').format(
        at.strftime("%Y-%m-%dT%H:%M:%SZ"), int(at.timestamp()), form, at.strftime(FORMS[form])
    )


def glyph(kind: str) -> Markup:
    """The shape of a state: tick, triangle, diamond, ring."""
    return Markup(f'<svg viewBox="0 0 12 12" aria-hidden="true">{GLYPHS[kind]}</svg>')


def listed(links: Sequence[tuple[str, str]]) -> Markup:
    """Links beside each other. links: address and name."""
    return Markup(", ").join(Markup('<a href="{}">{}</a>').format(href, name) for href, name in links)


def state(kind: str, word: str = "", *, plain: bool = False) -> Markup:
    """A state as shape and word, never as a colour alone."""
    cls = f"state {kind}{' plain' if plain else ''}"
    return Markup('<span class="{}">{}{}</span>').format(cls, glyph(kind), word)


def sentence(text: str) -> Markup:
    """A verdict, its first words in bold where they are an answer by themselves.

    >>> str(sentence("Almost. 50 offsets are missing."))
    '<b>Almost.</b> 50 offsets are missing.'
    """
    first, stop, rest = text.partition(". ")
    if stop and len(first) <= ANSWER_CHARS:
        return Markup("<b>{}.</b> {}").format(first, rest)
    return Markup("{}").format(text)


def chart(data: Mapping[str, Any], kind: str, label: str, cls: str = "") -> Markup:
    """A chart element; what it draws stands in it as JSON. label: what it shows, for who does not see it."""
    body = json.dumps(data, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")
    return Markup(
        '<weir-chart kind="{}" class="{}" tabindex="0" role="slider" aria-label="{}" aria-valuemin="0" '
        'aria-valuemax="1" aria-valuenow="1"><script type="application/json">{}</script></weir-chart>'
    ).format(kind, cls, label, Markup(body))


def drawn(made: Chart) -> Markup:
    """The element of a picture; its class keeps its height free before it is drawn."""
    return chart(made.data, made.kind, made.name, f"h{made.height}")


def spark(
    values: Sequence[float | None],
    *,
    rule: float | None = None,
    low: float | None = None,
    window: tuple[float, float] | None = None,
    tone: str = "",
    held: float | None = None,
) -> Markup:
    """A line without axes; where a value is None it is broken. Empty where fewer than two values are known.

    rule: a limit, dashed. low: what the lowest edge stands for; by default the lowest value. window: a shaded part,
    shares of the width. tone: "", alarm or quiet. held: share of the width from which on it is not complete.
    """
    known = [value for value in values if value is not None and math.isfinite(value)]
    if len(known) < 2:
        return Markup('<svg class="spark" aria-hidden="true"></svg>')
    top = max([*known, *([] if rule is None else [rule])])
    bottom = min([*known, *([] if rule is None else [rule])]) if low is None else min(low, *known)
    top = bottom + 1 if top == bottom else top

    def y(value: float) -> float:
        return 22 - 20 * (value - bottom) / (top - bottom)

    points = [
        (100 * place / (len(values) - 1), y(value))
        for place, value in enumerate(values)
        if value is not None and math.isfinite(value)
    ]
    step = 100 / (len(values) - 1)
    parts: list[list[tuple[float, float]]] = [[points[0]]]
    for before, point in pairwise(points):
        if point[0] - before[0] > 1.5 * step:
            parts.append([])
        parts[-1].append(point)
    drawn = [] if held is None else [_hatch(100 * min(max(held, 0.0), 1.0))]
    if window is not None:
        wide = max(0.6, 100 * (window[1] - window[0]))
        drawn.append(f'<rect class="win" x="{100 * window[0]:.1f}" y="0" width="{wide:.1f}" height="24"></rect>')
    if rule is not None:
        drawn.append(f'<path class="rule" d="M0 {y(rule):.1f} H100"></path>')
    for part in parts:
        line = " L".join(f"{x:.1f} {height:.1f}" for x, height in part)
        drawn.append(f'<path class="area" d="M{part[0][0]:.1f} 24 L{line} L{part[-1][0]:.1f} 24 Z"></path>')
        drawn.append(f'<path d="M{line}{" h.01" if len(part) == 1 else ""}"></path>')
    return Markup(
        f'<svg class="spark {escape(tone)}" viewBox="0 0 100 24" preserveAspectRatio="none" aria-hidden="true">'
        f"{''.join(drawn)}</svg>"
    )


def _hatch(begin: float, step: float = 2.5) -> str:
    """What is not complete of a line without axes, from there to its end."""
    count = int((100 - begin) / step)
    lines = " ".join(f"M{begin + step * place:.1f} 24 l{step} -24" for place in range(count))
    box = f'<rect class="held" x="{begin:.1f}" y="0" width="{max(100 - begin, 0.6):.1f}" height="24"></rect>'
    return f'{box}<path class="hatch" d="{lines}"></path>' if lines else box
