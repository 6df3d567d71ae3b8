"""Apache Kafka as a child process: one node in KRaft mode, broker and controller in one Java process."""

from __future__ import annotations

from pathlib import Path

from weir.edges.embedded import kafka_node
from weir.edges.embedded.service import HOST, Service, free_port
from weir.edges.embedded.tansu import Broker, answers

HEAP_MIB = 512  # a single node without replication; page cache, not heap, carries the load


def plan(libs: Path, directory: Path, port: int) -> Broker:
    """The service with its log under `directory`, which is formatted when it is new. Its log id is Kafka's cluster id.

    libs: the jars of Kafka and of what it needs, see infra/kafka/README.md.

    Raises Unavailable when Java or the jars are missing, or the storage cannot be formatted.
    """
    data, controller = directory / "data", f"{HOST}:{free_port()}"
    client = f"CLIENT://{HOST}:{port}"
    properties = (
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
    command = kafka_node.program(libs, directory, properties, HEAP_MIB)
    if not (data / "meta.properties").exists():
        kafka_node.format_storage(command, kafka_node.new_cluster_id())
    service = Service(
        name="broker",
        command=command,
        port=port,
        ready=lambda: answers(port),
        ready_within_s=120.0,
        grace_s=30.0,  # a controlled shutdown: the log is closed clean and the next start skips recovery
    )
    return Broker(service, log_id=kafka_node.cluster_id(data))
