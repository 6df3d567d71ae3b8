"""Apache Kafka as a child process: one node in KRaft mode, broker and controller in one Java process."""

from __future__ import annotations

import shutil
from pathlib import Path

from weir.edges.embedded import kafka_node
from weir.edges.embedded.service import HOST, Service, free_port
from weir.edges.embedded.tansu import Broker, answers

HEAP_MIB = 512  # a single node without replication; page cache, not heap, carries the load


def plan(libs: Path, directory: Path, port: int) -> Broker:
    """The service with its log under `directory`, which is formatted when it is new. Its log id is Kafka's cluster id.

    libs: folder of the jars, see kafka_jars.

    Raises Unavailable when Java or a jar is missing, or the storage cannot be formatted.
    """
    data, draft = directory / "data", directory / "data.draft"
    if not data.exists():
        shutil.rmtree(draft, ignore_errors=True)  # of a start that was cut off while it formatted
        command = kafka_node.program(libs, directory, _properties(draft, port), HEAP_MIB)
        kafka_node.format_storage(command, kafka_node.new_cluster_id())
        draft.rename(data)
    service = Service(
        name="broker",
        command=kafka_node.program(libs, directory, _properties(data, port), HEAP_MIB),
        port=port,
        ready=lambda: answers(port),
        grace_s=30.0,  # a controlled shutdown: the log is closed clean and the next start skips recovery
    )
    return Broker(service, log_id=kafka_node.cluster_id(data))


def _properties(data: Path, port: int) -> dict[str, str]:
    controller, client = f"{HOST}:{free_port()}", f"CLIENT://{HOST}:{port}"
    return (
        kafka_node.COMMON
        | kafka_node.copies(1)
        | {
            "node.id": "1",
            "controller.quorum.voters": f"1@{controller}",
            "listeners": f"{client},CONTROLLER://{controller}",
            "advertised.listeners": client,
            "listener.security.protocol.map": "CLIENT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "inter.broker.listener.name": "CLIENT",
            "log.dirs": str(data),
        }
    )
