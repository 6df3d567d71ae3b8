"""The job that every peer does, as a user of fastavro and ONNX Runtime writes it; the same code in all of them.

Runs in the peers' own environments, so it imports nothing of Weir's; only where KERNEL_FROM names the folder of its
package, its kernel for trees takes ONNX Runtime's place, to tell what is the engine and what is the path.
"""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Callable, Sequence
from datetime import datetime, timezone
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from fastavro import parse_schema, schemaless_reader, schemaless_writer

FRAME_BYTES = 5  # Confluent's frame: byte 0, four bytes of schema id
OUT_FRAME = b"\x00\x00\x00\x00\x01"
MODEL_NAME, MODEL_VERSION = "bench", "1"
UTC = timezone.utc  # noqa: UP017  a peer's Python may be older than 3.11

BROKERS = os.environ["BROKERS"]
REQUESTS_TOPIC = os.environ["REQUESTS_TOPIC"]
PREDICTIONS_TOPIC = os.environ["PREDICTIONS_TOPIC"]
GROUP = os.environ["GROUP"]
MAX_BATCH = int(os.environ["MAX_BATCH"])


class Job:
    """Requests in, predictions out, by the files that MODEL, SCHEMA and OUT_SCHEMA name.

    The features are the schema's float fields, in its order.
    """

    def __init__(self) -> None:
        schema = json.loads(Path(os.environ["SCHEMA"]).read_text(encoding="utf-8"))
        self._reader = parse_schema(schema)
        self._writer = parse_schema(json.loads(Path(os.environ["OUT_SCHEMA"]).read_text(encoding="utf-8")))
        self._features = itemgetter(*(field["name"] for field in schema["fields"] if "float" in field["type"]))
        features = sum("float" in field["type"] for field in schema["fields"])
        self._run = _kernel(features) if "KERNEL_FROM" in os.environ else _onnx_runtime()

    def decode(self, value: bytes) -> dict[str, Any]:
        """A framed request as a dictionary."""
        body = io.BytesIO(value)
        body.seek(FRAME_BYTES)
        return schemaless_reader(body, self._reader, None)

    def score(self, rows: Sequence[dict[str, Any]]) -> list[float]:
        """One call of the engine for n requests; null is NaN."""
        matrix = np.array([self._features(row) for row in rows], np.float32)
        return self._run(matrix).reshape(-1).tolist()

    def encode(self, row: dict[str, Any], score: float) -> bytes:
        """A framed prediction."""
        out = io.BytesIO()
        out.write(OUT_FRAME)
        prediction = {
            "request_id": row["request_id"],
            "event_time": row["event_time"],
            "scored_at": datetime.now(UTC),
            "model": MODEL_NAME,
            "version": MODEL_VERSION,
            "score": score,
        }
        schemaless_writer(out, self._writer, prediction)
        return out.getvalue()

    def batch(self, values: Sequence[bytes]) -> list[bytes]:
        """Framed requests -> framed predictions, in their order."""
        rows = [self.decode(value) for value in values]
        return [self.encode(row, score) for row, score in zip(rows, self.score(rows), strict=True)]


def _onnx_runtime() -> Callable[[np.ndarray], np.ndarray]:
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = ort.InferenceSession(os.environ["MODEL"], options, providers=["CPUExecutionProvider"])
    name, outputs = session.get_inputs()[0].name, [session.get_outputs()[0].name]
    return lambda matrix: session.run(outputs, {name: matrix})[0]


def _kernel(features: int) -> Callable[[np.ndarray], np.ndarray]:
    sys.path.append(os.environ["KERNEL_FROM"])
    from weir.trees.opening import opened

    return opened(Path(os.environ["MODEL"]).read_bytes(), features).run
