"""W3C trace context as it stands in a request: checked by the column, parsed only where a span links to it."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

# Version ff is forbidden; version 00 ends after the flags, later ones may add fields behind another dash.
_IDS = r"-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}"
SHAPE = rf"^(00{_IDS}|(0[1-9a-f]|[1-9a-e][0-9a-f]|f[0-9a-e]){_IDS}(-[!-~]*)?)$"
ZERO_IDS = r"^..-(0{32}-|.{32}-0{16}-)"
SAMPLED = r"^.{54}[13579bdf]"

_SHAPE, _ZERO_IDS = re.compile(SHAPE), re.compile(ZERO_IDS)


@dataclass(frozen=True, slots=True)
class TraceParent:
    """Where a request stands in its caller's trace. trace_id: 128 bit; span_id: 64 bit; neither is 0."""

    trace_id: int
    span_id: int
    flags: int

    @property
    def sampled(self) -> bool:
        """Whether the caller records this trace."""
        return bool(self.flags & 1)


def parse(text: str) -> TraceParent | None:
    """The parts of a `traceparent`, or None when it is not one: the standard says to go on as if there were none.

    Source: W3C Trace Context, section 3.2.

    >>> parse("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01").sampled
    True
    >>> parse("00-00000000000000000000000000000000-00f067aa0ba902b7-01") is None
    True
    """
    if _SHAPE.fullmatch(text) is None or _ZERO_IDS.match(text) is not None:
        return None
    return TraceParent(int(text[3:35], 16), int(text[36:52], 16), int(text[53:55], 16))


def valid(column: pa.Array) -> npt.NDArray[np.bool_]:
    """bool[n]: which of n strings `parse` accepts; null is False."""
    fits = pc.and_(pc.match_substring_regex(column, SHAPE), pc.invert(pc.match_substring_regex(column, ZERO_IDS)))
    return np.asarray(pc.fill_null(fits, False))


def sampled(column: pa.Array) -> npt.NDArray[np.bool_]:
    """bool[n]: which of n strings are valid and belong to a trace that the caller records; null is False."""
    flagged = np.asarray(pc.fill_null(pc.match_substring_regex(column, SAMPLED), False))
    return flagged & valid(column)
