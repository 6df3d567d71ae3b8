"""The feature worker: events in, records of the online store out."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import structlog

from weir.core.errors import Refused
from weir.core.features import ViewPlan
from weir.demo.project import events_topic
from weir.demo.rolling.state import VIEWS, RollingState, Update
from weir.edges.features import plan as feature_plan
from weir.edges.features.store.entity_key import encode_key
from weir.edges.features.store.open import open_store
from weir.edges.features.store.record_layout import layout_of
from weir.edges.features.store.record_store import RecordStore, Write
from weir.edges.kafka.topics import declared
from weir.rolling.log import BEGIN
from weir.settings import Settings

FOREVER = np.iinfo(np.int64).max


@dataclass(frozen=True, slots=True)
class Applied:
    """What one batch of events did. records: view -> written. watermark_us: of the store; 0 before the first clock."""

    records: Mapping[str, int]
    write_s: float
    watermark_us: int


class FeatureUpdater:
    """Keeps the online store at the state of the latest clock record. The only writer of its views.

    The statistics are in memory, so a worker reads its topic from the beginning at every start. Until the clock
    passes what the store has of this log already, events only fill the statistics and nothing is written; since the
    same events in the same steps give the same bits, a restart leaves no trace in the store. Of another log, such as
    that of a topic made anew, everything is written; what the store keeps of the log before has its own event times,
    by which it grows old and gives way.
    """

    def __init__(self, store: RecordStore, views: Mapping[str, ViewPlan], log: str = "") -> None:
        """views: by name, as applied. log: the identity of the log that is read.

        Raises Refused when a view does not have the keys and features computed here.
        """
        self._store, self._log = store, log
        self._state = RollingState()
        self._steps: deque[tuple[pa.RecordBatch, int | None]] = deque()  # taken in, not released
        self._outputs = {name: _Output(views.get(name), name) for name in VIEWS}
        self._applied_us = store.applied_us(log)
        self.watermark_us = store.watermark_us()
        if self._applied_us < self.watermark_us:
            upto = datetime.fromtimestamp(self.watermark_us / 1e6, UTC).isoformat()
            structlog.get_logger(__name__).warning("features of another log stay until newer ones come", upto=upto)

    @staticmethod
    def of(settings: Settings, log: str = "") -> FeatureUpdater:
        """An updater of every applied view. log: see FeatureUpdater. Raises Refused, Unavailable."""
        plans = feature_plan.load_all(settings)
        return FeatureUpdater(open_store(settings, plans[0].project), feature_plan.load_views(settings), log)

    def clock_us(self) -> int:
        """How far a replay has come, as its driver says in the store."""
        return self._store.clock_us()

    def close(self) -> None:
        """Let go of the store."""
        self._store.close()

    def apply(self, rows: pa.RecordBatch, until_us: int = FOREVER) -> Applied:
        """Take events in, in log order, and `release` them.

        rows: columns of the contract flight_events. Raises Unavailable; the batch may then be applied again only by
        a new updater, since the statistics have moved on.
        """
        self._steps.extend(_steps(rows))
        return self.release(until_us)

    def release(self, until_us: int) -> Applied:
        """Write what changed at each clock record up to `until_us`, in one go, and move the watermark.

        A replay holds later ones back until it has come so far. Raises Unavailable.
        """
        changed: dict[str, list[Update]] = {view: [] for view in VIEWS}
        while self._steps:
            events, clock_us = self._steps.popleft()
            if events.num_rows:
                self._state.add(events)  # they count from the clock that passes their time
            if clock_us is None or clock_us < self._state.clock_us:  # a clock that came twice says nothing new
                continue
            if clock_us > until_us:
                self._steps.appendleft((events.slice(0, 0), clock_us))
                break
            for update in self._state.advance(clock_us):
                if clock_us > self._applied_us:
                    changed[update.view].append(update)
        newest_us = self._state.clock_us
        if newest_us <= self._applied_us or newest_us == BEGIN:
            return Applied({}, 0.0, self.watermark_us)
        began = time.perf_counter()
        writes = [
            self._outputs[view].write(updates, self._state.entities(view))
            for view, updates in changed.items()
            if updates
        ]
        self._store.write_many(writes, newest_us, self._log)
        self._applied_us, self.watermark_us = newest_us, max(newest_us, self.watermark_us)
        records = Counter({write.view.name: len(write.keys) for write in writes})
        return Applied(records, time.perf_counter() - began, self.watermark_us)


def has_work(settings: Settings) -> bool:
    """Whether this project is the flights': its events are declared, and its views applied. Raises Refused."""
    if not feature_plan.path(settings).exists() or events_topic(settings) not in {
        one.name for one in declared(settings)
    }:
        return False
    return not not_computed(feature_plan.load_views(settings))


