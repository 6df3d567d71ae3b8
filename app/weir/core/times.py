"""Times that come from outside: what a column of them may hold."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

# 1970 to 2100, milliseconds: event times that a UUIDv7 and ClickHouse's dates can hold. A month is a partition of a
# table: an id from outside must not be able to make more of them than these.
EVENT_MS: Final = (0, 4_102_444_800_000)

# What ClickHouse's DateTime64(3) holds: the bounds of a query that names none.
BEGINNING: Final = datetime(1900, 1, 1, tzinfo=UTC)
END: Final = datetime(2299, 1, 1, tzinfo=UTC)
