"""Apache Kafka as a child process: one node in KRaft mode, broker and controller in one Java process."""

from __future__ import annotations

import base64
import os
import re
import shutil
import subprocess
import uuid
from pathlib import Path

from app.core.errors import Unavailable
from app.edges.embedded_broker import Broker, answers
from app.edges.service import HOST, Service, free_port

JAVA_MAJOR = 17  # what Kafka 4 is compiled for
FORMAT_WITHIN_S = 60.0
HEAP_MIB = 512  # a single node without replication; page cache, not heap, carries the load

# auto.create is off as in production: a missing topic must be seen. One node can only replicate once.
# The offsets topic is made when the first group joins: 4 partitions instead of 50 make that join faster.
_PROPERTIES = """process.roles=broker,controller
node.id=1
controller.quorum.voters=1@{host}:{controller}
listeners=CLIENT://{host}:{port},CONTROLLER://{host}:{controller}
advertised.listeners=CLIENT://{host}:{port}
listener.security.protocol.map=CLIENT:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=CLIENT
controller.listener.names=CONTROLLER
log.dirs={data}
auto.create.topics.enable=false
default.replication.factor=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=4
group.initial.rebalance.delay.ms=0
"""
_LOGGING = """status=error
appender.console.type=Console
appender.console.name=console
appender.console.target=SYSTEM_OUT
appender.console.layout.type=PatternLayout
appender.console.layout.pattern=%d{ISO8601} %p %m (%c)%n
rootLogger.level=warn
rootLogger.appenderRef.console.ref=console
"""


def plan(libs: Path, directory: Path, port: int) -> Broker:
    """The service with its log under `directory`, which is formatted when it is new. Its log id is Kafka's cluster id.

    libs: the jars of Kafka and of what it needs, see infra/kafka/README.md.

    Raises Unavailable when Java or the jars are missing, or the storage cannot be formatted.
    """
    java = find_java()
    if not any(libs.glob("kafka_2.13-*.jar")):
        raise Unavailable(
            "Apache Kafka's jars are missing", where=str(libs), remedy="run `make kafka`, or set WEIR_KAFKA_LIBS_DIR"
        )
    directory.mkdir(parents=True, exist_ok=True)
    data, properties, logging = directory / "data", directory / "server.properties", directory / "log4j2.properties"
    properties.write_text(_PROPERTIES.format(host=HOST, port=port, controller=free_port(), data=data))
    logging.write_text(_LOGGING)
    command = (
        java,
        f"-Xmx{HEAP_MIB}m",
        "-Xms128m",
        "-XX:+UseG1GC",
        "-Djava.awt.headless=true",
        f"-Dlog4j2.configurationFile={logging}",
        "-cp",
        f"{libs.resolve()}/*",
    )
    if not (data / "meta.properties").exists():
        _format(command, properties)
    service = Service(
        name="broker",
        command=(*command, "kafka.Kafka", str(properties)),
        port=port,
        ready=lambda: answers(port),
        ready_within_s=120.0,
        grace_s=30.0,  # a controlled shutdown: the log is closed clean and the next start skips recovery
    )
    return Broker(service, log_id=cluster_id(data))


def find_java() -> str:
    """The path of a Java 17 or later, from JAVA_HOME or the path. Raises Unavailable when there is none."""
    home = os.environ.get("JAVA_HOME", "")
    java = shutil.which(str(Path(home) / "bin" / "java")) if home else shutil.which("java")
    remedy = f"install Java {JAVA_MAJOR} or later (a JRE will do), or leave WEIR_EMBEDDED_BROKER at tansu"
    if java is None:
        raise Unavailable("Apache Kafka needs Java, and there is none", where=home or "PATH", remedy=remedy)
    said = subprocess.run([java, "-version"], capture_output=True, text=True, check=False, timeout=30).stderr
    version = re.search(r'version "(\d+)', said)
    if version is None or int(version[1]) < JAVA_MAJOR:
        raise Unavailable(
            f"Apache Kafka needs Java {JAVA_MAJOR}, this is {said.partition(chr(10))[0]}", where=java, remedy=remedy
        )
    return java


def cluster_id(data: Path) -> str:
    """The id that Kafka's storage was formatted with. Raises Unavailable when it cannot be found."""
    found = re.search(r"^cluster\.id=(\S+)", (data / "meta.properties").read_text(), re.MULTILINE)
    if found is None:
        raise Unavailable(
            "Kafka's storage names no cluster", where=str(data), remedy=f"remove {data} to begin with an empty log"
        )
    return found[1]


def _format(command: tuple[str, ...], properties: Path) -> None:
    """Make a new, empty log with a random cluster id."""
    # Kafka's ids are URL-safe base64 of 16 bytes; the prefix keeps the tool from reading a leading "-" as an option
    fresh = "weir" + base64.urlsafe_b64encode(uuid.uuid4().bytes).decode()[4:22]
    tool = (*command, "kafka.tools.StorageTool", "format", "--cluster-id", fresh, "--config", str(properties))
    try:
        subprocess.run(tool, capture_output=True, text=True, check=True, timeout=FORMAT_WITHIN_S)
    except subprocess.CalledProcessError as error:
        raise Unavailable(
            f"Kafka's storage cannot be formatted: {error.stderr.strip() or error.stdout.strip()}",
            where=str(properties),
            remedy="check the jars (`make kafka`) and the disk",
        ) from error
    except subprocess.TimeoutExpired as error:
        raise Unavailable(
            f"formatting Kafka's storage takes longer than {FORMAT_WITHIN_S:g} s",
            where=str(properties),
            remedy="try again on a less busy machine",
        ) from error
