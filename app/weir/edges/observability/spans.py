"""OpenTelemetry: one span per micro-batch, linked to the requests whose callers record their traces.

Off unless WEIR_TRACES_ENDPOINT is set; OpenTelemetry is imported only then. A prediction carries its request's
`traceparent` unchanged, so that whoever reads it goes on in the caller's trace.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pyarrow as pa

from weir.core import traceparent
from weir.core.addresses import Address, is_this_machine
from weir.settings import Settings

if TYPE_CHECKING:
    from opentelemetry.sdk.trace.export import SpanExporter

MAX_LINKS = 128  # OpenTelemetry's own default limit per span; past it the SDK would drop them silently


@dataclass(frozen=True, slots=True)
class Span:
    """A finished micro-batch.

    started_ns, ended_ns: nanoseconds since the epoch. parents: n strings, the requests' `traceparent` column; null
    allowed; the first MAX_LINKS of sampled traces become links.
    """

    name: str
    started_ns: int
    ended_ns: int
    parents: pa.Array | None
    attributes: Mapping[str, str | int | float]


class Spans(Protocol):
    """Where spans go."""

    def record(self, span: Span) -> None:
        """Report it."""
        ...

    def close(self) -> None:
        """Send what is queued."""
        ...


class NoSpans:
    """Tracing is off."""

    def record(self, span: Span) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


class BatchSpans:
    """Spans over OTLP/HTTP, exported from a thread of the SDK; a collector that is down costs spans, never a batch."""

    def __init__(self, settings: Settings, role: str, *, exporter: Any = None) -> None:
        """exporter: an OpenTelemetry SpanExporter in place of OTLP to settings.traces_endpoint, for tests."""
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415 - off by default
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

        resource = Resource.create({"service.name": f"weir-{role}", "weir.service": settings.scoring.service})
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(exporter or _exporter(settings.telemetry.traces_endpoint)))
        self._tracer = self._provider.get_tracer("weir")

    def record(self, span: Span) -> None:
        """See Spans. Only the linked requests, at most MAX_LINKS, are touched one by one."""
        from opentelemetry.trace import Link, SpanContext, TraceFlags  # noqa: PLC0415

        links = []
        linked = 0
        if span.parents is not None:
            rows = np.flatnonzero(traceparent.sampled(span.parents))
            linked = len(rows)
            for text in span.parents.take(pa.array(rows[:MAX_LINKS])).to_pylist():
                parent = traceparent.parse(text)
                if parent is not None:
                    links.append(Link(SpanContext(parent.trace_id, parent.span_id, True, TraceFlags(parent.flags))))
        attributes = {**span.attributes, "weir.sampled_requests": linked}
        told = self._tracer.start_span(span.name, links=links, start_time=span.started_ns, attributes=attributes)
        told.end(span.ended_ns)

    def close(self) -> None:
        """Send what is queued, for a few seconds at most."""
        self._provider.force_flush(timeout_millis=5_000)
        self._provider.shutdown()


def _exporter(endpoint: str) -> SpanExporter:
    import requests  # noqa: PLC0415
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415

    session = requests.Session()
    session.trust_env = not is_this_machine(endpoint)  # no proxy stands before this machine
    return OTLPSpanExporter(endpoint, session=session)


def connect(settings: Settings, role: str) -> Spans:
    """Spans to settings.traces_endpoint, or nowhere when it is empty. Raises Refused when it is no address."""
    if not settings.telemetry.traces_endpoint:
        return NoSpans()
    Address.of(
        settings.telemetry.traces_endpoint,
        "WEIR_TRACES_ENDPOINT",
        example="http://HOST:4318/v1/traces",
        credentials="OTEL_EXPORTER_OTLP_HEADERS",
    )
    return BatchSpans(settings, role)
