"""Times that come from outside: what a column of them may hold."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

import numpy as np
import numpy.typing as npt

# 1970 to 2100, milliseconds: event times that a UUIDv7 and ClickHouse's dates can hold. A month is a partition of a
# table: an id from outside must not be able to make more of them than these.
EVENT_MS: Final = (0, 4_102_444_800_000)


def impossible(times_ms: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Which of n times, milliseconds since 1970, are none that this century or the last can mean.

    A time that was meant in seconds lies in January 1970 and passes; one in microseconds lies far off.

    >>> impossible(np.array([-1, 1_790_000_000_000, 1_790_000_000_000_000])).tolist()
    [True, False, True]
    """
    return (times_ms < EVENT_MS[0]) | (times_ms >= EVENT_MS[1])


# What ClickHouse's DateTime64(3) holds: the bounds of a query that names none.
BEGINNING: Final = datetime(1900, 1, 1, tzinfo=UTC)
END: Final = datetime(2299, 1, 1, tzinfo=UTC)
