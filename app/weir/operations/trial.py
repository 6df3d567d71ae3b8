"""Requests put to an open bundle, through all of the scorer but the broker and the online store."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from weir.core.batch import ClosedBy, MicroBatch
from weir.core.chunk import Chunk
from weir.core.clock import EventClock
from weir.core.contract import Contract
from weir.core.features import FeatureBlock, Lookup, ServicePlan
from weir.core.signature import Dtype, KeyType, Signature
from weir.edges.bundles.opened import Opened
from weir.scoring.batches import ScoredBatch
from weir.scoring.predict import Scorer, Service
from weir.scoring.route import Route
from weir.scoring.variant import Variant
from weir.wire import request_contract
from weir.wire.decode import Decoder
from weir.wire.encode import Encoder

MAX_BYTES: Final = 1 << 20
AT_MS: Final = 1_700_000_000_000  # of requests that have no time of their own
TYPES: Final = {  # of request fields, as the encoder takes them
    Dtype.FLOAT: pa.float32(),
    Dtype.DOUBLE: pa.float64(),
    Dtype.INT: pa.int64(),
    Dtype.BOOL: pa.bool_(),
    Dtype.CATEGORY: pa.string(),
    Dtype.STRING: pa.string(),
}


@dataclass(slots=True)
class GivenFeatures:
    """core.features.Lookup: features that are given row by row, as new as their requests.

    values: float[n, c], in the order of the plan's columns, as in FeatureBlock; NaN for none.
    found: bool[n, v], whether a view has any.
    """

    plan: ServicePlan
    values: npt.NDArray[np.floating]
    found: npt.NDArray[np.bool_]

    def read(self, keys: Mapping[str, pa.Array], now_us: int) -> FeatureBlock:
        """The rows in their order, whatever the keys are. Raises ValueError when a key is not there."""
        if missing := {name for view in self.plan.views for name in view.join_keys} - keys.keys():
            raise ValueError(f"join keys are missing: {', '.join(sorted(missing))}")
        times = np.full(self.found.shape, now_us, np.int64)
        return FeatureBlock(self.values, times, self.found, 0, len(self.values))


def envelope(signature: Signature, n: int) -> dict[str, pa.Array]:
    """What n requests say beside the model's inputs. Nothing is late, and nobody has the key of another."""
    columns = {
        "request_id": pa.array([f"trial-{i}" for i in range(n)], pa.string()),
        "event_time": pa.repeat(pa.scalar(AT_MS, pa.int64()), n).cast(pa.timestamp("ms", "UTC")),
        "tenant": pa.repeat("", n),
        "team": pa.repeat("", n),
        "traceparent": pa.nulls(n, pa.string()),
        "deadline": pa.nulls(n, pa.timestamp("ms", "UTC")),
    }
    for key in signature.join_keys:
        columns[key.name] = pa.array([i if key.dtype == KeyType.INT64 else f"key-{i}" for i in range(n)])
    return columns


def ask(opened: Opened, requests: pa.RecordBatch, lookup: Lookup | None) -> ScoredBatch:
    """What becomes of n requests: encoded under the contract of the bundle's own signature, and scored.

    requests: the contract's columns; the lookup must give a block of as many rows. A request that is rejected before
    features are looked up has none, so `GivenFeatures` is for requests that all get so far.
    Raises ValueError where the encoder, the signature or the lookup do not fit each other.
    """
    bundle = opened.bundle
    contract = Contract("trial", 1, request_contract.build(bundle.service, bundle.signature), 1)
    service = Service(
        decode=partial(Decoder(contract, lambda schema_id: None).decode, max_bytes=MAX_BYTES),
        variants=(
            Variant(
                "champion", bundle, opened.model.run, opened.known_good, lookup, opened.known_values, opened.reference
            ),
        ),
        route=Route(("champion",)),
        clock=EventClock(),
        max_failed=requests.num_rows,
    )
    chunk = Chunk.alone(Encoder(contract).frames(requests).cast(pa.large_binary()), "trial", AT_MS)
    return Scorer(service).score(MicroBatch((chunk,), ClosedBy.ROWS, 0.0), tick=lambda: 0.0)
