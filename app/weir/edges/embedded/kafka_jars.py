"""Apache Kafka's jars: which they are, whether they are here, and how they come here once, without Maven.

`kafka_jars.lock` names every jar with its checksum, so what is run is what was tried, whoever served it.
`python -m weir.edges.embedded.kafka_jars` fetches them; infra/kafka/lock.py writes the list.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import httpx2

from weir.core.errors import Unavailable
from weir.settings import load

LOCK = Path(__file__).with_name("kafka_jars.lock")
AT_ONCE = 8
TRIES = 3  # repositories falter
TIMEOUT_S = 30.0  # without a byte


@dataclass(frozen=True, slots=True)
class Jar:
    """One line of the list. sha256: hex."""

    group: str
    artifact: str
    version: str
    sha256: str

    @property
    def name(self) -> str:
        """Of its file."""
        return f"{self.artifact}-{self.version}.jar"

    @property
    def address(self) -> str:
        """In a Maven repository."""
        return f"{self.group.replace('.', '/')}/{self.artifact}/{self.version}/{self.name}"


@cache
def jars() -> tuple[Jar, ...]:
    """Every jar of the list, in its order."""
    lines = (line.replace(":", " ").split() for line in LOCK.read_text().splitlines() if not line.startswith("#"))
    return tuple(Jar(group, artifact, version, sha256) for group, artifact, version, sha256 in lines)


def kafka_version() -> str:
    """Of the Apache Kafka in the list."""
    return next(jar.version for jar in jars() if jar.artifact == "kafka-server")


def missing(libs: Path) -> list[Jar]:
    """Jars that are not in `libs`, or are there with other bytes."""
    return [jar for jar in jars() if not _is_whole(jar, libs / jar.name)]


def find(libs: Path) -> tuple[Path, ...]:
    """The files of all jars in `libs`. Raises Unavailable when one is not there."""
    if absent := missing(libs):
        raise Unavailable(
            f"{len(absent)} of Apache Kafka's {len(jars())} jars are missing, {absent[0].name} among them",
            where=str(libs),
            remedy="run `make kafka`, or set WEIR_KAFKA_LIBS_DIR",
        )
    return tuple(libs.resolve() / jar.name for jar in jars())


def fetch(libs: Path, repository: str, report: Callable[[str], None] = lambda line: None) -> None:
    """Bring what is missing into `libs`. Several processes may do so at once.

    repository: address of Maven Central or of a mirror. Raises Unavailable when a jar cannot be had, or has other
    bytes than the list says; what came by then stays and is not fetched again.
    """
    absent = missing(libs)
    if not absent:
        return
    report(f"fetching Apache Kafka {kafka_version()} into {libs}, once for this folder: {len(absent)} jars, some 44 MB")
    libs.mkdir(parents=True, exist_ok=True)
    with (
        httpx2.Client(base_url=repository, follow_redirects=True, timeout=TIMEOUT_S) as client,
        ThreadPoolExecutor(AT_ONCE) as pool,
    ):
        list(pool.map(lambda jar: _fetch_one(client, jar, libs), absent))


def _fetch_one(client: httpx2.Client, jar: Jar, libs: Path) -> None:
    draft = libs / f".{jar.name}.{os.getpid()}.{threading.get_ident()}"
    try:
        draft.write_bytes(_download(client, jar))
        if not _is_whole(jar, draft):
            raise Unavailable(
                f"{jar.name} has another checksum than Weir's list says",
                where=f"{client.base_url}{jar.address}",
                remedy="fetch from Maven Central, or ask who serves this mirror; such a jar is never run",
            )
        draft.replace(libs / jar.name)  # whole or not at all
    finally:
        draft.unlink(missing_ok=True)


def _download(client: httpx2.Client, jar: Jar) -> bytes:
    for tried in range(1, TRIES + 1):
        try:
            return client.get(jar.address).raise_for_status().content
        except httpx2.HTTPError as error:
            if tried == TRIES:
                raise Unavailable(
                    f"Apache Kafka cannot be fetched: {str(error) or type(error).__name__}",
                    where=f"{client.base_url}{jar.address}",
                    remedy="connect this machine once, set WEIR_KAFKA_JARS_URL to a mirror of Maven Central, or set "
                    "WEIR_EMBEDDED_BROKER=tansu",
                ) from error
    raise AssertionError("the last try returns or raises")


def _is_whole(jar: Jar, path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == jar.sha256
    except FileNotFoundError:
        return False


if __name__ == "__main__":
    settings = load()
    fetch(settings.paths.kafka_libs_dir, settings.embedded.kafka_jars_url, print)
