"""The online store in Redis: MGET to read, one Lua script to write."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from typing_extensions import override

from weir.core.errors import Refused, Unavailable
from weir.core.features import ViewPlan
from weir.edges.features.store.layouts import Layouts
from weir.edges.features.store.record_store import Answer, Ask, RecordStore, Row, Write, newest_only, stored_key

TIMEOUT_S = 5.0  # a read takes under a millisecond; past this the server is gone, and the caller must know
RECONNECTS = 1  # at once: the server may have closed an idle connection; more patience is the caller's
KEYS_PER_CALL = 2048  # a script call of that size holds the server for about 3 ms
SCAN_CALLS = 50  # a look for sample keys gives up after so many pages

# Compare and set, in the server, so that no other writer comes between: a record stays when it has a later event time
# (bytes 4 to 11, whatever its layout). Doubles hold microseconds exactly until the year 2255.
WRITE = """
local written = 0
for i = 1, #KEYS do
  local old = redis.call('GETRANGE', KEYS[i], 4, 11)
  local new = ARGV[i]
  if #old < 8 or struct.unpack('<i8', old) <= struct.unpack('<i8', new, 5) then
    redis.call('SET', KEYS[i], new)
    written = written + 1
  end
end
return written
"""
MARK = """
local old = redis.call('GET', KEYS[1])
if not old or tonumber(old) < tonumber(ARGV[1]) then redis.call('SET', KEYS[1], ARGV[1]) end
return 0
"""


class RedisStore(RecordStore):
    """RecordStore in one Redis server (with replicas if wanted; not a cluster: a read spans slots); see there.

    A large write is several script calls, so a reader may see a part of it; the watermark follows the last one.
    """

    def __init__(self, url: str, project: str) -> None:
        self._project = project.encode()
        self._mark = self._project + b":\0watermark"
        self._clock = self._project + b":\0clock"
        parts = urlsplit(url)
        if parts.scheme != "unix" and not re.fullmatch(r"(/\d*)?", parts.path):  # the client would take database 0
            raise Refused(
                f"the path of WEIR_ONLINE_STORE, {parts.path}, is no number of a database",
                where=f"{parts.hostname}:{parts.port or 6379}",
                remedy="write it as redis://HOST:6379/0",
            )
        self._where = f"{parts.hostname or parts.path}:{parts.port or 6379}"  # never the password
        self._client: Any = redis.Redis.from_url(  # its commands are typed for strings, ours are bytes
            url,
            socket_timeout=TIMEOUT_S,
            socket_connect_timeout=TIMEOUT_S,
            decode_responses=False,
            retry=Retry(NoBackoff(), RECONNECTS),
        )
        self._write = self._client.register_script(WRITE)
        self._move = self._client.register_script(MARK)
        self._layouts = Layouts(self._descriptions)
        self._scanned: dict[str, tuple[int, list[bytes]]] = {}
        self._call(self._client.ping)

    def read_many(self, asks: Sequence[Ask]) -> tuple[list[Answer], int]:
        """See RecordStore. One MGET for all views, watermark included, up to KEYS_PER_CALL keys."""
        raw = self._get([self._mark] + [key for ask in asks for key in self._keys(ask.view.name, ask.keys)])
        answers, at = [], 1
        for ask in asks:
            answers.append(self._layouts.answer(ask, raw[at : at + len(ask.keys)]))
            at += len(ask.keys)
        return answers, int(raw[0] or 0)

    @override
    def read_rows(self, view: str, keys: Sequence[bytes]) -> list[Row | None]:
        return self._layouts.rows(view, self._get(self._keys(view, keys)))

    def write_many(self, writes: Sequence[Write], watermark_us: int | None = None, log: str = "") -> int:
        """See RecordStore. Scripts of one pipeline run in order."""
        keys: list[bytes] = []
        values: list[bytes] = []
        pipeline = self._client.pipeline(transaction=False)
        for write in map(newest_only, writes):
            keys += self._keys(write.view.name, write.keys)
            values += write.records.raw
            layout = write.records.layout  # before its records: a reader may come in between
            pipeline.hset(self._described(write.view.name), b"%08x" % layout.id, layout.description)
        described = len(pipeline)
        for at in range(0, len(keys), KEYS_PER_CALL):
            self._write(keys=keys[at : at + KEYS_PER_CALL], args=values[at : at + KEYS_PER_CALL], client=pipeline)
        if watermark_us is not None:
            for mark in (self._mark, self._applied(log)):
                self._move(keys=[mark], args=[watermark_us], client=pipeline)
        counts: list[int] = self._call(pipeline.execute)[described:]
        return sum(counts)

    def watermark_us(self) -> int:
        """See RecordStore; one round trip."""
        return int(self._call(self._client.get, self._mark) or 0)

    def applied_us(self, log: str) -> int:
        """See RecordStore; one round trip."""
        return int(self._call(self._client.get, self._applied(log)) or 0)

    def clock_us(self) -> int:
        """See RecordStore; one round trip."""
        return int(self._call(self._client.get, self._clock) or 0)

    @override
    def set_clock_us(self, clock_us: int) -> None:
        self._call(self._client.set, self._clock, clock_us)

    def sample_keys(self, view: ViewPlan, n: int) -> list[bytes]:
        """See RecordStore. SCAN, so that the server is never held up."""
        prefix = self._prefix(view.name)
        cursor, keys = self._scanned.get(view.name, (0, []))
        for _ in range(SCAN_CALLS):
            if len(keys) >= n:
                break
            cursor, page = self._call(self._client.scan, cursor, match=_literal(prefix) + b"*", count=1000)
            keys += [key[len(prefix) :] for key in page]
        self._scanned[view.name] = cursor, keys[n:]  # a page is larger than a sample
        return list(dict.fromkeys(keys[:n]))

    def count(self) -> int | None:
        """See RecordStore: the server counts the keys of everybody, and a scan of a large store takes long."""
        return None

    @override
    def delete(self, view: str, keys: Sequence[bytes] | None = None) -> None:
        if keys is None:
            self._delete_matching(self._prefix(view))
        elif keys:
            self._call(self._client.unlink, *self._keys(view, keys))

    @override
    def clear(self) -> None:
        self._delete_matching(self._project + b":")

    @override
    def close(self) -> None:
        self._client.close()

    def _delete_matching(self, prefix: bytes) -> None:
        cursor = -1
        while cursor:
            cursor, page = self._call(self._client.scan, max(cursor, 0), match=_literal(prefix) + b"*", count=1000)
            if page:
                self._call(self._client.unlink, *page)

    def _prefix(self, view: str) -> bytes:
        return self._project + b":" + view.encode() + b":"

    def _applied(self, log: str) -> bytes:
        return self._project + b":\0applied:" + log.encode()

    def _described(self, view: str) -> bytes:
        return self._project + b":\0layout:" + view.encode()

    def _descriptions(self, view: str) -> dict[int, bytes]:
        found: dict[bytes, bytes] = self._call(self._client.hgetall, self._described(view))
        return {int(number, 16): text for number, text in found.items()}

    def _get(self, keys: Sequence[bytes]) -> list[bytes | None]:
        raw: list[bytes | None] = []
        for at in range(0, len(keys), KEYS_PER_CALL):
            raw += self._call(self._client.execute_command, "MGET", *keys[at : at + KEYS_PER_CALL])
        return raw

    def _keys(self, view: str, keys: Sequence[bytes]) -> list[bytes]:
        prefix = self._prefix(view)
        return [stored_key(prefix, key) for key in keys]

    def _call(self, command: Any, *args: Any, **options: Any) -> Any:
        try:
            return command(*args, **options)
        except redis.RedisError as error:
            raise Unavailable(
                f"the online store failed: {error}",
                where=self._where,
                remedy="start Redis, or set WEIR_ONLINE_STORE=lmdb",
            ) from error


def _literal(text: bytes) -> bytes:
    """The text with the characters that SCAN takes for patterns escaped."""
    return b"".join(b"\\" + bytes([c]) if c in b"*?[]^\\" else bytes([c]) for c in text)
