"""What the record of a dead letter says, where it can be read at all."""

from __future__ import annotations

from typing import Any

from weir.core.errors import WeirError
from weir.edges.clickhouse.dead_letters import Letter
from weir.edges.schemas.contracts import contract_of
from weir.edges.schemas.registry import Registry
from weir.settings import Settings
from weir.wire.decode import Decoder
from weir.wire.repair import fields_of


def fields(settings: Settings, letter: Letter) -> tuple[dict[str, Any] | None, str]:
    """Its fields under its service's contract; where it has none, why. Raises nothing: a letter is always shown."""
    topic = letter.source.topic
    if letter.service and topic != settings.kafka.names.requests(letter.service):
        return None, f"{topic} is not the requests topic of {letter.service}"
    try:
        registry = Registry(settings.registry)
        decoder = Decoder(contract_of(settings, registry, topic), registry.schema_text)
        found = fields_of(decoder, letter.value)
    except WeirError as error:
        return None, str(error)
    return found, "it does not decode"
