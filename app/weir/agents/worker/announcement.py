"""Says in the log what the packed columns of a bundle's predictions mean, before there are any."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Sequence

from weir.core.runtime import Runtime
from weir.edges.kafka.producer import Producer
from weir.edges.schemas.contracts import contract_of
from weir.edges.schemas.registry import Registry
from weir.scoring import records
from weir.scoring.variant import Variant
from weir.settings import Settings
from weir.wire.encode import Encoder


def announce(settings: Settings, producer: Producer, role: str, variants: Sequence[Variant], runtime: Runtime) -> None:
    """Write the names of each variant's inputs and views to the log, and wait until they are there.

    role: scorer or shadow. runtime: what they score with.
    Raises Unavailable; Refused when the contract is not what it should be.
    """
    topic = settings.kafka.names.bundles
    encoder = Encoder(contract_of(settings, Registry(settings.registry), topic))
    worker = f"{socket.gethostname()}:{os.getpid()}"
    producer.write(
        topic, 0, encoder.frames(*records.bundle_names(variants, runtime, role, worker, time.time_ns() // 1_000_000))
    )
    producer.flush()
