"""The engine's configuration files: bounds on memory and work, written at each start."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

MIB = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What the embedded ClickHouse may use.

    memory_mib: of the whole engine; the engine's own default is 90 % of the machine, too much beside the other
        services.
    body_mib: of one request's body, as sent and as unpacked. A block of 50,000 predictions is about 15 MiB.
    max_concurrent_statements: further ones wait.
    fsync: survive a power cut, not only a crash, at the price of slower inserts.
    """

    memory_mib: int = 2048
    body_mib: int = 128
    max_concurrent_statements: int = 16
    fsync: bool = False


_CONFIG = """<clickhouse>
  <max_server_memory_usage>{memory}</max_server_memory_usage>
  <mark_cache_size>{marks}</mark_cache_size>
  <merge_tree><fsync_after_insert>{fsync}</fsync_after_insert></merge_tree>
  <user_directories><users_xml><path>{users}</path></users_xml></user_directories>
</clickhouse>
"""
# A statement gets three quarters of the memory and spills GROUP BY and ORDER BY to disk at half of that.
_USERS = """<clickhouse>
  <profiles><default>
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
    users.write_text(_USERS.format(statement=memory * 3 // 4, spill=memory * 3 // 8))
    config.write_text(
        _CONFIG.format(memory=memory, marks=memory // 8, fsync=int(limits.fsync), users=escape(str(users.resolve())))
    )
    return config.resolve()
