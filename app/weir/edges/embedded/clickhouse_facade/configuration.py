"""The engine's configuration files: bounds on memory and work, written at each start."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4
from xml.sax.saxutils import escape

MIB = 1 << 20
READER_BODY_BYTES = 4 << 20  # a reader sends statements, no data
FILES_DATABASE = "files"  # the engine's own view of the file system as tables; dropped at the start


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What the embedded ClickHouse may use.

    memory_mib: of the whole engine; the engine's own default is 90 % of the machine, too much beside the other
        services.
    body_mib: of one request's body, as sent and as unpacked. A block of 50,000 predictions is about 15 MiB.
    writes, reads, reader_reads: statements at once of each kind: the owner's that change something, the owner's that
        read, and the read-only user's. Further ones wait for one of their own kind only, so that no reader keeps the
        recorder from its insert.
    fsync: survive a power cut, not only a crash, at the price of slower inserts.
    """

    memory_mib: int = 2048
    body_mib: int = 128
    writes: int = 8
    reads: int = 8
    reader_reads: int = 3
    fsync: bool = False

    @property
    def reader_bytes(self) -> int:
        """Memory of one statement of the read-only user: all of them together have half of the engine's."""
        return self.memory_mib * MIB // (2 * self.reader_reads)


_CONFIG = """<clickhouse>
  <max_server_memory_usage>{memory}</max_server_memory_usage>
  <mark_cache_size>{marks}</mark_cache_size>
  <default_database>{files_database}</default_database>
  <merge_tree><fsync_after_insert>{fsync}</fsync_after_insert></merge_tree>
  <user_directories><users_xml><path>{users}</path></users_xml></user_directories>
</clickhouse>
"""
THREADS = min(4, os.cpu_count() or 1)  # of one statement; each holds blocks, and there is more than one statement
# Blocks are what a result holds in memory while its client is slow, and how late a statement sees that it was killed.
BLOCK = {"max_block_size": "16384", "output_format_parallel_formatting": "0"}
# A statement gets half of the memory, so that one of them leaves room for inserts, and spills GROUP BY and ORDER BY to
# disk at half of that.
_USERS = """<clickhouse>
  <profiles><default>
    <max_threads>{threads}</max_threads>
{block}
    <max_memory_usage>{statement}</max_memory_usage>
    <max_bytes_before_external_group_by>{spill}</max_bytes_before_external_group_by>
    <max_bytes_before_external_sort>{spill}</max_bytes_before_external_sort>
  </default></profiles>
  <users><default>
    <password></password><profile>default</profile><quota>default</quota><networks><ip>::/0</ip></networks>
  </default></users>
  <quotas><default/></quotas>
</clickhouse>
"""


def write_configuration(path: Path, limits: Limits) -> Path:
    """Write config.xml and users.xml into `path`; the path of the first, which names the second.

    The engine's own user has no password: it is asked only by this process, which checks users itself.
    """
    path.mkdir(parents=True, exist_ok=True)
    memory = limits.memory_mib * MIB
    users, config = path / "users.xml", path / "config.xml"
    users.write_text(
        _USERS.format(
            statement=memory // 2,
            spill=memory // 4,
            threads=THREADS,
            block="\n".join(f"    <{name}>{value}</{name}>" for name, value in BLOCK.items()),
        )
    )
    config.write_text(
        _CONFIG.format(
            memory=memory,
            marks=memory // 8,
            files_database=FILES_DATABASE,
            fsync=int(limits.fsync),
            users=escape(str(users.resolve())),
        )
    )
    return config.resolve()


def prepare_default_database(data: Path) -> None:
    """Give a data directory a database `default` that knows tables only.

    Left alone, the engine makes its default database an overlay in which every path of the machine is a table. So that
    overlay gets another name, and `default` is attached from here like any database that was made before.
    """
    described = data / "metadata" / "default.sql"
    if not described.exists():
        described.parent.mkdir(parents=True, exist_ok=True)
        described.write_text(f"ATTACH DATABASE _ UUID '{uuid4()}'\nENGINE = Atomic\n")
    link = data / "metadata" / "default"  # the engine makes it anew, and takes an old one for that of the overlay
    if link.is_symlink():
        link.unlink()
