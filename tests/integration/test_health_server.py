"""The pages that supervisors and Prometheus read, over real HTTP."""

import socket
import urllib.error
import urllib.request

import pytest
from prometheus_client.parser import text_string_to_metric_families
from weir.core.errors import Unavailable
from weir.edges.observability.health_server import HealthServer
from weir.settings import load
from weir.telemetry import ChunkFetched, Telemetry

from tests.waiting import WAIT_S


def fetch(url, method="GET"):
    try:
        with urllib.request.urlopen(urllib.request.Request(url, method=method), timeout=WAIT_S) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refusal:
        return refusal.code, refusal.read().decode()


def test_metrics_are_served_as_prometheus_reads_them():
    telemetry = Telemetry()
    telemetry.emit(ChunkFetched(role="scorer", topic="t", records=512))
    with HealthServer(load().telemetry, telemetry, ready=lambda: (True, "ready")) as server:
        status, body = fetch(f"{server.url}/metrics")
    families = {family.name: family for family in text_string_to_metric_families(body)}
    assert status == 200
    assert families["weir_records_fetched"].samples[0].value == 512
    assert "process_resident_memory_bytes" in families


def test_ready_says_what_it_waits_for():
    state = {"ready": (False, "waiting for partitions")}
    with HealthServer(load().telemetry, Telemetry(), ready=lambda: state["ready"]) as server:
        assert fetch(f"{server.url}/ready") == (503, "waiting for partitions\n")
        assert fetch(f"{server.url}/live") == (200, "running\n")
        state["ready"] = (True, "4 partitions")
        assert fetch(f"{server.url}/ready?verbose") == (200, "4 partitions\n")
        assert fetch(f"{server.url}/ready", "HEAD") == (200, "")
        assert fetch(f"{server.url}/else")[0] == 404
        assert fetch(f"{server.url}/ready", "POST")[0] == 501


def test_a_check_that_fails_is_a_probe_that_failed():
    def broken():
        raise KeyError("assignment")

    with HealthServer(load().telemetry, Telemetry(), ready=broken) as server:
        status, body = fetch(f"{server.url}/ready")
    assert status == 503
    assert "KeyError" in body


def test_a_port_that_is_taken_is_named():
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(Unavailable, match=f"127.0.0.1:{port}.*WEIR_HTTP_PORT"):
            HealthServer(load(http_port=port).telemetry, Telemetry(), ready=lambda: (True, ""))
