"""Numbers, money, spans and times as people read them: one place for console, alerts and terminal.

What is not known, None or NaN, is an en dash and never 0. Thin spaces part thousands, and a number from its unit.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final, TypeAlias

THIN: Final = "\u2009"
MINUS: Final = "\u2212"
UNKNOWN: Final = "\u2013"
LETTERS: Final = ((12, "T"), (9, "G"), (6, "M"), (3, "k"))
SPANS_S: Final = ((86_400, "d"), (3600, "h"), (60, "min"), (1, "s"))
BYTES: Final = ("B", "KiB", "MiB", "GiB", "TiB")
SYMBOLS: Final = {"USD": "$", "EUR": "€", "GBP": "£", "JPY": "¥"}  # written before the amount, others behind it

Number: TypeAlias = float | None


def short(x: Number) -> str:
    r"""Three significant digits; k, M, G, T from 10,000 on; a whole number below it in full.

    >>> short(0.12345), short(1234.5), short(281_032), short(-7), short(None)
    ('0.123', '1\u2009234', '281\u2009k', '−7', '–')
    """
    if x is None or math.isnan(x):
        return UNKNOWN
    if isinstance(x, int) and abs(x) < 10_000:
        return whole(x)
    return _sign(x) + _short(abs(float(x)))


def whole(n: Number) -> str:
    r"""A whole number with every digit, for what must add up.

    >>> whole(2_333_650), whole(None)
    ('2\u2009333\u2009650', '–')
    """
    if n is None or not math.isfinite(n):
        return UNKNOWN
    return _sign(n) + _thousands(f"{abs(round(n)):,}")


def share(x: Number) -> str:
    r"""A share from 0 to 1 in percent with one decimal; with more where that would say none or all.

    >>> share(0.486), share(0.9), share(0.00012), share(0.99996), share(1.0)
    ('48.6\u2009%', '90.0\u2009%', '0.012\u2009%', '99.996\u2009%', '100.0\u2009%')
    """
    if x is None or math.isnan(x):
        return UNKNOWN
    percent = abs(float(x)) * 100
    few, left = percent, abs(100 - percent)  # from none, and to all
    digits = 1
    if 0 < min(few, left) < 0.05:
        digits = min(math.ceil(-math.log10(left)) if left < few else 1 - math.floor(math.log10(few)), 6)
    return f"{_sign(x)}{percent:.{digits}f}{THIN}%"


def money(x: float | Decimal | None, currency: str = "USD") -> str:
    r"""An amount: cents up to 99.99, whole above, k and M from 10,000 on; two significant digits below a cent.

    >>> money(3.754), money(4515.2, "EUR"), money(0.0054), money(-5.76, "CHF"), money(None)
    ('$3.75', '€4\u2009515', '$0.0054', '−5.76\u2009CHF', '–')
    """
    if x is None or math.isnan(x):
        return UNKNOWN
    size = abs(float(x))
    if size and size < 0.00995:
        text = f"{size:.{1 - math.floor(math.log10(size))}f}"
    elif size < 99.995:
        text = f"{size:.2f}"
    else:
        text = _thousands(f"{size:,.0f}") if size < 9999.5 else _short(size)
    symbol = SYMBOLS.get(currency)
    return f"{_sign(x)}{symbol}{text}" if symbol else f"{_sign(x)}{text}{THIN}{currency}".rstrip()


def span(seconds: Number) -> str:
    r"""How long, in the largest unit that it fills; one decimal below ten.

    >>> span(0.0063), span(45), span(2400), span(216_000), span(397_440)
    ('6.3\u2009ms', '45\u2009s', '40\u2009min', '2.5\u2009d', '4.6\u2009d')
    """
    if seconds is None or not math.isfinite(seconds):
        return UNKNOWN
    size = abs(float(seconds))
    if size and size < 0.9995:
        return _sign(seconds) + _ms(size * 1000)
    for each, unit in SPANS_S:
        if size >= each * 0.9995:
            return f"{_sign(seconds)}{_one_decimal(size / each)}{THIN}{unit}"
    return f"0{THIN}s"


def size(n: Number) -> str:
    r"""Bytes, in powers of 1,024.

    >>> size(512), size(66_000_000)
    ('512\u2009B', '62.9\u2009MiB')
    """
    if n is None or not math.isfinite(n):
        return UNKNOWN
    left, unit = abs(float(n)), 0
    while left >= 1023.5 and unit < len(BYTES) - 1:
        left, unit = left / 1024, unit + 1
    text = f"{left:.0f}" if not unit else _three(left)
    return f"{_sign(n)}{text}{THIN}{BYTES[unit]}"


def figure(x: Number, unit: str, currency: str = "USD") -> str:
    r"""A monitor's figure by its unit (the value of `weir.monitor.spec.Unit`). currency: of what is money.

    >>> figure(6.31, "ms"), figure(0.6367, "auc"), figure(0.3612, "psi"), figure(2.481, "rate"), figure(0.31, "share")
    ('6.3\u2009ms', '0.637', '0.36', '2.48\u2009/s', '31.0\u2009%')
    >>> figure(12_345.0, "count"), figure(0.25, "count")
    ('12\u2009345', '0.25')
    """
    if x is None or math.isnan(x):
        return UNKNOWN
    return FIGURES[unit](x) if unit in FIGURES else money(x, currency) if unit == "money" else short(x)


def time(at: datetime | None) -> str:
    """Day, month, hour and minute, UTC.

    >>> time(datetime(2026, 11, 4, 6, tzinfo=UTC)), day(datetime(2026, 11, 4, tzinfo=UTC)), clock(None)
    ('4 Nov 06:00', '4 Nov', '–')
    """
    return UNKNOWN if at is None else f"{day(at)} {clock(at)}"


def day(at: datetime | None) -> str:
    """Day and month, UTC."""
    return UNKNOWN if at is None else f"{_utc(at).day} {MONTHS[_utc(at).month - 1]}"


def clock(at: datetime | None) -> str:
    """Hour and minute of 24, UTC."""
    return UNKNOWN if at is None else f"{_utc(at):%H:%M}"


# Not by strftime: its names are those of the machine's language.
MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def _time_ms(x: float) -> str:
    return f"{_sign(x)}{_ms(abs(float(x)))}" if abs(x) < 999.5 else span(float(x) / 1000)


def _fixed(x: float, digits: int) -> str:
    text = f"{abs(x):.{digits}f}"
    return text if float(text) == 0 else _sign(x) + text  # no minus before what reads as 0


# unit -> how its figures read; of others as `short` has it, of money by its currency
FIGURES: Final[Mapping[str, Callable[[float], str]]] = {
    "ms": _time_ms,
    "s": span,
    "share": share,
    "usd": money,
    "auc": lambda x: _fixed(x, 3),
    "ks": lambda x: _fixed(x, 3),
    "psi": lambda x: _fixed(x, 2 if abs(x) >= 0.0995 else 3),
    "count": lambda x: whole(x) if float(x).is_integer() else short(float(x)),
    "rate": lambda x: f"{short(x)}{THIN}/s",
    "bytes": size,
    "nats": lambda x: f"{_fixed(x, 3)}{THIN}nats",
}


def _utc(at: datetime) -> datetime:
    return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)


def _sign(x: float | Decimal) -> str:
    return MINUS if x < 0 else ""


def _thousands(text: str) -> str:
    return text.replace(",", THIN)


def _three(value: float) -> str:
    """Three significant digits of what is below 1,000."""
    return f"{value:#.3g}".rstrip(".")


def _short(size: float) -> str:
    if size == 0:
        return "0"
    if size == math.inf:
        return "∞"
    if size >= 9999.5:
        scaled, letter = next(
            (near, letter) for power, letter in LETTERS if (near := float(f"{size / 10**power:.3g}")) >= 1
        )
        return f"{_three(scaled) if scaled < 1000 else _thousands(f'{scaled:,.0f}')}{THIN}{letter}"
    if size >= 999.5:
        return _thousands(f"{size:,.0f}")
    if size >= 0.0001:
        return _three(size) if size >= 0.9995 else f"{size:.3g}"
    return f"{size:.2e}".replace("e-0", "e-").replace("e-", f"e{MINUS}")


def _ms(value: float) -> str:
    if value >= 0.9995 or value == 0:
        return f"{_one_decimal(value)}{THIN}ms"
    return f"{value * 1000:.0f}{THIN}µs"


def _one_decimal(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0") if value < 9.95 else f"{value:.0f}"
