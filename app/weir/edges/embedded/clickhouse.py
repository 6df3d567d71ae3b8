"""ClickHouse as a child process: chDB behind ClickHouse's HTTP protocol."""

from __future__ import annotations

import http.client
import importlib.util
import shutil
from pathlib import Path

from weir.core.errors import Unavailable
from weir.edges.embedded.service import HOST, OWN_PYTHON, Service

MEMORY_MIB = (
    2048  # beside a broker, workers and a training run on a laptop of 8 GiB; the demo's largest query needs 300 MiB
)


def plan(directory: Path, port: int, *, durable: bool) -> Service:
    """The service over `directory`.

    durable: an insert is on the disk before it is acknowledged. Where the Kafka log survives a power cut its committed
    offsets do too, so the rows must; where the log is in memory, rows would only outlive what they answer.

    Raises Unavailable when the chdb package is missing.
    """
    if importlib.util.find_spec("chdb") is None:
        raise Unavailable(
            "the embedded ClickHouse needs the package chdb",
            remedy="pip install 'weir[embedded]', or set WEIR_CLICKHOUSE_URL to a server",
        )

    def ready() -> bool:
        connection = http.client.HTTPConnection(HOST, port, timeout=1.0)
        try:
            connection.request("GET", "/ping")
            return connection.getresponse().read() == b"Ok.\n"
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    return Service(
        name="clickhouse",
        command=(
            *(*OWN_PYTHON, "-m", "weir.edges.embedded.clickhouse_facade"),
            *("--path", str(directory), "--port", str(port), "--memory-mib", str(MEMORY_MIB)),
            *(["--fsync"] if durable else []),
        ),
        port=port,
        ready=ready,
        grace_s=40.0,  # it finishes the statements that run
    )


def belongs(rows: Path, log_id: str) -> bool:
    """Whether `rows`/current was written from the Kafka log `log_id`."""
    mark = rows / "current" / "kafka-log-id"
    return mark.exists() and mark.read_text() == log_id


def follow_log(rows: Path, log_id: str) -> bool:
    """Make `rows`/current belong to the Kafka log `log_id`; whether rows of another log were set aside for that.

    Rows are keyed by Kafka offsets. When a log begins anew, so do its offsets, and old rows would pass for its
    answers; so the directory of another log becomes `rows`/previous (replacing an older one). Whole directories are
    moved, not databases renamed: views and dictionaries name their tables in full and would go on using the new ones.
    """
    current, previous = rows / "current", rows / "previous"
    if belongs(rows, log_id):
        return False
    found = current.exists()
    if found:
        if previous.exists():
            shutil.rmtree(previous)
        current.rename(previous)
    current.mkdir(parents=True, exist_ok=True)
    (current / "kafka-log-id").write_text(log_id)
    return found
