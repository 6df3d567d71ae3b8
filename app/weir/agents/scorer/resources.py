"""What a scorer needs, and how it is opened: what can be wrong with the world is found before it joins its group."""

from __future__ import annotations

import os
import secrets
import socket
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import partial

from weir.agents.scorer.meter import Meter
from weir.agents.worker.announcement import announce
from weir.agents.worker.following import Following
from weir.agents.worker.learned import Learned
from weir.core.bundle import Bundle
from weir.core.clock import Clock, EventClock, WallClock
from weir.core.contract import UNREGISTERED, Contract
from weir.core.errors import Refused
from weir.core.features import Lookup
from weir.core.topics import Names, subject_of
from weir.edges.bundles import folder, runtime
from weir.edges.bundles.onnx_session import CPU
from weir.edges.bundles.opened import Opened, open_bundle
from weir.edges.features.reader import FeatureReader
from weir.edges.kafka.admin import partitions_of
from weir.edges.kafka.producer import Producer
from weir.edges.observability import spans
from weir.edges.observability.spans import Spans
from weir.edges.schemas.contracts import contract_of
from weir.edges.schemas.registry import Registry
from weir.scoring.batch_record import Worker
from weir.scoring.output import Output
from weir.scoring.predict import Scorer, Service
from weir.scoring.route import Route
from weir.scoring.variant import Variant
from weir.settings import Settings
from weir.telemetry import Telemetry
from weir.wire import request_contract
from weir.wire.agreement import disagreements
from weir.wire.decode import Decoder
from weir.wire.encode import Encoder

LOOKUP_ROWS = 8192  # Redis gives 16,000 records, two views and nothing cached, in about 40 ms; 64,000 take 150


@dataclass(frozen=True, slots=True)
class ScorerResources:
    """Everything that a scorer needs, open."""

    scorer: Scorer
    output: Output
    producer: Producer
    names: Names
    telemetry: Telemetry
    spans: Spans
    meter: Meter
    following: Following | None = None

    def close(self) -> None:
        """Close the producer, follow no learner any more, and send the spans that wait."""
        if self.following is not None:
            self.following.close()
        self.producer.close()
        self.spans.close()


def open_resources(settings: Settings, telemetry: Telemetry) -> tuple[ScorerResources, Opened]:
    """Bundle, features, contracts, topics and producer of `settings.service`; of a learner's bundle its newest state.

    Raises:
        Unavailable: broker, topic, registry or online store cannot be reached.
        Refused: the bundle, its feature service or a contract is not what it should be.
    """
    scorer, opened = open_scorer(settings)
    following = None
    if opened.bundle.learner is not None:
        learned = Learned(settings, opened, telemetry)
        (variant,) = scorer.service.variants
        scorer = Scorer(replace(scorer.service, variants=(replace(variant, learning=learned.now),)))
        following = Following(settings, learned).start()
    output = open_output(settings, opened)
    _check_partitions(settings)
    names = settings.kafka.names
    producer = Producer(settings.kafka, names.scorers(settings.scoring.service))
    announce(settings, producer, "scorer", scorer.service.variants, runtime.of(opened.model))
    meter, traces = Meter(first_id=secrets.randbits(62)), spans.connect(settings, "scorer")
    return ScorerResources(scorer, output, producer, names, telemetry, traces, meter, following), opened


def open_scorer(settings: Settings) -> tuple[Scorer, Opened]:
    """What scores, without what reads and writes; asks no broker. Raises Unavailable, Refused as above."""
    if not settings.scoring.bundle:
        raise Refused("no bundle is named", remedy="give --bundle PATH or set WEIR_BUNDLE")
    registry, topic = Registry(settings.registry), settings.kafka.names.requests(settings.scoring.named_service)
    offered = registry.versions(subject_of(topic))
    opened, lookup = _open_bundle(settings)
    decoder = Decoder(_request_contract(subject_of(topic), offered, opened.bundle), registry.schema_text)
    name = settings.scoring.variant
    service = Service(
        decode=partial(decoder.decode, max_bytes=settings.scoring.max_record_bytes),
        variants=(
            Variant(
                name, opened.bundle, opened.model.run, opened.known_good, lookup, opened.known_values, opened.reference
            ),
        ),
        route=Route((name,)),
        clock=_clock(settings),
        max_failed=_max_failed(readable(settings, features=lookup is not None)),
    )
    return Scorer(service), opened


