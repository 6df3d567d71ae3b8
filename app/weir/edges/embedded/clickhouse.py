"""ClickHouse as a child process: chDB behind ClickHouse's HTTP protocol."""

from __future__ import annotations

import http.client
import importlib.util
from pathlib import Path

from weir.core.errors import Unavailable
from weir.edges.embedded.service import HOST, Service, python

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
            *python("weir.edges.embedded.clickhouse_facade"),
            *("--path", str(directory), "--port", str(port), "--memory-mib", str(MEMORY_MIB)),
            *(["--fsync"] if durable else []),
        ),
        port=port,
        ready=ready,
        grace_s=40.0,  # it finishes the statements that run
    )
