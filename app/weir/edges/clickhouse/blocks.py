"""The recorder's store on ClickHouse: announcements in recorder_blocks, inserts with deduplication tokens.

It implements recording.recorder.Store.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from weir.core.block import Block, Marks, dump_marks, load_marks
from weir.core.chunk import LogPartition
from weir.core.errors import Unavailable
from weir.edges.clickhouse.client import answering, connect, once, retry
from weir.settings import Settings

if TYPE_CHECKING:
    from clickhouse_connect.driver import Client

# A table remembers the tokens of its last 10,000 inserts, recorder_blocks the last 1,024 blocks of each partition.
# A block that this many of its topic have followed is not forgotten yet, and no insert of it is under way any more.
REMEMBERED_BLOCKS = 1000
FRESH_S = 1.0  # after an announcement fewer blocks than that follow; a process that slept for longer has to look
LATEST = """
    SELECT number, first, last, checksum, marks, marks_after, received_ms, unnamed FROM recorder_blocks
    WHERE log = {log:String} AND partition = {partition:Int32} ORDER BY number DESC LIMIT 1
"""
INHERITED = """
    SELECT marks_after FROM recorder_blocks
    WHERE topic = {topic:String} AND partition = {partition:Int32} AND log != {log:String}
    ORDER BY announced_at DESC, number DESC LIMIT 1
"""
FOLLOWERS = """
    SELECT count() FROM recorder_blocks WHERE topic = {topic:String} AND announced_at >
        (SELECT max(announced_at) FROM recorder_blocks
         WHERE log = {log:String} AND partition = {partition:Int32} AND number = {number:UInt64})
"""
PRESENT = """
    SELECT log_offset FROM {table:Identifier}
    WHERE log_id = {log:String} AND log_partition = {partition:Int32}
        AND log_offset BETWEEN {first:Int64} AND {last:Int64}
"""


class ClickHouseBlocks:
    """Blocks of all partitions in one database.

    Every call is tried again for settings.sink_budget_s, then raises Unavailable. Several threads may call.
    worker: who announces, for whoever reads recorder_blocks. on_retry: told of every failure that is tried again.
    """

    def __init__(
        self, settings: Settings, worker: str, on_retry: Callable[[Unavailable], None] = lambda _error: None
    ) -> None:
        self._settings, self._worker, self._on_retry = settings, worker, on_retry
        self._client: Client | None = None
        self._announced_s: dict[LogPartition, tuple[int, float]] = {}  # number of the latest block, monotonic seconds

    def check(self) -> None:
        """Ask once, without patience. Raises Unavailable when nobody answers, Refused when the tables are not there."""
        self._client = connect(self._settings.recording, timeout_s=self._settings.kafka.sink_budget_s)
        with answering(self._settings.recording.clickhouse_url):
            self._client.query(LATEST, parameters={"log": "", "partition": 0})

    def latest(self, source: LogPartition) -> Block | None:
        """The latest announced block of a log's partition."""
        rows = self._ask(LATEST, log=source.log, partition=source.partition)
        if not rows:
            return None
        number, first, last, checksum, marks, marks_after, received_ms, unnamed = rows[0]
        return Block(
            source=source,
            number=number,
            first=first,
            last=last,
            checksum=checksum,
            marks=load_marks(marks),
            marks_after=load_marks(marks_after),
            received_ms=received_ms,
            unnamed=tuple(unnamed),
        )

    def inherited(self, source: LogPartition) -> Marks:
        """Marks after the latest block of this topic and partition in another log; none where there is none."""
        rows = self._ask(INHERITED, log=source.log, topic=source.topic, partition=source.partition)
        return load_marks(rows[0][0]) if rows else {}

    def announce(self, block: Block) -> Block | None:
        """See Store. The token holds no offsets: of two blocks of one number the first wins, the second is dropped."""
        row = pa.table(
            {
                "log": [block.source.log],
                "topic": [block.source.topic],
                "partition": [block.source.partition],
                "number": [block.number],
                "first": [block.first],
                "last": [block.last],
                "checksum": [block.checksum],
                "marks": [dump_marks(block.marks)],
                "marks_after": [dump_marks(block.marks_after)],
                "received_ms": [block.received_ms],
                "unnamed": pa.array([block.unnamed], pa.list_(pa.string())),
                "worker": [self._worker],
            }
        )
        token = f"{block.source.log}/{block.source.partition}/{block.number}"
        self._announced_s[block.source] = block.number, time.monotonic()
        self._retry(lambda client: client.insert_arrow("recorder_blocks", row, settings=once(token)))
        return self.latest(block.source)

    def insert(self, table: str, rows: pa.RecordBatch, block: Block, part: str) -> float:
        """See Store. Late or tried again it is a repeat: the process may have slept for longer than a token lasts."""
        number, announced_s = self._announced_s.get(block.source, (0, 0.0))
        fresh = number == block.number and time.monotonic() - announced_s < FRESH_S
        return self._insert(table, rows, block, part, again=not fresh)

    def repeat(self, table: str, rows: pa.RecordBatch, block: Block, part: str) -> float:
        """See Store. While the token is surely remembered it decides; after that the offsets that the table holds do.

        The token is the better judge as long as it lasts: it also completes an insert that stopped between two parts
        or before a materialized view. Later the table is completed, and a view that was cut off stays behind it.
        """
        return self._insert(table, rows, block, part, again=True)

    def _insert(self, table: str, rows: pa.RecordBatch, block: Block, part: str, again: bool) -> float:
        token = f"{block.token}/{part}"

        def attempt(client: Client) -> int:
            nonlocal again
            due, again = _absent(client, table, rows, block) if again else rows, True
            if len(due):
                client.insert_arrow(table, pa.Table.from_batches([due]), settings=once(token))
            return len(due)

        began = time.monotonic()
        return time.monotonic() - began if self._retry(attempt) else 0.0

    def _ask(self, sql: str, **parameters: Any) -> list[Any]:
        return list(self._retry(lambda client: client.query(sql, parameters=parameters).result_rows))

    def _retry(self, call: Callable[[Client], Any]) -> Any:
        def attempt() -> Any:
            if self._client is None:
                self._client = connect(self._settings.recording, timeout_s=self._settings.kafka.sink_budget_s)
            with answering(self._settings.recording.clickhouse_url):
                return call(self._client)

        return retry(attempt, self._settings.kafka.sink_budget_s, self._on_retry)


def _absent(client: Client, table: str, rows: pa.RecordBatch, block: Block) -> pa.RecordBatch:
    """The rows of a block whose token may be forgotten that the table does not hold; all of them while it is not."""
    where = block.source._asdict()
    followers = client.query(FOLLOWERS, parameters={"number": block.number, **where}).result_rows[0][0]
    if followers < REMEMBERED_BLOCKS:
        return rows
    span = {"table": table, "first": block.first, "last": block.last}
    found = client.query(PRESENT, parameters=where | span).result_rows
    offsets = rows["log_offset"].to_numpy(zero_copy_only=False)
    return rows.filter(pa.array(~np.isin(offsets, [offset for (offset,) in found])))
