"""Whether brokers that never answer refuse this client's certificate.

With TLS 1.3 a broker looks at the certificate when the client's side of the handshake is done, and refuses it by ending
the connection. The alert that says why is lost where a reset overtakes it, and librdkafka then only knows that no
broker can be reached. So the brokers are asked once more, on connections that say nothing: one that admits the client
waits for its first request, one that does not ends each of them at once.
"""

from __future__ import annotations

import contextlib
import socket
import ssl

from confluent_kafka import KafkaError

from weir.edges.kafka.client import addresses
from weir.edges.kafka.errors import weir_error
from weir.setting_groups import KafkaSettings

TRIES = 3  # of each broker: one that restarts ends a connection too, and then takes none
CONNECT_S = 2.0  # a broker that is there takes milliseconds
HELD_S = 2.0  # kept open for so long, a connection is admitted


def check(settings: KafkaSettings) -> None:
    """For a client that had no answer in time. Takes some seconds at most for each broker that cannot be reached.

    Raises Refused, as `weir_error` words it, where every broker that can be reached breaks each connection off right
    after the handshake.
    """
    if not settings.kafka_security_protocol.endswith("SSL"):
        return
    try:
        context = _context(settings)
    except OSError:  # files that librdkafka has read, and that Python's OpenSSL does not understand
        return
    ends: list[str] = []
    for address in addresses(settings):
        with contextlib.suppress(OSError):  # it cannot be reached
            ends += [_end(context, *address) for _ in range(TRIES)]
    if ends and all(ends):
        text = f"each connection ends right after the handshake, as where a certificate is refused: {ends[-1]}"
        raise weir_error(KafkaError(KafkaError._SSL, text), settings.brokers)


def _context(settings: KafkaSettings) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=settings.kafka_ssl_ca_file or None)
    if settings.kafka_ssl_certificate_file:
        password = settings.kafka_ssl_key_password.get_secret_value()
        key = settings.kafka_ssl_key_file or None
        context.load_cert_chain(settings.kafka_ssl_certificate_file, key, lambda: password)
    return context


def _end(context: ssl.SSLContext, host: str, port: int) -> str:
    """How a connection is broken off on which nothing is said after the handshake; "" for one that is not.

    Raises OSError where there is no connection, or no handshake.
    """
    with (
        socket.create_connection((host, port), CONNECT_S) as wire,
        context.wrap_socket(wire, server_hostname=host, suppress_ragged_eofs=False) as secured,
    ):
        secured.settimeout(HELD_S)
        try:
            secured.recv(1)
        except TimeoutError:
            return ""
        except OSError as error:
            return str(error)
        return ""
