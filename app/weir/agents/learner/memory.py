"""What whoever writes the log of labelled outcomes has to know of it: a function of its newest entries."""

from __future__ import annotations

from collections import deque
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from weir.agents.learner.entries import SAID, Entry, Kind, numbers, whose

REMEMBERED: Final = 262_144  # outcomes, the newest: one of these that comes again, or corrected, is not learned again
WAITING: Final = 20_000  # outcomes that came before their prediction; more would not fit into an entry
WAIT_MS: Final = 86_400_000  # for which they wait


class Memory:
    """What was folded.

    number: of the next entry. upto: log and partition of outcomes -> next offset to read. firsts: service -> number
    of its next outcome. latest_ms: service -> time of its last one.
    """

    def __init__(self) -> None:
        self.number: int | None = None
        self.upto: dict[str, int] = {}
        self.firsts: dict[str, int] = {}
        self.latest_ms: dict[str, int] = {}
        self._ids: deque[tuple[int, pa.Array]] = deque()
        self._count = 0
        self._waiting: deque[tuple[int, pa.Table]] = deque()

    def fold(self, entry: Entry) -> bool:
        """Take the next entry of the log; whether it counts, and is not void."""
        if entry.kind in (Kind.FREEZE, Kind.RESUME):
            return True
        if self.number is not None and entry.number != self.number:
            return False
        self.number = entry.number + 1
        if entry.kind is Kind.READ:
            self._read(entry)
        elif entry.rows is not None:
            self._learned(entry, entry.rows)
        return True

    def _read(self, entry: Entry) -> None:
        columns = entry.columns
        self.upto, self.firsts = dict(columns["upto"]), dict(columns["firsts"])
        if columns["all"]:
            self._waiting.clear()
        if entry.rows is not None:
            self._waiting.append((entry.offset, entry.rows))

    def _learned(self, entry: Entry, rows: pa.Table) -> None:
        self.firsts[entry.subject] = entry.first + rows.num_rows
        self.latest_ms[entry.subject] = int(numbers(rows, "at_ms")[-1])
        self._ids.append((entry.offset, rows.column("id").combine_chunks()))
        self._count += rows.num_rows
        while self._count - len(self._ids[0][1]) >= REMEMBERED:
            self._count -= len(self._ids.popleft()[1])
        keys = rows.column("key")
        for _ in range(len(self._waiting)):
            offset, said = self._waiting.popleft()
            mine = pc.and_(pc.equal(said.column("service"), entry.subject), pc.is_in(said.column("key"), keys))
            left = said.filter(pc.invert(mine))
            if left.num_rows:
                self._waiting.append((offset, left))

    @property
    def waiting(self) -> pa.Table:
        """Outcomes whose predictions are not recorded, the longest waiting first."""
        return pa.concat_tables([said for _, said in self._waiting] or [SAID.empty_table()])

    def known(self, ids: pa.Array) -> Any:
        """bool[n]: those that were learned lately."""
        there = [each for _, each in self._ids]
        return pc.is_in(ids, value_set=pa.concat_arrays(there) if there else pa.array([], pa.string()))

    def without(self, gone: pa.Array) -> pa.Table:
        """Those that wait and are not withdrawn."""
        waiting = self.waiting
        return waiting.filter(pc.invert(pc.is_in(whose(waiting), value_set=gone))) if len(gone) else waiting

    def read_entry(
        self, offset: int, kept: pa.Table, gone: pa.Array, upto: dict[str, int], at_ms: int, worker: str
    ) -> Entry:
        """An entry that says how far outcomes are read, and which of them wait from now on.

        offset: the least at which it can stand. kept: those that begin to wait. gone: whose outcome is withdrawn.
        """
        still = self.without(gone)
        withdrawn = still.num_rows < self.waiting.num_rows
        waiting = pa.concat_tables([still, kept])
        lasting = waiting.filter(pc.greater_equal(waiting.column("at_ms"), at_ms - WAIT_MS))
        if lasting.num_rows > WAITING:
            lasting = lasting.slice(lasting.num_rows - WAITING // 2)
        elif 10 * (waiting.num_rows - lasting.num_rows) < waiting.num_rows:
            lasting = waiting  # a few that are too old go with others: all that wait is written again then
        given_up = waiting.num_rows - lasting.num_rows
        first = self._ids[0][0] if self._ids else offset
        old = self._count >= REMEMBERED and any(at < first for at, _ in self._waiting)
        again = given_up > 0 or old or withdrawn
        rows = lasting if again else kept
        columns = {
            "upto": upto,
            "firsts": self.firsts,
            "begin": first if again else min([first, *(at for at, _ in self._waiting)]),
            "all": again,
            "given_up": given_up,
        }
        return Entry(
            kind=Kind.READ,
            number=self.number or 0,
            columns=columns,
            rows=rows if rows.num_rows else None,
            at_ms=at_ms,
            worker=worker,
        )
