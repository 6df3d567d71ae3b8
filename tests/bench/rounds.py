"""What a round of all monitors of one service costs: the one in which a day of a month of ten million predictions ends.

And what the console's pages cost then (pages.py).

It has a window of a day, one of an hour and twelve of five minutes to speak of, and no round of a deployment has more.
"""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any, Final

from weir.core.chunk import LogPartition
from weir.edges.clickhouse import client as clickhouse
from weir.edges.clickhouse import migrations, monitors

from tests.bench import pages
from tests.bench.month import BEGIN, DAY, DAYS, HOUR, TOPIC, Month
from tests.bench.protocol import Judge, Say
from tests.bench.sampler import Sampler
from tests.bench.stand import Stand
from tests.doubles.monitoring import MemoryBooks, worker

PREDICTIONS: Final = 10_000_000
LAST: Final = timedelta(minutes=10)  # of the next day: windows of the day before have ended
MORE: Final = timedelta(minutes=1)  # by which a day and more has passed since the worker last looked at days
END: Final = BEGIN + DAYS * DAY


def measure(stand: Stand, judge: Judge, say: Say, predictions: int = PREDICTIONS) -> dict[str, Any]:
    """Seconds of CPU and of the clock of that round, by process, and how many figures it gave."""
    month, settings = Month(predictions), stand.settings.having(monitor_first_windows=1)
    migrations.apply(settings.recording)
    with clickhouse.connect(settings.recording) as client:
        month.begin(client)
        month.fill(client, BEGIN, END - DAY)
        month.refer(client)
        month.fill(client, END - DAY, END - DAY + LAST, inputs=True)
        say(f"{predictions:,} predictions of {DAYS} days are recorded, but the last day")
        known, books = monitors.files(settings), MemoryBooks()
        rounds = worker(
            settings,
            books,
            monitors=lambda: known,
            bounds=lambda _service: {LogPartition("log", TOPIC, 0): (0, month.first(END + LAST + MORE))},
            now=lambda: END + DAY,
        )
        rounds.look()  # a worker that has just been started has more to do
        month.fill(client, END - DAY + LAST, END - HOUR, inputs=True)
        rounds.look()
        before = len(books.measurements)
        month.fill(client, END - HOUR, END + LAST + MORE, inputs=True)
    began_s, own_s, began_ms = time.perf_counter(), time.process_time(), time.time() * 1000
    with Sampler({"clickhouse": [stand.pid_of("clickhouse")]}) as sampler:
        windows = rounds.look()
        took_s, own_s, ended_ms = time.perf_counter() - began_s, time.process_time() - own_s, time.time() * 1000
    figures = books.measurements[before:]
    found = {
        "predictions": predictions,
        "windows": windows,
        "figures": len(figures),
        "monitors": len({row["monitor"] for row in figures}),
        "took_s": took_s,
        "cpu_s": {"clickhouse": sampler.cpu_between("clickhouse", began_ms, ended_ms), "worker": own_s},
    }
    if failed := sorted({row["monitor"] for row in figures if row["state"] == "failed"}):
        judge.refuse(f"rounds: {', '.join(failed)} failed")
    if not any(row["monitor"].startswith("outcome/") for row in figures):
        judge.refuse("rounds: the day's outcomes are not measured")
    cpu = ", ".join(f"{name} {seconds:.2f}" for name, seconds in found["cpu_s"].items())
    what = f"{found['monitors']} monitors, {windows} windows, {len(figures):,} figures"
    say(f"a round of {what}: {took_s:.2f} s; CPU s: {cpu}")
    found["pages"] = pages.measure(settings, stand.pid_of("clickhouse"), END, say)
    return found
