"""The online store in a directory: LMDB, one writer at a time, any number of readers, no server."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import lmdb
import numpy as np
from typing_extensions import override

from weir.core.errors import Unavailable
from weir.core.features import ViewPlan
from weir.edges.features.store.layouts import Layouts
from weir.edges.features.store.record_layout import EVENT
from weir.edges.features.store.record_store import Answer, Ask, RecordStore, Row, Write, newest_only, stored_key

MAP_BYTES = 1 << 33  # address space, not disk: the file is sparse and grows to what is written
MAX_READERS = 510  # processes and threads that may read at once; a slot is 64 bytes
MAX_LAYOUTS = 10_000  # versions of one view
SYNC_EVERY_S = 1.0  # a power cut may cost what was written since; a crash of the process costs nothing

Identity = tuple[int, int]  # device and inode of a file

_environments: dict[Path, tuple[lmdb.Environment, int, Identity]] = {}  # LMDB allows one for each process and path
_lock = threading.Lock()


class LmdbStore(RecordStore):
    """RecordStore in a directory; see there. `write_many` is one transaction: readers see all of it or nothing."""

    def __init__(self, path: Path, project: str) -> None:
        self.path = path.resolve()
        self._project = project.encode()
        self._mark = self._project + b"\0\0watermark"
        self._clock = self._project + b"\0\0clock"
        self._layouts = Layouts(self._descriptions)
        self._file = self.path / "data.mdb"
        self._env, self._identity = _acquire(self.path)
        self._synced_s = time.monotonic()
        self._sampled: dict[str, bytes] = {}
        self._closed = False

    def read_many(self, asks: Sequence[Ask]) -> tuple[list[Answer], int]:
        """See RecordStore. Raises Unavailable also when the directory was removed or replaced: see `_check`."""
        self._check()
        with self._transaction() as txn:
            get = _getter(txn)
            raw = [[get(key) for key in self._keys(ask.view.name, ask.keys)] for ask in asks]
            mark = _micros(get(self._mark))
        return [self._layouts.answer(ask, values) for ask, values in zip(asks, raw, strict=True)], mark

    @override
    def read_rows(self, view: str, keys: Sequence[bytes]) -> list[Row | None]:
        with self._transaction() as txn:
            get = _getter(txn)
            raw = [get(key) for key in self._keys(view, keys)]
        return self._layouts.rows(view, raw)

    def write_many(self, writes: Sequence[Write], watermark_us: int | None = None, log: str = "") -> int:
        """See RecordStore. The write lock is exclusive, so comparing and writing is one step."""
        prepared = [newest_only(write) for write in writes]
        written = 0
        with self._transaction(write=True) as txn:
            get = _getter(txn)
            for write in prepared:
                layout = write.records.layout
                txn.put(self._described(write.view.name) + b"%08x" % layout.id, layout.description)
                keys, values = self._keys(write.view.name, write.keys), write.records.raw
                old = [get(key) for key in keys]
                present = [i for i, value in enumerate(old) if value is not None]
                if present:
                    event_us = np.frombuffer(b"".join([value[EVENT] for value in old if value is not None]), "<i8")
                    outdated = set(np.array(present)[event_us > write.records.event_us[present]].tolist())
                    pairs = [(keys[i], values[i]) for i in range(len(keys)) if i not in outdated]
                else:
                    pairs = list(zip(keys, values, strict=True))
                txn.cursor().putmulti(pairs)
                written += len(pairs)
            for mark in (self._mark, self._applied(log)):
                if watermark_us is not None and watermark_us > _micros(get(mark)):
                    txn.put(mark, watermark_us.to_bytes(8, "little", signed=True))
        self._sync()
        return written

    def watermark_us(self) -> int:
        """See RecordStore; under a microsecond."""
        with self._transaction() as txn:
            return _micros(_getter(txn)(self._mark))

    def applied_us(self, log: str) -> int:
        """See RecordStore; under a microsecond."""
        with self._transaction() as txn:
            return _micros(_getter(txn)(self._applied(log)))

    def clock_us(self) -> int:
        """See RecordStore; under a microsecond."""
        with self._transaction() as txn:
            return _micros(_getter(txn)(self._clock))

    @override
    def set_clock_us(self, clock_us: int) -> None:
        with self._transaction(write=True) as txn:
            txn.put(self._clock, clock_us.to_bytes(8, "little", signed=True))

    @override
    def sample_keys(self, view: ViewPlan, n: int) -> list[bytes]:
        prefix = self._prefix(view.name)
        with self._transaction() as txn:
            keys = _from(txn, prefix, self._sampled.get(view.name, prefix), n)
            if len(keys) < n:
                keys = list(dict.fromkeys([*keys, *_from(txn, prefix, prefix, n - len(keys))]))
        self._sampled[view.name] = keys[-1] + b"\0" if keys else prefix
        return [key[len(prefix) :] for key in keys]

    def count(self) -> int | None:
        """See RecordStore; what LMDB keeps count of, less marks and descriptions of layouts."""
        own = self._project + b"\0\0"
        with self._transaction() as txn:
            entries: int = txn.stat()["entries"]
            return entries - len(_from(txn, own, own, entries))

    @override
    def delete(self, view: str, keys: Sequence[bytes] | None = None) -> None:
        with self._transaction(write=True) as txn:
            if keys is None:
                _delete_from(txn, self._prefix(view))
            else:
                for key in self._keys(view, keys):
                    txn.delete(key)
        self._sync()

    @override
    def clear(self) -> None:
        with self._transaction(write=True) as txn:
            _delete_from(txn, self._project + b"\0")
        self._sync()

    @override
    def close(self) -> None:
        if not self._closed:
            self._closed = True
            _release(self.path)

    def _prefix(self, view: str) -> bytes:
        return self._project + b"\0" + view.encode() + b"\0"

    def _applied(self, log: str) -> bytes:
        return self._project + b"\0\0applied\0" + log.encode()

    def _described(self, view: str) -> bytes:
        return self._project + b"\0\0layout\0" + view.encode() + b"\0"

    def _descriptions(self, view: str) -> dict[int, bytes]:
        prefix = self._described(view)
        with self._transaction() as txn:
            keys = _from(txn, prefix, prefix, MAX_LAYOUTS)
            found = {int(key[len(prefix) :], 16): _getter(txn)(key) for key in keys}
        return {number: text for number, text in found.items() if text is not None}

    def _keys(self, view: str, keys: Sequence[bytes]) -> list[bytes]:
        prefix = self._prefix(view)
        return [stored_key(prefix, key) for key in keys]

    def _check(self) -> None:
        """A removed file stays readable for who has it open: its values would grow old without a word."""
        try:
            there = _identity(self._file)
        except OSError:
            there = None
        if there != self._identity:
            raise Unavailable(
                "the online store was removed or replaced while it was open",
                where=str(self.path),
                remedy="put it back, or start this worker again",
            )

    @contextmanager
    def _transaction(self, *, write: bool = False) -> Iterator[lmdb.Transaction]:
        try:
            with self._env.begin(write=write) as txn:
                yield txn
        except lmdb.MapFullError as error:
            raise Unavailable(
                "the online store is full",
                where=str(self.path),
                remedy="remove the directory and apply the feature repository again, or use Redis",
            ) from error
        except (lmdb.Error, OSError) as error:
            raise Unavailable(
                f"the online store failed: {error}",
                where=str(self.path),
                remedy="check the disk; the directory can be removed and filled again",
            ) from error

    def _sync(self) -> None:
        now = time.monotonic()
        if now - self._synced_s >= SYNC_EVERY_S:
            self._synced_s = now
            self._env.sync(True)


def _acquire(path: Path) -> tuple[lmdb.Environment, Identity]:
    with _lock:
        env, users, identity = _environments.get(path, (None, 0, (0, 0)))
        if env is None:
            try:
                path.mkdir(parents=True, exist_ok=True)
                env = lmdb.open(str(path), map_size=MAP_BYTES, max_readers=MAX_READERS, sync=False, metasync=False)
                env.reader_check()  # frees the slots of readers that were killed
                identity = _identity(path / "data.mdb")
            except (lmdb.Error, OSError) as error:
                raise Unavailable(
                    f"the online store cannot be opened: {error}",
                    where=str(path),
                    remedy="check that WEIR_HOME is a writable directory on a local disk",
                ) from error
        _environments[path] = (env, users + 1, identity)
        return env, identity


def _identity(file: Path) -> Identity:
    found = os.stat(file)
    return found.st_dev, found.st_ino


def _release(path: Path) -> None:
    with _lock:
        env, users, identity = _environments[path]
        if users > 1:
            _environments[path] = (env, users - 1, identity)
            return
        del _environments[path]
        env.sync(True)
        env.close()


def _getter(txn: lmdb.Transaction) -> Callable[[bytes], bytes | None]:
    return cast("Callable[[bytes], bytes | None]", txn.get)  # memoryview only where buffers were asked for


def _micros(raw: bytes | None) -> int:
    return int.from_bytes(raw, "little", signed=True) if raw is not None else 0


def _from(txn: lmdb.Transaction, prefix: bytes, start: bytes, n: int) -> list[bytes]:
    cursor = txn.cursor()
    keys: list[bytes] = []
    if n > 0 and cursor.set_range(start):
        for found in cursor.iternext(keys=True, values=False):
            key = bytes(found)
            if not key.startswith(prefix) or len(keys) == n:
                break
            keys.append(key)
    return keys


def _delete_from(txn: lmdb.Transaction, prefix: bytes) -> None:
    cursor = txn.cursor()
    found = cursor.set_range(prefix)
    while found and bytes(cursor.key()).startswith(prefix):
        found = cursor.delete()
