"""Predictions and dead letters from their topics, as a person reads them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Self

import pyarrow as pa

from weir.agents.shadow.names import LoggedNames
from weir.core.errors import Refused
from weir.edges.kafka.admin import metadata
from weir.edges.kafka.tail import Tail
from weir.edges.schemas.contracts import contract_of
from weir.edges.schemas.registry import Registry
from weir.recording import naming
from weir.settings import Settings
from weir.wire.decode import Decoder

NAMED = ("outputs", "texts")
MAX_BYTES = 16 << 20  # a dead letter carries an oversized request whole


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a request.

    service: that answered; empty for a letter of the recorder.
    request_id: empty for a dead letter, which may be of bytes that say none.
    fields: of the prediction or the dead letter; of what is packed `outputs` and `texts`, by name. record: the rejected
    bytes; empty otherwise.
    """

    scored: bool
    service: str
    request_id: str
    fields: dict[str, Any]
    record: bytes = b""

    def of(self, request_id: str) -> Self:
        """The same, of that request."""
        return replace(self, request_id=request_id)


def check_service(settings: Settings, service: str) -> None:
    """Raises Refused naming the services that the cluster has topics of, where this is none of them; Unavailable."""
    check_listed(service, services_of(settings), settings.kafka.brokers)


def services_of(settings: Settings) -> list[str]:
    """The services that the cluster has topics of. Raises Unavailable."""
    prefix = settings.kafka.names.requests("")
    _, cluster = metadata(settings.kafka)
    return sorted(topic.removeprefix(prefix) for topic in cluster.topics if topic.startswith(prefix))


def check_listed(service: str, there: Sequence[str], where: str) -> None:
    """Raises Refused naming the services that are there, where this is none of them. where: they were looked for."""
    if service in there:
        return
    known = f"there are {', '.join(there)}" if there else "there is none"
    remedy = "name one of them; a new one begins with `weir service add` and `weir bundle build`"
    raise Refused(f"there is no service {service} on this cluster: {known}", where=where, remedy=remedy)


class Answers:
    """Reads what scorers write. Raises Unavailable; Refused without the contracts."""

    def __init__(self, settings: Settings, registry: Registry) -> None:
        names = settings.kafka.names
        self._decoders = {
            topic: Decoder(contract_of(settings, registry, topic), registry.schema_text)
            for topic in (names.predictions, names.dead_letters)
        }
        self._predictions = names.predictions
        read = Decoder(contract_of(settings, registry, names.bundles), registry.schema_text)
        self._names = _Names(settings.kafka, partial(read.decode, max_bytes=MAX_BYTES))

    def read(self, tail: Tail, timeout_s: float) -> list[Answer]:
        """What has come, topic by topic; none when nothing comes in time. Raises Unavailable, Refused."""
        found = tail.read(timeout_s)
        return [
            answer
            for topic in self._decoders
            for answer in self._decoded(topic, [value for name, value in found if name == topic])
        ]

    def _decoded(self, topic: str, values: list[bytes]) -> list[Answer]:
        decoded = self._decoders[topic].decode(pa.array(values, pa.large_binary()), MAX_BYTES)
        if len(decoded.rejects):
            raise Refused(
                f"{topic} holds a record that does not decode: {decoded.rejects.detail[0]}",
                remedy="see who else writes to it: only scorers may",
            )
        if topic != self._predictions:
            return [_letter(row) for row in decoded.rows.to_pylist()]
        if not len(decoded.rows):
            return []
        maps = naming.named(decoded.rows, NAMED, self._names)
        found = zip(decoded.rows.to_pylist(), *(maps[name].to_pylist() for name in NAMED), strict=True)
        return [_prediction(row, dict(outputs), dict(texts)) for row, outputs, texts in found]


class _Names(LoggedNames):
    """Implements recording.naming.Names. A row without names is shown without what they name."""

    def lack(self, rows: Mapping[str, int]) -> None:
        """Nothing waits for them here."""


def _prediction(row: dict[str, Any], outputs: dict[str, float], texts: dict[str, bytes]) -> Answer:
    fields = {name: value for name, value in row.items() if not isinstance(value, bytes)}
    words = {name: word.decode() for name, word in texts.items()}
    return Answer(True, row["service"], row["request_id"], fields | {"outputs": outputs, "texts": words})


def _letter(row: dict[str, Any]) -> Answer:
    fields = {name: value for name, value in row.items() if name not in ("key", "value")}
    return Answer(False, row["service"], "", fields, row["value"] or b"")
