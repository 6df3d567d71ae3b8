"""What the features of answers are called: as scorers said in the log before their first answer."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import pyarrow as pa

from weir.core.bundle_names import BundleNames
from weir.core.chunk import Partition
from weir.core.decoded import Decoded
from weir.edges.kafka.log_reader import LogReader
from weir.recording import bundles
from weir.setting_groups import KafkaSettings

ASK_AGAIN_S: Final = 1.0  # a stranger's digests must not cost a look at the log each
READ_S: Final = 10.0  # the log of bundles is a few records


class LoggedNames:
    """Names of the bundles that scorers have announced. One thread at a time."""

    def __init__(self, settings: KafkaSettings, decode: Callable[[Sequence[bytes]], Decoded]) -> None:
        self._log, self._decode = LogReader(settings, Partition(settings.names.bundles, 0)), decode
        self._known: dict[str, BundleNames] = {}
        self._asked_s = float("-inf")

    def of(self, digests: Sequence[str]) -> Mapping[str, BundleNames]:
        """Those bundles that are known. Raises, as `weir_error` words it, when the log cannot be read."""
        if not self._known.keys() >= set(digests) and time.monotonic() - self._asked_s > ASK_AGAIN_S:
            rows = self._decode(self._log.read(READ_S)).rows
            bad, _, _ = bundles.unreadable(rows)
            self._known |= {found.digest: found for found in bundles.of(rows.filter(pa.array(~bad)))}
            self._asked_s = time.monotonic()
        return {digest: self._known[digest] for digest in digests if digest in self._known}
