"""Spans per micro-batch, against the real SDK and a collector's HTTP endpoint."""

import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pyarrow as pa
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from weir.edges.observability import spans
from weir.settings import load


def parent(number, flags="01"):
    return f"00-{number:032x}-{number:016x}-{flags}"


@pytest.fixture
def collector():
    bodies = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/v1/traces", bodies
    server.shutdown()
    server.server_close()
    thread.join()


def received(bodies):
    for body in bodies:
        request = ExportTraceServiceRequest.FromString(body)
        for resource in request.resource_spans:
            for scope in resource.scope_spans:
                yield from scope.spans


def test_a_batch_is_one_span_with_bounded_links_to_sampled_requests(collector):
    endpoint, bodies = collector
    out = spans.connect(load(traces_endpoint=endpoint), "scorer")
    parents = [parent(i + 1) for i in range(300)] + [None, "nonsense", parent(999, "00")]
    out.record(spans.Span("score", 1_000, 3_000, pa.array(parents[::-1], pa.string()), {"weir.rows": 303}))
    out.record(spans.Span("score", 4_000, 5_000, None, {}))
    out.close()
    first, second = received(bodies)
    assert (first.name, first.start_time_unix_nano, first.end_time_unix_nano) == ("score", 1_000, 3_000)
    assert len(first.links) == spans.MAX_LINKS
    assert first.links[0].trace_id == (300).to_bytes(16, "big")
    attributes = {item.key: item.value.int_value for item in first.attributes}
    assert attributes == {"weir.rows": 303, "weir.sampled_requests": 300}
    assert len(second.links) == 0


def test_off_by_default_and_then_not_even_imported():
    program = (
        "import sys; from weir.settings import load; from weir.edges.observability import spans\n"
        "out = spans.connect(load(), 'scorer'); out.record(spans.Span('score', 1, 2, None, {})); out.close()\n"
        "assert not [name for name in sys.modules if name.startswith('opentelemetry')]"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
