"""A TLS listener that breaks connections off after the handshake: a refusal whose alert was lost, or a restart."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from weir.core.chunk import LogPartition, Partition
from weir.core.errors import Refused, Unavailable
from weir.edges.kafka import handshake
from weir.edges.kafka.admin import partitions_of
from weir.edges.kafka.handshake import TRIES
from weir.edges.kafka.log_reader import LogReader
from weir.edges.kafka.producer import Producer
from weir.edges.kafka.redrive_log import Announced, send
from weir.settings import Settings, load

from tests.kafka.secured import Authority
from tests.waiting import WAIT_S

END_S = 2.0
SAYS = r"^no TLS connection to Kafka: .*ends right after the handshake.* check .*WEIR_KAFKA_SSL_CERTIFICATE_FILE"
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: closing sends a reset


class Listener:
    """Shakes hands and resets."""

    def __init__(self, authority: Authority) -> None:
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(*authority.sign("broker"))
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._socket.getsockname()[1]}"
        self.shaken = 0
        self.goes_after = 0  # so many handshakes, if any, until nobody listens any more
        self.resets = True  # else it keeps the connections, and never answers
        self.closes = False  # in good order
        self._kept: list[ssl.SSLSocket] = []
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while True:
            try:
                wire, _ = self._socket.accept()
            except OSError:  # closed
                return
            wire.settimeout(5)
            try:
                secured = self._context.wrap_socket(wire, server_side=True)
                self.shaken += 1
                self._kept.append(secured)
                if self.resets:
                    secured.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                    secured.close()
                elif self.closes:
                    secured.unwrap()
                    secured.close()
            except OSError:  # the client has gone within the handshake
                wire.close()
            if self.shaken == self.goes_after:
                self._socket.close()
                return

    def close(self) -> None:
        with contextlib.suppress(OSError):  # it is closed
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join()
        for secured in self._kept:
            secured.close()


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority.new(tmp_path / "authority", "weir tests")


@pytest.fixture
def listener(authority: Authority) -> Iterator[Listener]:
    running = Listener(authority)
    yield running
    running.close()


@pytest.fixture
def settings(listener: Listener, tmp_path: Path) -> Settings:
    stranger = Authority.new(tmp_path / "stranger", "somebody else")
    certificate, key = stranger.sign("me")
    return load(
        brokers=listener.address,
        kafka_security_protocol="SSL",
        kafka_ssl_ca_file=str(tmp_path / "authority" / "ca.pem"),
        kafka_ssl_certificate_file=str(certificate),
        kafka_ssl_key_file=str(key),
        sink_budget_s=END_S,
    )


def ask(settings: Settings) -> None:
    partitions_of(settings.kafka, "t", timeout_s=END_S)


def write(settings: Settings) -> None:
    producer = Producer(settings.kafka, "tests")
    producer.write("t", 0, [b"value"])
    try:
        producer.flush()
    finally:
        producer.close()


def redrive(settings: Settings) -> None:
    send(settings.kafka, [Announced("", LogPartition("log", "t", 0), 0, None, b"value", "none", "log", 0)])


def read(settings: Settings) -> None:
    LogReader(settings.kafka, Partition("t", 0)).read(END_S)


@pytest.mark.parametrize("use", [ask, write, redrive, read])
def test_who_never_has_an_answer_is_told_that_the_certificate_is_refused(use, listener, settings, monkeypatch):
    monkeypatch.setattr(handshake, "HELD_S", WAIT_S)  # however long this listener takes to break off
    with pytest.raises(Refused, match=SAYS):
        use(settings)
    assert listener.shaken >= TRIES


@pytest.mark.parametrize("use", [ask, write, redrive, read])
def test_a_broker_that_goes_away_is_none_that_refuses(use, listener, settings):
    listener.goes_after = 1
    with pytest.raises(Unavailable):
        use(settings)


def test_nor_is_one_that_is_slow_to_answer(listener, settings):
    listener.resets = False
    with pytest.raises(Unavailable, match="Kafka does not answer"):
        ask(settings)


def test_a_proxy_without_a_broker_behind_it_refuses_no_certificate(listener, settings):
    listener.resets, listener.closes = False, True
    with pytest.raises(Unavailable):
        ask(settings)


def test_one_broker_of_several_that_breaks_off_is_no_refusal(authority, listener, settings):
    patient = Listener(authority)
    patient.resets = False
    try:
        with pytest.raises(Unavailable):
            ask(settings.having(brokers=f"{listener.address},{patient.address}"))
    finally:
        patient.close()
