"""A sample of the requests with ONNX Runtime's own scores, to which their answers are held in every round."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime as ort
import pyarrow as pa
from weir.core.features import ServicePlan
from weir.core.signature import Signature, Source
from weir.edges.features.store.entity_key import encode_key
from weir.edges.features.store.record_store import Ask, RecordStore

from tests.bench.workload import Floats

ROWS = 512  # of all partitions together
TOLERANCE = 1e-6  # the same numbers, in batches of another size or by the kernel for trees
PARTITIONS = 64  # at most: offset * PARTITIONS + partition is one number for one request


@dataclass(frozen=True, slots=True)
class Sample:
    """m requests: the partition that each lies in, how many of the round lie before it there, and its score."""

    partition: npt.NDArray[np.int64]
    position: npt.NDArray[np.int64]
    scores: Floats

    def faults(self, begins: Mapping[int, int], counts: Mapping[int, int], answered: pa.RecordBatch) -> list[str]:
        """What the answers of a round say against it.

        begins: partition -> offset of the round's first request; counts: partition -> requests of the round.
        answered: the predictions of the service, columns source_partition, source_offset, score.
        """
        asked = self.position < np.array([counts[number] for number in self.partition.tolist()])
        begin = np.array([begins[number] for number in self.partition.tolist()])
        wanted = ((begin + self.position) * PARTITIONS + self.partition)[asked]
        where = np.asarray(answered["source_offset"]) * PARTITIONS + np.asarray(answered["source_partition"])
        order = np.argsort(where)
        at = np.searchsorted(where[order], wanted)
        there = at < len(where)
        there[there] = where[order][at[there]] == wanted[there]
        given = np.asarray(answered["score"], np.float64)[order][at[there]]
        off = np.abs(given - self.scores[asked][there].astype(np.float64))
        found = []
        if absent := int((~there).sum()):
            found.append(f"{absent} of {len(wanted)} requests that were looked up have no answer")
        if wrong := int((~(off <= TOLERANCE)).sum()):  # NaN is wrong too
            found.append(
                f"{wrong} of {len(wanted)} scores differ from ONNX Runtime's own, by up to {float(np.nanmax(off)):.1e}"
            )
        return found


def sample(
    model: Path,
    signature: Signature,
    parts: Sequence[tuple[int, pa.RecordBatch]],
    store: RecordStore | None = None,
    plan: ServicePlan | None = None,
) -> Sample:
    """Evenly spread requests of each partition, scored by ONNX Runtime alone.

    parts: (partition, its requests in the order of its log). store, plan: where features are looked up.
    """
    each = -(-ROWS // len(parts))
    chosen = [(number, np.linspace(0, rows.num_rows - 1, each).astype(np.int64), rows) for number, rows in parts]
    matrix = np.concatenate([_matrix(signature, rows.take(pa.array(at)), store, plan) for _, at, rows in chosen])
    return Sample(
        np.concatenate([np.full(len(at), number) for number, at, _ in chosen]),
        np.concatenate([at for _, at, _ in chosen]),
        _scores(model, signature.output_tensor, matrix),
    )


def _matrix(signature: Signature, rows: pa.RecordBatch, store: RecordStore | None, plan: ServicePlan | None) -> Floats:
    """float32[m, k] as the requests and the store have it; m rows, in the order of the signature."""
    looked_up = {}
    if store is not None and plan is not None:
        for view in plan.reading(signature.looked_up).views:
            keys = list(zip(*(rows.column(name).to_pylist() for name in view.join_keys), strict=True))
            (answer,), _ = store.read_many([Ask(view, [encode_key(key) for key in keys])])
            looked_up |= {f"{view.name}__{name}": answer.values[:, i] for i, name in enumerate(view.features)}
    columns = [
        looked_up[item.ref] if item.source is Source.FEATURE else np.asarray(rows.column(item.ref), np.float32)
        for item in signature.inputs
    ]
    return np.ascontiguousarray(np.column_stack(columns), np.float32)


def _scores(model: Path, output: str, matrix: Floats) -> Floats:
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    found: Floats = session.run([output], {session.get_inputs()[0].name: matrix})[0]
    return found.reshape(-1)