def _request_contract(subject: str, versions: Iterable[Contract], bundle: Bundle) -> Contract:
    """What requests are read as: the fields that the bundle asks for, whatever else callers register and send.

    Raises Refused when no version of the subject has every one of them with a type that can be read: no request would
    carry it.
    """
    try:
        asked = request_contract.build(bundle.service, bundle.signature)
    except ValueError as error:
        what = f"bundle {bundle.short_digest} asks for requests that no contract can describe: {error}"
        raise Refused(what, remedy="mend the signature in SPEC.yaml and build the bundle again") from error
    nearest = Contract(subject, 0, asked, UNREGISTERED), ["it has no version"]
    for offered in versions:
        lacking = disagreements(offered.schema, asked)
        if not lacking:
            return Contract(subject, offered.version, asked, UNREGISTERED)
        if not nearest[0].version or len(lacking) < len(nearest[1]):
            nearest = offered, lacking
    raise Refused(
        f"bundle {bundle.name} {bundle.version} ({bundle.short_digest}) asks for what contract {subject} version "
        f"{nearest[0].version} does not offer: {', '.join(nearest[1])}",
        remedy="register one that has it: `weir bundle contract BUNDLE --write`, `weir up` or `weir topics create`",
    )


def open_output(settings: Settings, opened: Opened) -> Output:
    """What encodes predictions, dead letters and ledger entries. Raises Unavailable, Refused as above."""
    registry, names = Registry(settings.registry), settings.kafka.names
    sinks = {topic: Encoder(contract_of(settings, registry, topic)) for topic in _sinks(names)}
    run_with = runtime.of(opened.model)
    return Output(
        worker=Worker(
            service=settings.scoring.service,
            worker=f"{socket.gethostname()}:{os.getpid()}",
            provider=run_with.provider,
            runtime_id=run_with.id,
            on_gpu=run_with.provider != CPU,
        ),
        digest=opened.bundle.short_digest,
        encode_predictions=sinks[names.predictions].frames,
        encode_dead_letters=sinks[names.dead_letters].frames,
        encode_ledger=sinks[names.ledger].frames,
        encode_batch=Encoder(contract_of(settings, registry, names.batches)).record,
    )


def readable(settings: Settings, *, features: bool) -> Settings:
    """Settings under which the features of a batch can be read within the lookup budget, whatever is cached."""
    if not features:
        return settings
    return settings.having(
        batch_max_rows=min(settings.scoring.batch_max_rows, LOOKUP_ROWS),
        chunk_max_records=min(settings.kafka.chunk_max_records, LOOKUP_ROWS),
    )


def _open_bundle(settings: Settings) -> tuple[Opened, Lookup | None]:
    described = folder.read(folder.find(settings.scoring.bundle, settings))
    bundle = described.bundle
    if bundle.service != settings.scoring.service:
        raise Refused(
            f"bundle {bundle.name} {bundle.version} is for service {bundle.service}, not {settings.scoring.service}",
            where=str(described.path),
            remedy="name another bundle, or set WEIR_SERVICE",
        )
    runtime.hold(bundle, settings.scoring.runtime_policy)
    columns = bundle.signature.looked_up
    words = bundle.signature.feature_words
    lookup = FeatureReader.of(settings, bundle.feature_service, columns, words) if columns else None
    opened = open_bundle(described, lookup.plan if lookup else None, wanted=settings.scoring.engine)
    return opened, lookup


def _max_failed(settings: Settings) -> int:
    """Rows of a batch on which the model may raise: with one more, the dead-letter limit is passed in any case.

    The limit looks at a window that the newest batch may exceed, see core.limit.
    """
    newest = max(settings.scoring.batch_max_rows, settings.kafka.chunk_max_records)
    return int(settings.scoring.dead_letter_limit * (settings.scoring.dead_letter_window + newest))


def _check_partitions(settings: Settings) -> None:
    """Predictions go to the partition number of their request, so every sink needs at least as many.

    Batches go to the first partition of their topic, whatever partitions their records came from.
    """
    partitions_of(settings.kafka, settings.kafka.names.batches)
    requests = settings.kafka.names.requests(settings.scoring.service)
    needed = partitions_of(settings.kafka, requests)
    for topic in _sinks(settings.kafka.names):
        found = partitions_of(settings.kafka, topic)
        if found < needed:
            raise Refused(
                f"{topic} has {found} partitions and {requests} has {needed}",
                where=settings.kafka.brokers,
                remedy="run `weir topics create`, which adds them",
            )


def _sinks(names: Names) -> tuple[str, str, str]:
    return names.predictions, names.dead_letters, names.ledger


def _clock(settings: Settings) -> Clock:
    return EventClock() if settings.scoring.clock == "event" else WallClock(time.time)