def not_computed(views: Mapping[str, ViewPlan]) -> list[str]:
    """The views of the feature worker that are not applied, or not as it computes them. views: as applied, by name."""
    return [name for name in VIEWS if name not in views or not _fits(views[name])]


def _fits(plan: ViewPlan) -> bool:
    """Whether a view is applied as it is computed here."""
    computed = VIEWS[plan.name]
    keys, features = set(plan.join_keys) == set(computed.join_keys), set(plan.features) == set(computed.features)
    return keys and features and set(plan.dtypes) == {"float32"}


class _Output:
    """Makes records of one view's updates: its column order, and the stored keys of its entities."""

    def __init__(self, plan: ViewPlan | None, name: str) -> None:
        computed = VIEWS[name]
        if plan is None or not _fits(plan):
            wanted = f"({', '.join(computed.join_keys)}): {', '.join(computed.features)}, all Float32"
            raise Refused(
                f"feature view {name} is not applied as the feature worker computes it, {wanted}",
                remedy="the feature worker computes the flights of the demo alone: run `weir up --no-features`, and "
                "write features by `feast push` or `feast materialize`",
            )
        self._plan = plan
        self._columns = [computed.features.index(feature) for feature in plan.features]
        self._parts = [computed.join_keys.index(key) for key in plan.join_keys]
        self._keys: list[bytes] = []

    def write(self, updates: list[Update], entities: list[tuple[str, ...]]) -> Write:
        """The last update of each entity; what it had between two clock records of one batch nobody could read."""
        self._keys += [encode_key([entity[part] for part in self._parts]) for entity in entities[len(self._keys) :]]
        ids = np.concatenate([update.ids for update in updates])
        values = np.concatenate([update.values for update in updates])
        event_us = np.concatenate([update.event_us for update in updates])
        if len(updates) > 1:
            ids, back = np.unique(ids[::-1], return_index=True)
            last = len(values) - 1 - back
            values, event_us = values[last], event_us[last]
        records = layout_of(self._plan).pack_floats(values[:, self._columns], event_us)
        return Write(self._plan, [self._keys[i] for i in ids.tolist()], records)


def _steps(rows: pa.RecordBatch) -> list[tuple[pa.RecordBatch, int | None]]:
    """The events before each clock record with its time, microseconds; last the events after the last one, and None."""
    at = np.flatnonzero(pc.equal(rows.column("kind"), "clock").to_numpy(zero_copy_only=False))
    times = rows.column("event_time")
    micros = times.cast(pa.timestamp("us", tz=times.type.tz)).cast(pa.int64()).to_numpy()
    begins, ends = [0, *(at + 1).tolist()], [*at.tolist(), rows.num_rows]
    clocks = [*micros[at].tolist(), None]
    if len(at) > 1 and _in_order(micros, at):  # adding is dearer than advancing, and events wait for their time anyway
        return [(rows, clocks[0]), *((rows.slice(0, 0), clock) for clock in clocks[1:])]
    return [(rows.slice(begin, end - begin), clock) for begin, end, clock in zip(begins, ends, clocks, strict=True)]


def _in_order(micros: npt.NDArray[np.int64], at: npt.NDArray[np.int64]) -> bool:
    """Whether every record's time is after the clock records before it."""
    before = np.full(len(micros), np.iinfo(np.int64).min)
    before[at] = micros[at]
    return bool((micros[1:] > np.maximum.accumulate(before)[:-1]).all())
