# /// script
# requires-python = ">=3.11"
# dependencies = ["jgo==3.2.0"]
# ///
"""Write the list of Apache Kafka's jars with their checksums: `uv run --script infra/kafka/lock.py`.

jgo resolves as Maven does, in Python. Kafka is resolved alone: beside a second root jgo takes that one's managed
versions for Kafka's own, and gives a broker of one release the client library of another.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from tempfile import TemporaryDirectory

from jgo.maven import Dependency, MavenContext, PythonResolver

KAFKA = "org.apache.kafka:kafka_2.13:4.2.2"
BINDING = "org.apache.logging.log4j:log4j-slf4j-impl"  # Kafka logs through slf4j and brings no binding
LOCK = Path(__file__).parents[2] / "app/weir/edges/embedded/kafka_jars.lock"


def resolved(context: MavenContext) -> list[Dependency]:
    """Kafka, what it needs at run time, and the binding of the release of log4j that it brings."""
    roots, needed = context.resolver.resolve([context.create_dependency(KAFKA)])
    log4j = next(jar.version for jar in needed if jar.artifactId == "log4j-core")
    return [*roots, *needed, context.create_dependency(f"{BINDING}:{log4j}")]


def main() -> None:
    """Resolve, download, and write a line a jar."""
    with TemporaryDirectory() as cache:
        context = MavenContext(resolver=PythonResolver(), repo_cache=Path(cache), timeout=60)
        lines = []
        for jar in resolved(context):
            content = jar.artifact.resolve().read_bytes()
            lines.append(f"{jar.groupId}:{jar.artifactId}:{jar.version} {hashlib.sha256(content).hexdigest()}")
    LOCK.write_text("# Written by infra/kafka/lock.py.\n" + "".join(f"{line}\n" for line in sorted(lines)))
    print(f"{len(lines)} jars in {LOCK}")


if __name__ == "__main__":
    main()
