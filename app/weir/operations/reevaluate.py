"""What would become of records if they were sent now: by the contract alone, or by a bundle and its features too."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import pyarrow as pa

from weir.agents.scorer.resources import open_scorer, readable
from weir.core.batch import ClosedBy, MicroBatch
from weir.core.chunk import Chunk
from weir.core.rejects import Rejects
from weir.settings import Settings
from weir.wire.decode import Decoder

# Values of n records -> why each would be rejected, "" where it would be scored.
Evaluate = Callable[[Sequence[bytes | None]], list[str]]


def by_contract(settings: Settings, decoder: Decoder) -> Evaluate:
    """Only whether records decode; rules of the signature, deadlines, features and the model are not looked at."""

    def evaluate(values: Sequence[bytes | None]) -> list[str]:
        return _reasons(decoder.decode(_binary(values), settings.scoring.max_record_bytes).rejects, len(values))

    return evaluate


def by_bundle(settings: Settings) -> Evaluate:
    """By settings.bundle and the features as they are, as a scorer that starts now would; nothing is written.

    In batches as large as a scorer's, and each row on which the model raises is told, however many they are: letters
    are chosen for what is wrong with them. Raises what opening a scorer raises.
    """
    scorer, _ = open_scorer(settings.having(dead_letter_limit=1.0))

    def of_batch(values: Sequence[bytes | None]) -> list[str]:
        topic = settings.kafka.names.requests(settings.scoring.service)
        chunk = Chunk.alone(_binary(values), topic, int(time.time() * 1000), time.monotonic())
        batch = MicroBatch((chunk,), ClosedBy.ROWS, 0.0)
        return _reasons(scorer.score(batch, tick=time.perf_counter).rejects, len(values))

    def evaluate(values: Sequence[bytes | None]) -> list[str]:
        at_most = readable(settings, features=scorer.service.reads_features).scoring.batch_max_rows
        batches = (values[first : first + at_most] for first in range(0, len(values), at_most))
        return [reason for batch in batches for reason in of_batch(batch)]

    return evaluate


def _binary(values: Sequence[bytes | None]) -> pa.Array:
    return pa.array(values, pa.large_binary())


def _reasons(rejects: Rejects, n: int) -> list[str]:
    found = [""] * n
    for record, reason, detail in zip(rejects.record.tolist(), rejects.reason, rejects.detail, strict=True):
        found[record] = f"{reason.value}: {detail}"
    return found
